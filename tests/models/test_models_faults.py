"""Every foreign error becomes one of Motet's, names the model and the next step, and never shows a key."""

import asyncio
from typing import Any

import httpx
import httpx2
import openai
import pytest
from langchain_core.exceptions import ContextOverflowError as LangChainContextOverflow
from pydantic import BaseModel, ValidationError

from motet.errors import (
    ContextOverflow,
    ModelError,
    ModelOutputInvalid,
    ModelRefused,
    ModelUnavailable,
    MotetError,
    NotFound,
)
from motet.models.base import ModelSpec
from motet.models.faults import host_of, map_error, map_errors, map_errors_now, missing_key

KEY = "sk-proj-abcdefghijklmnop"
SPEC = ModelSpec("openai", "gpt-x", f"https://user:{KEY}@llm.example:8443/v1")
REQUEST = httpx2.Request("POST", "https://llm.example:8443/v1/chat/completions")


def status_error(status: int, message: str = "", code: str = "", **headers: str) -> openai.APIStatusError:
    body = {"message": message, "code": code, "type": "t"}
    response = httpx2.Response(status, request=REQUEST, headers=headers)
    return openai.APIStatusError(message, response=response, body=body)


def mapped(error: BaseException) -> MotetError:
    found = map_error(error, SPEC)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("error", "kind", "words"),
    [
        (status_error(401, f"Incorrect API key provided: {KEY}"), ModelRefused, "Check OPENAI_API_KEY"),
        (status_error(403, "no"), ModelRefused, "refused the key (HTTP 403)"),
        (status_error(404, "no such model"), ModelRefused, "Check the model's name. Check OPENAI_BASE_URL"),
        (status_error(429, "slow down", **{"retry-after": "7"}), ModelUnavailable, "Try again after 7 s"),
        (status_error(429, "slow down"), ModelUnavailable, "Try again in a while"),
        (status_error(429, "x", "insufficient_quota"), ModelRefused, "quota is used up"),
        (status_error(400, "x", "context_length_exceeded"), ContextOverflow, "longer than the window"),
        (status_error(400, "x", "exceed_context_size_error"), ContextOverflow, "longer than the window"),
        (status_error(400, "maximum context length is 4096 tokens"), ContextOverflow, "less text"),
        (status_error(413, "too large"), ContextOverflow, "longer than the window"),
        (status_error(400, "tools are off"), ModelRefused, "It said: tools are off"),
        (status_error(422, "bad"), ModelRefused, "HTTP 422"),
        (
            status_error(501, "no embeddings here"),
            ModelRefused,
            "did not take the request (HTTP 501). It said: no",
        ),
        (status_error(500, "oops"), ModelUnavailable, "failed (HTTP 500). It said: oops"),
        (status_error(529, "overloaded"), ModelUnavailable, "HTTP 529"),
        (openai.APITimeoutError(REQUEST), ModelUnavailable, "MOTET_MODEL_TIMEOUT_S"),
        (TimeoutError(), ModelUnavailable, "in time"),
        (httpx.ReadTimeout("slow"), ModelUnavailable, "in time"),
        (openai.APIConnectionError(request=REQUEST), ModelUnavailable, "Is the server running?"),
        (httpx.ConnectError("refused"), ModelUnavailable, "Is the server running?"),
        (ConnectionResetError(), ModelUnavailable, "broke the connection"),
        (openai.APIError("out of memory", REQUEST, body=None), ModelUnavailable, "broke off its answer"),
        (openai.APIError("exceeds the context window", REQUEST, body=None), ContextOverflow, "window"),
        (LangChainContextOverflow("long"), ContextOverflow, "window"),
        (ValueError("Unexpected response type"), ModelError, "no chat completion"),
        (KeyError("choices"), ModelError, "no chat completion"),
        (UnicodeDecodeError("utf-8", b"\xff", 0, 1, "bad"), ModelError, "no chat completion"),
    ],
)
def test_foreign_errors(error: BaseException, kind: type[MotetError], words: str) -> None:
    found = mapped(error)
    assert type(found) is kind
    assert words in found.message
    assert "openai:gpt-x at llm.example:8443" in found.message
    assert KEY not in str(found.to_dict())
    assert found.fields["host"] == "llm.example:8443"


def test_answers_that_do_not_validate_are_invalid_output() -> None:
    class Shape(BaseModel):
        n: int

    with pytest.raises(ValidationError) as caught:
        Shape.model_validate({})
    assert type(mapped(caught.value)) is ModelOutputInvalid


def test_a_key_in_what_the_server_says_is_taken_out() -> None:
    said = mapped(status_error(400, f"bad header Bearer {KEY} and {KEY}")).message
    assert KEY not in said
    assert "***" in said
    assert len(mapped(status_error(400, "x" * 5_000)).message) < 600


def test_the_servers_status_stays_readable() -> None:
    found = mapped(status_error(429, "slow", **{"retry-after": "7"}))
    assert (found.fields["status"], found.fields["retry_after"]) == (429, "7")


async def test_inside_the_context_manager_errors_are_mapped_and_others_pass() -> None:
    with pytest.raises(ModelUnavailable) as caught:
        async with map_errors(SPEC):
            raise openai.APIConnectionError(request=REQUEST)
    assert isinstance(caught.value.__cause__, openai.APIConnectionError)
    for passing in (NotFound("mine"), asyncio.CancelledError(), KeyboardInterrupt(), AssertionError("bug")):
        with pytest.raises(type(passing)) as same:
            async with map_errors(SPEC):
                raise passing
        assert same.value is passing


def test_what_a_server_says_to_a_wrong_key_is_not_kept_as_the_cause() -> None:
    with pytest.raises(ModelRefused) as caught, map_errors_now(SPEC):
        raise status_error(401, f"Incorrect API key provided: {KEY}")
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__


def test_missing_key_says_what_to_do() -> None:
    error = missing_key(ModelSpec("openai", "gpt-x", "https://api.openai.com/v1"))
    assert "OPENAI_API_KEY is not set" in error.message
    assert "embedded" in error.message


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("http://u:p@h:1/v1?k=s", "h:1"),
        ("https://h/v1", "h"),
        ("", ""),
        ("http://h:99999/", ""),
        ("http://[::1", ""),
    ],
)
def test_host_of(url: str, host: str) -> None:
    assert host_of(url) == host


def test_unknown_provider_has_no_setting_to_check() -> None:
    spec = ModelSpec("lmstudio", "m", "http://127.0.0.1:1/v1")
    refused: Any = map_error(status_error(401), spec)
    gone: Any = map_error(httpx.ConnectError("x"), spec)
    assert "is sent none" in refused.message
    assert "Check the URL after the @" in gone.message
