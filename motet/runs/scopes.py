"""What a caller's scopes let a run do: less than what is asked for at most, and never more.

What does not live here: everything else that the gate checks (`submit`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from motet.errors import PermissionRefused
from motet.tools.base import known_tools

if TYPE_CHECKING:
    from collections.abc import Collection

    from motet.runs.request import Caller, RunOptions

_WIDENING = ("allow", "allow_tainted", "trusted")
"""Lists of rules that let a run do more."""


def allows(caller: Caller, scope: str) -> bool:
    """Say whether a caller has a scope: by its name, by `AREA:*`, as an admin, or as one who may do everything."""
    area = scope.partition(":")[0]
    return bool(caller.scopes & {"*", "admin", scope, f"{area}:*"})


def authorize(caller: Caller) -> None:
    """Refuse a caller that may start no runs."""
    if not allows(caller, "runs:write"):
        raise PermissionRefused("This caller may not start runs: the scope runs:write is needed.")


def check_permissions(caller: Caller, options: RunOptions) -> None:
    """Refuse rules that would let a run do more than its caller may say."""
    rules = options.permissions
    if rules is None or caller.scopes & {"*", "permissions:write"}:
        return
    named = [name for name in _WIDENING if getattr(rules, name)]
    if named:
        raise PermissionRefused(
            f"This caller may not set permissions.{named[0]}: the scope permissions:write is needed. "
            "deny and ask may be set."
        )


def narrow(caller: Caller, options: RunOptions, own_tools: Collection[str] = ()) -> RunOptions:
    """Return the options with no more tools than the caller's scopes (`tools:NAME`, `tools:*`) allow.

    `own_tools` are the names of the user's own, besides those that packages bring; it is asked for names alone.

    Raises:
        PermissionRefused: A tool that is asked for by name is not among them.
    """
    if options.permissions is not None and not caller.scopes & {"*", "permissions:write"}:
        narrowed = options.permissions.model_copy(update={name: list[str]() for name in _WIDENING})
        options = options.model_copy(update={"permissions": narrowed})
    if caller.scopes & {"*", "tools:*"}:
        return options
    allowed = {scope.removeprefix("tools:") for scope in caller.scopes if scope.startswith("tools:")}
    for name in options.tools or ():
        if name not in allowed:
            raise PermissionRefused(
                f"This caller may not use the tool '{name}': the scope tools:{name} is needed.", tool=name
            )
    if options.tools is not None:
        return options
    known = known_tools()
    granted = sorted(name for name in allowed if name in known or name in own_tools)
    return options.model_copy(update={"tools": granted})
