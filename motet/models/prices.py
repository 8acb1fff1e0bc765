"""What a model call costs, in US dollars, by public price lists and by what the settings say.

What does not live here: counting tokens, and budgets. The lists are a package's (`genai-prices`), imported when a
model that may cost something is first asked about; nothing is fetched.
"""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from motet.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Mapping

OWN_PROVIDERS = frozenset({"embedded", "scripted", "vllm", "replay", "ollama"})
"""Whose models run on machines of one's own, and cost nothing by the token."""

MILLION = 1_000_000


class Prices:
    """Looks prices up. `own` is `{model: (dollars per million tokens read, written)}`, stronger than every list."""

    def __init__(self, own: Mapping[str, tuple[float, float]] | None = None) -> None:
        self._own = own or {}

    @classmethod
    def parse(cls, text: str) -> Prices:
        """Read `qwen-max=1.6/6.4 my-model=0/0`: dollars per million tokens, read and written.

        Raises:
            InvalidInput: A part has another form.
        """
        own: dict[str, tuple[float, float]] = {}
        for part in text.replace(",", " ").split():
            name, _, both = part.rpartition("=")
            read, _, written = both.partition("/")
            try:
                own[name] = (float(read), float(written or read))
            except ValueError:
                name = ""
            if not name or min(own[name]) < 0:
                raise InvalidInput(
                    f"Price '{part}': write MODEL=READ/WRITTEN in dollars per million tokens, as qwen-max=1.6/6.4."
                )
        return cls(own)

    def is_listed(self, provider: str, model: str, base_url: str = "") -> bool:
        """Say whether a price is looked up in the lists, which takes a second the first time."""
        return model not in self._own and provider not in OWN_PROVIDERS and not _is_own(base_url)

    def cost_usd(
        self, provider: str, model: str, input_tokens: int, output_tokens: int, *, base_url: str = ""
    ) -> float | None:
        """Return what a call costs; 0.0 for a model of one's own, None where no list has the model.

        Args:
            provider: `openai`, `anthropic`, …; a word of one's own with a `base_url`.
            model: The model's name at its provider.
            input_tokens: Tokens read.
            output_tokens: Tokens written.
            base_url: Where it was called, "" for the provider's own address.
        """
        if model in self._own:
            read, written = self._own[model]
            return (input_tokens * read + output_tokens * written) / MILLION
        if not self.is_listed(provider, model, base_url):
            return 0.0
        return _listed(provider, model, input_tokens, output_tokens, base_url)


def _listed(provider: str, model: str, input_tokens: int, output_tokens: int, base_url: str) -> float | None:
    from genai_prices import Usage, calc_price  # noqa: PLC0415  # large lists, for paid models only

    usage = Usage(input_tokens=input_tokens, output_tokens=output_tokens)
    try:
        if base_url:
            return float(calc_price(usage, model, provider_api_url=base_url).total_price)
        return float(calc_price(usage, model, provider_id=provider).total_price)
    except LookupError:
        return None


def _is_own(base_url: str) -> bool:
    """Say whether an address is this machine or a private network."""
    host = urlsplit(base_url).hostname or ""
    if host == "localhost" or host.endswith((".local", ".internal")):
        return True
    try:
        return ipaddress.ip_address(host).is_private
    except ValueError:
        return False
