"""Reads a model's JSON reply while it is being written: the answer's text as it grows, a tool call at the end.

What does not live here: how the model is asked (`tool_prompt`), and what happens to an unfit reply (`schema_tools`).

The reply is `{"tool": NAME, "arguments": {…}}` or `{"tool": "none", "answer": "…"}`. Where no server enforces it,
looser forms are taken as well: in a code fence, inside prose, with `name` for `tool`, or plain prose as the answer.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any, cast

from motet.models.json_text import find_json, schema_problem

NO_TOOL = "none"
"""The tool's name in a reply that is an answer."""

_ESCAPES = {'"': '"', "\\": "\\", "/": "/", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}
_FENCE_START = re.compile(r"\s*```[\w-]*\s*")


@dataclass(frozen=True, slots=True)
class CallOutcome:
    """The reply calls a tool."""

    name: str
    arguments: dict[str, Any]


@dataclass(frozen=True, slots=True)
class AnswerOutcome:
    """The reply is an answer; `rest` is what was not handed out while it streamed."""

    rest: str


@dataclass(frozen=True, slots=True)
class UnfitOutcome:
    """The reply cannot be used; `problem` says why, to the model and in the error."""

    problem: str


Outcome = CallOutcome | AnswerOutcome | UnfitOutcome


class StringDecoder:
    """Decodes the inside of a JSON string that arrives in pieces of any size.

    A surrogate pair split over pieces is joined; a lone surrogate becomes U+FFFD. A raw line break is taken as it is.
    """

    def __init__(self) -> None:
        self.closed = False
        self._escape = ""
        self._high = ""

    def feed(self, char: str) -> str:
        """Take one character after the opening quote; return the text that it completes, perhaps ""."""
        if self._escape:
            return self._continue_escape(char)
        if char == "\\":
            self._escape = char
            return ""
        if char == '"':
            self.closed = True
            return self._lone()
        return self._lone() + char

    def end(self) -> str:
        """Return what is held back when the text stops in the middle."""
        return self._lone()

    def _continue_escape(self, char: str) -> str:
        self._escape += char
        if self._escape[1] != "u":
            self._escape = ""
            return self._lone() + _ESCAPES.get(char, char)
        if len(self._escape) < 6:
            return ""
        digits, self._escape = self._escape[2:], ""
        try:
            return self._unit(int(digits, 16))
        except ValueError:
            return self._lone() + "\ufffd"

    def _unit(self, unit: int) -> str:
        if 0xD800 <= unit <= 0xDBFF:
            before = self._lone()
            self._high = chr(unit)
            return before
        if 0xDC00 <= unit <= 0xDFFF:
            if not self._high:
                return "\ufffd"
            high, self._high = ord(self._high), ""
            return chr(0x10000 + ((high - 0xD800) << 10) + (unit - 0xDC00))
        return self._lone() + chr(unit)

    def _lone(self) -> str:
        lone, self._high = ("\ufffd" if self._high else ""), ""
        return lone


class AnswerStream:
    """Finds the top-level key `answer` of an object that is being written, and decodes its string as it grows.

    Text that does not begin with `{` (after spaces and a code fence) is never streamed.
    """

    def __init__(self) -> None:
        self.started = False
        self._place = "start"
        self._head = ""
        self._key = ""
        self._depth = 0
        self._string: StringDecoder | None = None

    def feed(self, text: str) -> str:
        """Take a piece; return the part of the answer that it completes."""
        return "".join(self._step(char) for char in text)

    def end(self) -> str:
        """Return what is held back when the reply stops in the middle of the answer."""
        return self._string.end() if self.started and self._string else ""

    def _step(self, char: str) -> str:
        if self._string is not None:
            return self._in_string(char)
        if self._place == "start":
            self._at_start(char)
        elif self._place == "key" and char == '"':
            self._string, self._key = StringDecoder(), ""
        elif self._place == "value":
            self._at_value(char)
        elif self._place == "skip":
            self._skip(char)
        elif self._place == "key" and char == "}":
            self._place = "done"
        return ""

    def _at_start(self, char: str) -> None:
        self._head += char
        opening = _FENCE_START.sub("", self._head).lstrip()
        if opening.startswith("{"):
            self._place = "key"
        elif (opening and not opening.startswith("`")) or len(self._head) > 200:
            self._place = "done"
            if self._head.lstrip().startswith("```") and "\n" not in self._head:
                self._place = "start"

    def _at_value(self, char: str) -> None:
        if char == '"':
            self._string = StringDecoder()
            self.started = self.started or self._key == "answer"
        elif char in "{[":
            self._place, self._depth = "skip", 1
        elif char == ",":
            self._place = "key"
        elif char == "}":
            self._place = "done"

    def _skip(self, char: str) -> None:
        if char == '"':
            self._string = StringDecoder()
        elif char in "{[":
            self._depth += 1
        elif char in "}]":
            self._depth -= 1
            if self._depth == 0:
                self._place = "value"

    def _in_string(self, char: str) -> str:
        assert self._string is not None
        text = self._string.feed(char)
        streaming = self._place == "value" and self._key == "answer"
        if self._place == "key":
            self._key += text
        if self._string.closed:
            self._string = None
            if self._place == "key":
                self._place = "value"
        return text if streaming else ""


