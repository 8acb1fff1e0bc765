"""Motet's graph `chat`: submitted, executed, logged, checkpointed, in the transcript, and read back from the log."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from motet import RunRequest, Settings, build_app

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

QUESTION = "Take the calculator: how much is 6 * 7?"


async def turns(base_url: str, folder: Path) -> AsyncIterator[Any]:
    """Yield one turn."""
    overrides: dict[str, Any] = {
        "storage.home": folder / "home",
        "models.default": f"bench:scripted@{base_url}",
        "models.embed": "none",
    }
    async with build_app(Settings.load(overrides, cwd=folder)) as app:
        thread_id: str | None = None

        async def turn() -> str:
            nonlocal thread_id
            asked = {"messages": [{"role": "user", "content": QUESTION}]}
            last: Any = None
            async for recorded in app.stream(RunRequest(graph="chat", thread_id=thread_id, input=asked)):
                thread_id, last = recorded.thread_id, recorded.event
            return str(last.output["messages"][-1]["content"]) if last.type == "run.completed" else repr(last)

        yield turn
