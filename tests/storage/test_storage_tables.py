"""The rules that every table keeps, read off the tables themselves."""

from collections.abc import Iterable
from typing import Any

import pytest
from sqlalchemy import BigInteger, Boolean, Column, Float, Integer, LargeBinary, Table, Text, UniqueConstraint

from motet.storage.tables import metadata

TABLES = sorted(metadata.tables.values(), key=lambda table: table.name)


def names(columns: Iterable[Column[Any]]) -> set[str]:
    return {column.name for column in columns}


def unique_keys(table: Table) -> list[set[str]]:
    """The primary key and every unique constraint."""
    uniques = [constraint for constraint in table.constraints if isinstance(constraint, UniqueConstraint)]
    return [names(table.primary_key.columns), *(names(constraint.columns) for constraint in uniques)]


def foreign_keys(table: Table) -> list[dict[str, str]]:
    return [
        {element.parent.name: element.column.table.name for element in constraint.elements}
        for constraint in table.foreign_key_constraints
    ]


def is_generated(key: set[str]) -> bool:
    """A number that the database gives: nobody can name it for a row of somebody else's."""
    numbers = ("position", "message_key", "document_key", "passage_key", "scope_key", "text_key", "meter_key")
    return key in [{name} for name in numbers]


OF_NO_TENANT = {"encryption_keys"}
"""What is the installation's; nothing of it reaches a caller."""


BEFORE_THE_TENANT = {"api_keys"}
"""What says whose tenant a caller is: found by a random id, and nothing without the secret that goes with it."""


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_every_row_is_a_tenants(table: Table) -> None:
    """By its own column, or by the scope that it belongs to, which has one."""
    if table.name in OF_NO_TENANT:
        return
    if "tenant_id" in table.c:
        assert not table.c.tenant_id.nullable
        return
    assert {"scope_key": "checkpoint_scopes"} in foreign_keys(table)
    assert "tenant_id" in metadata.tables["checkpoint_scopes"].c


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_every_key_that_a_caller_can_name_begins_with_the_tenant(table: Table) -> None:
    for key in unique_keys(table) if table.name not in OF_NO_TENANT | BEFORE_THE_TENANT else ():
        assert "tenant_id" in key or "scope_key" in key or is_generated(key), (table.name, key)


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_a_reference_cannot_cross_tenants(table: Table) -> None:
    for key in foreign_keys(table):
        assert "tenant_id" in key or is_generated(set(key)), (table.name, key)


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_rows_go_with_what_they_belong_to(table: Table) -> None:
    assert {key.ondelete for key in table.foreign_key_constraints} <= {"CASCADE"}


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_times_are_seconds_as_floats_and_types_are_those_that_every_database_has(table: Table) -> None:
    plain = (BigInteger, Boolean, Float, Integer, LargeBinary, Text)
    for column in table.columns:
        assert isinstance(column.type, plain), (table.name, column.name)
        if column.name.endswith(("_at", "_until", "_s")) or column.name in ("at", "not_before"):
            assert isinstance(column.type, Float), (table.name, column.name)


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_a_cascade_finds_its_rows_by_an_index(table: Table) -> None:
    """Without one, deleting a thread would read every row of every other."""
    indexed = [[column.name for column in index.columns] for index in table.indexes]
    indexed += [[column.name for column in table.primary_key.columns]]
    indexed += [
        [column.name for column in constraint.columns]
        for constraint in table.constraints
        if isinstance(constraint, UniqueConstraint)
    ]
    for constraint in table.foreign_key_constraints:
        wanted = [column.name for column in constraint.columns]
        assert any(columns[: len(wanted)] == wanted for columns in indexed), (table.name, wanted)


def test_the_tables_are_those_that_are_known() -> None:
    assert len(TABLES) >= 13
    assert {"threads", "runs", "events", "messages"} <= set(metadata.tables)
