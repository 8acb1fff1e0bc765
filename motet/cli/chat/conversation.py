"""A conversation: one thread, one run at a time, and what may be done to it.

What does not live here: keys, screens and lines (`interactive`, `lines`), and slash commands (`commands`).
"""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from motet.cli.chat.asking import Asking
from motet.cli.chat.attachments import content_of
from motet.cli.render.outcome import Outcome, Spent
from motet.errors import Conflict, InvalidInput, MotetError, NotFound, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from motet.app import App
    from motet.cli.render.base import Renderer
    from motet.events import InterruptRequested
    from motet.runs.request import MessageRecord, ThreadRecord
    from motet.runs.threads.values import Rewound, Turn


class Conversation:
    """Sends messages to one thread of an app, and shows their runs. `thread_id` None begins with the first one."""

    def __init__(self, app: App, *, thread_id: str | None, graph: str | None, model: str | None) -> None:
        self.app = app
        self.thread_id = thread_id
        self.graph = graph
        self.model = model
        self.options: dict[str, Any] = {}
        """Options of the runs to come, besides the model: the fields of `RunOptions`."""
        self.last = Outcome()
        """The last run that was shown, as far as it has come."""
        self._earlier = Spent()
        self.asking: Asking | None = None
        """What the thread's last run waits for: the next message is the answer."""
        self._active = False
        self._stop_asked = False
        self._run_id: str | None = None
        self._starting: asyncio.Task[object] | None = None

    @property
    def busy(self) -> bool:
        """Whether something is being answered that was not asked to stop."""
        return self._active and not self._stop_asked

    @property
    def spent(self) -> Spent:
        """What all runs that were shown took."""
        return self._earlier + self.last.spent

    def warm_up(self) -> None:
        """Begin to load what runs need, in the background; a second call does nothing."""
        if self._starting is None:
            self._starting = asyncio.create_task(self.app.start_worker())

    async def say(self, text: str, renderers: Sequence[Renderer]) -> Outcome:
        """Send a message, with the files that it names by `@path`, and show its run to the end.

        Where the last run asked something, the message is the answer; of several questions the next one is open then.

        Raises:
            InvalidInput: A file that it names cannot go with it.
            MotetError: The run was not accepted.
        """
        from motet.runs.choice import read_choice
        from motet.runs.request import RunOptions, RunRequest

        if self.asking is not None:
            return await self._answer(self.asking, text, renderers)
        with self._answering(renderers):
            content = await asyncio.to_thread(content_of, text) if "@" in text else text
            await self._warm()
            if self._stop_asked:  # before there was a run
                return Outcome(status="cancelled")
            accepted = await self.app.submit(
                RunRequest(
                    graph=self.graph,
                    thread_id=self.thread_id,
                    input={"messages": [{"role": "user", "content": content}]},
                    options=RunOptions(
                        **read_choice(self.model), **self.options, max_retries=0
                    ),  # somebody is there to ask again
                )
            )
            self.thread_id = accepted.thread_id
            return await self._follow(accepted.run_id, renderers)

    async def waiting(self) -> bool:
        """Find out whether the thread's last run asks something; if so, the next message is the answer."""
        records = self.app.records
        newest = await records.runs(self.thread_id, limit=1) if self.thread_id else []
        questions = await records.questions(newest[0]) if newest else []
        self.asking = self._asks(newest[0].run_id, questions) if questions else None
        return self.asking is not None

    async def unfinished(self) -> list[str]:
        """Return the runs that a crash left on this thread, oldest first; this process goes on with them."""
        if self.thread_id is None:
            return []
        await self._warm()
        return await self.app.resume_thread(self.thread_id)

    async def finish(self, run_id: str, renderers: Sequence[Renderer]) -> Outcome:
        """Show a run that was left unfinished to its end."""
        with self._answering(renderers):
            return await self._follow(run_id, renderers)

    async def stop(self) -> None:
        """Stop what is being answered. Its end still comes through the log; nothing happens when there is none."""
        if self.busy:
            self._stop_asked = True
            await self._cancel()

    async def messages(self, limit: int) -> list[MessageRecord]:
        """Return the newest messages, oldest first."""
        return await self.app.records.messages(self.thread_id, limit=limit) if self.thread_id else []

    async def record(self) -> ThreadRecord | None:
        """Return the thread as it is on disk; None before the first message."""
        return await self.app.records.thread(self.thread_id) if self.thread_id else None

    def begin_anew(self) -> None:
        """Leave this thread; the next message begins another.

        Raises:
            Conflict: A run is active.
        """
        self._check_idle()
        self.thread_id = self.asking = None

    async def resume(self, name: str) -> ThreadRecord:
        """Go on with another thread, by its id, its beginning or its title.

        Raises:
            Conflict: A run is active.
            NotFound: There is no such thread.
        """
        self._check_idle()
        found = await self.app.records.thread(name)
        self.thread_id = found.thread_id
        await self.waiting()
        return found

    async def turns(self) -> list[Turn]:
        """Return the turns that the conversation has now, oldest first; none before the first message."""
        if self.thread_id is None:
            return []
        return [turn for turn in await self.app.threads.turns(self.thread_id) if turn.number is not None]

    async def fork(self, turn: str | None) -> ThreadRecord:
        """Go on in a copy of this thread that ends after a turn; after the last one unless it is named.

        Raises:
            Conflict: A run is active.
            NotFound: There is no such turn.
        """
        self._check_idle()
        found = await self.app.threads.fork(self._begun(), at=turn)
        self.thread_id, self.asking = found.thread_id, None
        return found

    async def rewind(self, to: str) -> Rewound:
        """Go back to the end of a turn of this thread. Raises what `fork` does."""
        self._check_idle()
        done = await self.app.threads.rewind(self._begun(), to)
        await self.waiting()
        return done

    async def pin(self, turn: str | None, *, on: bool) -> list[str]:
        """Pin what was said in a turn, the last one unless named, or take the pin off. Raises what `fork` does."""
        self._check_idle()
        return await self.app.threads.pin(self._begun(), turn, on=on)

    def choose_model(self, spec: str) -> None:
        """Have another model answer from the next message on.

        Raises:
            InvalidInput: It names no model.
        """
        from motet.runs.choice import read_choice

        read_choice(spec)
        self.model = spec

    def choose_graph(self, name: str) -> None:
        """Have another graph answer from the next message on.

        Raises:
            NotFound: There is no such graph.
        """
        known = self.app.graph_names()
        if name not in known:
            raise NotFound(f"Unknown graph '{name}'.{did_you_mean(name, known)}", graph=name)
        self.graph = name

    async def rename(self, title: str) -> None:
        """Give the thread another title.

        Raises:
            InvalidInput: There is no title, or nothing to give it to.
        """
        thread_id = self._begun()
        if not title.strip():
            raise InvalidInput("Write the title after the command: /rename TITLE.")
        await self.app.records.rename_thread(thread_id, title)

    async def tag(self, *, add: Sequence[str] = (), remove: Sequence[str] = ()) -> ThreadRecord:
        """Give the thread tags and take others away; return it as it is then.

        Raises:
            InvalidInput: There is no thread yet, or something is no tag.
        """
        return await self.app.threads.tag(self._begun(), add=add, remove=remove)

    async def _warm(self) -> None:
        self.warm_up()
        if self._starting is not None:
            await asyncio.shield(self._starting)

    async def _follow(self, run_id: str, renderers: Sequence[Renderer]) -> Outcome:
        self._run_id = run_id
        if self._stop_asked:  # while it was being accepted
            await self._cancel()
        self._earlier += self.last.spent
        self.last = outcome = Outcome()
        async for recorded in self.app.follow(run_id):
            outcome.add(recorded)
            for renderer in renderers:
                renderer.show(recorded)
        waits = outcome.status == "interrupted"
        self.asking = self._asks(run_id, outcome.questions) if waits else None
        return outcome

    def _asks(self, run_id: str, questions: Sequence[InterruptRequested]) -> Asking:
        return Asking(run_id, questions, settings_file=self.app.settings.own_file)

    async def _answer(self, asking: Asking, text: str, renderers: Sequence[Renderer]) -> Outcome:
        """Take an answer; with the last one the run goes on. One that is refused is asked for again."""
        from motet.runs.request import RunRequest

        answers = asking.take(text)
        if answers is None:
            return Outcome(status="interrupted")
        with self._answering(renderers):
            await self._warm()
            try:
                accepted = await self.app.submit(RunRequest(thread_id=self.thread_id, answers=answers))
            except MotetError:
                await self.waiting()
                raise
            return await self._follow(accepted.run_id, renderers)

    @contextmanager
    def _answering(self, renderers: Sequence[Renderer]) -> Generator[None]:
        self._active, self._stop_asked = True, False
        try:
            yield
        finally:
            self._active, self._run_id = False, None
            for renderer in renderers:
                renderer.close()

    async def _cancel(self) -> None:
        if self._run_id is not None:
            await self.app.cancel(self._run_id, reason="stopped by the user")

    def _begun(self) -> str:
        if self.thread_id is None:
            raise InvalidInput("This conversation has no turns yet: say something first.")
        return self.thread_id

    def _check_idle(self) -> None:
        if self._active:
            raise Conflict("A run is active: stop it first (Ctrl-C), or wait for its end.")
