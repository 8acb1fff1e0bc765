"""The embedded model: its process, its life and its end, with the real weights where an answer is needed."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from langchain_core.messages import HumanMessage
from pydantic import BaseModel

import motet
from motet.errors import InvalidInput, ModelUnavailable, WeightsCorrupt, WeightsMissing
from motet.models.base import ModelSpec
from motet.models.embedded import EmbeddedProvider
from motet.models.embedded_check import check_embedded
from motet.models.embedded_server import EmbeddedServer
from motet.models.structured import ask_json, ask_json_with_odds
from motet.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable

    from motet.models.base import ConnectedModel

EMBEDDED = ModelSpec.parse("embedded")
ROOT = Path(motet.__file__).parent.parent


def make_settings(tmp_path: Path, **changes: Any) -> Settings:
    """Settings with a home of their own and the machine's own weights cache."""
    return Settings.load({"embedded.name": "qwen2.5-coder-1.5b"}).replace(storage__home=tmp_path, **changes)


def empty_settings(tmp_path: Path, **changes: Any) -> Settings:
    """Settings with a cache where nothing is."""
    return make_settings(tmp_path).replace(
        storage__cache=tmp_path / "cache", **{"embedded__weights": ""} | changes
    )


def own_file(tmp_path: Path, data: bytes, **changes: Any) -> Settings:
    """Settings whose weights are a file of the user's own, its checksum right."""
    path = tmp_path / "own.gguf"
    path.write_bytes(data)
    given = f"{path}#sha256={hashlib.sha256(data).hexdigest()}"
    return empty_settings(tmp_path).replace(embedded__weights=given, **changes)


def is_alive(pid: int) -> bool:
    """Say whether a process runs; one that ended and was not collected does not."""
    try:
        os.kill(pid, 0)
        status = Path(f"/proc/{pid}/stat")
        return not status.exists() or status.read_text().rpartition(")")[2].split()[0] != "Z"
    except (ProcessLookupError, FileNotFoundError):
        return False


def command_line(pid: int) -> str:
    """Return what a process list shows; empty where there is no /proc."""
    shown = Path(f"/proc/{pid}/cmdline")
    return shown.read_text() if shown.exists() else ""


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not holds():  # noqa: ASYNC110  # processes set no event
            await asyncio.sleep(0.01)


def server_of(embedded_provider: EmbeddedProvider) -> EmbeddedServer:
    return embedded_provider._servers["qwen2.5-coder-1.5b"]


@pytest.fixture
async def model(embedded_provider: EmbeddedProvider) -> ConnectedModel:
    return await embedded_provider.connect(EMBEDDED)


@pytest.mark.embedded
async def test_it_answers_in_both_languages(model: ConnectedModel) -> None:
    assert model.capabilities.small
    assert model.capabilities.tool_method == "schema"
    assert model.capabilities.context_tokens > 0
    english, chinese = await asyncio.gather(
        model.chat.ainvoke("What is the capital of Italy? One word."),
        model.chat.ainvoke("法国的首都是哪里？"),
    )
    assert "Rome" in english.text
    assert "巴黎" in chinese.text
    assert english.usage_metadata
    assert english.usage_metadata["input_tokens"] > 0


@pytest.mark.embedded
async def test_it_streams(model: ConnectedModel) -> None:
    pieces = [chunk.text async for chunk in model.chat.astream("Count from one to five in words.")]
    assert len([piece for piece in pieces if piece]) > 3
    assert "five" in "".join(pieces).lower()


@pytest.mark.embedded
async def test_the_server_enforces_a_json_schema(model: ConnectedModel) -> None:
    class Town(BaseModel):
        name: str
        river: str

    town = await ask_json(
        model, [HumanMessage("Ulm lies on the Danube. Give its name and river as JSON.")], Town
    )
    assert town.name == "Ulm"
    assert "Danube" in town.river


@pytest.mark.embedded
async def test_a_list_is_rather_left_empty_where_nothing_belongs_into_it(model: ConnectedModel) -> None:
    class Prices(BaseModel):
        prices: list[str]

    async def odds(text: str) -> float:
        asked = (
            f'Note the prices in the text as JSON, {{"prices": [...]}}, [] where it has none. Text: {text}'
        )
        _, found = await ask_json_with_odds(model, [HumanMessage(asked)], Prices)
        assert found is not None
        return found

    assert await odds("A lamp costs 12 euros.") > await odds("The shop opens at nine.")
    assert await odds("一盏灯 12 欧元。") > await odds("商店九点开门。")


