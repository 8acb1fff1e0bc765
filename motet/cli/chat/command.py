"""The command `motet chat`: choose the form that the terminal allows.

What does not live here: the conversation (`conversation`) and its two forms (`interactive`, `lines`).
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

import typer

from motet.cli.ask import GoOn, Graph, Model, Plain, Thread, check_graph, check_names, find_thread
from motet.cli.session import Terminal

if TYPE_CHECKING:
    from contextlib import AsyncExitStack

    from motet.cli.chat.conversation import Conversation
    from motet.settings import Settings


def chat(
    *,
    go_on: GoOn = False,
    thread: Thread = None,
    graph: Graph = None,
    model: Model = None,
    plain: Plain = False,
) -> None:
    """Talk with agents. Without a terminal, each line of standard input is a message."""
    import asyncio

    from motet.settings import Settings

    check_names(thread=thread, go_on=go_on, model=model)
    talk = _Talk(Settings.load(), thread, go_on, graph, model)
    status = asyncio.run(talk.run(Terminal.detect(plain=plain), plain=plain))
    if status:
        raise typer.Exit(status)


@dataclass(frozen=True, slots=True)
class _Talk:
    """What the command line asks for."""

    settings: Settings
    thread: str | None
    go_on: bool
    graph: str | None
    model: str | None

    async def run(self, terminal: Terminal, *, plain: bool) -> int:
        """Talk in the form that fits; return the exit status."""
        from contextlib import AsyncExitStack

        dumb = plain or terminal.answers.is_dumb_terminal
        async with AsyncExitStack() as stack:
            if sys.stdin.isatty() and sys.stdout.isatty() and not dumb:
                from motet.cli.chat.interactive import InteractiveChat

                return await InteractiveChat(
                    lambda: self.begin(stack),
                    terminal.answers,
                    greeting=self._greeting(),
                    home=self.settings.storage.home,
                ).run()
            from motet.cli.chat.lines import LineChat

            return await LineChat(await self.begin(stack)).run()

    async def begin(self, stack: AsyncExitStack) -> Conversation:
        """Open the app, to be closed with the stack, and return the conversation that was asked for.

        Raises:
            NotFound: There is no such graph or thread.
            StorageError: The database cannot be used.
        """
        import asyncio

        await asyncio.to_thread(_import)  # on a thread: somebody may be typing already
        from motet.app import build_app
        from motet.cli.chat.conversation import Conversation

        app = await stack.enter_async_context(build_app(self.settings))
        check_graph(app, self.graph)
        thread_id = await find_thread(app, thread=self.thread, go_on=self.go_on)
        return Conversation(app, thread_id=thread_id, graph=self.graph, model=self.model)

    def _greeting(self) -> str:
        from motet import __version__

        graph = self.graph or self.settings.agents.graph
        return f"motet {__version__} · {graph} · {self.model or self.settings.models.default} · /help"


def _import() -> None:
    """Import what the first message needs, the app first."""
    from importlib import import_module

    for name in (
        "motet.app",
        "motet.cli.chat.conversation",
        "motet.cli.render.answers",
        "motet.cli.render.notes",
    ):
        import_module(name)
