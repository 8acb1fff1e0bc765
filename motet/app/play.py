"""Plays a recording's file in a home of its own, with no model, no tool and no network: what exported tests do.

What does not live here: how a recording is played (`runs.recordings`).
"""

from __future__ import annotations

import asyncio
import tempfile
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from motet.errors import MotetError
from motet.events import MessageCompleted, RunCompleted, RunFailed, ToolStarted, Usage
from motet.runs.recordings.service import request_of
from motet.runs.request import Replay, RunOptions, RunRequest
from motet.settings import Settings

if TYPE_CHECKING:
    from motet.events import Event


@dataclass(slots=True)
class Played:
    """What a played run did."""

    answer: str = ""
    """Its last answer."""
    tools: list[str] = field(default_factory=list[str])
    """The tools it called, in order."""
    model_calls: int = 0
    output: dict[str, Any] = field(default_factory=dict[str, Any])
    events: list[Event] = field(default_factory=list["Event"])


def play_recording(path: str | Path) -> Played:
    """Play a recording's file from its beginning to its end; not inside a running event loop.

    Raises:
        NotFound: There is no such file.
        InvalidInput: It is no recording, or of another version.
        RecordingMismatch: The run went another way than when it was recorded.
        MotetError: The run failed, as it did when it was recorded.
    """
    return asyncio.run(play(Path(path).absolute()))


async def play(file: Path) -> Played:
    """Do what `play_recording` does, on a running event loop; `file` is absolute."""
    from motet.app import build_app  # noqa: PLC0415  # this module is part of the app
    from motet.models.cassette import Cassette  # noqa: PLC0415

    cassette = await asyncio.to_thread(Cassette.load, file)
    options = RunOptions(replay=Replay(file=str(file)), max_retries=0, record=False)
    target = cassette.header.get("graph_target")
    graphs = {str(cassette.header["graph"]): str(target)} if target else {}
    with tempfile.TemporaryDirectory(prefix="motet-play-") as home:
        env = {"MOTET_CONFIG": f"{home}/none.toml"}
        settings = Settings.load({"storage.home": home, "models.embed": "none"}, environ=env, cwd=Path(home))
        settings = replace(settings, graphs=graphs)
        async with build_app(settings) as app:
            request = RunRequest(**request_of(cassette, options))
            return _played([recorded.event async for recorded in app.stream(request)])


def _played(events: list[Event]) -> Played:
    played = Played(events=events)
    for event in events:
        match event:
            case MessageCompleted(role="assistant", text=text):
                played.answer = text
            case ToolStarted(name=name):
                played.tools.append(name)
            case Usage():
                played.model_calls += 1
            case RunCompleted(output=output):
                played.output = output
            case RunFailed(error=error):
                raise MotetError.from_dict(error)
            case _:
                pass
    return played
