"""Whether JSON holds what is looked for: SQL says the same as Python, whatever the names are."""

import json
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st

from motet.storage.contains import contains

words = st.sampled_from(
    ["a", "b", '"', "'", "$", "a.b", "] OR 1=1 --", "%", "价", "\\", "[0]", ""]
) | st.text(max_size=3)
leaves = st.none() | st.booleans() | st.integers(-5, 5) | st.sampled_from([0.5, 1.0]) | words
values = st.recursive(
    leaves,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=3),
    max_leaves=6,
)
objects = st.dictionaries(words, values, max_size=3)


def holds(stored: Any, wanted: Any) -> bool:
    if isinstance(wanted, dict):
        pairs: dict[str, Any] = wanted
        return isinstance(stored, dict) and all(k in stored and holds(stored[k], v) for k, v in pairs.items())
    if isinstance(wanted, list):
        items: list[Any] = wanted
        return isinstance(stored, list) and all(any(holds(one, item) for one in stored) for item in items)
    if isinstance(wanted, bool) or isinstance(stored, bool):
        return stored is wanted
    return stored == wanted


def found(connection: sa.Connection, stored: Any, wanted: Any) -> bool:
    column = sa.cast(sa.literal(json.dumps(stored, ensure_ascii=False)), sa.Text)
    query = sa.select(contains(column, wanted, connection.dialect.name))
    return bool(connection.execute(query).scalar_one())


@pytest.fixture(scope="module")
def sqlite() -> Any:
    engine = sa.create_engine("sqlite://")
    with engine.connect() as connection:
        yield connection
    engine.dispose()


@settings(max_examples=150, deadline=None)
@given(objects, objects)
def test_sql_and_python_agree_on_what_is_held(sqlite: sa.Connection, stored: Any, wanted: Any) -> None:
    if "\x00" in str([stored, wanted]) or "\\u0000" in json.dumps([stored, wanted]):
        return
    assert found(sqlite, stored, wanted) == holds(stored, wanted)
    assert found(sqlite, stored, stored)


EXAMPLES: list[tuple[Any, Any, bool]] = [
    ({"a": {"b": [1, {"c": "x"}]}}, {"a": {"b": [{"c": "x"}]}}, True),
    ({"a": 1}, {"a": True}, False),
    ({"a": True}, {"a": 1}, False),
    ({"a": 1}, {"a": 1.0}, True),
    ({"a": None}, {"a": None}, True),
    ({}, {"a": None}, False),
    ({"a": "x"}, {}, True),
    ({"a": "\x00"}, {"a": "\x00"}, False),
    ({"a": "1"}, {"a": 1}, False),
]


@pytest.mark.parametrize(("stored", "wanted", "expected"), EXAMPLES)
def test_what_is_held_in_sqlite(sqlite: sa.Connection, stored: Any, wanted: Any, *, expected: bool) -> None:
    assert found(sqlite, stored, wanted) is expected


def test_postgresql_says_the_same(postgres_url: str) -> None:
    engine = sa.create_engine(postgres_url)
    with engine.connect() as connection:
        for stored, wanted, expected in EXAMPLES:
            if "\x00" not in str(stored.values()) and "\\u0000" not in json.dumps(stored):
                assert found(connection, stored, wanted) is expected, (stored, wanted)
    engine.dispose()
