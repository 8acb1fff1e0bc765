"""The calculator: exact values, people's spellings, and refusals that come at once."""

import time

import pytest

from motet.errors import InvalidInput
from motet.settings import ToolSettings
from motet.tools.base import ToolContext
from motet.tools.calculator import calculate
from motet.tools.making import build_tools


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("0.1 + 0.2", "0.3"),
        ("19.99 * 3", "59.97"),
        ("(1200 - 300) * 2 / 4", "450"),
        ("2 ** 3 ** 2", "512"),
        ("2 ^ 10", "1024"),
        ("-2 ** 2", "-4"),
        ("-7 // 2", "-4"),
        ("-7 % 3", "2"),
        ("12 mod 5", "2"),
        ("2 ** 100", "1267650600228229401496703205376"),
        ("123456789012345678.91 + 0.09", "123456789012345679"),
        ("1 / 3", "0.3333333333"),
        ("2 / 3 * 100", "66.6666666667"),
        ("1 / 7 * 7", "1"),
        ("0 * -1", "0"),
        ("round(2.5)", "3"),
        ("round(-2.5)", "-3"),
        ("round(1.005, 2)", "1.01"),
        ("round(10 / 3, 2)", "3.33"),
        ("round(12345, -2)", "12300"),
        ("min(3, 1, 2) + max(3, 1, 2)", "4"),
        ("sum([1, 2, 3]) + mean(4, 6)", "11"),
        ("abs(-3) + floor(2.7) + ceil(2.1)", "8"),
        ("sqrt(2)", "1.4142135624"),
        ("sqrt(2) ** 2", "2"),
        ("pi * 2", "6.2831853072"),
    ],
)
def test_values_are_exact_or_rounded_at_the_tenth_decimal(expression: str, value: str) -> None:
    assert calculate(expression) == value


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("1,200 * 3", "3600"),
        ("$1,200.50 + €3", "1203.5"),
        ("15%", "0.15"),
        ("200 * 15%", "30"),
        ("15% of 200", "30"),
        ("(10 + 5)% * 200", "30"),
        ("10% - 3", "-2.9"),
        ("10 % (-3)", "-2"),
        ("2 × 3 ÷ 4 − 1", "0.5"),
        ("（１＋２）÷３", "1"),
        ("１，２００＊３", "3600"),
        ("3.5万", "35000"),
        ("1.5亿 + 2万", "150020000"),
        ("3.5万亿", "3500000000000"),
        ("￥1,000元 * 2", "2000"),
        ("3 x 4", "12"),
        ("3²", "9"),
        ("2+2=?", "4"),
    ],
)
def test_peoples_spellings_are_understood(expression: str, value: str) -> None:
    assert calculate(expression) == value


@pytest.mark.parametrize(
    ("expression", "words"),
    [
        ("1 / 0", "division by zero"),
        ("5 % 0", "division by zero"),
        ("0 / 0", "no real result"),
        ("sqrt(-1)", "no real result"),
        ("2 +", "Write one expression"),
        ("", "Write one expression"),
        ("3(4)", "sign is missing"),
        ("sqr(4)", "Did you mean 'sqrt'?"),
        ("round", "round(1, 2)"),
        ("round(1, 2, 3)", "how many digits, not 3"),
        ("3½", "'½' has no meaning"),
        ("1.234,50", "2 expressions"),
        ("10 % -3", "write 10% - 3"),
        ("sum(1,200, 3)", "Write 1200, or 1, 200"),
        ("[1, 2]", "a list, not a number"),
        ("1 if 2 else 3", "no arithmetic"),
        ("__import__('os').system('true')", "has no meaning"),
        ("(1).real", "has no meaning"),
    ],
)
def test_what_cannot_be_calculated_is_named_with_what_to_write(expression: str, words: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        calculate(expression)
    assert words in caught.value.message
    assert caught.value.message.startswith(f"Cannot calculate '{expression}': ")


@pytest.mark.parametrize(
    "expression",
    [
        "9**9**9",
        "9**9**9**9",
        "1.0000001**99999999999",
        "10**101",
        "1e400",
        "2**-500",
        "(" * 400,
        "-" * 450 + "1",
    ],
)
def test_what_would_hang_is_refused_at_once(expression: str) -> None:
    started = time.perf_counter()
    with pytest.raises(InvalidInput):
        calculate(expression)
    assert time.perf_counter() - started < 0.5


async def test_the_tool_answers_with_the_expression_and_its_value() -> None:
    (tool,) = build_tools(ToolContext(ToolSettings()), ["calculator"])
    assert await tool.ainvoke({"expression": "1,200  * 15% ="}) == "1,200 * 15% = 180"
    assert tool.metadata == {"effect": "pure", "class": "read", "failure": "unknown", "trust": "trusted"}


async def test_an_expression_that_is_too_long_is_told_as_an_error() -> None:
    (tool,) = build_tools(ToolContext(ToolSettings()), ["calculator"])
    answer = await tool.ainvoke(
        {"type": "tool_call", "id": "1", "name": "calculator", "args": {"expression": "1+" * 300 + "1"}}
    )
    assert answer.status == "error"
    assert "500 characters" in answer.content


def test_a_hexadecimal_number_is_no_product_with_nought() -> None:
    with pytest.raises(InvalidInput, match=r"Write 31, or 0 \* 1F"):
        calculate("0x1F + 1")
    assert calculate("0 x 10") == "0"
    assert calculate("10x10") == "100"
