"""What a run may cost, in words.

What does not live here: price lists (`motet.models`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from motet.models.base import ModelSpec

if TYPE_CHECKING:
    from collections.abc import Iterable

_OWN = frozenset({"embedded", "scripted", "replay", "vllm"})


def cost_text(models: Iterable[str], input_tokens: int, output_tokens: int) -> str:
    """Return a guess of the cost in words."""
    del input_tokens, output_tokens
    paid = sorted(name for name in models if ModelSpec.parse(name).provider not in _OWN)
    return f"whose price is not known here ({', '.join(paid)})" if paid else "at no cost: models of your own"
