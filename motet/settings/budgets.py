"""Settings of what may be spent."""

from __future__ import annotations

from dataclasses import dataclass

from motet.settings.field import setting


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetSettings:
    """What runs may spend: `tokens=20000 cost=0.50 time=300 model_calls=20 tool_calls=10`, any of them.

    A run whose budget is spent waits for a person; with `then=fail` it ends.
    """

    run: str = setting(
        "", "MOTET_BUDGET_RUN", "Limits of one run, as `tokens=20000 cost=0.50`; none unless set."
    )
    thread: str = setting("", "MOTET_BUDGET_THREAD", "Limits of one conversation; none unless set.")
    user_day: str = setting("", "MOTET_BUDGET_USER_DAY", "Limits of one user a day (UTC); none unless set.")
    tenant_day: str = setting(
        "", "MOTET_BUDGET_TENANT_DAY", "Limits of one tenant a day (UTC); none unless set."
    )
    cheaper_model: str = setting(
        "embedded", "MOTET_BUDGET_CHEAPER_MODEL", "Model that is offered when a budget is spent."
    )
    prices: str = setting(
        "",
        "MOTET_PRICES",
        "Prices that no list has, `MODEL=READ/WRITTEN` in dollars per million tokens.",
    )
