"""The rules that the settings files hold: for everybody, for an agent, for a tenant; and the classes of tools."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

from pydantic import ValidationError

from motet.errors import InvalidInput, SettingInvalid, did_you_mean
from motet.tools.policy.rules import DEFAULTS, Access, Permissions

if TYPE_CHECKING:
    from collections.abc import Mapping

_LISTS = tuple(Permissions.model_fields)
_TABLES = ("agents", "tenants", "classes")


@dataclass(frozen=True, slots=True)
class PolicyTable:
    """What an operator says of tool calls."""

    rules: Permissions = field(default_factory=Permissions)
    agents: Mapping[str, Permissions] = field(default_factory=dict[str, Permissions])
    """By the name of an agent's node, or of a graph."""
    tenants: Mapping[str, Permissions] = field(default_factory=dict[str, Permissions])
    classes: Mapping[str, Access] = field(default_factory=dict[str, Access])
    """By a tool's name; stronger than what the tool says of itself."""

    def layers(self, tenant_id: str, run: Permissions | None) -> list[Permissions]:
        """Return the layers of a run."""
        found = [self.rules, self.tenants.get(tenant_id), run]
        return [layer for layer in found if layer is not None]


def read_table(raw: Mapping[str, Any]) -> PolicyTable:
    """Read `[permissions]` of the settings files.

    Raises:
        SettingInvalid: A key or a rule is wrong; the message names it.
    """
    for key in raw:
        if key not in (*_LISTS, *_TABLES):
            known = (*_LISTS, *_TABLES)
            raise SettingInvalid(
                f"Unknown setting 'permissions.{key}'.{did_you_mean(key, known)}", setting=key
            )
    classes: dict[str, Access] = {}
    for tool, named in _table(raw, "classes").items():
        if named not in DEFAULTS:
            raise SettingInvalid(
                f"permissions.classes.{tool} is '{named}'.{did_you_mean(str(named), DEFAULTS)}", setting=tool
            )
        classes[tool] = named
    return PolicyTable(
        rules=_read("permissions", {key: raw[key] for key in _LISTS if key in raw}),
        agents={n: _read(f"permissions.agents.{n}", v) for n, v in _table(raw, "agents").items()},
        tenants={n: _read(f"permissions.tenants.{n}", v) for n, v in _table(raw, "tenants").items()},
        classes=classes,
    )


def _table(raw: Mapping[str, Any], name: str) -> dict[str, Any]:
    found = raw.get(name, {})
    if not isinstance(found, dict):
        raise SettingInvalid(f"permissions.{name} must be a table, [permissions.{name}].", setting=name)
    return cast("dict[str, Any]", found)


def _read(where: str, value: Any) -> Permissions:
    try:
        return Permissions.model_validate(value)
    except InvalidInput as error:
        raise SettingInvalid(f"{where}: {error.message}", setting=where) from None
    except ValidationError as error:
        fault = error.errors(include_url=False)[0]
        place = ".".join(map(str, fault["loc"]))
        raise SettingInvalid(f"{where}.{place}: {fault['msg']}.", setting=where) from None
