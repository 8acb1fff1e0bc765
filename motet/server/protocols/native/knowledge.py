"""Documents on Motet's own wire: taken in, looked at again, searched, listed, shown, taken out.

What does not live here: how that is done, which is the desk's library.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from motet.errors import InvalidInput
from motet.server.plain import PlainAnswer
from motet.server.protocols.base import Route

if TYPE_CHECKING:
    from motet.server.call import Call

PREFIX = "/motet/v1/knowledge"
MAX_QUERY_CHARS = 8000
MAX_SOURCE_CHARS = 4096


class _Asked(BaseModel):
    model_config = ConfigDict(extra="forbid")


class AskedSearch(_Asked):
    """What is searched for in documents."""

    query: str = Field(max_length=MAX_QUERY_CHARS)
    collections: list[str] = Field(default=[], max_length=100)
    limit: int = Field(default=8, ge=1, le=100)
    where: list[str] = Field(default=[], max_length=20)
    """Conditions that must all hold, as `motet kb search --where` takes them: `page=3`, `label.team=legal`."""
    explain: bool = False
    """Tell every score that a passage was found by."""


class AskedPages(_Asked):
    """Pages that are to be taken in."""

    urls: list[str] = Field(min_length=1, max_length=100)
    labels: dict[str, str] = Field(default={}, max_length=20)


async def list_collections(call: Call) -> Response:
    """Return the collections of documents, in numbers."""
    return PlainAnswer(await call.desk.library.collections())


async def search_documents(call: Call) -> Response:
    """Return the passages nearest to a query, best first."""
    asked = await call.read(AskedSearch)
    found = await call.desk.library.search(
        asked.query, asked.collections, asked.limit, where=asked.where, explain=asked.explain
    )
    return PlainAnswer(found)


async def add_document(call: Call) -> Response:
    """Take in one document: the body is its bytes, its name's ending says what it is."""
    collection, name = call.new_name("collection"), call.new_name("name")
    return PlainAnswer(await call.desk.library.add(collection, name, bytes(await call.body())))


async def add_pages(call: Call) -> Response:
    """Take in pages by their addresses; one that cannot be read is a line of the answer."""
    asked = await call.read(AskedPages)
    wrong = next((url for url in asked.urls if not url.startswith(("http://", "https://"))), None)
    if wrong is not None:
        raise InvalidInput(f"{wrong[:200]!r} is no address of a page: it begins with https:// or http://.")
    return PlainAnswer(
        await call.desk.library.add_pages(call.new_name("collection"), asked.urls, asked.labels)
    )


async def sync_documents(call: Call) -> Response:
    """Look again where a collection's documents came from."""
    return PlainAnswer(await call.desk.library.sync(call.param("collection")))


async def list_documents(call: Call) -> Response:
    """Return a collection's documents."""
    return PlainAnswer(await call.desk.library.documents(call.param("collection")))


async def show_document(call: Call) -> Response:
    """Return a document with its passages, each with its place in the text."""
    return PlainAnswer(await call.desk.library.document(call.param("collection"), _source(call)))


async def remove_document(call: Call) -> Response:
    """Take a document out of a collection."""
    await call.desk.library.remove(call.param("collection"), _source(call))
    return Response(status_code=204)


async def show_passage(call: Call) -> Response:
    """Return one passage, which opens a citation at its place."""
    return PlainAnswer(await call.desk.library.passage(call.param("passage_id")))


def _source(call: Call) -> str:
    source = call.query("source")
    if not 0 < len(source) <= MAX_SOURCE_CHARS:
        raise InvalidInput("Say which document: ?source=, its name or address as the collection lists it.")
    return source


_SOURCE = {"source": "The document as it is listed, or the name that it was uploaded by"}

ROUTES = (
    Route(
        "GET", PREFIX, "knowledge.list", "knowledge:read", list_collections, "List collections of documents",
    ),
    Route(
        "POST", f"{PREFIX}/search", "knowledge.search", "knowledge:read", search_documents,
        "Search documents", body=AskedSearch,
    ),
    Route(
        "PUT", f"{PREFIX}/{{collection}}/{{name}}", "knowledge.add", "knowledge:write", add_document,
        "Take in a document", body={"type": "string", "format": "binary"}, errors=(409,),
    ),
    Route(
        "POST", f"{PREFIX}/{{collection}}/pages", "knowledge.add_pages", "knowledge:write", add_pages,
        "Take in pages by their addresses", body=AskedPages, errors=(409,),
    ),
    Route(
        "POST", f"{PREFIX}/{{collection}}/sync", "knowledge.sync", "knowledge:write", sync_documents,
        "Look again where documents came from", errors=(409,),
    ),
    Route(
        "GET", f"{PREFIX}/{{collection}}/documents", "knowledge.documents", "knowledge:read", list_documents,
        "List a collection's documents",
    ),
    Route(
        "GET", f"{PREFIX}/{{collection}}/document", "knowledge.show", "knowledge:read", show_document,
        "Look at a document and its passages", query=_SOURCE,
    ),
    Route(
        "DELETE", f"{PREFIX}/{{collection}}/document", "knowledge.remove", "knowledge:write", remove_document,
        "Take a document out", query=_SOURCE, status=204,
    ),
    Route(
        "GET", "/motet/v1/passages/{passage_id}", "knowledge.passage", "knowledge:read", show_passage,
        "Look at a passage that was cited",
    ),
)  # fmt: skip
