"""What Tab completes: commands, conversations, models, graphs, files after an @, and tags after a #.

What does not live here: the key (`prompt`).
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from prompt_toolkit.completion import Completer, Completion

from motet.cli.chat.slash.base import COMMANDS, find, name_of
from motet.cli.lists import ID_CHARS
from motet.cli.markdown.themes import THEMES
from motet.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Iterator

    from prompt_toolkit.completion import CompleteEvent
    from prompt_toolkit.document import Document

    from motet.app import App

MODELS = ("embedded", "openai:", "vllm:")
"""How a model's name may begin."""

MOST = 200
"""Most names that are offered at once."""


class Completions(Completer):
    """Completes what stands before the cursor. Until `know` is called, commands and files alone."""

    def __init__(self) -> None:
        self._app: App | None = None
        self._titles: dict[str, str] = {}
        """Titles of the conversations that were looked up, by what is typed for one."""

    def know(self, app: App) -> None:
        """Let it look up conversations and graphs in an app."""
        self._app = app

    def get_completions(self, document: Document, complete_event: CompleteEvent) -> Iterator[Completion]:
        """Yield nothing: looking up is asynchronous."""
        del document, complete_event
        yield from ()

    async def get_completions_async(
        self, document: Document, complete_event: CompleteEvent
    ) -> AsyncGenerator[Completion]:
        """Yield what could stand in place of the word before the cursor, at most `MOST`."""
        del complete_event
        before = document.text_before_cursor
        word = before[max(before.rfind(" "), before.rfind("\n")) + 1 :]
        for count, found in enumerate(await self._names(before, word)):
            if count == MOST:
                return
            yield Completion(found, start_position=-len(word), display_meta=self._titles.get(found, ""))

    async def _names(self, before: str, word: str) -> list[str]:
        """Return the whole words that begin with `word`."""
        if word.startswith("@"):
            return sorted(f"@{path}" for path in _files(word[1:]))
        if "#" in word and (before.startswith(_TAGGED)):
            sign, mark, begun = word.rpartition("#")
            return sorted(f"{sign}{mark}{tag}" for tag in await self._tags() if tag.startswith(begun))
        if not before.startswith("/"):
            return []
        if before == word:
            known = [name for c in COMMANDS for name in (name_of(c.usage), c.alias)]
            return sorted(name for name in known if name.startswith(word))
        try:
            command = name_of(find(before).usage)
        except InvalidInput:
            return []
        found = [name for name in await self._arguments(command) if name.startswith(word)]
        return found if command == "/resume" else sorted(found)  # conversations: the one used last first

    async def _tags(self) -> set[str]:
        """Return the tags of the conversations that were used last."""
        if self._app is None:
            return set()
        return {tag for thread in await self._app.records.threads(limit=MOST) for tag in thread.tags}

    async def _arguments(self, command: str) -> list[str]:
        """Return what may follow a command, as far as it is known."""
        if command == "/model":
            return list(MODELS)
        if command == "/export":
            return _files("")
        if command == "/set":
            from motet.cli.chat.slash.work import OPTIONS

            return list(OPTIONS)
        if command == "/theme":
            return list(THEMES)
        if command == "/kb":
            return ["add", "search", "sync"]
        if self._app is None:
            return []
        if command == "/graph":
            return list(self._app.graph_names())
        if command == "/resume":
            threads = await self._app.records.threads(limit=MOST)
            self._titles = {thread.thread_id[:ID_CHARS]: thread.title for thread in threads}
            return list(self._titles)
        return []


_TAGGED = ("#", "-#", "/threads ", "/会话 ", "/tag ", "/标签 ")
"""How a line begins in which `#` begins a tag."""


def _files(typed: str) -> list[str]:
    """Return files and folders whose path begins as typed; hidden ones only when they are asked for."""
    path = Path(typed).expanduser()
    folder, name = (path, "") if typed.endswith("/") or not typed else (path.parent, path.name)
    try:
        found = [one for one in folder.iterdir() if one.name.startswith(name)]
    except OSError:
        return []
    shown = [one for one in found if name.startswith(".") or not one.name.startswith(".")]
    return [f"{one}/" if one.is_dir() else str(one) for one in shown]
