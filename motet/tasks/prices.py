"""What a run may cost, in dollars and in words.

What does not live here: price lists (`motet.models.prices`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from motet.models.base import ModelSpec

if TYPE_CHECKING:
    from collections.abc import Mapping

    from motet.models.prices import Prices


def cost_of(prices: Prices, tokens: Mapping[str, tuple[int, int]]) -> dict[str, Any]:
    """Return `{"cost_usd", "cost"}`: dollars, None where no list has a model; and the same in words.

    Args:
        prices: Of the lists and of one's own.
        tokens: Read and written at most, by the model's spec; of several in a row the first one counts.
    """
    costs = {model: _cost_usd(prices, model, *asked) for model, asked in tokens.items()}
    unknown = sorted(model for model, cost in costs.items() if cost is None)
    total = sum(cost for cost in costs.values() if cost is not None)
    if unknown:
        known = f"${total:.4f} and " if total else ""
        words = f"{known}what {', '.join(unknown)} costs: no list has its price (MOTET_PRICES)"
    else:
        words = f"${total:.4f} at most" if total else "at no cost: models of your own"
    return {"cost_usd": None if unknown else round(total, 6), "cost": words}


def _cost_usd(prices: Prices, model: str, read: int, written: int) -> float | None:
    spec = ModelSpec.parse_list(model)[0]
    return prices.cost_usd(spec.provider, spec.name, read, written, base_url=spec.base_url)
