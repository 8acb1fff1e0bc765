"""Which view fits which streams, and what it shows of a run."""

from __future__ import annotations

import asyncio
import io
import sys
from typing import TYPE_CHECKING

import pytest
from cli_story import StoryLog, cancelled, failed, whole

from motet.cli.render.machine import JsonLines
from motet.cli.session import Terminal, console
from motet.cli.view import machine_view, repainting, text_view

if TYPE_CHECKING:
    from collections.abc import Callable

    Streams = Callable[[], tuple["Tty", "Tty"]]


class Tty(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def streams(monkeypatch: pytest.MonkeyPatch) -> Callable[[], tuple[Tty, Tty]]:
    def put() -> tuple[Tty, Tty]:
        # In the test itself: pytest puts its own streams back between a fixture and its test.
        out, err = Tty(), Tty()
        monkeypatch.setattr("sys.stdout", out)
        monkeypatch.setattr("sys.stderr", err)
        return out, err

    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    return put


async def show(story: str, *, plain: bool = False, quiet: bool = False) -> str | None:
    log = StoryLog(whole=whole(), failed=failed(), cancelled=cancelled())
    view = text_view(Terminal.detect(plain=plain), None, quiet=quiet)
    outcome = await view.follow(log, story)
    view.close()
    return outcome.status


async def test_a_terminal_gets_markdown_and_colours(streams: Streams) -> None:
    out, err = streams()
    assert await show("whole") == "success"
    assert "**" not in out.getvalue()
    assert "\x1b[" in out.getvalue()
    assert "\x1b[" in err.getvalue()
    assert "calculator(" in err.getvalue()
    assert "calculator(" not in out.getvalue()


async def test_plain_means_no_escape_codes_at_all(streams: Streams) -> None:
    out, err = streams()
    await show("whole", plain=True)
    assert "\x1b" not in out.getvalue() + err.getvalue()
    assert "**360 kWh**" in out.getvalue()


@pytest.mark.parametrize(("variable", "value"), [("NO_COLOR", "1"), ("TERM", "dumb")])
async def test_the_environment_can_ask_for_plain(
    streams: Streams, monkeypatch: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    out, err = streams()
    monkeypatch.setenv(variable, value)
    await show("whole")
    assert "\x1b" not in out.getvalue() + err.getvalue()


async def test_a_pipe_beside_a_terminal(streams: Streams, monkeypatch: pytest.MonkeyPatch) -> None:
    _, err = streams()
    pipe = io.StringIO()
    monkeypatch.setattr("sys.stdout", pipe)
    await show("whole")
    assert pipe.getvalue().startswith("Thirty batteries hold **360 kWh** [1].\n")
    assert "\x1b[" in err.getvalue()


async def test_quiet_leaves_stderr_alone(streams: Streams) -> None:
    _, err = streams()
    await show("whole", quiet=True)
    assert "calculator(" not in err.getvalue()


@pytest.mark.parametrize(("story", "status"), [("failed", "error"), ("cancelled", "cancelled")])
async def test_what_was_written_stays(streams: Streams, story: str, status: str) -> None:
    out, _ = streams()
    assert await show(story) == status
    assert "Half an ans" in out.getvalue()


async def test_programs_get_stdout_for_themselves(streams: Streams) -> None:
    out, err = streams()
    lines: list[str] = []
    view = machine_view(Terminal.detect(), JsonLines(lines.append), quiet=False)
    await view.follow(StoryLog(whole=whole()), "whole")
    view.close()
    assert len(lines) == len(whole())
    assert out.getvalue() == ""
    assert "calculator(" in err.getvalue()


async def test_repainting_passes_on_what_fails_inside() -> None:
    with pytest.raises(ZeroDivisionError):
        async with repainting(lambda: None):
            raise ZeroDivisionError


def test_a_console_on_no_terminal_has_no_colours() -> None:
    assert console(io.StringIO()).color_system is None
    assert not console(sys.stdout, plain=True).is_terminal


async def test_repainting_passes_on_a_cancellation_that_meets_its_end() -> None:
    went_on = False

    async def work() -> None:
        nonlocal went_on
        async with repainting(lambda: None):
            await asyncio.sleep(0)
        went_on = True

    task = asyncio.create_task(work())
    await asyncio.sleep(0)
    await asyncio.sleep(0)  # it leaves the block now, and waits for the ticker
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert task.cancelled()
    assert not went_on
