"""Terms: whoever holds what is wanted has its terms, and a search by them reads no other thread."""

import importlib
from typing import Any

import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from motet.runs.lookup import Lookup
from motet.runs.request import Caller
from motet.runs.threads.making import Maker
from motet.settings import Settings
from motet.storage.engine import Database
from motet.storage.schema import prepare
from motet.storage.tables import thread_terms
from motet.storage.terms import MANY, MAX_TERMS, candidates, stored_terms, terms_of

_SCALARS = (
    st.none() | st.booleans() | st.integers(-5, 5) | st.floats(-2, 2) | st.sampled_from(["", "a", "和"])
)
_JSON = st.recursive(
    _SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("ab."), inner, max_size=3),
)
_OBJECTS = st.dictionaries(st.sampled_from("abc"), _JSON, max_size=4)


def part_of(value: Any, draw: Any) -> Any:
    """Something that the value holds."""
    if isinstance(value, dict):
        names: dict[str, Any] = value
        return {name: part_of(inner, draw) for name, inner in names.items() if draw(st.booleans())}
    if isinstance(value, list):
        items: list[Any] = value
        return [part_of(inner, draw) for inner in items if draw(st.booleans())]
    return value


@given(_OBJECTS, st.data())
def test_what_holds_something_has_its_terms(value: dict[str, Any], data: st.DataObject) -> None:
    assert set(terms_of(part_of(value, data.draw))) <= set(terms_of(value))


def test_other_values_kinds_and_places_are_other_terms() -> None:
    several: list[Any] = [
        {"a": 1},
        {"a": "1"},
        {"a": True},
        {"a": None},
        {"a": "None"},
        {"a": {}},
        {"a": []},
        {"a": [1]},
        {"b": 1},
        {"a": {"a": 1}},
        {".a": 1},
    ]
    terms = [frozenset(terms_of(one)) for one in several]
    assert len(set(terms)) == len(terms)
    assert set(terms_of({"a": 1})) == set(terms_of({"a": 1.0}))


@given(_OBJECTS)
def test_the_migration_writes_the_same_terms(value: dict[str, Any]) -> None:
    migration = importlib.import_module("motet.storage.migrations.versions.0013_thread_terms")
    assert migration._stored(value) == stored_terms(value)


async def test_a_search_reads_those_of_the_rarest_term_alone(settings: Settings) -> None:
    database = Database(settings.storage)
    prepare(database, settings.storage)
    try:
        maker, lookup = Maker(database, Caller()), Lookup(database, "local")
        made = [await maker.make(metadata={"kind": "和", "n": n}) for n in range(5)]
        large = await maker.make(metadata={str(n): n for n in range(MAX_TERMS + 1)})

        async def asked(wanted: dict[str, Any]) -> set[str] | None:
            found = await database.read(lambda c: candidates(c, "local", wanted))
            return None if found is None else set(found)

        assert await asked({"kind": "和", "n": 3}) == {made[3], large}
        assert await asked({"n": 99}) == {large}
        assert await asked({}) is None
        assert stored_terms({str(n): n for n in range(MAX_TERMS + 1)}) == [MANY]
        assert [one.thread_id for one in await lookup.threads(metadata={"200": 200})] == [large]
        await maker.note(made[3], {"n": 30})
        assert await lookup.threads(metadata={"n": 3}) == []
        assert [one.thread_id for one in await lookup.threads(metadata={"n": 30})] == [made[3]]
        assert await lookup.count_threads(metadata={"kind": "和"}) == 5
        assert await database.read(lambda c: candidates(c, "other", {"kind": "和"})) == []
        left = await database.read(lambda c: c.execute(sa.select(thread_terms)).all())
        assert len(left) == 5 * 2 + 1
    finally:
        database.close()


async def test_a_term_of_very_many_threads_narrows_nothing(settings: Settings, monkeypatch: Any) -> None:
    monkeypatch.setattr("motet.storage.terms.MAX_CANDIDATES", 2)
    database = Database(settings.storage)
    prepare(database, settings.storage)
    try:
        maker = Maker(database, Caller())
        made = [await maker.make(metadata={"kind": "a", "n": n}) for n in range(4)]
        assert await database.read(lambda c: candidates(c, "local", {"kind": "a"})) is None
        found = await Lookup(database, "local").threads(metadata={"kind": "a", "n": 2})
        assert [one.thread_id for one in found] == [made[2]]
        assert len(await Lookup(database, "local").threads(metadata={"kind": "a"})) == 4
    finally:
        database.close()
