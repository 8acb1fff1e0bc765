"""Groups of commands that are listed by a table and imported one by one, when they are called.

What does not live here: the table (`root`).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, Any

import typer
from typer.core import TyperCommand, TyperGroup

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


@dataclass(frozen=True, slots=True)
class Leaf:
    """A command, or a group that has a file of its own."""

    target: str
    """`module:name` of a function, or of a `typer.Typer`."""
    help: str
    """What the list of commands says; at most `HELP_CHARS`, or a terminal of 80 columns cuts it off."""
    settings: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """The parser's settings of the command."""


@dataclass(frozen=True, slots=True)
class Branch:
    """A group whose commands are in several files."""

    help: str
    table: Mapping[str, Leaf]


HELP_CHARS = 64


class LazyGroup(TyperGroup):
    """Knows its commands' names and help; the one that is called is imported then."""

    table: Mapping[str, Leaf | Branch] = {}

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self.commands = {name: TyperCommand(name, help=entry.help) for name, entry in self.table.items()}

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Find the command that the words name, import it and return it; an unknown name is a usage error."""
        name, command, rest = super().resolve_command(ctx, args)
        return name, build(name, self.table[name]) if name is not None else command, rest


def build(name: str, entry: Leaf | Branch) -> Any:
    """Import a command or a group and return it as the parser has it."""
    holder = typer.Typer(rich_markup_mode=None, pretty_exceptions_enable=False)
    if isinstance(entry, Branch):
        branch = typer.Typer(cls=lazy(entry.table), help=entry.help, no_args_is_help=True)
        holder.add_typer(branch, name=name)
    else:
        module, _, attribute = entry.target.partition(":")
        found = getattr(import_module(module), attribute)
        if isinstance(found, typer.Typer):
            holder.add_typer(found, name=name)
        else:
            holder.command(name, context_settings=dict(entry.settings))(found)
    return eased(typer.main.get_group(holder).commands[name])


def eased(command: Any) -> Any:
    """Have a command take words as they are that need no conversion: typer converts by pydantic, which takes long.

    What is not given, and plain text, is passed on as typer would; it converts and checks everything else.
    """
    command.get_params = partial(_eased_params, command.get_params)
    for below in getattr(command, "commands", {}).values():
        eased(below)
    return command


def _eased_params(get_params: Callable[[Any], list[Any]], ctx: Any) -> list[Any]:
    """Return a command's parameters, `--help` too, each with `_Plain` before its conversion."""
    found = get_params(ctx)
    for parameter in found:
        if not isinstance(parameter.get_runtime_param, partial):
            parameter.get_runtime_param = partial(_Plain, parameter.get_runtime_param)
    return found


@dataclass(frozen=True, slots=True)
class _Plain:
    """Stands before typer's conversion of a parameter."""

    convert: Callable[[], Any]

    def coerce(self, value: Any, param: Any, ctx: Any) -> Any:
        """Return the value as the command is given it."""
        if value is None:
            return () if param.multiple or param.nargs == -1 else None
        kind = param.type_descriptor
        if (
            value is param.default
            and isinstance(kind.annotation, type)
            and isinstance(value, kind.annotation)
        ):
            return value
        if kind.annotation is str and kind.parameter_info.parser is None and isinstance(value, str):
            return value
        return self.convert().coerce(value, param=param, ctx=ctx)


def lazy(table: Mapping[str, Leaf | Branch], base: type[LazyGroup] = LazyGroup) -> type[LazyGroup]:
    """Return a kind of group that has these commands."""
    return type("Lazy", (base,), {"table": table})
