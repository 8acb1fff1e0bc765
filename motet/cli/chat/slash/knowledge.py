"""The slash command for documents: what there is, taking in, looking again, searching."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from rich.text import Text

from motet.cli.chat.slash.base import row
from motet.cli.chat.transcript import question
from motet.cli.render import wording
from motet.errors import InvalidInput

if TYPE_CHECKING:
    from motet.cli.chat.slash.base import Desk
    from motet.retrieval.reports import AddReport

FOUND = 5
"""Passages that `/kb search` shows."""


async def knowledge(desk: Desk, argument: str) -> None:
    """Show the collections of documents, or do what the first word says with the others.

    Raises:
        InvalidInput: It says none of these.
    """
    verb, _, rest = argument.partition(" ")
    base = desk.conversation.app.knowledge
    match verb:
        case "":
            await _collections(desk)
        case "add" if rest.strip():
            _report(desk, await base.add(_words(rest)))
        case "sync":
            _report(desk, await base.sync(_words(rest)))
        case "search" if rest.strip():
            await _search(desk, rest.strip())
        case _:
            raise InvalidInput("Write /kb, /kb add PATH…, /kb sync [PATH…] or /kb search WORDS.")


async def _collections(desk: Desk) -> None:
    base = desk.conversation.app.knowledge
    found = await base.list_collections()
    if not found:
        desk.tell(Text("There are no documents yet: /kb add PATH takes some in."))
    for collection in found:
        documents = await base.list_documents(collection.name)
        desk.tell(row(collection.name, wording.count(len(documents), "document")))


async def _search(desk: Desk, words: str) -> None:
    passages = await desk.conversation.app.searcher(["default"]).search(words, limit=FOUND)
    if not passages:
        desk.tell(Text(f"Nothing is found for '{words}'."))
    for passage in passages:
        desk.tell(Text(wording.place(passage), style="bold"), question(" ".join(passage.text.split())))


def _report(desk: Desk, report: AddReport) -> None:
    from motet.cli.kb import outcome_line

    for file in report.files:
        if file.status not in ("unchanged", "skipped"):
            desk.tell(Text(outcome_line(file)))
    unchanged = report.count("unchanged")
    desk.tell(Text(f"{wording.count(len(report.files), 'file')}, {unchanged} unchanged", style="dim"))


def _words(text: str) -> list[str]:
    try:
        return shlex.split(text)
    except ValueError as error:
        raise InvalidInput(f"'{text}' cannot be read: {error}.") from None
