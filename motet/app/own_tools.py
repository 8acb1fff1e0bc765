"""The names of the user's own tools, as the gate asks for them.

What does not live here: making them (`toolbox`).
"""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

from typing_extensions import override

from motet.tools.base import given_name

if TYPE_CHECKING:
    from collections.abc import Iterator

    from motet.app.rooms import Rooms
    from motet.settings import Settings


class OwnTools(Collection[str]):
    """The names of functions, and, for those who ask for one, of HTTP services' and MCP servers' tools too.

    Those have `__` in their names. They are looked at when they are asked for: what is approved of a server may change.
    """

    def __init__(self, rooms: Rooms, settings: Settings) -> None:
        self._rooms = rooms
        self._settings = settings

    @override
    def __iter__(self) -> Iterator[str]:
        yield from self._settings.functions
        yield from map(given_name, self._rooms.given_tools)

    @override
    def __len__(self) -> int:
        return len(list(iter(self)))

    @override
    def __contains__(self, name: object) -> bool:
        if name in list(self):
            return True
        if not isinstance(name, str) or "__" not in name:
            return False
        from motet.app.toolbox import tool_names  # noqa: PLC0415  # makes tools, which few runs need here

        return name in tool_names(self._rooms, self._settings)
