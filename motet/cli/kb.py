"""`motet kb`: take documents in, list them, search them, take them out.

What does not live here: how that is done (`motet.retrieval`).
"""

from __future__ import annotations

import dataclasses
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from motet.cli import exit_codes
from motet.cli.lists import AsJson, note, print_json, print_table
from motet.cli.session import with_app

if TYPE_CHECKING:
    from collections.abc import Sequence

    from motet.app import App
    from motet.events import Passage
    from motet.retrieval.collection import AddProgress, AddReport, FileOutcome, KnowledgeBase
    from motet.retrieval.documents import StoredDocument

kb = typer.Typer(help="Documents that agents search.", no_args_is_help=True)

Collection = Annotated[str, typer.Option("--collection", "-C", help="A named set of documents.")]


@kb.command("add")
def add_documents(
    paths: Annotated[list[Path], typer.Argument(help="Files and folders.", metavar="PATH...")],
    collection: Collection = "default",
    as_json: AsJson = False,
) -> None:
    """Take documents in. What is known and unchanged costs a look at the file; a broken file is one line."""
    report = with_app(lambda app: take_in(app.knowledge, paths, collection))
    if as_json:
        print_json(_report(report))
    else:
        for file in report.files:
            print(outcome_line(file))
        note(_summary(report))
    if not report.count("added", "replaced", "unchanged"):
        raise typer.Exit(exit_codes.FAILED)


async def take_in(knowledge: KnowledgeBase, paths: Sequence[Path], collection: str) -> AddReport:
    """Take documents into a collection, with a bar on stderr; return what became of each file.

    Raises:
        InvalidInput: The collection's name.
        Conflict: The collection was made with another embedding model.
    """
    from motet.cli.progress import Bar

    with Bar() as bar:

        def show(progress: AddProgress) -> None:
            done = progress.file_number - (0 if progress.outcome else 1)
            bar.show(f"reading {progress.path.name}", done, progress.file_count)

        report = await knowledge.add(paths, collection=collection, progress=show)
    if report.notice:
        note(report.notice)
    return report


def outcome_line(file: FileOutcome) -> str:
    """Return what became of a file, as one line."""
    from motet.cli.render.wording import count

    if file.error is not None:
        return f"{file.status:<10} {file.error.message}"
    passages = f" ({count(file.passage_count, 'passage')})" if file.passage_count else ""
    return f"{file.status:<10} {file.path}{passages}"


@kb.command("list")
def list_documents(
    collection: Annotated[str | None, typer.Option("--collection", "-C", help="Only of this set.")] = None,
    as_json: AsJson = False,
) -> None:
    """List documents."""
    found = with_app(lambda app: app.knowledge.list_documents(collection))
    if as_json:
        print_json([dataclasses.asdict(document) for document in found])
        return
    print_table(
        ["collection", "title", "passages", "size", "added", "source"], [_row(d) for d in found], wide=5
    )
    if not found:
        note("No documents yet. 'motet kb add PATH' takes them in.")


@kb.command("search")
def search_documents(
    words: Annotated[
        list[str], typer.Argument(help="What to look for, in English or Chinese.", metavar="QUERY")
    ],
    collection: Collection = "default",
    limit: Annotated[
        int, typer.Option("--limit", "-n", min=1, max=100, help="At most this many passages.")
    ] = 5,
    as_json: AsJson = False,
) -> None:
    """Search as agents do, best passage first."""

    async def search(app: App) -> list[Passage]:
        from motet.retrieval.search import HybridRetriever

        return await HybridRetriever(app.knowledge, [collection]).search(" ".join(words), limit=limit)

    found = with_app(search)
    if as_json:
        print_json([passage.model_dump(mode="json") for passage in found])
        return
    for passage in found:
        _print_passage(passage)
    if not found:
        note(f"Nothing found in collection '{collection}'.")


@kb.command("rm")
def remove_documents(
    sources: Annotated[
        list[str], typer.Argument(help="Paths as 'kb list' shows them, or folders.", metavar="PATH...")
    ],
    collection: Collection = "default",
) -> None:
    """Take documents out. The files themselves are left alone."""
    from motet.cli.render.wording import count

    async def remove(app: App) -> int:
        known = {document.source for document in await app.knowledge.list_documents(collection)}
        chosen = [name if name in known else path for name, path in absolute.items()]
        return await app.knowledge.remove(chosen, collection=collection)

    absolute = {name: str(Path(name).expanduser().absolute()) for name in sources}
    note(f"{count(with_app(remove), 'document')} taken out of '{collection}'.")


@kb.command("stats")
def show_stats(as_json: AsJson = False) -> None:
    """Print each collection in numbers."""
    from motet.cli.render.wording import size

    async def read(app: App) -> list[Any]:
        return [await app.knowledge.stats(known.name) for known in await app.knowledge.list_collections()]

    found = with_app(read)
    if as_json:
        print_json([dataclasses.asdict(stats) for stats in found])
        return
    rows = [
        [
            s.collection,
            str(s.document_count),
            str(s.passage_count),
            size(s.size_bytes),
            s.embedder or "words only",
        ]
        for s in found
    ]
    print_table(["collection", "documents", "passages", "size", "embedder"], rows, wide=4)
    if not found:
        note("No documents yet. 'motet kb add PATH' takes them in.")


def _row(document: StoredDocument) -> list[str]:
    from motet.cli.render.wording import ago, size

    return [
        document.collection,
        document.title,
        str(document.passage_count),
        size(document.size_bytes),
        ago(document.added_at, time.time()),
        document.source,
    ]


def _print_passage(passage: Passage) -> None:
    from motet.cli.render.wording import place

    print(f"{place(passage)} — {passage.source} ({passage.score:.3f})")
    print("  " + " ".join(passage.text.split()) + "\n")


def _summary(report: AddReport) -> str:
    from motet.cli.render.wording import count

    numbers = {
        status: report.count(status) for status in ("added", "replaced", "unchanged", "skipped", "failed")
    }
    told = ", ".join(f"{number} {status}" for status, number in numbers.items() if number)
    passages = count(sum(file.passage_count for file in report.files), "passage")
    return f"{told or 'no files found'}; {passages} in collection '{report.collection}'."


def _report(report: AddReport) -> dict[str, Any]:
    files = [
        {
            "path": str(file.path),
            "status": file.status,
            "passages": file.passage_count,
            "error": file.error.to_dict() if file.error else None,
        }
        for file in report.files
    ]
    return {"collection": report.collection, "files": files, "notice": report.notice}
