"""What a run may spend: a frozen value that travels in a run's options.

What does not live here: counting what was spent, and what happens at a limit (`runs.budgets`).
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from motet.errors import InvalidInput, SettingInvalid
from motet.setting_values import parse_limits

AtLimit = Literal["ask", "fail"]
"""What happens when a limit is reached: the run waits for a person's answer, or ends with `BudgetExceeded`."""

NAMES = {
    "tokens": "max_tokens",
    "cost": "max_cost_usd",
    "time": "max_time_s",
    "model_calls": "max_model_calls",
    "tool_calls": "max_tool_calls",
}
"""The short name of each limit, as the command line and the settings write it, and its field."""


class Budget(BaseModel):
    """Limits on what may be spent. None is no limit; one that is reached stops the next call, not the one under way."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    max_tokens: int | None = Field(default=None, ge=1)
    """Tokens of all model calls, read and written."""
    max_cost_usd: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    """US dollars by the public price lists; models of one's own cost nothing."""
    max_time_s: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    """Seconds that the run works; waiting for a person is not counted."""
    max_model_calls: int | None = Field(default=None, ge=0)
    max_tool_calls: int | None = Field(default=None, ge=0)
    at_limit: AtLimit = "ask"

    def __bool__(self) -> bool:
        """Whether there is any limit."""
        return any(getattr(self, field) is not None for field in NAMES.values())

    @classmethod
    def parse(cls, text: str) -> Budget:
        """Read `tokens=20000 cost=0.50 time=300 model_calls=20 tool_calls=10 then=fail`, any of them.

        Raises:
            InvalidInput: A name is unknown, or a value is no number that can be a limit.
        """
        try:
            limits: dict[str, Any] = dict(parse_limits(text, (*NAMES, "then")))
            at_limit = limits.pop("then", "ask")
            return cls.model_validate({NAMES[k]: v for k, v in limits.items()} | {"at_limit": at_limit})
        except ValidationError as error:
            first = error.errors()[0]
            raise InvalidInput(
                f"Budget '{text}': {'.'.join(map(str, first['loc']))}: {first['msg']}."
            ) from None
        except SettingInvalid as error:
            raise InvalidInput(f"Budget '{text}': {error.message}") from None

    def __str__(self) -> str:
        """Return the text that `parse` reads."""
        limits = [(name, getattr(self, field)) for name, field in NAMES.items()]
        shown = [
            f"{name}={value:g}" if isinstance(value, float) else f"{name}={value}"
            for name, value in limits
            if value is not None
        ]
        return " ".join([*shown, *(["then=fail"] if self.at_limit == "fail" else [])])
