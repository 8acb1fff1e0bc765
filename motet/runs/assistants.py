"""Assistants: a graph with settings of its own, under an id, in versions. Each graph has one that is itself.

What does not live here: running one. A door looks an assistant up and puts its settings into the request.
"""

from __future__ import annotations

import json
import uuid
from typing import TYPE_CHECKING, Any, Literal

import sqlalchemy as sa
from pydantic import BaseModel, ConfigDict

from motet.errors import Conflict, InvalidInput, NotFound, PermissionRefused
from motet.runs.request import check_steps
from motet.storage.clock import db_now
from motet.storage.contains import contains
from motet.storage.tables import assistant_versions, assistants
from motet.storage.texts import texts_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from sqlalchemy.engine import Connection

    from motet.storage.engine import Database
    from motet.storage.texts import Texts

NAMESPACE = uuid.UUID("6ba7b821-9dad-11d1-80b4-00c04fd430c8")
"""Of the ids of graphs' own assistants, as LangGraph's server makes them: the same graph has the same id there."""

SortBy = Literal["assistant_id", "graph_id", "name", "created_at", "updated_at"]

SYSTEM = {"created_by": "system"}
"""Metadata of a graph's own assistant."""


class AssistantRecord(BaseModel):
    """An assistant as one of its versions says; of `Assistants.versions` an older one perhaps."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    assistant_id: str
    graph: str
    version: int
    name: str
    description: str | None
    config: dict[str, Any]
    context: dict[str, Any]
    metadata: dict[str, Any]
    created_at: float
    """Of the assistant; of a version that is listed, its own."""
    updated_at: float


class Said(BaseModel):
    """What a caller says about an assistant; what is None stays, or is as the graph has it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    graph: str | None = None
    name: str | None = None
    description: str | None = None
    config: dict[str, Any] | None = None
    context: dict[str, Any] | None = None
    metadata: dict[str, Any] | None = None


def default_id(graph: str) -> str:
    """Return the id of a graph's own assistant."""
    return str(uuid.uuid5(NAMESPACE, graph))


