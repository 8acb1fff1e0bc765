"""Everything that a server and its model can do, asked one thing at a time: what `motet models probe` shows.

What does not live here: what is asked whenever a model is connected (`probe`): that is as little as an engine needs.
"""

from __future__ import annotations

import base64
import struct
import time
import zlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import openai
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage, HumanMessage, SystemMessage

from motet.errors import ContextOverflow, ModelError, ModelUnavailable
from motet.models.openai_chat import OpenAIChat
from motet.models.probe import enforces_json_by
from motet.models.schema_tools import SchemaToolChatModel
from motet.models.wrapped import reasoning_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from langchain_core.language_models.chat_models import BaseChatModel

    from motet.models.base import ConnectedModel

_MAX_TOKENS = 120
_OVERFLOW_WORDS = 300_000
"""More than any window, where the window is not known."""


@dataclass(frozen=True, slots=True)
class Feature:
    """One thing that was asked."""

    name: str
    can: bool | None
    """None when it does not apply, or cannot be told."""
    detail: str
    duration_s: float


class _No(Exception):  # a verdict, not an error
    """It cannot; the text says what happened instead."""


Check = Callable[["BaseChatModel"], Awaitable[str]]
"""Asks one thing and returns a detail; raises `_No` where it cannot."""


async def probe_table(model: ConnectedModel) -> AsyncIterator[Feature]:
    """Yield what a connected model can do, as it is found out; each question is one or two short requests.

    What is asked of the server itself goes past Motet's own ways around what it cannot do.

    Raises:
        ModelUnavailable: The server does not answer at all.
    """
    chat = model.chat.wrapped if isinstance(model.chat, SchemaToolChatModel) else model.chat
    window = model.capabilities.context_tokens
    yield Feature("context window", None, f"{window} tokens" if window else "not told", 0.0)
    long = partial(_overflow, words=2 * window if window else _OVERFLOW_WORDS)
    for name, check in {**CHECKS, "context overflow": long}.items():
        began = time.monotonic()
        can, detail = await _try(check, chat)
        yield Feature(name, can, detail, time.monotonic() - began)
        if name == "plain answer" and not can:
            raise ModelUnavailable(f"{model.spec} does not answer: {detail}", model=str(model.spec))


async def _try(check: Check, chat: BaseChatModel) -> tuple[bool | None, str]:
    try:
        return True, await check(chat)
    except _No as no:
        return False, str(no)
    except NotImplementedError:
        return None, "not over a wire"
    except ModelError as error:
        return False, error.message
    except openai.APIStatusError as error:
        return False, f"HTTP {error.status_code}"
    except openai.OpenAIError as error:
        return False, str(error)


async def _ask(chat: BaseChatModel, messages: list[BaseMessage], **options: Any) -> AIMessage:
    return await chat.ainvoke(messages, {"callbacks": []}, max_tokens=_MAX_TOKENS, **options)


async def _pieces(
    chat: BaseChatModel, messages: list[BaseMessage], **options: Any
) -> tuple[AIMessageChunk, list[AIMessageChunk]]:
    pieces = [
        chunk async for chunk in chat.astream(messages, {"callbacks": []}, max_tokens=_MAX_TOKENS, **options)
    ]
    return sum(pieces[1:], pieces[0]), pieces


_COUNT: list[BaseMessage] = [
    HumanMessage("Count from 1 to 9 in digits, separated by spaces. Write nothing else.")
]
_TWO: list[BaseMessage] = [
    HumanMessage("How many pieces of article 'lamp' and of article 'chair' are in the warehouse?")
]
_HELLO: list[BaseMessage] = [HumanMessage("Hello!")]


async def _plain(chat: BaseChatModel) -> str:
    reply = await _ask(chat, _HELLO)
    if not reply.text.strip() and not reasoning_of(reply):
        raise _No("an empty answer")
    return ""


async def _streamed(chat: BaseChatModel) -> str:
    _, pieces = await _pieces(chat, _COUNT)
    shown = [piece for piece in pieces if piece.text]
    if len(shown) < 2:
        raise _No("the answer comes in one piece")
    return f"{len(shown)} pieces"


async def _usage(chat: BaseChatModel) -> str:
    used = (await _ask(chat, _HELLO)).usage_metadata
    if not used or not used["input_tokens"]:
        raise _No("not told")
    return f"{used['input_tokens']} + {used['output_tokens']} tokens"


async def _usage_streamed(chat: BaseChatModel) -> str:
    whole, _ = await _pieces(chat, _HELLO)
    if not whole.usage_metadata or not whole.usage_metadata["input_tokens"]:
        raise _No("not told")
    return ""


async def _stop(chat: BaseChatModel) -> str:
    text = (await _ask(chat, _COUNT, stop=["5"])).text
    if "5" in text or "9" in text:
        raise _No(f"wrote on: {text[:40]}")
    return ""


async def _system(chat: BaseChatModel) -> str:
    return await _obeys(chat, SystemMessage("Whatever the user says, reply with the single word ahoy."))


async def _developer(chat: BaseChatModel) -> str:
    extra = {"__openai_role__": "developer"}
    rule = SystemMessage("Whatever the user says, reply with the single word ahoy.", additional_kwargs=extra)
    if isinstance(chat, OpenAIChat):
        chat = chat.model_copy(update={"knows_developer": True})
    return await _obeys(chat, rule)


