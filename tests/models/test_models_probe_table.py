"""The table of what a server can do says what it does, not what it is called. Real sockets."""

from typing import Any

import pytest

from motet.errors import ModelUnavailable
from motet.models.probe_table import CHECKS, Feature, probe_table
from motet.models.roles import Models
from motet.models.scripted import Call, Reply, ToolCall, scripted
from motet.models.scripted_faults import FaultPlan
from motet.models.scripted_server import ScriptedServer
from motet.settings import Settings


def able(call: Call) -> Any:
    asked = call.tools and ("warehouse" in call.user_text or call.tool_choice not in (None, "auto"))
    if asked:
        names = call.tool_names if "'chair'" in call.user_text else call.tool_names[:1]
        if isinstance(call.tool_choice, dict):
            names = [call.tool_choice["function"]["name"]]
        return [ToolCall(name, {"article": "lamp"}) for name in names]
    if "Think first" in call.user_text:
        return Reply(text="No.", reasoning="7 * 13")
    if call.images:
        return "Red."
    return "ahoy" if "ahoy" in call.system_text else "1 2 3 4 5 6 7 8 9"


async def table(settings: Settings, **options: Any) -> dict[str, Feature]:
    async with ScriptedServer(able, **options) as server:
        models = Models(settings.replace(models__retry_pause_s=0.001))
        try:
            model = await models.chat("fast", f"x:scripted@{server.base_url}")
            return {feature.name: feature async for feature in probe_table(model)}
        finally:
            await models.aclose()


async def test_a_server_that_can_do_everything(settings: Settings) -> None:
    found = await table(settings, context_tokens=4000, embedding_dimension=8)
    assert found.pop("context window").detail == "4000 tokens"
    assert [name for name, feature in found.items() if not feature.can] == []
    assert found.keys() == CHECKS.keys()
    assert found["JSON schema"].detail == "by response_format"
    assert found["embeddings"].detail == "8 numbers"


async def test_a_server_that_can_do_little(settings: Settings) -> None:
    found = await table(settings, context_tokens=4000, tools="refused", json_schema="guided", images=False)
    cannot = {name for name, feature in found.items() if feature.can is False}
    assert cannot == {*(name for name in CHECKS if name.startswith("tools")), "images", "embeddings"}
    assert found["JSON schema"].detail == "by guided_json"
    assert "sees no images" in found["images"].detail


async def test_a_server_that_does_not_answer_is_an_error(settings: Settings) -> None:
    with pytest.raises(ModelUnavailable, match="does not answer"):
        await table(settings, faults=[FaultPlan.parse("http_500;times=0")])


async def test_a_model_without_a_wire_says_so() -> None:
    found = {feature.name: feature.can async for feature in probe_table(scripted(able))}
    assert found["tools: parallel"]
    assert [found[name] for name in ("JSON schema", "embeddings", "responses wire")] == [None] * 3
