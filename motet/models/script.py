"""A script: what a model will say, written beforehand. For tests, examples and fault injection.

What does not live here: the chat model that follows a script (`scripted`), and the server that does
(`scripted_server`).

A script file is YAML, JSON or JSON lines. Either a list of replies, said one after the other, or a mapping::

    rules:                       # tried in order; the first that fits answers
      - user: "(?i)weather"      # regular expression over the last user message
        reply: {tool: weather, arguments: {city: Paris}}
      - after: weather           # the last message is the result of this tool
        reply: "It is sunny."
      - schema: Plan             # the request asks for this JSON schema
        reply: {json: {steps: []}}
    replies: [First., Second.]   # said in order when no rule fits
    default: "I do not know."    # said when nothing is left
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, cast

import yaml
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage, ToolMessage
from pydantic import BaseModel

from motet.errors import (
    ContextOverflow,
    InvalidInput,
    ModelError,
    ModelRefused,
    ModelUnavailable,
    MotetError,
    NotFound,
    did_you_mean,
)

Fault = Literal["auth", "unknown_model", "rate_limit", "quota", "context", "refused", "server", "break"]
"""What can go wrong on purpose; `break` cuts the connection in the middle of the reply."""

FAULTS: dict[str, tuple[int, str, str, type[MotetError]]] = {
    "auth": (401, "invalid_api_key", "Incorrect API key provided.", ModelRefused),
    "unknown_model": (404, "model_not_found", "The model does not exist.", ModelRefused),
    "rate_limit": (429, "rate_limit_exceeded", "Too many requests.", ModelUnavailable),
    "quota": (429, "insufficient_quota", "You exceeded your current quota.", ModelRefused),
    "context": (
        400,
        "context_length_exceeded",
        "The prompt is longer than the context window.",
        ContextOverflow,
    ),
    "refused": (400, "invalid_request", "The request is not valid.", ModelRefused),
    "server": (500, "server_error", "The server had an error.", ModelUnavailable),
    "break": (0, "break", "The connection broke.", ModelUnavailable),
}
"""Each fault's HTTP status, OpenAI error code and message, and the error of Motet's that it becomes."""


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A tool call in a reply. `arguments` may be text, to write broken JSON on purpose."""

    name: str
    arguments: Mapping[str, Any] | str = field(default_factory=dict[str, Any])
    call_id: str = ""
    """Made from its place in the run unless given."""

    def arguments_text(self) -> str:
        """Return the arguments as they go over the wire."""
        if isinstance(self.arguments, str):
            return self.arguments
        return json.dumps(dict(self.arguments), ensure_ascii=False)


@dataclass(frozen=True, slots=True)
class Reply:
    """One reply of a script."""

    text: str = ""
    tool_calls: tuple[ToolCall, ...] = ()
    reasoning: str = ""
    """What the model thought before it answered; never part of the answer."""
    finish_reason: str = ""
    """`stop` or `tool_calls` unless given; `length` says that it was cut."""
    fault: Fault | None = None
    retry_after: str = ""
    """With the fault `rate_limit`: what the header `Retry-After` says."""
    error: Exception | None = None
    """Raised as it is, in process only."""
    delay_s: float = 0.0
    """Waited before the first word."""
    piece_delay_s: float = 0.0
    """Waited before each further piece of a stream."""

    @property
    def reason(self) -> str:
        """Return the finish reason, `stop` or `tool_calls` when none was given."""
        return self.finish_reason or ("tool_calls" if self.tool_calls else "stop")

    def stopped_at(self, stops: str | Sequence[str] | None) -> Reply:
        """Return the reply cut before the first of the words that end it."""
        words = [stops] if isinstance(stops, str) else list(stops or ())
        ends = [at for word in words if word and (at := self.text.find(word)) >= 0]
        return replace(self, text=self.text[: min(ends)], tool_calls=()) if ends else self

    def fault_error(self) -> MotetError | None:
        """Return the error that the fault is in process, or None."""
        if self.fault is None:
            return None
        status, code, message, error = FAULTS[self.fault]
        return error(f"scripted: {message}", status=status, code=code)


