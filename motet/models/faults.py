"""Foreign errors of model servers become Motet's own here, once.

What does not live here: retrying (`patience`).
"""

from __future__ import annotations

import json
import re
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import httpx
import openai
from langchain_core.exceptions import ContextOverflowError as LangChainContextOverflow
from pydantic import ValidationError

from motet.errors import (
    ContextOverflow,
    ModelError,
    ModelOutputInvalid,
    ModelRefused,
    ModelUnavailable,
    MotetError,
    SettingInvalid,
)

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Generator

    from motet.models.base import ModelSpec

KEY_SETTINGS = {"openai": "OPENAI_API_KEY", "vllm": "MOTET_VLLM_API_KEY"}
"""Where the key of a provider is set; any other provider has none."""

URL_SETTINGS = {"openai": "OPENAI_BASE_URL", "vllm": "MOTET_VLLM_BASE_URL"}
"""Where the URL of a provider is set when it is not in the spec."""

_KEYLESS = (
    "It asks for a key, and is sent none. Set MOTET_VLLM_BASE_URL to its URL and MOTET_VLLM_API_KEY, and write "
    "vllm:{name}: that is for any server with a key."
)
_OVERFLOW = re.compile(
    r"context_length_exceeded|exceed_context_size|context (length|window|size)|prompt is too long"
    r"|maximum context|too many (input )?tokens|input tokens exceed",
    re.IGNORECASE,
)
_NOT_MADE = 501
"""HTTP's "not implemented": asking again does not help. llama.cpp's server says so where a model has no embeddings."""
_KEY_SHAPE = re.compile(r"\b(sk|pk|key|tok)[-_][\w*.-]{6,}|Bearer\s+\S+", re.IGNORECASE)


@asynccontextmanager
async def map_errors(spec: ModelSpec) -> AsyncGenerator[None]:
    """Turn errors of the OpenAI client and of httpx, raised inside, into Motet's.

    Only a call of a model belongs inside: a `ValueError` there is taken for an answer that cannot be read.

    `spec.base_url` should be the URL that is really called: its host is named in the message. Motet's own errors
    and cancellation pass through, and so does the cause of a `NotSent`.

    Raises:
        ModelUnavailable: The server does not answer, is too slow, too busy, or broke off.
        ModelRefused: A wrong key, no quota, an unknown model, or a request that it does not take.
        ContextOverflow: The prompt is longer than the model's window.
        ModelError: The server answered something that is no chat completion.
    """
    with map_errors_now(spec):
        yield


class NotSent(Exception):
    """A request that cannot be put together: the caller's fault, not the server's. Its cause is what they are told."""


@contextmanager
def map_errors_now(spec: ModelSpec) -> Generator[None]:
    """Do what `map_errors` does, around code that does not await."""
    try:
        yield
    except MotetError:
        raise
    except NotSent as error:
        raise error.__cause__ or error from None
    except Exception as error:
        # An edge: everything below is a third party's, and each kind of its errors is told apart by name.
        mapped = map_error(error, spec)
        if mapped is None:
            raise
        # What a server says to a wrong key can hold the key itself.
        cause = None if getattr(error, "status_code", 0) in (401, 403) else error
        raise mapped from cause


def map_error(error: BaseException, spec: ModelSpec) -> MotetError | None:
    """Return Motet's error for a foreign one, or None when it is not a model server's fault."""
    if isinstance(error, MotetError):
        return error
    if isinstance(error.__cause__, MotetError):
        return error.__cause__  # what our own client found, in the words of OpenAI's around it
    if isinstance(error, openai.APIStatusError):
        return _from_status(error.status_code, _server_text(error), spec, error.response.headers)
    if isinstance(error, httpx.HTTPStatusError):
        return _from_status(error.response.status_code, error.response.text, spec, error.response.headers)
    if isinstance(error, LangChainContextOverflow):
        return _overflow(spec, 400)
    for kinds, make in _BY_KIND:
        if isinstance(error, kinds):
            return make(error, spec)
    return None


def _timeout(error: Any, spec: ModelSpec) -> MotetError:  # noqa: ARG001  # one shape for the table
    return ModelUnavailable(
        f"{_who(spec)} did not answer in time. Try again, or allow more with MOTET_MODEL_TIMEOUT_S.",
        **_fields(spec),
    )


def _unreachable(error: Any, spec: ModelSpec) -> MotetError:  # noqa: ARG001
    return ModelUnavailable(
        f"{_who(spec)} cannot be reached, or broke the connection. Is the server running? {_check_url(spec)}",
        **_fields(spec),
    )


def _failed_in_stream(error: Any, spec: ModelSpec) -> MotetError:
    text = _server_text(error)
    if _OVERFLOW.search(text):
        return _overflow(spec, 400)
    return ModelUnavailable(f"{_who(spec)} broke off its answer: {text} Try again.", **_fields(spec))


def _unfit(error: Any, spec: ModelSpec) -> MotetError:
    return ModelOutputInvalid(
        f"{_who(spec)} wrote an answer that has not the asked form ({_short(str(error))}). "
        f"Ask again, or allow longer answers with MOTET_MAX_TOKENS.",
        **_fields(spec),
    )


def _filtered(error: Any, spec: ModelSpec) -> MotetError:  # noqa: ARG001
    fields = _fields(spec) | {"filtered": True}
    return ModelRefused(f"{_who(spec)}: the server's content filter stopped the answer.", **fields)


