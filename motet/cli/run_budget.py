"""`motet runs budget`: what a run may spend, and what was spent.

What does not live here: counting (`runs.budgets`).
"""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from motet.cli.lists import AsJson, note, print_json, print_table
from motet.cli.runs import RunName  # noqa: TC001  # typer reads the annotation
from motet.cli.session import with_app

if TYPE_CHECKING:
    from motet.app import App
    from motet.runs.budgets.service import Spent

WHOSE = {
    "run": "this run",
    "thread": "its conversation",
    "user": "its user today",
    "tenant": "its tenant today",
}
UNITS = {"tokens": "tokens", "cost": "dollars", "time": "seconds", "model_calls": "model calls"}


def show_budget(run: RunName, as_json: AsJson = False) -> None:
    """Show every limit that counts for a run, and what was spent of it."""

    async def read(app: App) -> list[Spent]:
        found = await app.records.run(run)
        return await app.budgets.report(await app.records.job(found.run_id))

    found = with_app(read)
    if as_json:
        print_json([asdict(one) for one in found])
        return
    rows = [
        [WHOSE[one.scope], f"{one.spent:,.6g}", f"{one.allowed:,.6g}", UNITS.get(one.limit, "tool calls")]
        for one in found
        if one.allowed is not None
    ]
    print_table(["for", "spent", "of", ""], rows, wide=0)
    if not found:
        note("Nothing limits this run. 'motet ask --budget' and the settings MOTET_BUDGET_… do.")
