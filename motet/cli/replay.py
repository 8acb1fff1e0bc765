"""`motet replay` and what belongs to it: play a recorded run, fork it, list its calls, write it to a file or a test.

What does not live here: how a run is played (`runs.recordings`).
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from motet.cli.lists import ID_CHARS, AsJson, note, print_json, print_table
from motet.cli.runs import RunName  # noqa: TC001  # typer reads the annotation
from motet.cli.session import Terminal, with_app

if TYPE_CHECKING:
    from motet.app import App
    from motet.cli.render.outcome import Outcome
    from motet.models.cassette import Call, Cassette
    from motet.runs.request import Replay, RunRequest

TEST = '''"""Plays a recorded run again, with no model and no tool called, and checks that it does the same."""

from pathlib import Path

from motet import play_recording

RECORDING = Path(__file__).with_name({file!r})


def test_{name}() -> None:
    played = play_recording(RECORDING)
    assert played.tools == {tools!r}
    assert played.answer == {answer!r}
'''

From = Annotated[
    int | None, typer.Option("--from", metavar="N", min=1, help="Make calls from this number on for real.")
]
Change = Annotated[
    list[str] | None,
    typer.Option(
        "--change", metavar="N=REPLY", help="Put this reply in the place of call N's: text, or JSON."
    ),
]
Model = Annotated[
    str | None,
    typer.Option("--model", "-m", metavar="SPEC", help="The model that goes on where nothing is recorded."),
]


def replay(
    run: Annotated[str, typer.Argument(metavar="RUN|FILE", help="A recorded run, or a recording's file.")],
    *,
    live: Annotated[bool, typer.Option("--live", help="Call what is not recorded for real.")] = False,
    live_from: From = None,
    change: Change = None,
    model: Model = None,
    question: Annotated[
        str | None, typer.Option("--question", metavar="TEXT", help="Ask this instead; it goes on live.")
    ] = None,
    calls: Annotated[bool, typer.Option("--calls", help="List the recorded calls instead.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Only errors on stderr.")] = False,
    as_json: AsJson = False,
) -> None:
    """Play a recorded run again, with no model and no tool called; or fork it with one thing changed."""
    from motet.cli.ask import end
    from motet.cli.stops import Stops
    from motet.cli.view import text_view

    changes = dict(_change(text) for text in change or ())
    goes_on = live or bool(changes) or model is not None or question is not None or live_from is not None
    if calls:
        _list_calls(with_app(lambda app: _cassette(app, run)), as_json=as_json)
        return
    view, stops = text_view(Terminal.detect(), None, quiet=quiet), Stops()

    async def work(app: App) -> Outcome:
        try:
            request = await _request(app, run, changes, live=goes_on, live_from=live_from, model=model)
            accepted = await app.submit(_asking(request, question))
            stops.stop_with(lambda: app.cancel(accepted.run_id, reason="stopped by the user"))
            if not quiet:
                note(f"run {accepted.run_id}")
            await app.start_worker()
            return await view.follow(app, accepted.run_id)
        finally:
            view.close()

    end(with_app(work, stops=stops), stops)


def write_recording(
    run: RunName,
    out: Annotated[
        Path | None, typer.Option("-o", "--out", metavar="FILE", help="Where to; stdout unless given.")
    ] = None,
) -> None:
    """Write a run's recording as JSON lines, its secrets taken out; 'motet replay FILE' plays it anywhere."""

    async def read(app: App) -> Cassette:
        return app.recordings.redacted(await _cassette(app, run))

    lines = "".join(with_app(read).lines())
    if out is None:
        sys.stdout.write(lines)
    else:
        out.write_text(lines, "utf-8")
        note(f"Wrote {out}.")


