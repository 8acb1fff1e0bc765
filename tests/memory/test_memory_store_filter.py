"""Filters, without a store around them."""

from typing import Any

import pytest
from langgraph.store.base import MatchCondition

from motet.errors import InvalidInput
from motet.memory.store_filter import check_filter, matches, passes

VALUE = {"n": 3, "when": "2026-11-24", "who": {"name": "小林", "age": 30}, "tags": ["a", "b"], "none": None}


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ({}, True),
        ({"n": 3}, True),
        ({"n": {"$gt": 2, "$lt": 4}}, True),
        ({"n": {"$gt": 3}}, False),
        ({"n": {"$gt": "2"}}, False),  # a text and a number
        ({"missing": {"$gt": 1}}, False),
        ({"missing": {"$ne": 1}}, True),
        ({"missing": None}, True),
        ({"none": {"$lte": 1}}, False),
        ({"when": {"$gte": "2026-01-01"}}, True),
        ({"who": {"name": "小林"}}, True),
        ({"who": {"age": {"$lt": 30}}}, False),
        ({"tags": ["a", "b"]}, True),
        ({"tags": ["a"]}, False),
        ({"tags": "a"}, False),
        ({"$where": 1}, False),  # a key like any other
    ],
)
def test_what_passes(wanted: dict[str, Any], expected: bool) -> None:
    check_filter(wanted)
    assert passes(VALUE, wanted) is expected


@pytest.mark.parametrize("wanted", [{"n": {"$like": 1}}, {"who": {"age": {"$get": 1}}}])
def test_an_unknown_operator_is_named_with_the_nearest(wanted: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput, match=r"Unknown operator '\$(like|get)' in a filter\..*Known: \$eq"):
        check_filter(wanted)


@pytest.mark.parametrize(
    ("kind", "path", "expected"),
    [
        ("prefix", ("a",), True),
        ("prefix", ("*", "b"), True),
        ("prefix", ("b",), False),
        ("prefix", ("a", "b", "c", "d"), False),
        ("suffix", ("c",), True),
        ("suffix", ("b", "*"), True),
        ("suffix", ("a", "c"), False),
    ],
)
def test_namespaces_by_their_beginning_and_end(kind: Any, path: tuple[str, ...], expected: bool) -> None:
    assert matches(("a", "b", "c"), MatchCondition(kind, path)) is expected
