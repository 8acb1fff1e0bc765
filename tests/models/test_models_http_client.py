"""What a hostile server sends is not unpacked, not followed, and not read without end. Real sockets."""

import pytest

from motet.errors import ModelError, ModelRefused
from motet.models import http_client
from motet.models.roles import Models
from motet.models.scripted_faults import FaultPlan
from motet.models.scripted_server import ScriptedServer
from motet.settings import Settings


@pytest.mark.parametrize(
    ("fault", "kind", "words"),
    [
        ("gzip_bomb;times=0;chars=5000000", ModelError, "compressed answer"),
        ("redirect;times=0;to=http://127.0.0.1:9/v1", ModelRefused, "elsewhere to 127.0.0.1:9 .HTTP 307."),
        ("html;times=0", ModelError, "sent a web page.*http://host:8000/v1"),
        ("endless;times=0;stream=no", ModelError, "more than 1 MiB"),
    ],
)
async def test_hostile_answers(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, fault: str, kind: type[ModelError], words: str
) -> None:
    monkeypatch.setattr(http_client, "MAX_BODY_BYTES", 2**20)
    async with ScriptedServer(lambda _: "Hello.", faults=[FaultPlan.parse(fault)]) as server:
        models = Models(settings.replace(models__retry_pause_s=0.001))
        model = await models.chat("fast", f"x:scripted@{server.base_url}")
        with pytest.raises(kind, match=words):
            await model.chat.ainvoke("hi")
        if "stream=no" not in fault:
            with pytest.raises(kind, match=words):
                _ = [chunk async for chunk in model.chat.astream("hi")]
        await models.aclose()