class ReplyReader:
    """Reads one reply: feed it the pieces, then `finish()`."""

    def __init__(self, tools: dict[str, dict[str, Any]], *, may_answer: bool, enforced: bool) -> None:
        """Take the argument schema of each tool that may be called.

        Args:
            tools: Tool name to the JSON schema of its arguments.
            may_answer: Whether an answer without a tool is allowed.
            enforced: Whether the server enforces the form; if not, prose counts as an answer.
        """
        self._tools = tools
        self._may_answer = may_answer
        self._enforced = enforced
        self._answer = AnswerStream()
        self._pieces: list[str] = []
        self._shown = False

    @property
    def text(self) -> str:
        """The whole reply so far, as the model wrote it."""
        return "".join(self._pieces)

    def feed(self, piece: str) -> str:
        """Take a piece of the reply; return the part of the answer that can be shown."""
        self._pieces.append(piece)
        if not self._may_answer:
            return ""
        shown = self._answer.feed(piece)
        self._shown = self._shown or bool(shown)
        return shown

    def finish(self, *, cut: bool) -> Outcome:
        """Say what the reply is.

        Args:
            cut: Whether the model was stopped at its longest length. A cut answer stays an answer; a cut tool call
                is unfit and must not be executed.
        """
        rest = self._answer.end()
        if self._shown or rest:
            return AnswerOutcome(rest)
        if cut:
            return UnfitOutcome("it was cut off at its longest length; write less")
        try:
            value = find_json(self.text)
        except ValueError as error:
            return self._prose(str(error))
        if isinstance(value, list) and value:
            value = cast("Any", value[0])
        if not isinstance(value, dict):
            return self._prose("it is not a JSON object")
        return self._from_object(cast("dict[str, Any]", value))

    def _prose(self, problem: str) -> Outcome:
        text = self.text.strip()
        if text and self._may_answer and not self._enforced:
            return AnswerOutcome(text)
        return UnfitOutcome(problem if text else "it is empty")

    def _from_object(self, value: dict[str, Any]) -> Outcome:
        name = value.get("tool")
        if name is None and ("arguments" in value or "parameters" in value):
            name = value.get("name")
        if isinstance(name, str) and name not in self._tools:
            name = name.partition("(")[0].strip()  # as tools are shown: calculator(expression: string)
        if name == NO_TOOL or (name is None and "answer" in value):
            return self._from_answer(value.get("answer"))
        if not isinstance(name, str):
            return self._prose("it names no tool")
        if name not in self._tools:
            known = ", ".join([*self._tools, *([NO_TOOL] if self._may_answer else [])])
            return UnfitOutcome(f"there is no tool '{name[:60]}'; the tools are {known}")
        arguments = value.get("arguments", value.get("args", value.get("parameters", {})))
        if isinstance(arguments, str):
            arguments = _parsed(arguments)
        if not isinstance(arguments, dict):
            return UnfitOutcome("its arguments are not a JSON object")
        problem = schema_problem(arguments, self._tools[name])
        return UnfitOutcome(f"arguments of {name}: {problem}") if problem else CallOutcome(name, arguments)

    def _from_answer(self, answer: Any) -> Outcome:
        if not self._may_answer:
            return UnfitOutcome(f"a tool must be called: {', '.join(self._tools)}")
        if answer is None or answer == "":
            return UnfitOutcome("its answer is empty")
        return AnswerOutcome(answer if isinstance(answer, str) else json.dumps(answer, ensure_ascii=False))


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None