def export_test(
    run: RunName,
    folder: Annotated[Path, typer.Option("-o", "--out", metavar="FOLDER", help="Where to.")] = Path(),
    name: Annotated[
        str | None,
        typer.Option("--name", metavar="NAME", help="Of the test; from the question unless given."),
    ] = None,
) -> None:
    """Write a recorded run as a pytest with its recording: it passes with no model, no tool and no network."""

    async def read(app: App) -> tuple[Cassette, str, list[str]]:
        found = await app.records.run(run)
        cassette = app.recordings.redacted(await app.recordings.of(app.tenant_id, found.run_id))
        events = [recorded.event async for recorded in app.follow(found.run_id)]
        told = [e for e in events if e.type == "message.completed" and e.role == "assistant"]
        tools = [e.name for e in events if e.type == "tool.started"]
        return cassette, told[-1].text if told else "", tools

    cassette, answer, tools = with_app(read)
    chosen = _name(name or _question(cassette))
    folder.mkdir(parents=True, exist_ok=True)
    recording, test = folder / f"{chosen}.jsonl", folder / f"test_{chosen}.py"
    recording.write_text("".join(cassette.lines()), "utf-8")
    test.write_text(TEST.format(file=recording.name, name=chosen, tools=tools, answer=answer), "utf-8")
    note(f"Wrote {test} and {recording}.")


async def _source(app: App, run: str) -> Replay:
    """Return the recording that is named: a file's, if there is one of this name, else a run's."""
    from motet.runs.request import Replay

    if await asyncio.to_thread(os.path.isfile, run):
        return Replay(file=await asyncio.to_thread(os.path.abspath, run))
    return Replay(run_id=(await app.records.run(run)).run_id)


async def _cassette(app: App, run: str) -> Cassette:
    return await app.recordings.played(app.tenant_id, await _source(app, run))


async def _request(
    app: App, run: str, changes: dict[int, Any], *, live: bool, live_from: int | None, model: str | None
) -> RunRequest:
    from motet.runs.recordings.service import request_of
    from motet.runs.request import RunOptions, RunRequest

    source = await _source(app, run)
    cassette = await app.recordings.played(app.tenant_id, source)
    played = source.model_copy(update={"live": live, "live_from": live_from, "changes": changes})
    return RunRequest(**request_of(cassette, RunOptions(replay=played, model=model, max_retries=0)))


def _asking(request: RunRequest, question: str | None) -> RunRequest:
    """Return the request with another question in the place of its last one."""
    if question is None or request.input is None:
        return request
    messages = [*request.input.get("messages", [])]
    messages[-1:] = [{"role": "user", "content": question}]
    return request.model_copy(update={"input": {**request.input, "messages": messages}})


def _change(text: str) -> tuple[int, Any]:
    from motet.errors import InvalidInput

    number, equals, reply = text.partition("=")
    if not equals or not number.strip().isdigit():
        raise InvalidInput(f"--change '{text}': write N=REPLY, with N from 'motet replay RUN --calls'.")
    try:
        value = json.loads(reply)
    except ValueError:
        value = reply
    return int(number), value if isinstance(value, dict) else reply


def _list_calls(cassette: Cassette, *, as_json: bool) -> None:
    if as_json:
        print_json([json.loads(line) for line in cassette.lines()])
        return
    rows = [[str(call.number), call.kind, call.name, _brief(call)] for call in cassette.calls]
    print_table(["n", "kind", "name", "gave"], rows, wide=3)


def _brief(call: Call) -> str:
    """Return in one line what a call gave."""
    given: Any = call.response
    if isinstance(given, dict):
        found: dict[str, Any] = given
        made: list[Any] = found.get("tool_calls", [])
        calls = ", ".join(f"{c['name']} {json.dumps(c['args'], ensure_ascii=False)}" for c in made)
        given = calls or found.get("text") or found.get("message", found).get("content", found)
    text = given if isinstance(given, str) else json.dumps(given, ensure_ascii=False, default=str)
    return " ".join(text.split())[:200]


def _question(cassette: Cassette) -> str:
    messages: list[Any] = (cassette.header.get("input") or {}).get("messages", [])
    return (
        str(messages[-1].get("content", ""))
        if messages
        else str(cassette.header.get("run_id", ""))[:ID_CHARS]
    )


def _name(text: str) -> str:
    """Return a name that Python takes, of letters in any script; at most 40 characters."""
    name = re.sub(r"\W+", "_", text.lower()).strip("_")[:40].strip("_")
    return name or "recorded_run"
