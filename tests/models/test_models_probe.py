"""Guesses and lists: what is told about a model without asking it."""

import pytest

from motet.models.probe import _suggest as suggest
from motet.models.probe import context_tokens, is_small


@pytest.mark.parametrize(
    "name",
    [
        "qwen2.5-coder-1.5b",
        "Qwen/Qwen3-0.6B",
        "llama-3.2-3b-instruct",
        "gemma3:4b",
        "smollm2:135m",
        "gemma-3-270m-it",
        "phi_2.7B",
    ],
)
def test_small(name: str) -> None:
    assert is_small(name)


@pytest.mark.parametrize(
    "name",
    [
        "llama-3.1-8b-instruct",
        "gpt-4o-mini",
        "qwen2.5-7b-1m",
        "mixtral-8x7b",
        "qwen3-30b-a3b",
        "m",
        "model-8bit",
    ],
)
def test_not_small(name: str) -> None:
    assert not is_small(name)


def test_context_tokens_by_any_name() -> None:
    assert context_tokens({"max_model_len": 4096}) == 4096
    assert context_tokens({"context_length": 8192}) == 8192
    assert context_tokens({"max_model_len": None, "context_window": 32}) == 32
    assert context_tokens({"meta": {"n_ctx": 1024, "n_ctx_train": 32768}}) == 1024  # llama.cpp's server
    assert context_tokens({"max_model_len": "many"}) == 0
    assert context_tokens({"meta": None}) == 0
    assert context_tokens({}) == 0


def test_a_long_list_of_models_is_cut_to_the_near_ones() -> None:
    known = [f"gpt-{n}" for n in range(200)] + ["llama-3-instruct", "mistral"]
    text = suggest("llama-3-instuct", known)
    assert "Did you mean 'llama-3-instruct'?" in text
    assert "gpt-100" not in text
    assert len(suggest("unheard-of", known)) < 200
    assert suggest("b", ["a", "c"]) == " Known: a, c."