@dataclass(frozen=True, slots=True)
class Call:
    """What a scripted model was asked."""

    messages: list[BaseMessage]
    tools: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    """In OpenAI's form."""
    tool_choice: Any = None
    response_format: Any = None
    options: dict[str, Any] = field(default_factory=dict[str, Any])
    """Everything else that was passed."""

    @property
    def tool_names(self) -> list[str]:
        """Names of the tools that were offered."""
        return [str(tool.get("function", tool).get("name", "")) for tool in self.tools]

    @property
    def schema_name(self) -> str:
        """Name of the JSON schema that was asked for, or ""."""
        return str(self._json_schema().get("name") or self.schema.get("title", ""))

    @property
    def schema(self) -> dict[str, Any]:
        """The JSON schema that was asked for, or {}."""
        found = self._json_schema().get("schema") or self.options.get("guided_json")
        return found if isinstance(found, dict) else {}

    @property
    def user_text(self) -> str:
        """Text of the last user message."""
        return _last_text(self.messages, HumanMessage)

    @property
    def system_text(self) -> str:
        """Text of all system messages."""
        return "\n".join(m.text for m in self.messages if isinstance(m, SystemMessage))

    @property
    def tool_result(self) -> ToolMessage | None:
        """The last message, when it is a tool's result."""
        last = self.messages[-1] if self.messages else None
        return last if isinstance(last, ToolMessage) else None

    @property
    def images(self) -> list[str]:
        """URLs of the images in the user's messages, `data:` ones among them."""
        blocks = [block for m in self.messages if isinstance(m, HumanMessage) for block in _blocks(m)]
        return [url for block in blocks if (url := _image_url(block))]

    @property
    def roles(self) -> list[str]:
        """Role of each message, as on the wire."""
        kinds = {"human": "user", "ai": "assistant"}
        return [
            str(m.additional_kwargs.get("__openai_role__") or kinds.get(m.type, m.type))
            for m in self.messages
        ]

    def _json_schema(self) -> dict[str, Any]:
        if isinstance(self.response_format, dict):
            found = cast("dict[str, Any]", self.response_format).get("json_schema")
            return found if isinstance(found, dict) else {}
        if isinstance(self.response_format, type) and issubclass(self.response_format, BaseModel):
            return {"name": self.response_format.__name__, "schema": self.response_format.model_json_schema()}
        return {}


AnyReply = str | Reply | AIMessage | ToolCall | Sequence[ToolCall] | BaseModel | Mapping[str, Any] | Exception
"""What may stand for a reply. A mapping is read as in a script file; a pydantic model is sent as its JSON."""

Answerer = Callable[[list[BaseMessage]], AnyReply] | Callable[[Call], AnyReply]


@dataclass(frozen=True, slots=True)
class Rule:
    """A reply and when it is given: every condition that is set must fit."""

    reply: AnyReply
    user: str = ""
    system: str = ""
    schema: str = ""
    after: str = ""
    """Name of the tool whose result is the last message."""
    result: str = ""
    """Regular expression over that result."""
    times: int = 0
    """At most so often; 0 is always."""

    def fits(self, call: Call) -> bool:
        """Say whether every condition fits; a rule that names no tool's result does not fit right after one."""
        result = call.tool_result
        if (result is None) == bool(self.after or self.result):
            return False
        if result is not None and self.after and (result.name or _called_name(call, result)) != self.after:
            return False
        if self.schema != call.schema_name and self.schema:
            return False
        texts = ((self.user, call.user_text), (self.system, call.system_text))
        patterns = (*texts, (self.result, result.text if result is not None else ""))
        return all(re.search(pattern, text) for pattern, text in patterns if pattern)


