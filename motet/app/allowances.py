"""The rules on tool calls as a person at a door sees them: the operator's, and those of one conversation.

What does not live here: what they decide (`motet.tools.policy`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from motet.tools.policy.rules import Rule
from motet.tools.policy.trust import SqlTrustRows

if TYPE_CHECKING:
    from motet.app.rooms import Rooms
    from motet.tools.policy.rules import Permissions


class Allowances:
    """The rules of one tenant."""

    def __init__(self, rooms: Rooms) -> None:
        self._rooms = rooms

    @property
    def rules(self) -> Permissions:
        """The operator's, for every tenant; those of agents and tenants come on top."""
        return self._rooms.policy.table.rules

    async def of(self, thread_id: str) -> list[str]:
        """Return the rules that a person allowed in a thread."""
        return (await self._rows(thread_id).load()).grants

    async def add(self, thread_id: str, rule: str) -> None:
        """Allow calls in a thread, as the answer "always" to an approval does.

        Raises:
            InvalidInput: It is no rule.
        """
        Rule.read(rule)
        await self._rows(thread_id).add("grant", rule)

    def _rows(self, thread_id: str) -> SqlTrustRows:
        return SqlTrustRows(self._rooms.database, self._rooms.tenant_id, thread_id)
