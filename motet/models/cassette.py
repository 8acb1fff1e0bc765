"""What a run's calls were given and gave, as plain values, and the file that holds them: one JSON object a line.

What does not live here: making one (`runs.recordings`) and playing it (`replay`). The first line is the header; each
further line is one call. The file is made to be read: prompts and replies stand in it in full.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from langchain_core.messages import AIMessage, BaseMessage, ToolMessage

from motet.errors import InvalidInput, NotFound
from motet.models.odds import kept_odds

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

VERSION = 1
"""Version of the format. A file of another one is refused: its calls would not be found again."""

TAPE_KEY = "motet_tape"
"""Where a run's tape is in a config's `configurable`."""

Kind = Literal["model", "tool", "search", "memory"]


@dataclass(frozen=True, slots=True)
class Call:
    """One call and what it gave."""

    number: int
    """From 1, in the order the calls ended."""
    kind: Kind
    name: str
    """The model's or tool's name; what was asked of the documents or memories."""
    request: dict[str, Any]
    """What it was given, without ids: the same request is found again, whatever ids its messages have."""
    response: Any
    """Of a model its message, of a tool its result, as plain JSON."""


@dataclass(frozen=True, slots=True)
class Cassette:
    """A recorded run: what it was asked, with what, and all its calls."""

    header: dict[str, Any]
    """`graph`, `input`, `history`, `earlier`, `options`, `models`, `output`, `run_id`, `motet`."""
    calls: Sequence[Call] = field(default_factory=tuple[Call, ...])

    def lines(self) -> Iterable[str]:
        """Yield the lines of its file."""
        yield _line({"cassette": VERSION, **self.header})
        for call in self.calls:
            yield _line(
                {
                    "number": call.number,
                    "kind": call.kind,
                    "name": call.name,
                    "request": call.request,
                    "response": call.response,
                }
            )

    @classmethod
    def parse(cls, text: str, where: str) -> Cassette:
        """Read a cassette's file.

        Raises:
            InvalidInput: It is none, or of another version; the message names the line.
        """
        calls: list[Call] = []
        header: dict[str, Any] | None = None
        for number, line in enumerate(text.splitlines(), 1):
            if not line.strip():
                continue
            try:
                value = json.loads(line)
                if header is None:
                    header = _header(value, where)
                else:
                    calls.append(Call(**value))
            except (ValueError, TypeError) as error:
                raise InvalidInput(f"{where}, line {number}: no line of a recording: {error}.") from None
        if header is None:
            raise InvalidInput(f"{where} is empty: a recording begins with a header.")
        return cls(header, calls)

    @classmethod
    def load(cls, path: Path) -> Cassette:
        """Read a cassette's file; see `parse`.

        Raises:
            NotFound: There is no such file.
            InvalidInput: It is no recording.
        """
        try:
            return cls.parse(path.read_text("utf-8"), str(path))
        except FileNotFoundError:
            raise NotFound(f"There is no recording {path}.", path=str(path)) from None
        except (OSError, UnicodeDecodeError) as error:
            raise InvalidInput(f"{path} cannot be read: {error}.", path=str(path)) from None


def model_request(messages: Sequence[BaseMessage], options: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a model is given: its messages, the names of its tools, the name of its schema."""
    request: dict[str, Any] = {"messages": [shown(message) for message in messages]}
    tools, schema = _tool_names(options), _schema_name(options)
    return request | ({"tools": tools} if tools else {}) | ({"schema": schema} if schema else {})


def digest(value: Any) -> str:
    """Return the SHA-256 of plain JSON, in hexadecimal."""
    encoded = json.dumps(value, sort_keys=True, ensure_ascii=False, default=str)
    return hashlib.sha256(encoded.encode("utf-8", "replace")).hexdigest()


def shown(message: BaseMessage) -> dict[str, Any]:
    """Return a message as a recording shows it: without ids, which change from run to run."""
    found: dict[str, Any] = {"role": message.type, "text": str(message.text)}
    if isinstance(message, AIMessage) and message.tool_calls:
        found["tool_calls"] = [{"name": c["name"], "args": c["args"]} for c in message.tool_calls]
    if isinstance(message, ToolMessage) and message.name:
        found["name"] = message.name
    if isinstance(message.content, list):
        others = [b for b in message.content if isinstance(b, dict) and b.get("type") != "text"]
        if others:
            found["blocks"] = digest(others)
    return found


def reply_of(message: AIMessage) -> dict[str, Any]:
    """Return a model's reply as plain JSON."""
    found: dict[str, Any] = {"text": str(message.text), "id": message.id}
    if isinstance(message.content, list):
        found["content"] = message.content
    if message.tool_calls:
        found["tool_calls"] = [
            {"id": c["id"], "name": c["name"], "args": c["args"]} for c in message.tool_calls
        ]
    if message.usage_metadata:
        names = ("input_tokens", "output_tokens", "total_tokens")
        found["usage"] = {name: message.usage_metadata[name] for name in names}
    kept: dict[str, Any] = {
        name: value
        for name, value in message.response_metadata.items()
        if isinstance(value, str | int | float)
    } | kept_odds(message)
    return found | ({"metadata": kept} if kept else {})


def message_of(reply: Mapping[str, Any]) -> AIMessage:
    """Return the message that `reply_of` made plain; a text alone is a reply too."""
    return AIMessage(
        content=reply.get("content") or reply.get("text", ""),  # a changed reply is a text, in whatever form
        id=reply.get("id"),
        tool_calls=[{**call, "type": "tool_call"} for call in reply.get("tool_calls", ())],
        usage_metadata=reply.get("usage"),
        response_metadata=dict(reply.get("metadata", {})),
    )


def _schema_name(options: Mapping[str, Any]) -> str:
    """Return the name of the schema that a call's answer is to have; "" for none."""
    wanted: Any = options.get("response_format")
    if isinstance(wanted, dict):
        return str(wanted.get("json_schema", {}).get("name", wanted.get("type", "")))
    return getattr(wanted, "__name__", "")


def _tool_names(options: Mapping[str, Any]) -> list[str]:
    tools: Any = options.get("tools") or []
    return sorted(str((t.get("function") or t).get("name", "")) for t in tools if isinstance(t, dict))


def _header(value: Any, where: str) -> dict[str, Any]:
    if not isinstance(value, dict) or "cassette" not in value:
        raise InvalidInput(f"{where} is no recording: its first line has no 'cassette'.")
    version = value.pop("cassette")
    if version != VERSION:
        raise InvalidInput(
            f"{where} is a recording of version {version}; this Motet plays version {VERSION}. Record it anew."
        )
    return value


def _line(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, default=str) + "\n"
