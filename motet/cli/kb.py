"""`motet kb`: take documents in, list them, search them, take them out.

What does not live here: how that is done (`motet.retrieval`).
"""

from __future__ import annotations

import asyncio
import dataclasses
import re
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from motet.cli import exit_codes
from motet.cli.lists import AsJson, note, print_json, print_table
from motet.cli.session import with_app
from motet.errors import NotFound, did_you_mean, visible

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from motet.app import App
    from motet.cli.progress import Bar
    from motet.events import Passage
    from motet.retrieval.collection import KnowledgeBase
    from motet.retrieval.documents import StoredDocument
    from motet.retrieval.reports import AddProgress, AddReport, FileOutcome
    from motet.retrieval.search import Explained, Explanation

kb = typer.Typer(help="Documents that agents search.", no_args_is_help=True)

Collection = Annotated[str, typer.Option("--collection", "-C", help="A named set of documents.")]


Labels = Annotated[
    list[str] | None,
    typer.Option("--label", "-l", help="A word of your own about these documents, to search by: team=legal."),
]


@kb.command("add")
def add_documents(
    places: Annotated[
        list[str], typer.Argument(help="Files, folders and addresses of pages.", metavar="PATH|URL...")
    ],
    collection: Collection = "default",
    label: Labels = None,
    as_json: AsJson = False,
) -> None:
    """Take documents in. What is known and unchanged costs a look at the file; a broken file is one line."""
    labels = _labels(label or [])
    report = with_app(lambda app: take_in(app.knowledge, places, collection, labels=labels))
    _tell(report, as_json=as_json)
    if not report.count("added", "replaced", "copied", "unchanged"):
        raise typer.Exit(exit_codes.FAILED)


@kb.command("sync")
def sync_documents(
    places: Annotated[
        list[str] | None,
        typer.Argument(help="Only these of the places that documents came from.", metavar="PATH|URL..."),
    ] = None,
    collection: Collection = "default",
    watch: Annotated[
        float, typer.Option("--watch", "-w", min=0, help="Look again after so many seconds, until Ctrl-C.")
    ] = 0,
    as_json: AsJson = False,
) -> None:
    """Look again where documents came from: take in what is new or changed, take out what is gone."""

    async def sync(app: App) -> AddReport:
        from motet.cli.progress import Bar

        notice = ""
        known: set[str] = set()  # lines of what could not be read: said once
        while True:
            with Bar() as bar:
                report = await app.knowledge.sync(places or (), collection=collection, progress=_shown(bar))
            if not watch:
                return report
            told, notice = notice, report.notice
            failed = {outcome_line(file) for file in report.files if file.status == "failed"}
            changed = [
                file
                for file in report.files
                if file.status not in ("unchanged", "skipped") and outcome_line(file) not in known
            ]
            known = failed
            new = dataclasses.replace(report, files=changed, notice="" if notice == told else notice)
            _tell(new, as_json=as_json, summary=bool(changed))
            sys.stdout.flush()  # into a log too, and before the signal that ends it
            await asyncio.sleep(watch)

    report = with_app(sync)
    _tell(report, as_json=as_json)
    if report.failed and not report.count("added", "replaced", "copied", "unchanged", "removed"):
        raise typer.Exit(exit_codes.FAILED)


def _tell(report: AddReport, *, as_json: bool, summary: bool = True) -> None:
    if report.notice:
        note(report.notice)
    if as_json:
        print_json(report.to_dict())
        return
    for file in report.files:
        print(outcome_line(file))
    if summary:
        note(_summary(report))


def _labels(pairs: Sequence[str]) -> dict[str, str]:
    from motet.errors import InvalidInput

    wrong = next((pair for pair in pairs if not all(part.strip() for part in pair.partition("="))), None)
    if wrong is not None:
        raise InvalidInput(f"'{wrong}' is no label: write NAME=VALUE.", label=wrong)
    return {name.strip(): value.strip() for name, _, value in (pair.partition("=") for pair in pairs)}


def _shown(bar: Bar) -> Callable[[AddProgress], None]:
    done = 0

    def show(progress: AddProgress) -> None:
        nonlocal done
        done += progress.outcome is not None  # files begin before those in front of them have ended
        bar.show(f"reading {progress.path.name}", done, progress.file_count)

    return show


async def take_in(
    knowledge: KnowledgeBase,
    places: Sequence[Path | str],
    collection: str,
    *,
    labels: Mapping[str, str] | None = None,
) -> AddReport:
    """Take documents into a collection, with a bar on stderr; return what became of each file.

    Raises:
        InvalidInput: The collection's name.
        Conflict: The collection was made with another embedding model.
    """
    from motet.cli.progress import Bar

    with Bar() as bar:
        return await knowledge.add(places, collection=collection, labels=labels, progress=_shown(bar))


def outcome_line(file: FileOutcome) -> str:
    """Return what became of a file, as one line."""
    from motet.cli.render.wording import count

    if file.error is not None:
        return f"{file.status:<10} {visible(file.error.message)}"
    passages = f" ({count(file.passage_count, 'passage')})" if file.passage_count else ""
    missing = f": {file.missing}" if file.missing else ""
    return f"{file.status:<10} {visible(file.source or str(file.path))}{passages}{missing}"


