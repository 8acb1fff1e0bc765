"""What a task's run asks a person, and how it is answered: by --approve, or at the terminal.

What does not live here: whether an answer fits (the gate).
"""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from motet.events import InterruptRequested


async def answers(
    questions: Sequence[InterruptRequested], approved: Sequence[str], *, quiet: bool
) -> dict[str, Any]:
    """Return answers by interrupt id; {} where nobody can give one."""
    given: dict[str, Any] = {}
    for asked in questions:
        value = asked.value if isinstance(asked.value, dict) else {}
        if value.get("step") in approved:
            given[asked.interrupt_id] = "yes"
        elif sys.stdin.isatty() and sys.stderr.isatty() and not quiet:
            given[asked.interrupt_id] = await asyncio.to_thread(_ask, asked)
    return given


def _ask(asked: InterruptRequested) -> Any:
    """Ask until there is an answer, in the words of the chat; an empty line is no."""
    from motet.cli.chat.asking import Asking
    from motet.errors import InvalidInput
    from motet.settings import Settings

    asking = Asking("", [asked], settings_file=Settings.load().own_file, later="")
    while True:
        sys.stderr.write("".join(f"{line}\n" for line in asking.lines()) + "› ")
        sys.stderr.flush()
        try:
            given = asking.take(sys.stdin.readline().strip() or "no")
        except InvalidInput as error:
            sys.stderr.write(f"{error.message}\n")
            continue
        if given is not None:
            return given[asked.interrupt_id]