class Script:
    """Gives each call its reply, always the same for the same calls in the same order."""

    def __init__(
        self,
        replies: Sequence[AnyReply] = (),
        *,
        rules: Sequence[Rule] = (),
        default: AnyReply | None = None,
        answer: Callable[[Call], AnyReply] | None = None,
    ) -> None:
        self._replies = list(replies)
        self._rules = list(rules)
        self._default = default
        self._answer = answer
        self._used: dict[int, int] = {}
        self._next = 0
        self._before: tuple[dict[int, int], int] = ({}, 0)

    @classmethod
    def load(cls, path: str | Path) -> Script:
        """Read a script file.

        Raises:
            NotFound: There is no such file.
            InvalidInput: It is not a script; the message says where.
        """
        path = Path(path).expanduser()
        try:
            text = path.read_text("utf-8")
            lines = path.suffix in (".jsonl", ".ndjson")
            data = (
                [json.loads(line) for line in text.splitlines() if line.strip()]
                if lines
                else yaml.safe_load(text)
            )
        except OSError as error:
            raise NotFound(
                f"Script '{path}' cannot be read: {error.strerror or error}.", path=str(path)
            ) from None
        except (ValueError, yaml.YAMLError, RecursionError) as error:
            raise InvalidInput(f"Script '{path}' is not YAML or JSON: {error}", path=str(path)) from None
        return cls.from_data(data, name=str(path))

    @classmethod
    def from_data(cls, data: Any, *, name: str = "script") -> Script:
        """Read a script from plain data: a list of replies, or `{"rules", "replies", "default"}`.

        Raises:
            InvalidInput: A key or a value is wrong.
        """
        if isinstance(data, list):
            return cls([_checked(item, name) for item in cast("list[Any]", data)])
        if not isinstance(data, dict):
            raise InvalidInput(f"{name}: a script is a list of replies, or a mapping with rules and replies.")
        known = {"rules", "replies", "default"}
        for key in cast("dict[Any, Any]", data):
            if key not in known:
                raise InvalidInput(f"{name}: unknown key '{key}'.{did_you_mean(str(key), known)}")
        default = data.get("default")
        return cls(
            [_checked(item, name) for item in data.get("replies") or []],
            rules=[_rule(item, name) for item in data.get("rules") or []],
            default=None if default is None else _checked(default, name),
        )

    def reply(self, call: Call) -> Reply:
        """Return the reply to a call.

        Raises:
            ModelError: No rule fits and no reply is left.
        """
        return as_reply(self._choose(call))

    def take_back(self) -> None:
        """Say the last reply once more at the next call, where it was one of those in order, or a rule's."""
        self._used, self._next = dict(self._before[0]), self._before[1]

    def is_last(self, reply: Reply, call: Call) -> bool:
        """Say whether nothing is left to say after this reply; without replies in order, whether it is an answer."""
        if self._replies and self._answer is None:
            return self._next >= len(self._replies)
        return not reply.tool_calls and not call.schema

    def _choose(self, call: Call) -> AnyReply:
        self._before = (dict(self._used), self._next)
        if self._answer is not None:
            return self._answer(call)
        for number, rule in enumerate(self._rules):
            used = self._used.get(number, 0)
            if (not rule.times or used < rule.times) and rule.fits(call):
                self._used[number] = used + 1
                return rule.reply
        if self._next < len(self._replies):
            self._next += 1
            return self._replies[self._next - 1]
        if self._default is not None:
            return self._default
        raise ModelError(
            f"The script has no reply to '{call.user_text[:80]}' (schema '{call.schema_name}'): no rule fits, and "
            f"its {len(self._replies)} replies in order are used up."
        )


def as_reply(value: AnyReply) -> Reply:
    """Return the reply that a value stands for.

    Raises:
        InvalidInput: A mapping has an unknown key.
    """
    if isinstance(value, Reply):
        return value
    if isinstance(value, str):
        return Reply(text=value)
    if isinstance(value, ToolCall):
        return Reply(tool_calls=(value,))
    if isinstance(value, AIMessage):
        calls = tuple(ToolCall(c["name"], c["args"], c["id"] or "") for c in value.tool_calls)
        return Reply(text=value.text, tool_calls=calls)
    if isinstance(value, BaseModel):
        return Reply(text=value.model_dump_json())
    if isinstance(value, Exception):
        return Reply(error=value)
    if isinstance(value, Mapping):
        return _from_mapping(value)
    return Reply(tool_calls=tuple(value))