@kb.command("list")
def list_documents(
    collection: Annotated[str | None, typer.Option("--collection", "-C", help="Only of this set.")] = None,
    as_json: AsJson = False,
) -> None:
    """List documents."""
    found = with_app(lambda app: app.knowledge.listing(collection))
    if as_json:
        print_json([dataclasses.asdict(document) for document in found])
        return
    print_table(
        ["collection", "title", "passages", "size", "added", "source"], [_row(d) for d in found], wide=5
    )
    for document in found:
        if document.error:
            kept = " An older version is kept." if document.passage_count else ""
            note(f"Not read: {visible(document.source)}: {visible(document.error)}.{kept}")
    if not found:
        note("No documents yet. 'motet kb add PATH' takes them in.")


@kb.command("show")
def show_document(
    name: Annotated[
        str,
        typer.Argument(
            help="A document as 'kb list' shows it, or a passage's id.", metavar="PATH|URL|PASSAGE"
        ),
    ],
    collection: Collection = "default",
    as_json: AsJson = False,
) -> None:
    """Show a document's passages, each with its place in the text; or one passage, by the id of a citation."""

    async def read(app: App) -> tuple[StoredDocument | None, list[Passage]]:
        if _PASSAGE.fullmatch(name):
            return None, [await app.knowledge.passage(name)]
        is_listed = await app.knowledge.list_documents(collection, name)
        return await app.knowledge.document(name if is_listed else _whole(name), collection)

    document, passages = with_app(read)
    if as_json:
        shown = [passage.model_dump(mode="json") for passage in passages]
        print_json(dataclasses.asdict(document) | {"passages": shown} if document else shown[0])
        return
    if document:
        copied = f" (its passages are those of {document.copy_of})" if document.copy_of else ""
        print(f"{document.title} — {visible(document.source)}{copied}\n")
        if document.error:
            note(f"A newer version could not be read: {document.error}.")
    for passage in passages:
        _print_whole(passage)


_PASSAGE = re.compile(r"p_[0-9a-f]{24}")


def _whole(name: str) -> str:
    """Return a path as documents are listed by it; an address as it is."""
    return name if "://" in name else str(Path(name).expanduser().absolute())


def _print_whole(passage: Passage) -> None:
    from motet.cli.render.wording import place

    print(f"{place(passage)} — {visible(passage.source)}, characters {passage.start} to {passage.end}")
    print(f"  {passage.passage_id}")
    print("\n".join(f"  {line}".rstrip() for line in passage.text.splitlines()) + "\n")


@kb.command("search")
def search_documents(
    words: Annotated[
        list[str], typer.Argument(help="What to look for, in English or Chinese.", metavar="QUERY")
    ],
    *,
    collection: Collection = "default",
    limit: Annotated[
        int, typer.Option("--limit", "-n", min=1, max=100, help="At most this many passages.")
    ] = 5,
    where: Annotated[
        list[str] | None,
        typer.Option(
            "--where",
            "-w",
            help="Only passages with this: source=*.pdf, title=…, heading=…, ending=pdf, page=3, since=2026-05-01, "
            "until=…, label.team=legal.",
        ),
    ] = None,
    explain: Annotated[bool, typer.Option("--explain", help="Say by which scores each was found.")] = False,
    as_json: AsJson = False,
) -> None:
    """Search as agents do, best passage first."""

    async def search(app: App) -> Explanation:
        from motet.retrieval.filters import Where

        known = [each.name for each in await app.knowledge.list_collections()]
        if known and collection not in known:
            raise NotFound(
                f"There is no collection '{collection}'.{did_you_mean(collection, known)}",
                collection=collection,
            )
        found = app.searcher([collection], where=Where.read(where or []))
        return await found.explain(" ".join(words), limit=limit)

    told = with_app(search)
    if told.notice:
        note(told.notice)
    if as_json:
        print_json([one.to_dict() if explain else one.passage.model_dump(mode="json") for one in told.found])
        return
    if explain:
        note(f"Looked up as words: {told.words}")
    for one in told.found:
        _print_passage(one.passage)
        if explain:
            print(f"  {_scores(one)}\n")
    if not told.found:
        note(f"Nothing found in collection '{collection}'.")


def _scores(one: Explained) -> str:
    """Return how a passage was found, in one line."""
    words = f"words: place {one.words_rank}, BM25 {one.bm25:.2f}" if one.bm25 is not None else "words: –"
    meaning = (
        f"meaning: place {one.meaning_rank}, cosine {one.cosine:.3f}"
        if one.cosine is not None
        else "meaning: –"
    )
    rerank = f"  rerank: {one.rerank:g}" if one.rerank is not None else ""
    return f"{words}  {meaning}  fused: {one.fused:.4f}{rerank}"


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
        known = {document.source for document in await app.knowledge.listing(collection)}
        chosen = [name if name in known else path for name, path in absolute.items()]
        return await app.knowledge.remove(chosen, collection=collection)

    absolute = {name: _whole(name) for name in sources}
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
            str(s.failed_count),
            size(s.size_bytes),
            s.embedder or "words only",
        ]
        for s in found
    ]
    print_table(["collection", "documents", "passages", "not read", "size", "embedder"], rows, wide=5)
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
        visible(document.source),
    ]


def _print_passage(passage: Passage) -> None:
    from motet.cli.render.wording import place

    print(f"{place(passage)} — {visible(passage.source)} ({passage.score:.3f})")
    print("  " + " ".join(passage.text.split()) + "\n")


def _summary(report: AddReport) -> str:
    from motet.cli.render.wording import count

    numbers = {
        status: report.count(status)
        for status in ("added", "replaced", "copied", "unchanged", "removed", "skipped", "failed")
    }
    told = ", ".join(f"{number} {status}" for status, number in numbers.items() if number)
    passages = count(sum(file.passage_count for file in report.files), "new passage")
    return f"{told or 'no files found'}; {passages} in collection '{report.collection}'."
