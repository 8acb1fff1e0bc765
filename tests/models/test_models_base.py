"""Specs are read the way people write them, and a wrong one says what was meant."""

import pytest

from motet.errors import InvalidInput
from motet.models.base import ModelSpec


@pytest.mark.parametrize(
    ("text", "spec"),
    [
        ("embedded", ModelSpec("embedded")),
        ("embedded:small", ModelSpec("embedded", "small")),
        (" openai:gpt-4.1 ", ModelSpec("openai", "gpt-4.1")),
        ("vllm:org/name", ModelSpec("vllm", "org/name")),
        ("ollama:llama3:8b@http://h:11434/v1/", ModelSpec("ollama", "llama3:8b", "http://h:11434/v1")),
    ],
)
def test_parse(text: str, spec: ModelSpec) -> None:
    assert ModelSpec.parse(text) == spec
    assert ModelSpec.parse(str(spec)) == spec


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("opnai:gpt", "Did you mean 'openai'"),
        ("ollama:llama3", "PROVIDER:NAME@URL"),
        ("openai", "has no name: write openai:NAME"),
        ("", "Unknown model ''"),
        ("x:y@host:80", "must be an http"),
        ("x:y@http://127.0.0.1:99999/v1", "ports are 1 to 65535"),
        ("x:y@http://127.0.0.1:abc/v1", "its host or its port cannot be"),
        ("x:y@http://[::1/v1", "its host or its port cannot be"),
        ("x:y@http://127.0.0.1:0/v1", "http://HOST:PORT/v1"),
        ("x:y@http:///v1", "http://HOST:PORT/v1"),
        ("x:y@http://a b/v1", "http://HOST:PORT/v1"),
        ("x:y@http://me:hunter2@host:no/v1", "me:***@host"),
    ],
)
def test_a_wrong_spec_says_what_to_write(text: str, problem: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        ModelSpec.parse(text)
    assert problem in caught.value.message
