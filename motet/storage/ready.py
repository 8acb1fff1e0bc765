"""Statements that every step of every run executes, made ready once: on SQLite they go straight to its driver.

What does not live here: statements. To look a statement up, to bind its parameters and to wrap its rows takes
SQLAlchemy some ten times as long as SQLite takes to find or write a row by its key. PostgreSQL answers over a socket,
where that does not count: there everything is SQLAlchemy's.
"""

from __future__ import annotations

from collections import namedtuple
from contextlib import contextmanager
from sqlite3 import Error as SqliteError
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from sqlalchemy.exc import DBAPIError, NoResultFound

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Generator, Iterable, Mapping, Sequence

    from sqlalchemy.engine import Connection, Dialect
    from sqlalchemy.sql.base import Executable
    from sqlalchemy.sql.compiler import SQLCompiler

    Parameters = Mapping[str, Any]


class Ready:
    """A statement with named parameters. Errors are SQLAlchemy's `DBAPIError`, as of every other statement.

    Its rows are tuples with the columns' names, on both databases. One with a list among its parameters
    (`expanding`) stays SQLAlchemy's everywhere.
    """

    def __init__(self, statement: Executable) -> None:
        """Take a SELECT, INSERT, UPDATE or DELETE of SQLAlchemy's; an INSERT without values inserts its parameters."""
        self.statement = statement
        self._made: dict[tuple[str, ...], _Made | None] = {}

    def first(self, connection: Connection, parameters: Parameters = {}) -> Any:  # noqa: B006  # is never changed
        """Execute it and return the first row, None when there is none."""
        made = self._for(connection, parameters)
        if made is None:
            return connection.execute(self.statement, parameters).first()
        with _told(connection.dialect, made):
            cursor = _driver(connection).execute(made.sql, made.bind(parameters))
            row = cursor.fetchone()
            cursor.close()
        return None if row is None else made.row(row)

    def one(self, connection: Connection, parameters: Parameters = {}) -> Any:  # noqa: B006
        """Execute it and return its row.

        Raises:
            NoResultFound: There is none.
        """
        row = self.first(connection, parameters)
        if row is None:
            raise NoResultFound("no row was found where there must be one")
        return row

    def all(self, connection: Connection, parameters: Parameters = {}) -> Sequence[Any]:  # noqa: B006
        """Execute it and return every row."""
        made = self._for(connection, parameters)
        if made is None:
            return connection.execute(self.statement, parameters).all()
        with _told(connection.dialect, made):
            rows = _driver(connection).execute(made.sql, made.bind(parameters)).fetchall()
        return [made.row(row) for row in rows]

    def do(self, connection: Connection, *parameters: Parameters) -> None:
        """Execute it once for each set of parameters, which have the same names."""
        made = self._for(connection, parameters[0])
        if made is None:
            connection.execute(self.statement, parameters[0] if len(parameters) == 1 else parameters)
            return
        with _told(connection.dialect, made):
            if len(parameters) == 1:
                _driver(connection).execute(made.sql, made.bind(parameters[0])).close()
            else:
                _driver(connection).executemany(made.sql, [made.bind(one) for one in parameters]).close()

    def _for(self, connection: Connection, parameters: Parameters) -> _Made | None:
        """Return it as SQLite's driver takes it; None where SQLAlchemy executes it."""
        if connection.dialect.name != "sqlite":
            return None
        names = tuple(parameters)
        if names not in self._made:
            self._made[names] = _make(self.statement, connection.dialect, names)
        return self._made[names]


class _Parameter(NamedTuple):
    """A parameter: its name, whether it must be given, its value when not, and what makes the driver's of it."""

    name: str
    is_required: bool
    usual: Any
    convert: Callable[[Any], Any] | None


class _Made(NamedTuple):
    """A statement as SQLite's driver takes it."""

    sql: str
    parameters: Sequence[_Parameter]
    """In their order."""
    columns: Callable[[Iterable[Any]], Any]
    """Makes a row of its values."""
    readers: Sequence[tuple[int, Callable[[Any], Any]]]
    """Places in a row whose values are not as the driver gives them, and what makes them so."""

    def bind(self, given: Parameters) -> tuple[Any, ...]:
        values: list[Any] = []
        for name, is_required, usual, convert in self.parameters:
            value = given[name] if is_required else given.get(name, usual)
            values.append(value if convert is None else convert(value))
        return tuple(values)

    def row(self, values: tuple[Any, ...]) -> Any:
        if self.readers:
            changed = list(values)
            for place, read in self.readers:
                changed[place] = read(changed[place])
            return self.columns(changed)
        return self.columns(values)


def _driver(connection: Connection) -> sqlite3.Connection:
    """Return SQLite's own connection, in the transaction that SQLAlchemy begins."""
    if not connection.in_transaction():
        connection.begin()
    return cast("sqlite3.Connection", connection.connection.driver_connection)


def _make(statement: Executable, dialect: Dialect, names: tuple[str, ...]) -> _Made | None:
    asked: Any = statement
    compiled: SQLCompiler = asked.compile(dialect=dialect, column_keys=list(names))
    if compiled.insert_prefetch or compiled.update_prefetch or compiled.post_compile_params:
        return None
    parameters: list[_Parameter] = []
    for place in compiled.positiontup or ():
        bound = compiled.binds[place]
        convert = bound.type.dialect_impl(dialect).bind_processor(dialect)
        usual = None if bound.required else bound.effective_value
        parameters.append(_Parameter(bound.key, bound.required, usual, convert))
    # What SQLAlchemy itself reads rows by; what a statement tells of its columns is out of date after `returning`.
    columns = compiled._result_columns  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]
    readers = [column.type.dialect_impl(dialect).result_processor(dialect, None) for column in columns]
    named = [column.keyname for column in columns]
    kind = namedtuple("Row", named, rename=True)  # noqa: PYI024  # pyright: ignore[reportUntypedNamedTuple]
    return _Made(
        str(compiled), parameters, kind._make, [(place, read) for place, read in enumerate(readers) if read]
    )


@contextmanager
def _told(dialect: Dialect, made: _Made) -> Generator[None]:
    """Tell of the driver's errors as SQLAlchemy does."""
    try:
        yield
    except SqliteError as error:
        raise DBAPIError.instance(made.sql, None, error, SqliteError, dialect=dialect) from error
