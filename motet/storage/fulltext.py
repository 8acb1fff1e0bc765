"""Full-text indexes, ranked by BM25, next to the tables that they index.

What does not live here: how text becomes search terms (`storage.search`), and what is indexed (the rooms).

This is the one file that knows how a dialect does it. SQLite: an FTS5 table of its own content, since deleting
from a contentless one needs SQLite 3.43; its copy of the terms costs about the size of the text. PostgreSQL:
a `tsvector` under a GIN index, and BM25 computed in SQL, since `ts_rank` knows nothing of rare and common terms.
Both stem English words (Porter) and leave bigrams of CJK characters alone.

A row has a scope, an opaque word like a tenant and a collection: a search sees the scopes it names only. On
SQLite the scope is an indexed column, so that a small scope in a large index is as fast as an index of its own;
the statistics of BM25 (how rare a term is) are those of the whole index there.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any, NamedTuple

import sqlalchemy as sa

from motet.errors import MotetBug
from motet.storage.ready import Ready
from motet.storage.search import fts_document, fts_query, terms

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from sqlalchemy.engine import Connection

    from motet.storage.search import Cut

INDEXES = ("passages", "messages")
"""The logical indexes; the table of each is `fts_` and its name."""

MAX_TERMS = 32
"""A query asks for at most this many terms: longer ones cost time and find worse."""

CANDIDATES = 1000
"""PostgreSQL scores at most this many rows of a query, those that `ts_rank` puts first."""


class Hit(NamedTuple):
    """A row that matches."""

    key: int
    score: float
    """BM25; higher is nearer. Scores of two queries cannot be compared."""


def create(connection: Connection) -> None:
    """Create every index that is not there yet."""
    for index in INDEXES:
        table = _table(index)
        postgres = (_POSTGRES_TABLE, _POSTGRES_TERMS, _POSTGRES_SCOPE)
        for statement in postgres if _is_postgres(connection) else (_SQLITE_TABLE, _SQLITE_INSTANCES):
            connection.execute(sa.text(statement.format(table=table)))


def add(
    connection: Connection,
    index: str,
    rows: Iterable[tuple[int, str]],
    *,
    scope: str = "",
    made: bool = False,
) -> None:
    """Index rows of one scope.

    Args:
        connection: A writing connection.
        index: One of `INDEXES`.
        rows: `(key, text)`, the key unique in the index.
        scope: What a search must name to see the rows.
        made: The texts were made by `storage.search.fts_document` already, off the writer's thread.
    """
    documents = [(key, text if made else fts_document(text)) for key, text in rows]
    is_postgres = _is_postgres(connection)
    if is_postgres:
        values = [
            {"key": key, "scope": scope, "length": text.count(" ") + 1, "terms": text}
            for key, text in documents
        ]
    else:
        token = _scope_token(scope)
        values = [{"key": key, "scope": token, "terms": text} for key, text in documents]
    if values:
        (_ADD_POSTGRES if is_postgres else _ADD_SQLITE)[_table(index)].do(connection, *values)


def delete(connection: Connection, index: str, keys: Iterable[int]) -> None:
    """Take rows out; a key that is not there is passed over."""
    column = "key" if _is_postgres(connection) else "rowid"
    values = [{"key": key} for key in keys]
    if values:
        connection.execute(sa.text(f"DELETE FROM {_table(index)} WHERE {column} = :key"), values)  # noqa: S608


def search(
    connection: Connection,
    index: str,
    query: str,
    *,
    limit: int,
    scopes: Sequence[str] = ("",),
    keys: Sequence[int] | None = None,
    cut: Cut | None = None,
) -> list[Hit]:
    """Find the rows that have any of the query's terms.

    Args:
        connection: A connection.
        index: One of `INDEXES`.
        query: Plain text; nothing in it is read as query syntax. Text without a term finds nothing.
        limit: At most this many rows.
        scopes: Only rows of these.
        keys: Of these, only rows with one of these keys; all unless given.
        cut: How the rows' CJK text was cut; into pairs unless given.

    Returns:
        Best first; ties in the order of the keys.
    """
    wanted = list(dict.fromkeys(terms(query, cut)))[:MAX_TERMS]
    if not scopes or limit < 1 or not wanted:
        return []
    given: dict[str, Any] = {"limit": limit, "keys": None if keys is None else list(keys)}
    if _is_postgres(connection):
        statement = _POSTGRES_SEARCH
        given |= {"terms": " ".join(wanted), "scopes": list(scopes), "candidates": CANDIDATES}
    else:
        statement = _SQLITE_SEARCH
        given["match"] = _match(query, scopes, cut)
        given["keys"] = None if keys is None else json.dumps(list(keys))
    found = connection.execute(sa.text(statement.format(table=_table(index))), given)
    return [Hit(int(key), float(score)) for key, score in found]


def newest(
    connection: Connection, index: str, query: str, *, limit: int, scopes: Sequence[str] = ("",)
) -> list[int]:
    """Return the keys of the newest rows that have any of the query's terms, the newest first.

    Unlike `search` it does not look at every row that matches, so it takes no longer the more there are.
    """
    wanted = list(dict.fromkeys(terms(query)))[:MAX_TERMS]
    if not scopes or limit < 1 or not wanted:
        return []
    if _is_postgres(connection):
        statement, given = _POSTGRES_NEWEST, {"terms": " ".join(wanted), "scopes": list(scopes)}
    else:
        statement, given = _SQLITE_NEWEST, {"match": _match(query, scopes, None)}
    found = connection.execute(sa.text(statement.format(table=_table(index))), {**given, "limit": limit})
    return [int(key) for (key,) in found]


def _match(query: str, scopes: Sequence[str], cut: Cut | None) -> str:
    """Return FTS5's expression for any of a query's terms in some scopes."""
    tokens = " OR ".join(f'"{_scope_token(scope)}"' for scope in scopes)
    return f"scope : ({tokens}) AND terms : ({fts_query(query, limit=MAX_TERMS, cut=cut)})"


def _table(index: str) -> str:
    if index not in INDEXES:
        raise MotetBug(f"No full-text index '{index}': it is not in INDEXES.")
    return f"fts_{index}"


def _is_postgres(connection: Connection) -> bool:
    return connection.dialect.name == "postgresql"


def _scope_token(scope: str) -> str:
    """Return one FTS5 token for any scope; a hash, so that no two scopes fold into one word."""
    return "s" + hashlib.sha256(scope.encode()).hexdigest()[:24]


_ADD_SQLITE = {
    table: Ready(sa.text(f"INSERT INTO {table} (rowid, scope, terms) VALUES (:key, :scope, :terms)"))  # noqa: S608
    for table in map(_table, INDEXES)
}
_ADD_POSTGRES = {
    table: Ready(
        sa.text(
            f"INSERT INTO {table} (key, scope, length, terms) "  # noqa: S608
            "VALUES (:key, :scope, :length, to_tsvector('english', :terms))"
        )
    )
    for table in map(_table, INDEXES)
}

_SQLITE_TABLE = """
CREATE VIRTUAL TABLE IF NOT EXISTS {table}
USING fts5(scope, terms, tokenize = 'porter unicode61 remove_diacritics 2')
"""

_SQLITE_INSTANCES = "CREATE VIRTUAL TABLE IF NOT EXISTS {table}_instances USING fts5vocab({table}, instance)"

# The weight 0 keeps the scope's column out of the score.
_SQLITE_SEARCH = """
SELECT rowid, -bm25({table}, 0.0, 1.0) AS score FROM {table}
WHERE {table} MATCH :match AND (:keys IS NULL OR rowid IN (SELECT value FROM json_each(:keys)))
ORDER BY score DESC, rowid LIMIT :limit
"""

_SQLITE_NEWEST = "SELECT rowid FROM {table} WHERE {table} MATCH :match ORDER BY rowid DESC LIMIT :limit"

_POSTGRES_TABLE = """
CREATE TABLE IF NOT EXISTS {table}
(key BIGINT PRIMARY KEY, scope TEXT NOT NULL, length INTEGER NOT NULL, terms TSVECTOR NOT NULL)
"""
_POSTGRES_TERMS = "CREATE INDEX IF NOT EXISTS ix_{table}_terms ON {table} USING GIN (terms)"
_POSTGRES_SCOPE = "CREATE INDEX IF NOT EXISTS ix_{table}_scope ON {table} (scope)"

# BM25 with k1 = 1.2 and b = 0.75, the values that FTS5 has, and the idf that is never negative.
_POSTGRES_SEARCH = """
WITH wanted AS (
  SELECT lexeme FROM unnest(to_tsvector('english', :terms))
), asked AS (
  SELECT CAST(string_agg(quote_literal(lexeme), ' | ') AS tsquery) AS query FROM wanted
), corpus AS (
  SELECT CAST(count(*) AS float8) AS rows, CAST(avg(length) AS float8) AS mean
  FROM {table} WHERE scope = ANY(:scopes)
), weights AS (
  SELECT wanted.lexeme, ln(1 + (corpus.rows - found.rows + 0.5) / (found.rows + 0.5)) AS idf
  FROM wanted CROSS JOIN corpus CROSS JOIN LATERAL (
    SELECT CAST(count(*) AS float8) AS rows FROM {table} AS d
    WHERE d.scope = ANY(:scopes) AND d.terms @@ CAST(quote_literal(wanted.lexeme) AS tsquery)
  ) AS found
), candidates AS (
  SELECT d.key, d.length, d.terms FROM {table} AS d CROSS JOIN asked
  WHERE d.scope = ANY(:scopes) AND d.terms @@ asked.query
  AND (CAST(:keys AS BIGINT[]) IS NULL OR d.key = ANY(CAST(:keys AS BIGINT[])))
  ORDER BY ts_rank(d.terms, asked.query) DESC, d.key LIMIT :candidates
)
SELECT c.key, sum(
  weights.idf * cardinality(t.positions) * 2.2
  / (cardinality(t.positions) + 1.2 * (0.25 + 0.75 * c.length / corpus.mean))
) AS score
FROM candidates AS c CROSS JOIN corpus CROSS JOIN LATERAL unnest(c.terms) AS t (lexeme, positions, weights)
JOIN weights ON weights.lexeme = t.lexeme
GROUP BY c.key ORDER BY score DESC, c.key LIMIT :limit
"""

_POSTGRES_NEWEST = """
WITH asked AS (
  SELECT CAST(string_agg(quote_literal(lexeme), ' | ') AS tsquery) AS query
  FROM unnest(to_tsvector('english', :terms))
)
SELECT d.key FROM {table} AS d CROSS JOIN asked
WHERE d.scope = ANY(:scopes) AND d.terms @@ asked.query ORDER BY d.key DESC LIMIT :limit
"""