@pytest.mark.embedded
async def test_it_calls_a_tool(model: ConnectedModel) -> None:
    def look_up_order(number: int) -> str:
        """Look up the state of an order by its number."""
        return str(number)

    reply = await model.chat.bind_tools([look_up_order]).ainvoke("Where is my order 4711?")
    (call,) = reply.tool_calls
    assert call["name"] == "look_up_order"
    assert call["args"] == {"number": 4711}


@pytest.mark.embedded
async def test_only_the_key_opens_it_and_it_is_in_no_process_list(
    embedded_provider: EmbeddedProvider, model: ConnectedModel
) -> None:
    address = await server_of(embedded_provider).start()
    assert model.spec == ModelSpec("embedded", "qwen2.5-coder-1.5b")
    assert address.api_key not in repr(address)
    body = {"messages": [{"role": "user", "content": "hi"}], "max_tokens": 1}
    async with httpx.AsyncClient(base_url=address.base_url, trust_env=False) as client:
        assert (await client.post("/chat/completions", json=body)).status_code == 401
        key = {"Authorization": f"Bearer {address.api_key}"}
        assert (await client.post("/chat/completions", json=body, headers=key)).status_code == 200
    assert address.api_key not in command_line(server_of(embedded_provider).pid)
    assert os.getsid(server_of(embedded_provider).pid) != os.getsid(0), (
        "Ctrl-C in the terminal must not reach it"
    )


@pytest.mark.embedded
async def test_a_prompt_longer_than_the_window_is_told(model: ConnectedModel) -> None:
    from motet.errors import ContextOverflow

    with pytest.raises(ContextOverflow):
        await model.chat.ainvoke("word " * (model.capabilities.context_tokens + 100))


