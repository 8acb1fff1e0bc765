"""The tree of commands: its table and the commands themselves, which are imported when they are called."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

import pytest
import typer

from motet.cli.lazy import HELP_CHARS, Branch, Leaf, build, eased
from motet.cli.root import COMMANDS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


def every(table: Mapping[str, Leaf | Branch], *path: str) -> Iterator[tuple[str, Leaf | Branch]]:
    for name, entry in table.items():
        yield " ".join((*path, name)), entry
        if isinstance(entry, Branch):
            yield from every(entry.table, *path, name)


@pytest.mark.parametrize(("path", "entry"), [pytest.param(*one, id=one[0]) for one in every(COMMANDS)])
def test_what_the_table_lists_is_there_and_its_help_fits(path: str, entry: Leaf | Branch) -> None:
    name = path.rpartition(" ")[2]
    made = build(name, entry)
    assert made.name == name
    assert len(entry.help) <= HELP_CHARS
    assert entry.help.endswith(".")
    assert made.help


def test_a_group_without_a_file_of_its_own_builds_only_what_is_called() -> None:
    group = build(
        "g",
        Branch(
            "Help.", {"a": Leaf("motet.cli.completion:print_completion", "One."), "b": Leaf("no:x", "Two.")}
        ),
    )
    context = typer.Context(group)
    name, command, rest = group.resolve_command(context, ["a", "bash"])
    assert (name, command.name, rest) == ("a", "a", ["bash"])
    assert command.help.startswith("Print what completes")
    assert group.commands["b"].get_short_help_str() == "Two."


def taken(function: Any, *arguments: str) -> Any:
    """Return what a command is given for these words."""
    holder = typer.Typer()
    holder.command("it")(function)
    return eased(typer.main.get_command(holder)).main(list(arguments), standalone_mode=False)


def test_words_are_passed_on_as_typer_would() -> None:
    def plain(text: str = "t", number: int = 3, several: list[str] | None = None, on: bool = False) -> Any:
        return text, number, several, on

    assert taken(plain) == ("t", 3, None, False)
    assert taken(plain, "--text", "文", "--number", "7", "--several", "a", "--several", "b", "--on") == (
        "文",
        7,
        ["a", "b"],
        True,
    )
    assert inspect.signature(plain).parameters["number"].default == 3