async def _obeys(chat: BaseChatModel, rule: BaseMessage) -> str:
    text = (await _ask(chat, [rule, *_HELLO])).text
    if "ahoy" not in text.lower():
        raise _No(f"taken, and not followed: {text[:40]}")
    return ""


_TOOLS = [
    {
        "type": "function",
        "function": {
            "name": name,
            "description": description,
            "parameters": {
                "type": "object",
                "properties": {"article": {"type": "string"}},
                "required": ["article"],
                "additionalProperties": False,
            },
        },
    }
    for name, description in (
        ("stock_of", "Say how many pieces of an article are in the warehouse."),
        ("price_of", "Say what an article costs."),
    )
]


def _named(reply: AIMessage) -> list[str]:
    return [call["name"] for call in reply.tool_calls]


async def _tools_auto(chat: BaseChatModel) -> str:
    reply = await _ask(
        chat, [HumanMessage("How many pieces of article 'lamp' are in the warehouse?")], tools=_TOOLS
    )
    if _named(reply)[:1] != ["stock_of"]:
        raise _No(f"no call: {reply.text[:60]}")
    return ""


async def _tools_required(chat: BaseChatModel) -> str:
    reply = await _ask(chat, _HELLO, tools=_TOOLS, tool_choice="required")
    if not reply.tool_calls:
        raise _No(f"no call: {reply.text[:60]}")
    return ""


async def _tools_named(chat: BaseChatModel) -> str:
    choice = {"type": "function", "function": {"name": "price_of"}}
    reply = await _ask(chat, _HELLO, tools=_TOOLS, tool_choice=choice)
    if _named(reply) != ["price_of"]:
        raise _No(f"called {', '.join(_named(reply)) or 'nothing'}")
    return ""


async def _tools_parallel(chat: BaseChatModel) -> str:
    reply = await _ask(chat, _TWO, tools=_TOOLS)
    if len(reply.tool_calls) < 2:
        raise _No(f"{len(reply.tool_calls)} at once")
    return f"{len(reply.tool_calls)} at once"


async def _tools_streamed(chat: BaseChatModel) -> str:
    whole, pieces = await _pieces(chat, _HELLO, tools=_TOOLS, tool_choice="required")
    parts = sum(len(piece.tool_call_chunks) for piece in pieces)
    if not whole.tool_calls:
        raise _No("no call")
    return f"{parts} pieces"


async def _json_schema(chat: BaseChatModel) -> str:
    if not isinstance(chat, OpenAIChat):
        raise NotImplementedError
    by = await enforces_json_by(chat)
    if by is None:
        raise _No("not enforced in any known way")
    return f"by {by}"


async def _images(chat: BaseChatModel) -> str:
    seen = HumanMessage(
        [
            {"type": "text", "text": "Which colour is this picture? Reply with one word."},
            {"type": "image_url", "image_url": {"url": "data:image/png;base64," + red_square()}},
        ]
    )
    text = (await _ask(chat, [seen])).text
    return "" if "red" in text.lower() else f"taken; it sees '{text[:30]}' where red is"


async def _reasoning(chat: BaseChatModel) -> str:
    reply = await _ask(chat, [HumanMessage("Think first: is 91 a prime number?")])
    thought = reasoning_of(reply)
    if not thought:
        raise _No("none is told apart from the answer")
    return f"{len(thought)} characters"


async def _overflow(chat: BaseChatModel, words: int = _OVERFLOW_WORDS) -> str:
    try:
        await _ask(chat, [HumanMessage("word " * words)])
    except ContextOverflow:
        return "a clear error"
    except ModelError as error:
        raise _No(error.message) from None
    raise _No(f"a prompt of {words} words is taken; is it cut?")


async def _embeddings(chat: BaseChatModel) -> str:
    if not isinstance(chat, OpenAIChat):
        raise NotImplementedError
    reply = await chat.root_async_client.embeddings.create(model=chat.spec.name, input=["one", "two"])
    return f"{len(reply.data[0].embedding)} numbers"


async def _responses(chat: BaseChatModel) -> str:
    if not isinstance(chat, OpenAIChat):
        raise NotImplementedError
    other = chat.model_copy(update={"use_responses_api": True})
    await _ask(other, _HELLO)
    return ""


CHECKS: dict[str, Check] = {
    "plain answer": _plain,
    "streamed answer": _streamed,
    "usage": _usage,
    "usage while streaming": _usage_streamed,
    "stop words": _stop,
    "system role": _system,
    "developer role": _developer,
    "tools: auto": _tools_auto,
    "tools: required": _tools_required,
    "tools: named": _tools_named,
    "tools: parallel": _tools_parallel,
    "tools: streamed in pieces": _tools_streamed,
    "JSON schema": _json_schema,
    "images": _images,
    "reasoning": _reasoning,
    "context overflow": _overflow,
    "embeddings": _embeddings,
    "responses wire": _responses,
}
"""What is asked, in order."""


def red_square(size: int = 32) -> str:
    """Return a red PNG in base64."""

    def part(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = (b"\0" + b"\xff\0\0" * size) * size
    head = struct.pack(">IIBBBBB", size, size, 8, 2, 0, 0, 0)
    png = b"\x89PNG\r\n\x1a\n" + part(b"IHDR", head) + part(b"IDAT", zlib.compress(rows)) + part(b"IEND", b"")
    return base64.b64encode(png).decode()