@pytest.mark.embedded
def test_event_loops_and_threads_share_one_process(embedded_provider: EmbeddedProvider) -> None:
    pids: list[int] = []

    def ask() -> None:
        async def connect_and_ask() -> None:
            model = await embedded_provider.connect(EMBEDDED)
            assert (await model.chat.ainvoke("Say yes.")).text
            pids.append(server_of(embedded_provider).pid)

        asyncio.run(connect_and_ask())

    threads = [threading.Thread(target=ask) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    ask()
    assert len(pids) == 3
    assert len(set(pids)) == 1
    assert is_alive(pids[0]), "it outlives the loop and the thread that started it"


@pytest.mark.embedded
async def test_a_model_that_was_connected_survives_the_death_of_the_process(
    embedded_provider: EmbeddedProvider, model: ConnectedModel
) -> None:
    before = server_of(embedded_provider).pid
    os.kill(before, signal.SIGKILL)
    await until(lambda: not is_alive(before))
    assert (await model.chat.ainvoke("Say yes.")).text
    assert server_of(embedded_provider).pid not in {0, before}
    assert (await asyncio.to_thread(model.chat.invoke, "Say yes.")).text


PARENT = """
import asyncio, sys
from pathlib import Path
from motet.models.base import ModelSpec
from motet.models.embedded import EmbeddedProvider
from motet.settings import Settings
async def main():
    provider = EmbeddedProvider(Settings.load().replace(storage__home=Path(sys.argv[1])))
    await provider.connect(ModelSpec.parse("embedded:qwen2.5-coder-1.5b"))
    print(provider._servers["qwen2.5-coder-1.5b"].pid, flush=True)
    await asyncio.sleep(float(sys.argv[2]))
asyncio.run(main())
"""


@pytest.mark.embedded
@pytest.mark.parametrize("way", ["killed", "ends by itself"])
def test_the_process_dies_with_its_parent(
    tmp_path: Path, embedded_provider: EmbeddedProvider, way: str
) -> None:
    asyncio.run(embedded_provider.connect(EMBEDDED))  # the weights are there
    command = [sys.executable, "-c", PARENT, str(tmp_path), "600" if way == "killed" else "0"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout
        pid = int(parent.stdout.readline())
        if way == "killed":
            assert is_alive(pid)
            parent.send_signal(signal.SIGKILL)
    asyncio.run(until(lambda: not is_alive(pid)))


@pytest.mark.embedded
async def test_a_load_that_takes_too_long_is_given_up(
    tmp_path: Path, embedded_provider: EmbeddedProvider
) -> None:
    await embedded_provider.connect(EMBEDDED)  # the weights are there
    hasty = EmbeddedProvider(make_settings(tmp_path, embedded__start_timeout_s=0.05))
    with pytest.raises(ModelUnavailable, match="MOTET_EMBEDDED_START_TIMEOUT_S"):
        await hasty.connect(EMBEDDED)
    assert server_of(hasty).pid == 0
    await hasty.aclose()


async def test_missing_weights_are_told_with_the_command(tmp_path: Path) -> None:
    provider = EmbeddedProvider(empty_settings(tmp_path))
    with pytest.raises(WeightsMissing, match=r"`motet models pull qwen2\.5-coder-1\.5b`"):
        await provider.connect(EMBEDDED)
    await provider.aclose()


async def test_unknown_names_and_urls_are_told(tmp_path: Path) -> None:
    provider = EmbeddedProvider(empty_settings(tmp_path))
    with pytest.raises(InvalidInput, match=r"Did you mean 'qwen2\.5-coder-0\.5b'"):
        await provider.connect(ModelSpec.parse("embedded:qwen-coder-0.5b"))
    with pytest.raises(InvalidInput, match="no URL"):
        await provider.connect(ModelSpec.parse("embedded:x@http://127.0.0.1:1/v1"))


async def test_wrong_file_is_refused_before_it_is_opened(tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.gguf"
    wrong.write_bytes(b"GGUF" + bytes(1000))
    provider = EmbeddedProvider(empty_settings(tmp_path, embedded__weights=str(wrong)))
    with pytest.raises(WeightsCorrupt, match="was not opened"):
        await provider.connect(EMBEDDED)
    assert not (tmp_path / "logs").exists(), "no process was started"
    assert wrong.exists()


async def test_file_that_is_no_model_is_told_with_the_last_words(tmp_path: Path) -> None:
    provider = EmbeddedProvider(own_file(tmp_path, b"this is no model"))
    with pytest.raises(ModelUnavailable, match=r"Its last words: .+embedded\.log"):
        await provider.connect(EMBEDDED)
    assert server_of(provider).pid == 0
    await provider.aclose()


async def test_a_closed_server_does_not_start_again(tmp_path: Path) -> None:
    server = EmbeddedServer("x", lambda: tmp_path / "x.gguf", empty_settings(tmp_path))
    server.stop()
    server.stop()
    with pytest.raises(ModelUnavailable, match="shut down"):
        await server.start()
    with pytest.raises(ModelUnavailable, match="shut down"):
        server.start_sync()


def test_the_child_leaves_when_its_parent_is_another() -> None:
    child = Path(motet.__file__).parent / "models" / "embedded_child.py"
    line = json.dumps({"parent_pid": 1}).encode() + b"\n"
    done = subprocess.run([sys.executable, "-P", str(child)], input=line, capture_output=True, check=False)
    assert done.returncode == 1
    assert done.stdout == b""


def test_check_up_tells_what_is_missing_and_what_helps(tmp_path: Path) -> None:
    found = {finding.name: finding for finding in check_embedded(empty_settings(tmp_path))}
    assert found["embedded engine"].ok
    assert not found["embedded weights"].ok
    assert found["embedded weights"].fix == "motet models pull qwen2.5-coder-1.5b"
    assert found["weights cache"].ok


def test_check_up_is_well_with_weights_of_the_users_own(tmp_path: Path) -> None:
    found = check_embedded(own_file(tmp_path, b"my own"))
    assert all(finding.ok and not finding.fix for finding in found)


def test_check_up_tells_wrong_weights(tmp_path: Path) -> None:
    (tmp_path / "own.gguf").write_bytes(b"x")
    settings = empty_settings(tmp_path, embedded__weights=str(tmp_path / "own.gguf"))
    (finding,) = [finding for finding in check_embedded(settings) if not finding.ok]
    assert "SHA-256" in finding.detail


def test_check_up_looks_at_the_models_in_use_only(tmp_path: Path) -> None:
    settings = empty_settings(tmp_path, models__default="vllm:x")
    assert check_embedded(settings) == []
    found = check_embedded(
        settings.replace(models__fast="embedded:qwen2.5-coder-0.5b", models__judge="no:such")
    )
    assert [finding.fix for finding in found if not finding.ok] == ["motet models pull qwen2.5-coder-0.5b"]
