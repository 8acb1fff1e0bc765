"""Finds out what a server and its model can do, by asking them.

What does not live here: the chat model itself (`openai_chat`).
"""

from __future__ import annotations

import asyncio
import json
import logging
import re
from typing import TYPE_CHECKING, Any, cast

import openai
from langchain_core.messages import AIMessage, HumanMessage

from motet.errors import ModelOutputInvalid, ModelRefused, ModelUnavailable, MotetError, did_you_mean
from motet.models.base import Capabilities, JsonBy, ToolMethod
from motet.models.constraint import WAYS, constrained
from motet.models.faults import host_of, map_error
from motet.models.structured import response_format

if TYPE_CHECKING:
    from motet.models.openai_chat import OpenAIChat

_log = logging.getLogger(__name__)

PROBE_NAME = "motet_probe"
"""Name of the tool and of the schema that a probe asks with."""

PROBE_WORD = "kestrel-41"
"""A word that no model writes unless the schema forces it to."""

_SCHEMA = {
    "title": PROBE_NAME,
    "type": "object",
    "properties": {"word": {"type": "string", "enum": [PROBE_WORD]}},
    "required": ["word"],
    "additionalProperties": False,
}
_TOOL = {
    "type": "function",
    "function": {
        "name": PROBE_NAME,
        "description": "Look up the stock of an article in the warehouse.",
        "parameters": {
            "type": "object",
            "properties": {"article": {"type": "string"}},
            "required": ["article"],
        },
    },
}
_LIST_TIMEOUT_S = 20.0
_ANSWER_TOKENS = 200
_WINDOW_NAMES = ("max_model_len", "context_length", "context_window", "max_context_length")
_SMALL_BILLIONS = 4.0
_BILLIONS = re.compile(r"(?<![\w.])(\d+(?:\.\d+)?)\s?b(?![a-z0-9])", re.IGNORECASE)
_MILLIONS = re.compile(r"(?<![\w.])\d+(?:\.\d+)?\s?m(?![a-z0-9])", re.IGNORECASE)


async def find_model(chat: OpenAIChat) -> dict[str, Any]:
    """Return what the server's model list says about the model; {} when it has no list.

    Raises:
        ModelRefused: The list does not have the model, or the server refuses the key.
        ModelUnavailable: The server does not answer, or has not told its list after 20 s, or its longest silence.
    """
    spec = chat.spec
    given = chat.root_async_client
    patience = min(chat.silence_s or _LIST_TIMEOUT_S, _LIST_TIMEOUT_S)
    client = given.with_options(timeout=patience, max_retries=0)
    # A copied client reads these from the environment once more.
    client.organization, client.project = given.organization, given.project
    try:
        async with asyncio.timeout(patience):  # the client's own is for each piece of an answer
            page = await client.models.list()
        entries = {str(entry.id): entry.model_dump() for entry in page.data or []}
    except openai.APIStatusError as error:
        # 500: so `transformers serve` does without a hub cache. A server that is down fails at the next call.
        if error.status_code in (400, 404, 405, 500, 501):
            return {}
        raise (map_error(error, spec) or error) from None
    except (openai.APITimeoutError, TimeoutError):
        raise ModelUnavailable(
            f"{spec.provider}:{spec.name} at {host_of(spec.base_url)} did not tell its models in {patience:g} s. "
            f"Is that a model server, and is it up?",
            model=spec.name,
        ) from None
    except (openai.APIConnectionError, OSError) as error:
        mapped = map_error(error, spec)
        if mapped is not None and mapped.fields.get("malformed"):
            return {}
        raise (mapped or error) from error
    except (openai.OpenAIError, ValueError, TypeError, AttributeError, KeyError):
        _log.info("%s has a model list that cannot be read; it is taken as none", host_of(spec.base_url))
        return {}
    if not entries:
        return {}
    found = entries.get(spec.name) or entries.get(f"{spec.name}:latest")
    if found is None:
        raise ModelRefused(
            f"{host_of(spec.base_url)} has no model '{spec.name}'.{_suggest(spec.name, list(entries))}",
            model=spec.name,
        )
    return found


