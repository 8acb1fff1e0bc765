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
    ],
)
def test_a_wrong_spec_says_what_to_write(text: str, problem: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        ModelSpec.parse(text)
    assert problem in caught.value.message