def _malformed(error: Any, spec: ModelSpec) -> MotetError:
    return ModelError(
        f"{_who(spec)} answered something that is no chat completion ({_short(str(error))}). "
        f"Does its URL end where OpenAI's interface begins, as in http://host:8000/v1?",
        **_fields(spec) | {"malformed": True},
    )


_Makers = tuple[tuple[tuple[type[BaseException], ...], "Callable[[Any, ModelSpec], MotetError]"], ...]

_BY_KIND: _Makers = (
    ((openai.APITimeoutError, httpx.TimeoutException, TimeoutError), _timeout),
    ((openai.APIConnectionError, httpx.TransportError, OSError), _unreachable),
    ((openai.APIResponseValidationError,), _malformed),
    ((openai.APIError,), _failed_in_stream),
    ((openai.LengthFinishReasonError, ValidationError), _unfit),
    ((openai.ContentFilterFinishReasonError,), _filtered),
    ((openai.OpenAIError, ValueError, LookupError, TypeError, AttributeError, RecursionError), _malformed),
)
"""Kinds of foreign errors, the narrower ones first."""


def missing_key(spec: ModelSpec) -> ModelRefused:
    """Return the error for a provider's key that was never set."""
    name = KEY_SETTINGS.get(spec.provider, "The key")
    return ModelRefused(
        f"{name} is not set, and {_who(spec)} needs it. Set it in the environment, or use a model that needs no "
        f"key: embedded, vllm:NAME, or PROVIDER:NAME@URL.",
        **_fields(spec),
    )


def bad_key(spec: ModelSpec) -> SettingInvalid:
    """Return the error for a provider's key that no server can be sent."""
    name = KEY_SETTINGS.get(spec.provider, "The key")
    return SettingInvalid(
        f"{name} has a blank, a line break or a letter beyond ASCII in it, so it is no key. Copy it anew.",
        setting=name,
    )


def host_of(url: str) -> str:
    """Return `host` or `host:port` of a URL, never its user, password or path; "" when it has none."""
    try:
        parts = urlsplit(url)
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        return ""
    return f"{parts.hostname or ''}{port}"


def _from_status(status: int, text: str, spec: ModelSpec, headers: Any) -> MotetError:
    fields = _fields(spec) | {"status": status}
    who, said = _who(spec), f" It said: {_short(text)}" if text else ""
    if status == 413 or (status not in (401, 403, 429) and _OVERFLOW.search(text)):
        return _overflow(spec, status)
    if status == 429:
        return _too_many(text, spec, headers, fields)
    if status == 408 or (status >= 500 and status != _NOT_MADE):
        return ModelUnavailable(f"{who} failed (HTTP {status}).{said} Try again in a while.", **fields)
    if status in (401, 403):
        key, url = KEY_SETTINGS.get(spec.provider), URL_SETTINGS.get(spec.provider)
        step = f"Check {key}; it is sent to {url} only." if key else _KEYLESS.format(name=spec.name)
        return ModelRefused(f"{who} refused the key (HTTP {status}). {step}", **fields)
    if 300 <= status < 400:
        where = host_of(str(headers.get("location", "")))
        onward = f" to {where}" if where else ""
        return ModelRefused(
            f"{who} sends its callers elsewhere{onward} (HTTP {status}), and that is not followed. {_check_url(spec)}",
            **fields,
        )
    if status == 404:
        said += f" Check the model's name. {_check_url(spec)}"
    return ModelRefused(f"{who} did not take the request (HTTP {status}).{said}", **fields)


def _too_many(text: str, spec: ModelSpec, headers: Any, fields: dict[str, Any]) -> MotetError:
    if "insufficient_quota" in text or "exceeded your current quota" in text:
        return ModelRefused(f"{_who(spec)}: the quota is used up. Check the plan and the bill.", **fields)
    wait = _short(str(headers.get("retry-after", "")))
    when = f"after {wait}{' s' if wait.isdigit() else ''}" if wait else "in a while"
    return ModelUnavailable(
        f"{_who(spec)} has too many requests (HTTP 429). Try again {when}.", **fields | {"retry_after": wait}
    )


def _overflow(spec: ModelSpec, status: int) -> ContextOverflow:
    return ContextOverflow(
        f"The prompt is longer than the window of {_who(spec)}. Ask with less text, or use a model with a larger "
        f"window.",
        **_fields(spec) | {"status": status},
    )


def _server_text(error: openai.APIError) -> str:
    """Return what the server said, with its error code, short and without anything that looks like a key."""
    body = error.body
    if isinstance(body, dict):
        inner = body.get("error", body)
        data: dict[str, Any] = inner if isinstance(inner, dict) else {"message": inner}  # pyright: ignore[reportUnknownVariableType]
        words = [str(data[key]) for key in ("message", "code", "type") if data.get(key)]
        return _short(
            words[0] + (f" ({', '.join(words[1:])})" if words[1:] else "") if words else json.dumps(body)
        )
    return _short(str(body) if body else error.message)


def _short(text: str) -> str:
    flat = " ".join(_KEY_SHAPE.sub("***", text).split())
    return flat if len(flat) <= 300 else f"{flat[:300]}…"


def _who(spec: ModelSpec) -> str:
    host = host_of(spec.base_url)
    return f"{spec.provider}:{spec.name}" + (f" at {host}" if host else "")


def _check_url(spec: ModelSpec) -> str:
    name = URL_SETTINGS.get(spec.provider)
    return f"Check {name + ', or ' if name else ''}the URL after the @ of the model."


def _fields(spec: ModelSpec) -> dict[str, Any]:
    return {"model": f"{spec.provider}:{spec.name}", "host": host_of(spec.base_url)}
