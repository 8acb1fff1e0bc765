"""Expressions: values, texts, what they read, and what goes wrong in them."""

from typing import Any

import pytest

from motet.errors import InvalidInput, RunError
from motet.tasks.expressions import expressions_in, fill, parse, text_of

SCOPE: dict[str, Any] = {
    "inputs": {"name": "示例", "n": 3, "list": ["p", "q"], "danger": "${{ inputs.n }}"},
    "steps": {"one": {"output": {"z": 1, "a": [True, None]}, "text": "told"}, "two": {"output": "x"}},
}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("${{ inputs.n }}", 3),
        ("${{ inputs.n + 1 }} rows", "4 rows"),
        ("${{ inputs.name }}: ${{ inputs.list }}", '示例: ["p", "q"]'),
        ("${{ join(inputs.list, ' / ') }}", "p / q"),
        ("${{ inputs.list.join('-') }}", "p-q"),
        ("${{ steps.one.output.a[0] }}", True),
        ("${{ steps.one.output.a[1] }}.", "."),
        ("${{ inputs.list.map(i, i + '}') }}", ["p}", "q}"]),
        ("${{ lines('a\\nb') }}", ["a", "b"]),
        ("${{ 'x,y'.split(',')[1].upper() }}", "Y"),
        ("${{ fromJson('{\"k\": [1]}').k }}", [1]),
        ("${{ inputs.n > 2 ? 'many' : 'few' }}", "many"),
        ("no expression", "no expression"),
        (["${{ inputs.n }}", {"deep": "${{ inputs.name }}!"}], [3, {"deep": "示例!"}]),
    ],
)
def test_texts_lists_and_mappings_are_filled(text: Any, value: Any) -> None:
    assert fill(text, SCOPE) == value


def test_what_is_put_in_is_never_read_as_an_expression() -> None:
    assert fill("<${{ inputs.danger }}>", SCOPE) == "<${{ inputs.n }}>"


def test_a_whole_value_keeps_the_order_of_its_keys() -> None:
    assert list(fill("${{ steps.one.output }}", SCOPE)) == ["z", "a"]
    assert text_of(fill("${{ toJson(steps.one.output) }}", SCOPE)) == '{"a": [true, null], "z": 1}'


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("${{ inputs.nothing }}", "there is no 'nothing'"),
        ("${{ inputs.n + 'x' }}", "cannot be worked out"),
        ("${{ steps.one.output.a[9] }}", "no '9'"),
        ("${{ fromJson(inputs.name) }}", "cannot be worked out"),
    ],
)
def test_what_cannot_be_worked_out_says_which_expression(text: str, why: str) -> None:
    with pytest.raises(RunError, match=why):
        fill(text, SCOPE)


@pytest.mark.parametrize("text", ["1 +", "a.b.", "'abc", "for x in y", ""])
def test_what_is_no_cel_is_refused_with_its_place(text: str) -> None:
    with pytest.raises(InvalidInput, match=r"is no expression.*character \d"):
        parse(text)


def test_an_expression_that_is_never_closed_is_refused() -> None:
    with pytest.raises(InvalidInput, match="has no '}}' after it"):
        list(expressions_in("a ${{ inputs.n"))


def test_python_is_not_reached() -> None:
    for text in ("__import__('os')", "inputs.__class__", "().__class__"):
        with pytest.raises((RunError, InvalidInput)):
            parse(text).value(SCOPE)


def test_what_an_expression_reads_is_known() -> None:
    reads = parse("steps['one'].output.a.size() > inputs.n && 'steps.fake' != steps.two.text").reads
    assert reads.steps == {"one", "two"}
    assert reads.inputs == {"n"}
    assert reads.fields == {("one", "output"), ("two", "text")}
    assert reads.whole == frozenset()
    assert parse("toJson(steps)").reads.whole == {"steps"}
