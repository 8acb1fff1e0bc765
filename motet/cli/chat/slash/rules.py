"""The slash command for rules on tool calls: what counts here, and one more for this conversation."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.text import Text

from motet.cli.chat.slash.base import row
from motet.errors import InvalidInput
from motet.tools.policy.rules import DEFAULTS

if TYPE_CHECKING:
    from motet.cli.chat.slash.base import Desk


async def approve(desk: Desk, rule: str) -> None:
    """Show what is denied, allowed and asked, the strongest first; or allow some calls in this conversation.

    Raises:
        InvalidInput: The rule is none, or there is no conversation yet.
    """
    allowances, thread_id = desk.conversation.app.allowances, desk.conversation.thread_id
    if rule:
        if thread_id is None:
            raise InvalidInput("There is no conversation yet to allow it in: say something first.")
        await allowances.add(thread_id, rule)
        desk.tell(Text(f"Allowed in this conversation: {rule}. What a rule denies stays denied."))
        return
    rules = allowances.rules
    for name, found in (("deny", rules.deny), ("allow", rules.allow), ("ask", rules.ask)):
        for one in found:
            desk.tell(row(name.ljust(5), one))
    for one in await allowances.of(thread_id) if thread_id else []:
        desk.tell(row("allow", f"{one}  (in this conversation)"))
    asked = ", ".join(f"@{access}" for access, action in DEFAULTS.items() if action == "ask")
    desk.tell(
        Text(f"Where no rule says anything: {asked} are asked for, the others are allowed.", style="dim")
    )
