"""The table of tools, and what a tool declares of itself."""

from importlib import import_module

import pytest
from langchain_core.tools import StructuredTool

from motet import tool
from motet.tools.base import (
    TOOLS,
    USUAL,
    effect_of,
    fails_cleanly,
    given_name,
    idempotency_key,
    known_tools,
)
from motet.tools.function import function_tool, to_tool


def declaring(**metadata: str) -> StructuredTool:
    return StructuredTool.from_function(lambda: "done", name="one", description="One.", metadata=metadata)


def test_every_line_of_the_table_names_something_to_call() -> None:
    for target in TOOLS.values():
        module, _, attribute = target.partition(":")
        assert callable(getattr(import_module(module), attribute))
    assert known_tools().items() >= TOOLS.items()
    assert TOOLS.keys() >= USUAL


@pytest.mark.parametrize(
    ("declared", "effect"),
    [
        ({"effect": "pure"}, "pure"),
        ({"effect": "idempotent"}, "idempotent"),
        ({"effect": "often"}, "once"),
        ({}, "once"),
    ],
)
def test_a_tool_that_declares_nothing_known_may_be_called_once(declared: dict[str, str], effect: str) -> None:
    assert effect_of(declaring(**declared)) == effect


def test_only_a_tool_that_says_so_fails_cleanly() -> None:
    assert fails_cleanly(declaring(failure="clean"))
    assert not fails_cleanly(declaring(failure="dirty"))
    assert not fails_cleanly(declaring())


def test_there_is_no_key_outside_of_a_run() -> None:
    assert idempotency_key() == ""


def test_what_is_given_has_the_name_that_its_tool_will_have() -> None:
    @tool(name="say")
    def speak() -> None:
        """Speak."""

    def plain() -> None:
        """Be plain."""

    for given, name in ((speak, "say"), (plain, "plain"), (function_tool(plain, name="other"), "other")):
        assert given_name(given) == name == to_tool(given, "").name
    assert given_name(3) == ""
