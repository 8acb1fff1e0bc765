"""What was said earlier in a thread is found by its words, in both languages, and in no other thread."""

from __future__ import annotations

from pathlib import Path

from motet.app import build_app
from motet.memory.history import History
from motet.runs.request import RunRequest
from motet.settings import Settings


async def test_old_messages_of_this_thread_alone(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "s.yaml").write_text('rules: []\ndefault: "Noted."\n', "utf-8")
    settings = settings.replace(
        models__default=f"scripted:{tmp_path / 's.yaml'}", models__embed="none", agents__graph="chat"
    )
    async with build_app(settings) as app:
        threads: list[str] = []
        for said in ("The bridge is 412 metres long.", "桦桥长 412 米。", "The bridge is in Basel."):
            accepted = await app.submit(
                RunRequest(
                    input={"messages": [{"role": "user", "content": said}]},
                    thread_id=threads[0] if len(threads) == 1 else None,
                )
            )
            await app.start_worker()
            _ = [one async for one in app.follow(accepted.run_id)]
            threads.append(accepted.thread_id)
        history = History(app._rooms.database, app.tenant_id)  # pyright: ignore[reportPrivateUsage]
        found = await history.find(threads[0], "How long is the bridge?", known=())
        assert [(one["role"], one["text"]) for one in found] == [("user", "The bridge is 412 metres long.")]
        assert [one["text"] for one in await history.find(threads[0], "桦桥多长？", known=())] == [
            "桦桥长 412 米。"
        ]
        assert await history.find(threads[0], "bridge", known=[found[0]["message_id"]]) == []
        assert await history.find("other", "bridge", known=()) == []
        assert await history.find(threads[0], " ", known=()) == []
