"""Tools of the user's own that the settings name: `[functions]`, each a line.

What does not live here: making a tool of a function (`function`).

    [functions]
    stock = "shop.tools:stock"
    send_mail = { target = "shop.mail:send", class = "egress", effect = "idempotent" }
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, cast

from motet.errors import InvalidInput, SettingInvalid
from motet.tools.policy.rules import DEFAULTS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from langchain_core.tools import BaseTool

_KEYS = {"target", "class", "effect", "trusted", "description"}
_EFFECTS = ("pure", "idempotent", "once")


def own_tool(name: str, entry: Any) -> BaseTool:
    """Make the tool of one line of `[functions]`.

    Raises:
        SettingInvalid: The line is wrong, or what it names cannot be loaded or is no tool.
    """
    where = f"functions.{name}"
    given = cast("dict[str, Any]", entry) if isinstance(entry, dict) else {"target": entry}
    target = given.get("target")
    problem = ""
    if unknown := sorted(given.keys() - _KEYS):
        problem = f"'{unknown[0]}' is unknown; known: {', '.join(sorted(_KEYS))}"
    elif not isinstance(target, str) or ":" not in target:
        problem = 'write it as "module:function"'
    elif given.get("class", "exec") not in DEFAULTS:
        problem = f"class is '{given['class']}'; known: {', '.join(DEFAULTS)}"
    elif given.get("effect", "once") not in _EFFECTS:
        problem = f"effect is '{given['effect']}'; known: {', '.join(_EFFECTS)}"
    if problem:
        raise SettingInvalid(f"{where}: {problem}.", setting=where)
    return _loaded(where, name, str(target), given)


def _loaded(where: str, name: str, target: str, given: Mapping[str, Any]) -> BaseTool:
    from motet.tools.function import to_tool  # noqa: PLC0415  # the table is read without LangChain

    module_name, _, attribute = target.partition(":")
    declared = {key: given[key] for key in ("effect", "trusted", "description") if key in given}
    if "class" in given:
        declared["access"] = given["class"]
    try:
        return to_tool(getattr(import_module(module_name), attribute), name, declared=declared)
    except InvalidInput as error:
        raise SettingInvalid(f"{where}: {error.message}", setting=where) from None
    except (ImportError, AttributeError, ValueError) as error:
        raise SettingInvalid(
            f"{where} is '{target}', which cannot be loaded: {error}.", setting=where
        ) from None