_REPLY_KEYS = {
    "text", "json", "tool", "arguments", "tools", "reasoning", "fault", "retry_after", "delay_s", "piece_delay_s",
    "finish_reason",
}  # fmt: skip


def _from_mapping(data: Mapping[str, Any]) -> Reply:
    for key in data:
        if key not in _REPLY_KEYS:
            raise InvalidInput(f"A reply has the unknown key '{key}'.{did_you_mean(str(key), _REPLY_KEYS)}")
    calls = [{"tool": data["tool"], "arguments": data.get("arguments") or {}}] if "tool" in data else []
    calls += data.get("tools") or []
    fault = data.get("fault")
    if fault is not None and fault not in FAULTS:
        raise InvalidInput(f"Unknown fault '{fault}'.{did_you_mean(str(fault), FAULTS)}")
    text = json.dumps(data["json"], ensure_ascii=False) if "json" in data else str(data.get("text", ""))
    return Reply(
        text=text,
        tool_calls=tuple(ToolCall(str(call["tool"]), call.get("arguments") or {}) for call in calls),
        reasoning=str(data.get("reasoning", "")),
        finish_reason=str(data.get("finish_reason", "")),
        fault=fault,
        retry_after=str(data.get("retry_after", "")),
        delay_s=float(data.get("delay_s", 0.0)),
        piece_delay_s=float(data.get("piece_delay_s", 0.0)),
    )


def _checked(item: Any, name: str) -> Reply:
    if not isinstance(item, (str, dict)):
        raise InvalidInput(f"{name}: a reply is text or a mapping, not {type(item).__name__}.")
    try:
        return as_reply(cast("AnyReply", item))
    except InvalidInput as error:
        raise InvalidInput(f"{name}: {error.message}") from None
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise InvalidInput(f"{name}: a reply is not well formed ({error!r}).") from None


def _rule(item: Any, name: str) -> Rule:
    known = {"user", "system", "schema", "after", "result", "times", "reply"}
    if not isinstance(item, dict) or "reply" not in item:
        raise InvalidInput(f"{name}: a rule is a mapping with a reply.")
    rule = cast("dict[str, Any]", item)
    for key in rule:
        if key not in known:
            raise InvalidInput(f"{name}: a rule has the unknown key '{key}'.{did_you_mean(key, known)}")
    try:
        for key in ("user", "system", "result"):
            re.compile(str(rule.get(key, "")))
        times = int(rule.get("times", 0))
    except (re.error, ValueError) as error:
        raise InvalidInput(f"{name}: a rule is not well formed ({error}).") from None
    words = {key: str(value) for key, value in rule.items() if key not in ("reply", "times")}
    return Rule(reply=_checked(rule["reply"], name), times=times, **words)


def _last_text(messages: list[BaseMessage], kind: type[BaseMessage]) -> str:
    return next((message.text for message in reversed(messages) if isinstance(message, kind)), "")


def _called_name(call: Call, result: ToolMessage) -> str:
    """Return the name of the tool whose result this is; on the wire a result carries only its call's id."""
    asked = (c for m in call.messages if isinstance(m, AIMessage) for c in m.tool_calls)
    return next((c["name"] for c in asked if c["id"] == result.tool_call_id), "")


def _blocks(message: BaseMessage) -> list[dict[str, Any]]:
    content = message.content if isinstance(message.content, list) else []
    return [block for block in content if isinstance(block, dict)]


def _image_url(block: dict[str, Any]) -> str:
    """Return the URL of an image block, in OpenAI's form or in LangChain's; "" for anything else."""
    if block.get("type") == "image_url":
        found = block["image_url"]
        return str(found.get("url", "")) if isinstance(found, dict) else str(found)
    if block.get("type") == "image":
        return str(block.get("url") or f"data:{block.get('mime_type', '')};base64,{block.get('base64', '')}")
    return ""
