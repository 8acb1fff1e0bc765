"""Chat JSON lines, as tools for training read and write them: one conversation a line, `{"messages": [...]}`.

What does not live here: what Motet's own exports hold beyond that (`transfer`), and the database (`importing`).
"""

from __future__ import annotations

import json
import time
import uuid
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from motet.errors import InvalidInput
from motet.runs.threads.transfer import MessageLine, ThreadFile, ThreadLine, parse, read_jsonl, validate

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from motet.runs.request import MessageRecord

TITLE_CHARS = 60


class _Said(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    role: Literal["system", "user", "assistant"]
    content: str = Field(min_length=1)


class _Chat(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")  # sources and scores of a data set are no message

    messages: list[_Said] = Field(min_length=1)


def to_sft(messages: Sequence[MessageRecord]) -> str | None:
    """Return a thread as one line of chat messages; None without an answer.

    A question that was not answered is left out, and what the last answer was not followed by.
    """
    kept: list[dict[str, str]] = []
    waiting: dict[str, str] | None = None
    for message in messages:
        line = {"role": message.role, "content": message.text}
        if message.role == "user":
            waiting = line
        elif message.role == "assistant" and waiting is not None:
            kept += [waiting, line]
            waiting = None
        elif message.role == "system" and not kept:
            kept.append(line)
    if not any(line["role"] == "assistant" for line in kept):
        return None
    return json.dumps({"messages": kept}, ensure_ascii=False) + "\n"


def read_sft(lines: Iterable[bytes], name: str, *, graph: str) -> list[ThreadFile]:
    """Read conversations, each a thread of its own with a new id, in the order of the file.

    Args:
        lines: Of the file; blank ones are passed over.
        name: The file's, for errors.
        graph: Which graph their next turns take.

    Raises:
        InvalidInput: A line is broken, or has another role or content that is no text; the message names the file,
            the line and what is wrong. Nothing is returned then.
    """
    now = time.time()
    found = [
        _thread(validate(_Chat, parse(raw, f"{name}, line {number}"), f"{name}, line {number}"), graph, now)
        for number, raw in enumerate(lines, 1)
        if raw.strip()
    ]
    if not found:
        raise InvalidInput(f'{name} holds no conversation: expected lines like {{"messages": [...]}}.')
    return found


def read_threads(lines: Sequence[bytes], name: str, *, graph: str) -> list[ThreadFile]:
    """Read a file of either kind: its first line says which."""
    first = next((raw for raw in lines if raw.strip()), b"")
    chats = bool(first) and _is_chat(first)
    return read_sft(lines, name, graph=graph) if chats else read_jsonl(lines, name)


def _is_chat(raw: bytes) -> bool:
    try:
        value: Any = json.loads(raw)
    except (ValueError, RecursionError):
        return False
    return isinstance(value, dict) and "messages" in value and "type" not in value


def _thread(chat: _Chat, graph: str, now: float) -> ThreadFile:
    title = " ".join(next((said.content for said in chat.messages if said.role == "user"), "").split())
    messages: list[MessageLine] = []
    run_id = str(uuid.uuid4())
    for said in chat.messages:
        if said.role == "user":  # a question and its answers are a turn
            run_id = str(uuid.uuid4())
        one = str(uuid.uuid4())
        messages.append(
            MessageLine(message_id=one, run_id=run_id, role=said.role, text=said.content, created_at=now)
        )
    return ThreadFile(
        thread=ThreadLine(
            thread_id=str(uuid.uuid4()),
            title=title if len(title) <= TITLE_CHARS else title[: TITLE_CHARS - 1] + "…",
            graph=graph,
            created_at=now,
            updated_at=now,
            messages=len(messages),
        ),
        messages=messages,
    )