class Assistants:
    """The assistants of one tenant: the graphs' own, and those of one owner; with `owner_id` None, of all owners."""

    def __init__(
        self, database: Database, tenant_id: str, graphs: Iterable[str], *, owner_id: str | None, me: str
    ) -> None:
        self._database = database
        self._tenant_id = tenant_id
        self._graphs = sorted(graphs)
        self._owner_id = owner_id
        self._me = me

    async def get(self, assistant_id: str) -> AssistantRecord:
        """Return one by its id, as its version that counts.

        Raises:
            NotFound: There is none, or it is another's.
        """
        await self._stand_in()
        return await self._database.read(lambda c: self._get(c, assistant_id))

    async def find(self, name: str) -> AssistantRecord:
        """Return one by its id, or a graph's own by the graph's name. Raises what `get` does."""
        return await self.get(default_id(name) if name in self._graphs else name)

    async def create(
        self, graph: str, said: Said, *, assistant_id: str | None = None, keep: bool = False
    ) -> AssistantRecord:
        """Make one; with `keep`, one that is there already is returned as it is.

        Raises:
            NotFound: No such graph.
            InvalidInput: Its config's recursion_limit is more than a run may have.
            Conflict: There is one of this id.
        """
        self._check_graph(graph)
        _check_config(said)
        new_id = assistant_id or str(uuid.uuid4())

        def work(connection: Connection) -> AssistantRecord:
            row = connection.execute(sa.select(assistants).where(self._one(new_id))).first()
            if row is not None:
                if not keep or not self._sees(row):
                    raise Conflict(f"Assistant {new_id} already exists", assistant_id=new_id)
                return self._get(connection, new_id)
            self._insert(connection, new_id, graph, self._me)
            self._say(connection, new_id, 1, said.model_copy(update={"graph": graph}))
            return self._get(connection, new_id)

        return await self._database.write(work)

    async def update(self, assistant_id: str, said: Said) -> AssistantRecord:
        """Say something new about one, as a new version that counts. New metadata is added to the old.

        Raises:
            NotFound: There is none, it is another's, or there is no such graph.
            InvalidInput: Its config's recursion_limit is more than a run may have.
            PermissionRefused: It is a graph's own, which only an admin changes.
        """
        if said.graph is not None:
            self._check_graph(said.graph)
        _check_config(said)
        await self._stand_in()

        def work(connection: Connection) -> AssistantRecord:
            old = self._mine(connection, assistant_id)
            newest = connection.execute(
                sa.select(sa.func.max(assistant_versions.c.version)).where(self._version_of(assistant_id))
            ).scalar_one()
            whole = Said.model_validate(
                old.model_dump(include=set(Said.model_fields))
                | said.model_dump(exclude_none=True)
                | {"metadata": old.metadata | (said.metadata or {})}
            )
            self._say(connection, assistant_id, newest + 1, whole)
            self._count(connection, assistant_id, newest + 1, whole.graph or old.graph)
            return self._get(connection, assistant_id)

        return await self._database.write(work)

    async def set_latest(self, assistant_id: str, version: int) -> AssistantRecord:
        """Have another version count.

        Raises:
            NotFound: There is no such assistant or version, or it is another's.
            PermissionRefused: It is a graph's own.
        """

        def work(connection: Connection) -> AssistantRecord:
            self._mine(connection, assistant_id)
            one = sa.and_(self._version_of(assistant_id), assistant_versions.c.version == version)
            row = connection.execute(sa.select(assistant_versions).where(one)).first()
            if row is None:
                raise NotFound(f"Version {version} not found for assistant {assistant_id}")
            self._count(connection, assistant_id, version, row.graph)
            return self._get(connection, assistant_id)

        await self._stand_in()
        return await self._database.write(work)

    async def versions(
        self,
        assistant_id: str,
        *,
        metadata: Mapping[str, Any] | None = None,
        limit: int = 10,
        offset: int = 0,
    ) -> list[AssistantRecord]:
        """Return an assistant's versions, the newest first. Raises what `get` does."""

        def work(connection: Connection) -> list[AssistantRecord]:
            self._get(connection, assistant_id)
            query = (
                sa.select(assistant_versions, assistant_versions.c.created_at.label("updated_at"))
                .where(self._version_of(assistant_id), self._holds(connection, metadata))
                .order_by(assistant_versions.c.version.desc())
            )
            rows = connection.execute(query.limit(limit).offset(offset))
            return [_record(row, texts_of(connection)) for row in rows]

        await self._stand_in()
        return await self._database.read(work)

    async def search(
        self,
        *,
        graph: str | None = None,
        name: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        sort_by: SortBy = "created_at",
        ascending: bool = False,
        limit: int = 10,
        offset: int = 0,
    ) -> list[AssistantRecord]:
        """Return assistants, of a graph, with words in their names, with metadata; length 0..limit."""
        by: dict[SortBy, Any] = {
            "assistant_id": assistants.c.assistant_id,
            "graph_id": assistants.c.graph,
            "name": assistant_versions.c.name,
            "created_at": assistants.c.created_at,
            "updated_at": assistants.c.updated_at,
        }
        order = [by[sort_by].asc() if ascending else by[sort_by].desc(), assistants.c.assistant_id]

        def work(connection: Connection) -> list[AssistantRecord]:
            query = self._shown().where(self._matches(connection, graph, name, metadata)).order_by(*order)
            rows = connection.execute(query.limit(limit).offset(offset))
            return [_record(row, texts_of(connection)) for row in rows]

        await self._stand_in()
        return await self._database.read(work)

    async def count(
        self, *, graph: str | None = None, name: str | None = None, metadata: Mapping[str, Any] | None = None
    ) -> int:
        """Return how many `search` would find."""

        def work(connection: Connection) -> int:
            found = self._shown().where(self._matches(connection, graph, name, metadata)).subquery()
            return connection.execute(sa.select(sa.func.count()).select_from(found)).scalar_one()

        await self._stand_in()
        return await self._database.read(work)

    async def delete(self, assistant_id: str) -> None:
        """Delete one with all its versions. Runs and threads stay.

        Raises:
            NotFound: There is none, or it is another's.
            InvalidInput: It is a graph's own, which is there as long as its graph.
        """

        def work(connection: Connection) -> None:
            row = self._row(connection, assistant_id)
            if row.owner_id == "":
                raise InvalidInput(f"Assistant {assistant_id} stands for the graph '{row.graph}': it stays.")
            connection.execute(sa.delete(assistants).where(self._one(assistant_id)))

        await self._database.write(work)

    async def _stand_in(self) -> None:
        """Make the graphs' own assistants where they are missing."""
        ids = {default_id(graph): graph for graph in self._graphs}
        query = sa.select(assistants.c.assistant_id).where(
            assistants.c.tenant_id == self._tenant_id, assistants.c.assistant_id.in_(ids)
        )

        def missing(connection: Connection) -> set[str]:
            return ids.keys() - set(connection.execute(query).scalars())

        def work(connection: Connection) -> None:
            for new_id in sorted(missing(connection)):
                graph = ids[new_id]
                self._insert(connection, new_id, graph, "")
                self._say(connection, new_id, 1, Said(graph=graph, name=graph, metadata=SYSTEM))

        if await self._database.read(missing):
            await self._database.write(work)

    def _one(self, assistant_id: str) -> sa.ColumnElement[bool]:
        return sa.and_(assistants.c.tenant_id == self._tenant_id, assistants.c.assistant_id == assistant_id)

    def _version_of(self, assistant_id: str) -> sa.ColumnElement[bool]:
        of = assistant_versions.c
        return sa.and_(of.tenant_id == self._tenant_id, of.assistant_id == assistant_id)

    def _sees(self, row: Any) -> bool:
        return self._owner_id is None or row.owner_id in ("", self._owner_id)

    def _shown(self) -> sa.Select[Any, Any]:
        """Select what the caller sees, each as its version that counts. A graph that is gone takes its own with it."""
        one = sa.and_(
            assistant_versions.c.tenant_id == assistants.c.tenant_id,
            assistant_versions.c.assistant_id == assistants.c.assistant_id,
            assistant_versions.c.version == assistants.c.version,
        )
        mine = sa.true() if self._owner_id is None else assistants.c.owner_id.in_(("", self._owner_id))
        columns = [c for c in assistant_versions.c if c.name != "created_at"]
        return (
            sa.select(*columns, assistants.c.owner_id, assistants.c.created_at, assistants.c.updated_at)
            .join(assistants, one)
            .where(assistants.c.tenant_id == self._tenant_id, mine)
            .where(sa.or_(assistants.c.owner_id != "", assistants.c.graph.in_(self._graphs)))
        )

    def _matches(
        self, connection: Connection, graph: str | None, name: str | None, metadata: Mapping[str, Any] | None
    ) -> sa.ColumnElement[bool]:
        found = self._holds(connection, metadata)
        if graph is not None:
            found = sa.and_(found, assistant_versions.c.graph == graph)
        if name is not None:
            found = sa.and_(found, assistant_versions.c.name.icontains(name, autoescape=True))
        return found

    def _holds(self, connection: Connection, metadata: Mapping[str, Any] | None) -> sa.ColumnElement[bool]:
        if not metadata:
            return sa.true()
        return contains(assistant_versions.c.metadata, metadata, connection.dialect.name)

    def _row(self, connection: Connection, assistant_id: str) -> Any:
        row = connection.execute(self._shown().where(assistants.c.assistant_id == assistant_id)).first()
        if row is None:
            raise NotFound(f"Assistant with ID {assistant_id} not found", assistant_id=assistant_id)
        return row

    def _get(self, connection: Connection, assistant_id: str) -> AssistantRecord:
        return _record(self._row(connection, assistant_id), texts_of(connection))

    def _mine(self, connection: Connection, assistant_id: str) -> AssistantRecord:
        """Return one that the caller may change."""
        row = self._row(connection, assistant_id)
        if row.owner_id == "" and self._owner_id is not None:
            raise PermissionRefused(f"Assistant {assistant_id} is the graph's own: only an admin changes it.")
        return _record(row, texts_of(connection))

    def _check_graph(self, graph: str) -> None:
        if graph not in self._graphs:
            raise NotFound(f"Graph '{graph}' not found. Expected one of: {self._graphs}", graph=graph)

    def _insert(self, connection: Connection, assistant_id: str, graph: str, owner_id: str) -> None:
        one = {"tenant_id": self._tenant_id, "assistant_id": assistant_id, "owner_id": owner_id}
        connection.execute(
            sa.insert(assistants).values(
                **one, graph=graph, version=1, created_at=db_now(), updated_at=db_now()
            )
        )

    def _say(self, connection: Connection, assistant_id: str, version: int, said: Said) -> None:
        settings = json.dumps(
            {"config": said.config or {}, "context": said.context or {}}, ensure_ascii=False
        )
        place = (self._tenant_id, "assistant_versions", assistant_id, version)
        connection.execute(
            sa.insert(assistant_versions).values(
                tenant_id=self._tenant_id,
                assistant_id=assistant_id,
                version=version,
                graph=said.graph,
                name=said.name or "Untitled",
                description=said.description,
                settings=texts_of(connection).close(settings, *place),
                metadata=json.dumps(said.metadata or {}, ensure_ascii=False),
                created_at=db_now(),
            )
        )

    def _count(self, connection: Connection, assistant_id: str, version: int, graph: str) -> None:
        change = sa.update(assistants).where(self._one(assistant_id))
        connection.execute(change.values(version=version, graph=graph, updated_at=db_now()))


def _check_config(said: Said) -> None:
    check_steps((said.config or {}).get("recursion_limit"), "The assistant's recursion_limit")


def _record(row: Any, texts: Texts) -> AssistantRecord:
    opened = texts.open(row.settings, row.tenant_id, "assistant_versions", row.assistant_id, row.version)
    return AssistantRecord(
        assistant_id=row.assistant_id,
        graph=row.graph,
        version=row.version,
        name=row.name,
        description=row.description,
        metadata=json.loads(row.metadata),
        created_at=row.created_at,
        updated_at=row.updated_at,
        **json.loads(opened),
    )
