"""Threads as files: JSON lines with everything of a transcript, and markdown for people.

What does not live here: chat JSON lines for training (`training`) and the database (`importing`). Reading checks
every line before anything is stored.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from motet.errors import InvalidInput
from motet.events import Passage

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from motet.runs.request import MessageRecord, ThreadRecord

VERSION = 1
"""Of the JSON lines; a reader refuses a higher one."""

T = TypeVar("T", bound=BaseModel)

ROLES = {"user": "You", "assistant": "Motet"}


class _Line(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class MessageLine(_Line):
    """A message of the thread whose line came last."""

    type: Literal["message"] = "message"
    message_id: str = Field(min_length=1)
    run_id: str
    role: Literal["user", "assistant", "system", "tool"]
    text: str
    citations: list[Passage] = []
    created_at: float


class ThreadLine(_Line):
    """A thread; its messages follow."""

    type: Literal["thread"] = "thread"
    version: int = VERSION
    thread_id: str = Field(min_length=1)
    title: str
    graph: str
    metadata: dict[str, Any] = {}
    tags: list[str] = []
    ttl_s: float | None = None
    created_at: float
    updated_at: float
    messages: int = Field(ge=0)
    """How many lines of messages follow: a file that was cut off is noticed."""


class ThreadFile(BaseModel):
    """A thread as a file has it."""

    thread: ThreadLine
    messages: list[MessageLine] = []


def to_jsonl(thread: ThreadRecord, messages: Sequence[MessageRecord]) -> Iterator[str]:
    """Yield a thread's lines: `read_jsonl` gives back all that is in them."""
    kept = thread.model_dump(exclude={"status", "messages"})
    yield ThreadLine(**kept, messages=len(messages)).model_dump_json() + "\n"
    for message in messages:
        yield MessageLine(**message.model_dump(exclude={"seq"})).model_dump_json() + "\n"


def to_markdown(thread: ThreadRecord, messages: Sequence[MessageRecord]) -> Iterator[str]:
    """Yield a thread as a document for people, each answer with what it cites."""
    yield f"# {thread.title or thread.thread_id}\n"
    for message in messages:
        yield f"\n## {ROLES.get(message.role, message.role.capitalize())}\n\n{message.text.strip()}\n"
        cited = sorted(message.citations, key=lambda passage: passage.number or 0)
        if cited:
            yield "\n"
        for passage in cited:
            page = f", p. {passage.page}" if passage.page is not None else ""
            yield f"- [{passage.number}] {passage.title or passage.source}{page} ({passage.source})\n"
    yield "\n"


def read_jsonl(lines: Iterable[bytes], name: str) -> list[ThreadFile]:
    """Read and check every line that `to_jsonl` wrote.

    Raises:
        InvalidInput: A line is broken, out of place or missing; the message names the file, the line, and what was
            expected. Nothing is returned then.
    """
    found: list[ThreadFile] = []
    thread_ids: set[str] = set()
    message_ids: set[str] = set()
    number = 0
    for number, raw in enumerate(lines, 1):
        if not raw.strip():
            continue
        where = f"{name}, line {number}"
        value = parse(raw, where)
        if value.get("type") == "thread":
            _check_whole(found, where)
            thread = validate(ThreadLine, value, where)
            if thread.version > VERSION:
                raise InvalidInput(
                    f"{where}: version {thread.version} is a newer Motet's: expected {VERSION}."
                )
            _check_new(thread_ids, "thread_id", thread.thread_id, where)
            message_ids = set()
            found.append(ThreadFile(thread=thread))
        elif value.get("type") == "message" and found:
            message = validate(MessageLine, value, where)
            _check_new(message_ids, "message_id", message.message_id, where)
            found[-1].messages.append(message)
        else:
            expected = "a thread first" if not found else "thread or message"
            raise InvalidInput(f"{where}: type is {json.dumps(value.get('type'))}: expected {expected}.")
    _check_whole(found, f"{name}, line {number}")
    if not found:
        raise InvalidInput(f"{name} holds no thread: expected lines that 'motet threads export' wrote.")
    return found


def parse(raw: bytes, where: str) -> dict[str, Any]:
    """Read a line of JSON that is an object; InvalidInput names the place otherwise."""
    try:
        value: Any = json.loads(raw.decode("utf-8"))
        json.dumps(value, ensure_ascii=False).encode("utf-8")
    except UnicodeError:
        raise InvalidInput(f"{where}: it is not UTF-8 text: expected a line of JSON.") from None
    except (ValueError, RecursionError) as error:
        shown = raw[:40].decode("utf-8", "replace").strip()
        raise InvalidInput(f"{where}: '{shown}' is not JSON ({error}): expected one object a line.") from None
    if not isinstance(value, dict):
        raise InvalidInput(f'{where}: {json.dumps(value)[:40]} is no object: expected {{"type": …}}.')
    return value  # pyright: ignore[reportUnknownVariableType]


def validate(kind: type[T], value: dict[str, Any], where: str) -> T:
    """Make a model of a line; InvalidInput names the place, the field and what is wrong otherwise."""
    try:
        return kind.model_validate(value)
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"])
        shown = json.dumps(first["input"], ensure_ascii=False, default=str)[:60]
        raise InvalidInput(f"{where}: field '{field}' is {shown}: {first['msg']}.") from None


def _check_new(seen: set[str], field: str, value: str, where: str) -> None:
    if value in seen:
        raise InvalidInput(f"{where}: {field} '{value}' is there a second time: expected a new one.")
    seen.add(value)


def _check_whole(found: list[ThreadFile], where: str) -> None:
    if found and len(found[-1].messages) != found[-1].thread.messages:
        last = found[-1]
        raise InvalidInput(
            f"{where}: thread {last.thread.thread_id} has {len(last.messages)} messages here: expected "
            f"{last.thread.messages}; the file was cut off or changed."
        )
