"""The knowledge base of one tenant: documents go in, are listed, and leave.

What does not live here: searching (`search`), SQL (`documents`), reading and cutting files (`ingest`).
"""

from __future__ import annotations

import asyncio
import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from motet.errors import InvalidInput, NotFound, did_you_mean, visible
from motet.retrieval import documents, failures, roots
from motet.retrieval.index import VectorIndexes
from motet.retrieval.intake import Intake
from motet.retrieval.parse.process import build_parser
from motet.retrieval.places import Found, find, look, place_name
from motet.retrieval.reports import AddProgress, AddReport, CollectionStats, FileOutcome
from motet.retrieval.taking import Shelf
from motet.storage.search import cut_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from sqlalchemy.engine import Connection

    from motet.events import Passage
    from motet.retrieval.base import Embedder
    from motet.retrieval.documents import Collection, StoredDocument
    from motet.retrieval.fetched import Fetch
    from motet.retrieval.parse.base import Parser
    from motet.settings import RetrievalSettings
    from motet.storage.engine import Database

DEFAULT_COLLECTION = "default"

_NAME = re.compile(r"\w[\w.\-]{0,63}")


class KnowledgeBase:
    """The documents of one tenant, in named collections.

    Args:
        database: Where everything is kept.
        settings: How documents are cut.
        embedder: What makes vectors; None searches by words only.
        tenant_id: Whose documents.
        indexes: Vector indexes to share with other tenants' knowledge bases; its own unless given.
        parser: What reads documents; a process of its own with the settings' limits unless given.
        fetch: Gets pages by their address; they are refused unless given.
    """

    def __init__(
        self,
        database: Database,
        settings: RetrievalSettings,
        embedder: Embedder | None,
        *,
        tenant_id: str,
        indexes: VectorIndexes | None = None,
        parser: Parser | None = None,
        fetch: Fetch | None = None,
    ) -> None:
        self.database = database
        self.settings = settings
        self.embedder = embedder
        self.tenant_id = tenant_id
        self.indexes = indexes or VectorIndexes()
        self.parser: Parser = parser or build_parser(settings)
        self.fetch = fetch

    @property
    def notice(self) -> str:
        """One line for the user where no embedder is at work; empty otherwise."""
        if self.embedder is not None:
            return ""
        return "Documents are searched by words only: no embedding model is set, or it is not installed here."

    async def add(
        self,
        places: Sequence[Path | str],
        *,
        collection: str = DEFAULT_COLLECTION,
        labels: Mapping[str, str] | None = None,
        progress: Callable[[AddProgress], None] | None = None,
    ) -> AddReport:
        """Take in files, the files in folders, and pages; what was taken in before and is unchanged costs a hash.

        Each document is stored in one transaction, small ones together: a kill leaves nothing half there. A file
        that cannot be read is in the report with its error, and the others are taken in. The places are remembered
        for `sync`.

        Args:
            places: Files, folders, and addresses (`https://…`).
            collection: Its name: letters, digits, `_`, `.` and `-`, at most 64.
            labels: The user's own words about the documents, for filters; unchanged documents keep theirs.
            progress: Called on the event loop when a file begins, as passages are embedded, and when a file ends; files
                begin before those in front of them have ended.

        Raises:
            InvalidInput: The collection's name.
            Conflict: The collection's vectors were made by another model; both are named.
            ExtraMissing: Its full text is of Chinese words, and rjieba is not installed.
        """
        check_name(collection)
        found, closed = await asyncio.to_thread(find, places)
        shelf, notice = await self._shelf(collection, labels or {}, progress)
        report = await self._take(shelf, found, AddReport(collection, closed, notice))
        kept = [place_name(place) for place in places]
        failed = {file.source for file in report.failed}
        new = [place for place in kept if place not in failed]
        if new:
            await self.database.write(lambda c: roots.remember(c, self.tenant_id, collection, new))
        return report

    async def add_bytes(
        self, content: bytes, path: Path, *, collection: str = DEFAULT_COLLECTION
    ) -> FileOutcome:
        """Take in what a file will hold, before it is written: what cannot be read need not replace what is there.

        The place is not remembered for `sync`: `remember` does that once the file is there. For the rest see `add`.
        """
        check_name(collection)
        shelf, notice = await self._shelf(collection, {}, None)
        found = Found(path, place_name(path), named=True, content=content)
        return (await self._take(shelf, [found], AddReport(collection, notice=notice))).files[0]

    async def remember(self, path: Path, *, collection: str = DEFAULT_COLLECTION) -> None:
        """Remember a place for `sync`; one that is known already stays."""
        place = place_name(path)
        await self.database.write(lambda c: roots.remember(c, self.tenant_id, collection, [place]))

    async def keep_only(self, report: AddReport) -> None:
        """Take out of a report's collection all that the report does not tell of: it is gone.

        A folder that could not be looked into is told of with all that lies in it.
        """
        told = {str(file.path) for file in report.files}
        closed = [str(file.path) for file in report.failed]
        gone = [
            known.source
            for known in await self.listing(report.collection)
            if known.source not in told and not any(roots.lies_in(known.source, place) for place in closed)
        ]
        if gone:
            await self.remove(gone, collection=report.collection)

    async def sync(
        self,
        places: Sequence[Path | str] = (),
        *,
        collection: str = DEFAULT_COLLECTION,
        progress: Callable[[AddProgress], None] | None = None,
    ) -> AddReport:
        """Look at places again: what is new or changed is taken in, what is gone is taken out.

        Of a folder that is not there at all, or that cannot be looked into, nothing is taken out: its disk may not be
        mounted, its rights may have changed. That is in the report.

        Args:
            places: Some of those that documents came from; all that the collection remembers unless given.
            collection: Its name.
            progress: See `add`.

        Raises:
            NotFound: A place that no document came from.
            Conflict: See `add`.
        """
        known = await self.database.read(lambda c: roots.listed(c, self.tenant_id, collection))
        chosen = [place_name(place) for place in places]
        for place in chosen:
            if not any(roots.lies_in(place, root) for root in known):
                raise NotFound(
                    f"No documents of '{place}' are in collection '{collection}'.{did_you_mean(place, known)}",
                    place=place,
                )
        shelf, notice = await self._shelf(collection, {}, progress)
        shelf = replace(shelf, tries_again=False)
        there, gone, told = await asyncio.to_thread(look, chosen or known, known)
        found, closed = await asyncio.to_thread(find, there)
        report = AddReport(collection, [*told, *closed], notice=notice)
        await self._take_out(report, [*there, *gone], {place.source for place in found})
        return await self._take(shelf, found, report)

    async def _take(self, shelf: Shelf, found: Sequence[Found], report: AddReport) -> AddReport:
        await Intake(shelf, report.files).run(found)
        return report

    async def _take_out(self, report: AddReport, places: Sequence[str], there: set[str]) -> None:
        """Take out the documents that came from places and are there no more; what was told of is left."""
        kept = [file.source for file in report.failed]
        for document in await self.listing(report.collection):
            source = document.source
            if source in there or any(roots.lies_in(source, place) for place in kept):
                continue
            if any(roots.lies_in(source, place) for place in places):
                await self.remove([source], collection=report.collection, forget=False)
                report.files.append(FileOutcome(Path(source), "removed", source=source))

    async def _shelf(
        self,
        collection: str,
        labels: Mapping[str, str],
        progress: Callable[[AddProgress], None] | None,
    ) -> tuple[Shelf, str]:
        """Return where new documents of a collection go, and what to tell the caller."""
        embedder, chinese, notice = await self._ways_of(collection)
        shelf = Shelf(
            database=self.database,
            settings=self.settings,
            parser=self.parser,
            fetch=self.fetch,
            tenant_id=self.tenant_id,
            collection=collection,
            embedder=embedder,
            chinese=chinese,
            cut=cut_of(chinese),
            labels=labels,
            progress=progress,
        )
        return shelf, notice

    async def remove(
        self,
        sources: Sequence[str | Path],
        *,
        collection: str = DEFAULT_COLLECTION,
        forget: bool = True,
    ) -> int:
        """Take documents out, each by its path as it is listed, or all below a folder; return how many.

        `sync` looks at these places no more, unless `forget` is False. A file inside of a folder that stays
        remembered comes back with the next `sync`.

        Raises:
            NotFound: No document has one of these sources; then none is taken out.
        """
        listed = await self.listing(collection)
        known = [document.source for document in listed]
        chosen: dict[str, None] = {}
        for source in sources:
            below = str(source).rstrip("/") + "/"
            found = [name for name in known if name == str(source) or name.startswith(below)]
            if not found:
                raise self._unknown(str(source), collection, listed)
            chosen.update(dict.fromkeys(found))

        def work(connection: Connection) -> int:
            if forget:
                known_roots = roots.listed(connection, self.tenant_id, collection)
                gone = [root for root in known_roots if any(roots.lies_in(root, str(s)) for s in sources)]
                roots.forget(connection, self.tenant_id, collection, gone)
            return sum(self._delete(connection, collection, source) for source in chosen)

        return await self.database.write(work)

    def _delete(self, connection: Connection, collection: str, source: str) -> bool:
        """Take a document out, and what is known of its failure; say whether there was any of the two."""
        was_failed = failures.forget(connection, self.tenant_id, collection, [source]) > 0
        return documents.delete(connection, self.tenant_id, collection, source) or was_failed

    async def listing(self, collection: str | None = None) -> list[StoredDocument]:
        """Return what `list_documents` does, each with why it could not be read, and those that never could."""

        def work(connection: Connection) -> tuple[list[StoredDocument], list[failures.Failure]]:
            known = documents.list_documents(connection, self.tenant_id, collection)
            return known, failures.listed(connection, self.tenant_id, collection)

        known, failed = await self.database.read(work)
        return documents.with_failures(known, failed)

    async def list_documents(
        self, collection: str | None = None, source: str | None = None
    ) -> list[StoredDocument]:
        """Return a collection's documents, or all, in the order of collection and source; [] where there are none.

        With a source only those from there.
        """
        return await self.database.read(
            lambda c: documents.list_documents(c, self.tenant_id, collection, source)
        )

    async def document(
        self, source: str, collection: str = DEFAULT_COLLECTION
    ) -> tuple[StoredDocument, list[Passage]]:
        """Return a document by its source as it is listed, and its passages in the order of its text.

        Raises:
            NotFound: No document has this source, or it could not be read.
        """

        def work(connection: Connection) -> tuple[list[StoredDocument], list[Passage]]:
            known = documents.list_documents(connection, self.tenant_id, collection, source)
            failed = failures.listed(connection, self.tenant_id, collection, source)
            found = documents.with_failures(known, failed)
            return found, documents.document_passages(connection, self.tenant_id, collection, source)

        found, passages = await self.database.read(work)
        if not found:
            raise self._unknown(source, collection, await self.list_documents(collection))
        if not passages and found[0].error:
            raise NotFound(f"Document '{source}' could not be read: {found[0].error}.", source=source)
        return found[0], passages

    @staticmethod
    def _unknown(source: str, collection: str, known: Sequence[StoredDocument]) -> NotFound:
        meant = did_you_mean(source, [document.source for document in known])
        return NotFound(f"No document '{source}' in collection '{collection}'.{meant}", source=source)

    async def list_collections(self) -> list[Collection]:
        """Return the collections in the order of their names."""
        return await self.database.peek(lambda c: documents.list_collections(c, self.tenant_id))

    async def stats(self, collection: str = DEFAULT_COLLECTION) -> CollectionStats:
        """Return a collection in numbers; all are 0 where nothing was ever added."""

        def work(connection: Connection) -> tuple[Collection | None, list[StoredDocument], list[str], int]:
            known = documents.read_collection(connection, self.tenant_id, collection)
            listed = documents.list_documents(connection, self.tenant_id, collection)
            failed = len(failures.listed(connection, self.tenant_id, collection))
            return known, listed, roots.listed(connection, self.tenant_id, collection), failed

        known, listed, places, failed = await self.database.read(work)
        return CollectionStats(
            collection=collection,
            document_count=len(listed),
            passage_count=sum(document.passage_count for document in listed),
            size_bytes=sum(document.size_bytes for document in listed),
            embedder=known.embedder if known else "",
            dimension=known.dimension if known else 0,
            revision=known.revision if known else 0,
            chinese=known.chinese if known else self.settings.chinese,
            failed_count=failed,
            roots=tuple(places),
        )

    async def passage(self, passage_id: str) -> Passage:
        """Return one passage.

        Raises:
            NotFound: There is none with this id: never was, or its document was replaced or removed.
        """
        found = await self.database.read(lambda c: documents.read_passage(c, self.tenant_id, passage_id))
        if found is None:
            raise NotFound(
                f"No passage '{passage_id}': its document may have been changed or removed.",
                passage_id=passage_id,
            )
        return found

    async def _ways_of(self, collection: str) -> tuple[Embedder | None, str, str]:
        """Return what embeds new documents of a collection, how its Chinese is cut, and what to tell the caller.

        A collection that was begun without vectors goes on without: a mix would hide the older documents.
        """

        def work(connection: Connection) -> tuple[Collection | None, bool]:
            known = documents.read_collection(connection, self.tenant_id, collection)
            return known, documents.count_documents(connection, self.tenant_id, collection) > 0

        known, holds_documents = await self.database.read(work)
        if known is None or not holds_documents:
            return self.embedder, self.settings.chinese, self.notice
        if known.embedder == "":
            told = f"Collection '{collection}' was begun without an embedding model and is searched by words only."
            return None, known.chinese, told if self.embedder else self.notice
        if self.embedder is None or self.embedder.name != known.embedder:
            raise documents.embedder_conflict(known, self.embedder.name if self.embedder else "")
        return self.embedder, known.chinese, ""


def check_name(collection: str) -> None:
    """See that a collection may be called so.

    Raises:
        InvalidInput: It may not; the name is told, and what one is.
    """
    if not _NAME.fullmatch(collection):
        raise InvalidInput(
            f"'{visible(collection[:100])}' is no name for a collection: "
            "use letters, digits, '_', '.' and '-', at most 64.",
            collection=collection,
        )
