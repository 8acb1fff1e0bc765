"""Prices: whose models cost nothing, whose cost what the settings say, and whose are in the public lists."""

from __future__ import annotations

import pytest

from motet.errors import InvalidInput
from motet.models.prices import Prices


@pytest.mark.parametrize(
    ("provider", "base_url"),
    [
        ("embedded", ""),
        ("scripted", ""),
        ("vllm", "http://gpu.example.com/v1"),
        ("mine", "http://127.0.0.1:8000/v1"),
        ("mine", "http://localhost:8000/v1"),
        ("mine", "http://10.1.2.3/v1"),
        ("openai", "http://[::1]:80/v1"),
    ],
)
def test_models_of_ones_own_cost_nothing(provider: str, base_url: str) -> None:
    assert Prices().cost_usd(provider, "gpt-4o", 1000, 1000, base_url=base_url) == 0


def test_listed_models_cost_what_the_list_says() -> None:
    prices = Prices()
    cost = prices.cost_usd("openai", "gpt-4o-mini", 1_000_000, 0)
    assert cost is not None
    assert cost > 0
    assert prices.cost_usd("openai", "gpt-4o-mini", 1_000_000, 1_000_000) > cost  # pyright: ignore[reportOptionalOperand]
    by_address = prices.cost_usd("mine", "deepseek-chat", 1000, 10, base_url="https://api.deepseek.com/v1")
    assert by_address


@pytest.mark.parametrize(("provider", "model"), [("openai", "no-such-model"), ("nobody", "gpt-4o"), ("", "")])
def test_an_unknown_price_is_none_and_not_nothing(provider: str, model: str) -> None:
    assert Prices().cost_usd(provider, model, 10, 10) is None


def test_the_settings_prices_win() -> None:
    prices = Prices.parse("gpt-4o=1/2, local-model=3")
    assert prices.cost_usd("openai", "gpt-4o", 1_000_000, 1_000_000) == 3
    assert prices.cost_usd("vllm", "local-model", 1_000_000, 1_000_000) == 6
    assert Prices.parse("").cost_usd("embedded", "x", 1, 1) == 0


@pytest.mark.parametrize("text", ["gpt-4o", "gpt-4o=", "=1/2", "gpt-4o=1/x", "gpt-4o=-1/2"])
def test_what_is_no_price_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput, match="MODEL=READ/WRITTEN"):
        Prices.parse(text)
