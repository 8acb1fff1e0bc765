"""The prompt: what is typed, its keys, its history.

What does not live here: what happens to what is sent (`interactive`).
"""

from __future__ import annotations

import asyncio
import base64
import os.path
from typing import TYPE_CHECKING

from prompt_toolkit import PromptSession
from prompt_toolkit.completion import CompleteEvent
from prompt_toolkit.formatted_text import merge_formatted_text
from prompt_toolkit.history import FileHistory, History, InMemoryHistory
from prompt_toolkit.key_binding import KeyBindings
from prompt_toolkit.output.color_depth import ColorDepth

from motet.cli.chat.transcript import MARK

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from prompt_toolkit.buffer import Buffer
    from prompt_toolkit.completion import Completer, Completion
    from prompt_toolkit.formatted_text import ANSI, AnyFormattedText
    from prompt_toolkit.key_binding import KeyPressEvent


class Prompt:
    """A prompt that stays at the bottom until `leave`.

    `above` paints the lines over it, `submit` is given what is sent, `interrupt` is given the draft at Ctrl-C and
    returns the draft that stays; so is `escape` at Esc. At Tab `completer` is asked, and `offer` is given what it found
    where that is more than one way to go on.
    """

    def __init__(
        self,
        history: Path,
        *,
        above: Callable[[], ANSI],
        submit: Callable[[str], None],
        interrupt: Callable[[str], str],
        escape: Callable[[str], str],
        completer: Completer,
        offer: Callable[[Sequence[Completion]], None],
        colors: bool = True,
    ) -> None:
        self._above = above
        self._submit = submit
        self._interrupt = interrupt
        self._escape = escape
        self._completer = completer
        self._offer = offer
        self.shown = asyncio.Event()
        """Set when the prompt is on the screen for the first time."""
        self._session: PromptSession[int] = PromptSession(
            self._message,
            multiline=True,
            prompt_continuation="  ",
            key_bindings=self._keys(),
            history=_history(history),
            erase_when_done=True,
            reserve_space_for_menu=0,
            enable_open_in_editor=True,
            color_depth=None if colors else ColorDepth.DEPTH_1_BIT,
        )

    async def run(self) -> int:
        """Show the prompt until somebody leaves; return the exit status that they left with."""
        self._session.app.after_render += lambda _: self.shown.set()
        return await self._session.prompt_async()

    def redraw(self) -> None:
        """Paint the prompt and what is over it again."""
        self._session.app.invalidate()

    def draft(self, text: str) -> None:
        """Put a text at the prompt, to be changed and sent; what stands there is replaced."""
        self._session.default_buffer.reset()
        self._session.default_buffer.insert_text(text)
        self.redraw()

    def edit(self) -> None:
        """Open what stands at the prompt in the person's editor."""
        self._session.default_buffer.open_in_editor()

    def copy(self, text: str) -> None:
        """Hand a text to the terminal for its clipboard.

        Source: xterm's control sequences, OSC 52; tmux passes it on with `set-clipboard on`.
        """
        output = self._session.app.output
        output.write_raw(f"\x1b]52;c;{base64.b64encode(text.encode()).decode()}\x07")
        output.flush()

    def leave(self, status: int) -> None:
        """End `run`. A second call does nothing."""
        app = self._session.app
        if app.is_running and not app.is_done:
            app.exit(result=status)

    def fail(self, error: BaseException) -> None:
        """End `run` by raising an error."""
        app = self._session.app
        if app.is_running and not app.is_done:
            app.exit(exception=error)

    def _message(self) -> AnyFormattedText:
        return merge_formatted_text([self._above(), MARK])

    def _keys(self) -> KeyBindings:
        keys = KeyBindings()
        keys.add("enter")(self._enter)
        keys.add("escape", "enter")(_new_line)
        keys.add("escape")(self._esc)
        keys.add("tab")(self._tab)
        keys.add("c-x", "c-e")(lambda _: self.edit())
        keys.add("c-c")(self._ctrl_c)
        keys.add("<sigint>")(self._ctrl_c)
        keys.add("c-d")(self._ctrl_d)
        return keys

    def _enter(self, event: KeyPressEvent) -> None:
        buffer = event.current_buffer
        text = buffer.text.strip()
        if text:
            buffer.reset(append_to_history=True)
            self._submit(text)

    def _ctrl_c(self, event: KeyPressEvent) -> None:
        buffer = event.current_buffer
        kept = self._interrupt(buffer.text)
        buffer.reset()
        buffer.insert_text(kept)

    def _esc(self, event: KeyPressEvent) -> None:
        buffer = event.current_buffer
        kept = self._escape(buffer.text)
        if kept != buffer.text:
            buffer.reset()
            buffer.insert_text(kept)

    def _tab(self, event: KeyPressEvent) -> None:
        event.app.create_background_task(self._complete(event.current_buffer))

    async def _complete(self, buffer: Buffer) -> None:
        """Write on as far as there is one way to go on; offer the ways where there are several.

        prompt_toolkit's own form of this asks without waiting, and its menu would need rows of the conversation.
        """
        document = buffer.document
        asked = CompleteEvent(completion_requested=True)
        found = [one async for one in self._completer.get_completions_async(document, asked)]
        if not found or buffer.document != document:  # typed on meanwhile
            return
        begun = -found[0].start_position
        common = os.path.commonprefix([one.text for one in found])  # noqa: RUF071  # any texts, not paths
        if len(found) > 1 and len(common) <= begun:
            self._offer(found)
            return
        buffer.delete_before_cursor(begun)
        buffer.insert_text(common)

    def _ctrl_d(self, event: KeyPressEvent) -> None:
        if event.current_buffer.text:
            event.current_buffer.delete()
        else:
            self.leave(0)


def _new_line(event: KeyPressEvent) -> None:
    event.current_buffer.insert_text("\n")


def _history(path: Path) -> History:
    """Return a history in a file that only its owner reads; one in memory where that cannot be."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch(mode=0o600)
    except OSError:
        return InMemoryHistory()
    return FileHistory(str(path))
