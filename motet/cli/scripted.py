"""`motet scripted`: a model server that says what a script says, and fails when it is told to. For tests of your own.

What does not live here: the server (`motet.models.scripted_server`) and its faults (`motet.models.scripted_faults`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from motet.cli.lists import note

if TYPE_CHECKING:
    from motet.models.scripted_server import ScriptedServer


def scripted(
    script: Annotated[
        str | None,
        typer.Argument(
            help="YAML, JSON or JSON lines; an answer to everything unless given.", metavar="[SCRIPT]"
        ),
    ] = None,
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="A free one unless given.")] = 0,
    model: Annotated[str, typer.Option("--model", help="The name that it is served under.")] = "scripted",
    faults: Annotated[
        list[str] | None,
        typer.Option(
            "--faults",
            metavar="'NAME;at=2;times=3;…'",
            help="What goes wrong, and when: at=N or last, times=N (0: always), stream=yes|no. May be given again.",
        ),
    ] = None,
    list_faults: Annotated[bool, typer.Option("--list-faults", help="List what can go wrong.")] = False,
) -> None:
    """Serve a script over OpenAI's wire on loopback: chat completions, responses, embeddings. Ctrl-C stops it."""
    import asyncio

    from motet.models.scripted_faults import FaultPlan, known_faults

    if list_faults:
        print("\n".join(known_faults()))
        return
    plans = [FaultPlan.parse(fault) for fault in faults or ()]
    with_script: Any = _script(script)
    asyncio.run(_serve(with_script, port=port, model=model, plans=plans))


def _script(path: str | None) -> Any:
    from motet.models.script import Script

    return Script.load(path) if path else Script(default="This is a scripted answer.")


async def _serve(script: Any, *, port: int, model: str, plans: list[Any]) -> None:
    import asyncio

    from motet.cli.stops import Stops
    from motet.models.scripted_server import ScriptedServer

    stopped = asyncio.Event()

    async def stop() -> None:
        stopped.set()

    with Stops() as stops:
        stops.stop_with(stop)
        async with ScriptedServer(
            script, model=model, port=port, faults=plans, embedding_dimension=64
        ) as server:
            _tell(server)
            await stopped.wait()


def _tell(server: ScriptedServer) -> None:
    print(server.base_url, flush=True)
    note(f"Use it with --model test:{server.model}@{server.base_url}. Ctrl-C stops it.")
