"""Which server is asked, with which key, and what is known of it before the first question. Real sockets."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Literal

import pytest
from langchain_core.tools import tool

from motet.errors import ModelRefused, ModelUnavailable, SettingInvalid
from motet.models.base import ModelSpec
from motet.models.openai import OpenAIChat, OpenAICompatibleProvider, OpenAIProvider, VllmProvider
from motet.models.schema_tools import SchemaToolChatModel
from motet.models.scripted import ToolCall
from motet.models.scripted_server import ScriptedServer
from motet.secret import Secret
from motet.settings import Settings

KEY = "sk-test-0123456789abcdef"


@tool
def look(word: str) -> str:
    """Look a word up."""
    return word


@pytest.fixture
async def server() -> AsyncIterator[ScriptedServer]:
    async with ScriptedServer(["Hello.", "Again."]) as running:
        yield running


def with_models(settings: Settings, **fields: Any) -> Settings:
    return settings.replace(**{f"models__{name}": value for name, value in fields.items()})


def keys_seen(server: ScriptedServer) -> set[str]:
    return {request.headers["authorization"] for request in server.requests}


async def test_any_server_needs_only_a_url(server: ScriptedServer, settings: Settings) -> None:
    settings = with_models(settings, openai_api_key=Secret(KEY), vllm_api_key=Secret(KEY))
    provider = OpenAICompatibleProvider(settings)
    model = await provider.connect(ModelSpec.parse(f"lmstudio:scripted@{server.base_url}"))
    assert (await model.chat.ainvoke("hi")).text == "Hello."
    assert str(model.spec) == f"lmstudio:scripted@{server.base_url}"
    assert keys_seen(server) == {"Bearer none"}
    await provider.aclose()
    await provider.aclose()


async def test_openai_key_goes_to_the_configured_url_and_nowhere_else(
    server: ScriptedServer, settings: Settings
) -> None:
    async with ScriptedServer(["Other."]) as other:
        settings = with_models(settings, openai_api_key=Secret(KEY), openai_base_url=server.base_url)
        provider = OpenAIProvider(settings)
        model = await provider.connect(ModelSpec.parse("openai:scripted"))
        assert (await model.chat.ainvoke("hi")).text == "Hello."
        stranger = await provider.connect(ModelSpec.parse(f"openai:scripted@{other.base_url}"))
        assert (await stranger.chat.ainvoke("hi")).text == "Other."
        assert keys_seen(server) == {f"Bearer {KEY}"}
        assert keys_seen(other) == {"Bearer none"}
        assert KEY not in repr(model)
        assert KEY not in str(model.chat.asdict())
        await provider.aclose()


async def test_the_organisation_of_the_environment_is_not_sent_to_strangers(
    server: ScriptedServer, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_ORG_ID", "org-private")
    monkeypatch.setenv("OPENAI_PROJECT_ID", "proj-private")
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    provider = OpenAICompatibleProvider(settings)
    model = await provider.connect(ModelSpec.parse(f"x:scripted@{server.base_url}"))
    await model.chat.ainvoke("hi")
    sent = str([request.headers for request in server.requests])
    assert "private" not in sent
    assert KEY not in sent
    await provider.aclose()


async def test_openai_without_a_key_is_refused_before_any_call(
    server: ScriptedServer, settings: Settings
) -> None:
    provider = OpenAIProvider(with_models(settings, openai_base_url=server.base_url))
    with pytest.raises(ModelRefused, match="OPENAI_API_KEY is not set"):
        await provider.connect(ModelSpec.parse("openai:scripted"))
    assert server.requests == []


async def test_openai_has_native_tools_and_is_not_probed(
    server: ScriptedServer, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("motet.models.openai.is_openai", lambda url: url == server.base_url)
    settings = with_models(settings, openai_api_key=Secret(KEY), openai_base_url=server.base_url)
    provider = OpenAIProvider(settings)
    model = await provider.connect(ModelSpec.parse("openai:scripted"))
    assert (model.capabilities.tool_method, model.capabilities.json_schema) == ("native", True)
    assert [request.path for request in server.requests] == ["/v1/models"]
    await provider.aclose()


async def test_another_server_at_openais_url_is_asked_what_it_can_do(settings: Settings) -> None:
    async with ScriptedServer([], tools="ignored", json_schema="yes") as server:
        settings = with_models(settings, openai_api_key=Secret(KEY), openai_base_url=server.base_url)
        provider = OpenAIProvider(settings)
        model = await provider.connect(ModelSpec.parse("openai:scripted"))
        assert model.capabilities.tool_method == "schema"
        await provider.aclose()


@pytest.mark.parametrize(
    ("name", "responses_api", "temperature"),
    [("gpt-4.1", False, 0.0), ("gpt-5-pro", True, None), ("o3-mini", False, None)],
)
def test_openais_own_models_are_called_the_way_they_need(
    settings: Settings, name: str, responses_api: bool, temperature: float | None
) -> None:
    chat = OpenAIProvider(with_models(settings, openai_api_key=Secret(KEY))).open_chat(
        ModelSpec("openai", name)
    )
    assert str(chat.root_async_client.base_url) == "https://api.openai.com/v1/"
    payload = chat._get_request_payload("hi")
    assert ("input" in payload) is responses_api
    assert payload.get("temperature") == temperature
    assert "max_tokens" not in payload


async def test_a_wrong_key_is_refused_and_not_shown(settings: Settings) -> None:
    async with ScriptedServer([], api_key="the-right-one") as server:
        settings = with_models(settings, openai_api_key=Secret(KEY), openai_base_url=server.base_url)
        with pytest.raises(ModelRefused, match=r"HTTP 401.*OPENAI_API_KEY") as caught:
            await OpenAIProvider(settings).connect(ModelSpec.parse("openai:scripted"))
        assert KEY not in str(caught.value.to_dict())
        with pytest.raises(ModelRefused, match="is sent none"):
            await OpenAICompatibleProvider(settings).connect(ModelSpec.parse(f"x:scripted@{server.base_url}"))


@pytest.mark.parametrize("key", ["sk-café-0123456789", "sk-a\nX-Evil: 1", "sk-a b"])
def test_a_key_that_cannot_be_sent_is_said_and_not_shown(settings: Settings, key: str) -> None:
    url = "http://127.0.0.1:9/v1"
    own = with_models(
        settings, openai_api_key=Secret(key), openai_base_url=url, vllm_api_key=Secret(key), vllm_base_url=url
    )
    for provider, name in ((OpenAIProvider(own), "openai:m"), (VllmProvider(own), "vllm:m")):
        with pytest.raises(SettingInvalid, match="_API_KEY has a blank, a line break") as caught:
            provider.open_chat(ModelSpec.parse(name))
        assert key[:4] not in str(caught.value.to_dict())


async def test_the_line_end_of_a_copied_key_is_left_out(settings: Settings) -> None:
    async with ScriptedServer(["Hello."], api_key=KEY) as server:
        own = with_models(settings, openai_api_key=Secret(f" {KEY}\n"), openai_base_url=server.base_url)
        provider = OpenAIProvider(own)
        model = await provider.connect(ModelSpec.parse("openai:scripted"))
        assert (await model.chat.ainvoke("hi")).text == "Hello."
        await provider.aclose()


@pytest.mark.parametrize("drips", [False, True])
async def test_a_server_that_does_not_tell_its_models_in_time(settings: Settings, drips: bool) -> None:
    left = asyncio.Event()

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\r\n" if drips else b"")
        while not reader.at_eof():
            writer.write(b" " if drips else b"")
            await asyncio.sleep(0.02)
        writer.close()
        left.set()

    async with await asyncio.start_server(silent, "127.0.0.1", 0) as server, asyncio.timeout(10):
        port = server.sockets[0].getsockname()[1]
        provider = OpenAICompatibleProvider(with_models(settings, timeout_s=0.2))
        with pytest.raises(
            ModelUnavailable, match=f"x:m at 127.0.0.1:{port} did not tell its models in 0.2 s"
        ):
            await provider.connect(ModelSpec.parse(f"x:m@http://127.0.0.1:{port}/v1"))
        await left.wait()


async def test_an_unknown_model_is_refused_with_a_suggestion(
    server: ScriptedServer, settings: Settings
) -> None:
    with pytest.raises(ModelRefused, match=r"has no model 'scriptd'\. Did you mean 'scripted'"):
        await OpenAICompatibleProvider(settings).connect(ModelSpec.parse(f"x:scriptd@{server.base_url}"))


async def test_an_unknown_model_is_refused_where_there_is_no_list_too(settings: Settings) -> None:
    async with ScriptedServer([], list_models=False) as server:
        with pytest.raises(ModelRefused, match="HTTP 404"):
            await OpenAICompatibleProvider(settings).connect(ModelSpec.parse(f"x:other@{server.base_url}"))


@pytest.mark.parametrize("listing", [False, "broken"])
async def test_a_server_without_a_model_list_is_fine(
    settings: Settings, listing: Literal[False, "broken"]
) -> None:
    async with ScriptedServer(["Hello."], list_models=listing) as server:
        provider = OpenAICompatibleProvider(settings)
        model = await provider.connect(ModelSpec.parse(f"x:scripted@{server.base_url}"))
        assert model.capabilities.tool_method == "native"
        await provider.aclose()


async def test_an_unreachable_server_is_unavailable(settings: Settings, unused_tcp_port: int) -> None:
    url = f"http://127.0.0.1:{unused_tcp_port}/v1"
    started = asyncio.get_running_loop().time()
    with pytest.raises(ModelUnavailable, match=f"x:m at 127.0.0.1:{unused_tcp_port} cannot be reached"):
        await OpenAICompatibleProvider(settings).connect(ModelSpec.parse(f"x:m@{url}"))
    assert asyncio.get_running_loop().time() - started < 5


@pytest.mark.parametrize(
    ("tools", "schema", "method"),
    [
        ("yes", "yes", "native"),
        ("yes", "refused", "native"),
        ("ignored", "yes", "schema"),
        ("refused", "yes", "schema"),
        ("refused", "refused", "prompt"),
        ("ignored", "ignored", "prompt"),
    ],
)
async def test_what_a_server_can_do_is_found_out_and_tools_work_by_it(
    settings: Settings, tools: Any, schema: Any, method: str
) -> None:
    script = [ToolCall("look", {"word": "fish"})]
    async with ScriptedServer(script, tools=tools, json_schema=schema, context_tokens=4096) as server:
        provider = VllmProvider(with_models(settings, vllm_base_url=server.base_url))
        model = await provider.connect(ModelSpec.parse("vllm:scripted"))
        found = model.capabilities
        assert (found.tool_method, found.json_schema, found.context_tokens) == (method, schema == "yes", 4096)
        assert isinstance(model.chat, OpenAIChat if method == "native" else SchemaToolChatModel)
        assert server.calls == []
        reply = await model.chat.bind_tools([look]).ainvoke("Look up fish.")
        assert [(c["name"], c["args"]) for c in reply.tool_calls] == [("look", {"word": "fish"})]
        asked = len(server.requests)
        await provider.connect(ModelSpec.parse("vllm:scripted"))
        assert len(server.requests) == asked
        await provider.aclose()


async def test_vllm_needs_a_url(settings: Settings) -> None:
    with pytest.raises(SettingInvalid, match="MOTET_VLLM_BASE_URL is not set"):
        await VllmProvider(settings).connect(ModelSpec.parse("vllm:m"))
    with pytest.raises(SettingInvalid, match="OPENAI_BASE_URL is 'localhost:8000': it must be an http"):
        await OpenAIProvider(with_models(settings, openai_base_url="localhost:8000")).connect(
            ModelSpec.parse("openai:m")
        )
    with pytest.raises(SettingInvalid, match="must be an http"):
        await VllmProvider(with_models(settings, vllm_base_url="host:8000")).connect(
            ModelSpec.parse("vllm:m")
        )


async def test_vllm_key_goes_to_the_configured_url_only(settings: Settings) -> None:
    async with ScriptedServer([], api_key=KEY) as server, ScriptedServer([]) as other:
        settings = with_models(settings, vllm_base_url=server.base_url + "/", vllm_api_key=Secret(KEY))
        provider = VllmProvider(settings)
        await provider.connect(ModelSpec.parse("vllm:scripted"))
        await provider.connect(ModelSpec.parse(f"vllm:scripted@{other.base_url}"))
        assert keys_seen(server) == {f"Bearer {KEY}"}
        assert keys_seen(other) == {"Bearer none"}
        await provider.aclose()


def test_no_file_of_the_room_reads_the_environment() -> None:
    room = Path(__file__).parents[2] / "motet" / "models"
    assert not [path.name for path in room.glob("*.py") if "os.environ" in path.read_text("utf-8")]