async def probe(chat: OpenAIChat, listed: dict[str, Any]) -> Capabilities:
    """Return what the server can do, found with one small request for each question.

    Args:
        chat: The model; asked directly.
        listed: Its entry in the server's model list.

    Raises:
        ModelError: The server fails altogether, or refuses the key or the model.
    """
    calls = await calls_tools(chat)
    by = await enforces_json_by(chat)
    method: ToolMethod = "native" if calls else "schema" if by else "prompt"
    _log.info("%s: tools by %s, JSON schema by %s", chat.spec.name, method, by or "prompt")
    return Capabilities(
        tool_method=method,
        json_schema=by is not None,
        json_by=by,
        context_tokens=context_tokens(listed),
        small=is_small(chat.spec.name),
    )


def context_tokens(listed: dict[str, Any]) -> int:
    """Return the window that a model list names, by any of its usual names; 0 when it names none.

    Source: llama.cpp's server tells its slots' window in the entry's `meta`, as `n_ctx`.
    """
    meta: Any = listed.get("meta")
    told = [listed.get(name) for name in _WINDOW_NAMES]
    told.append(meta.get("n_ctx") if isinstance(meta, dict) else None)
    return next((value for value in told if isinstance(value, int) and value > 0), 0)


def is_small(name: str) -> bool:
    """Guess from its name whether a model is small: `qwen2.5-1.5b` and `smollm-135m` are, up to 4 billion."""
    sizes = [float(size) for size in _BILLIONS.findall(name.replace("-", " ").replace("_", " "))]
    if sizes:
        return max(sizes) <= _SMALL_BILLIONS
    return bool(_MILLIONS.search(name.replace("-", " ").replace("_", " ")))


async def calls_tools(chat: OpenAIChat) -> bool:
    """Say whether the server returns a parsed call; a model that thought until it was cut gets the benefit."""
    question = [HumanMessage("How many pieces of article 'lamp' are in the warehouse?")]
    try:
        reply = await _ask(chat, question, tools=[_TOOL])
    except ModelOutputInvalid:
        return False
    if reply is None:
        return False
    if not reply.tool_calls:
        return reply.response_metadata.get("finish_reason") == "length"
    return any(call["name"] == PROBE_NAME for call in reply.tool_calls)


async def enforces_json_by(chat: OpenAIChat) -> JsonBy | None:
    """Return what the server enforces a JSON schema with, the most common way first; None when nothing does."""
    for by in ("response_format", *WAYS):
        wanted = constrained(response_format(PROBE_NAME, _SCHEMA), cast("JsonBy", by))
        reply = await _ask(chat, [HumanMessage(f"Hello from {PROBE_NAME}.")], extra_body=wanted)
        try:
            if reply is not None and json.loads(reply.text) == {"word": PROBE_WORD}:
                return cast("JsonBy", by)
        except (ValueError, RecursionError):
            continue
    return None


async def _ask(chat: OpenAIChat, messages: list[HumanMessage], **options: Any) -> AIMessage | None:
    """Return the reply, or None when the server does not take such a request."""
    try:
        return await chat.ainvoke(list(messages), {"callbacks": []}, max_tokens=_ANSWER_TOKENS, **options)
    except MotetError as error:
        if error.fields.get("status") in (400, 405, 415, 422, 500, 501):
            return None
        raise


def _suggest(name: str, known: list[str]) -> str:
    """Return the nearest names; a long list is cut to those that share a word with it."""
    if len(known) > 12:
        parts = [part for part in re.split(r"[^a-z0-9.]+", name.lower()) if len(part) > 1]
        known = [one for one in known if any(part in one.lower() for part in parts)][:12] or known[:12]
    return did_you_mean(name, known)
