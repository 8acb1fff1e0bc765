"""`motet run --dry-run`: the steps, their prompts as far as they are known, and a guess of what they cost.

What does not live here: doing them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from motet.cli.lists import print_json

if TYPE_CHECKING:
    from motet.tasks.load import TaskFile


def show(file: TaskFile, inputs: dict[str, Any], *, as_json: bool) -> None:
    """Print what a run would do; nothing is run and nothing is stored."""
    from motet.models.prices import Prices
    from motet.settings import Settings
    from motet.tasks.plan import plan

    settings = Settings.load()
    made = plan(
        file,
        inputs,
        default_model=settings.models.deep or settings.models.default,
        max_tokens=settings.models.max_tokens,
        prices=Prices.parse(settings.budgets.prices),
    )
    if as_json:
        print_json(made)
        return
    print(f"{file.task.name}: {len(made['steps'])} steps; nothing is run")
    for step in made["steps"]:
        after = f" after {', '.join(step['needs'])}" if step["needs"] else ""
        print(f"\n{step['id']} ({step['action']}){after}")
        for name in ("if", "foreach", "model"):
            if step.get(name) is not None:
                print(f"  {name}: {step[name]}")
        for name, text in step["filled"].items():
            lines = str(text).splitlines() or [""]
            print(f"  {name}: {lines[0]}")
            for line in lines[1:]:
                print(f"    {line}")
    guess = made["estimate"]
    print(
        f"\nModel calls: {guess['model_calls']} or more, about {guess['tokens']:,} tokens at most: {guess['cost']}"
    )
