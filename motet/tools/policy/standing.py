"""The rules as they stand: the settings files', and those that a person had kept in their own since.

What does not live here: reading them (`table`), and what they decide (`rules`, `guard`).
"""

from __future__ import annotations

import dataclasses
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from motet.errors import InvalidInput
from motet.tools.policy.table import read_table

if TYPE_CHECKING:
    from collections.abc import Mapping

    from motet.tools.policy.table import PolicyTable


class Policy:
    """What an operator says of tool calls. One for all tenants of a process."""

    def __init__(self, table: PolicyTable, file: Path) -> None:
        self.table = table
        self._file = file

    @classmethod
    def read(cls, raw: Mapping[str, Any], file: Path) -> Policy:
        """Read `[permissions]` of the settings files; `file` is the operator's own. Raises what `read_table` does."""
        return cls(read_table(raw), file)

    def allow(self, rule: str) -> None:
        """Keep a rule that permits in the operator's own settings file, and go by it from now on.

        One that is there already is not written again. Other processes know of it when they start.

        Raises:
            InvalidInput: The file cannot be read or written; nothing was changed.
        """
        try:
            add_rule(self._file, "allow", rule)
        except (OSError, ValueError) as error:
            why = error.strerror if isinstance(error, OSError) else str(error)
            raise InvalidInput(
                f"The rule could not be kept in {self._file}: {why}. 'always' keeps it in this conversation."
            ) from None
        rules = self.table.rules
        if rule not in rules.allow:
            changed = rules.model_copy(update={"allow": [*rules.allow, rule]})
            self.table = dataclasses.replace(self.table, rules=changed)


def add_rule(file: Path, name: str, rule: str) -> None:
    """Add a rule to a list of `[permissions]` in a settings file; all else in it stays, comments too.

    Raises:
        OSError: It cannot be read or written.
        ValueError: It is no TOML, or `permissions` has another shape.
    """
    import tomlkit  # noqa: PLC0415
    from tomlkit.items import Array, Table  # noqa: PLC0415

    target = file.resolve()
    text = target.read_text("utf-8") if target.exists() else ""
    document = tomlkit.parse(text)
    table = document.setdefault("permissions", tomlkit.table())
    rules: Any = table.setdefault(name, tomlkit.array()) if isinstance(table, Table) else None
    if not isinstance(rules, Array):
        raise ValueError(f"permissions.{name} is no list")  # noqa: TRY004  # of a file, not of code
    if rule in rules.unwrap():
        return
    rules.append(rule)
    if len(rules) > 1:
        rules.multiline(multiline=True)
    _replace(target, tomlkit.dumps(document))


def _replace(target: Path, text: str) -> None:
    """Write a file whole or not at all; it keeps its mode, and a new one is its owner's alone."""
    target.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    written = Path(name)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
        if target.exists():
            written.chmod(target.stat().st_mode & 0o777)
        written.replace(target)
    finally:
        written.unlink(missing_ok=True)
