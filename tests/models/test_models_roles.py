"""Roles lead to models: the role's own, else the default, each connected once."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from motet.errors import InvalidInput, ModelUnavailable, NotFound
from motet.models import roles
from motet.models.base import PROVIDERS, ConnectedModel, ModelSpec
from motet.models.roles import Models
from motet.models.scripted import ScriptedChatModel
from motet.models.scripted_server import ScriptedServer
from motet.settings import Settings


def script_file(folder: Path, name: str) -> str:
    path = folder / f"{name}.yaml"
    path.write_text(f"{{default: I am {name}.}}", "utf-8")
    return f"scripted:{path}"


async def said(model: ConnectedModel) -> str:
    return (await model.chat.ainvoke("who?")).text


@pytest.fixture
def configured(settings: Settings, tmp_path: Path) -> Settings:
    default, deep = script_file(tmp_path, "default"), script_file(tmp_path, "deep")
    return settings.replace(models__default=default).replace(models__deep=deep)


async def test_a_role_has_its_model_or_the_default(configured: Settings, tmp_path: Path) -> None:
    models = Models(configured)
    assert await said(await models.chat("deep")) == "I am deep."
    assert await said(await models.chat("fast")) == "I am default."
    assert await said(await models.chat("fast", script_file(tmp_path, "asked"))) == "I am asked."
    await models.aclose()


async def test_one_spec_is_connected_once_however_many_ask(configured: Settings) -> None:
    models = Models(configured)
    found = await asyncio.gather(*(models.chat(role) for role in ("fast", "judge", "fast", "judge")))
    assert len({id(model) for model in found}) == 1
    assert isinstance(found[0].chat, ScriptedChatModel)
    await models.aclose()


async def test_a_failure_is_not_kept(configured: Settings, tmp_path: Path) -> None:
    models = Models(configured)
    late = f"scripted:{tmp_path / 'late.yaml'}"
    with pytest.raises(NotFound):
        await models.chat("fast", late)
    script_file(tmp_path, "late")
    assert await said(await models.chat("fast", late)) == "I am late."
    await models.aclose()


async def test_a_bad_spec_is_the_users_error(configured: Settings) -> None:
    with pytest.raises(InvalidInput, match="Did you mean 'openai'"):
        await Models(configured).chat("fast", "opnai:gpt")


async def test_any_word_with_a_url_is_a_server(configured: Settings, unused_tcp_port: int) -> None:
    models = Models(configured)
    async with ScriptedServer(["Hello."]) as server:
        assert await said(await models.chat("fast", f"ollama:scripted@{server.base_url}")) == "Hello."
    with pytest.raises(ModelUnavailable):
        await models.chat("fast", f"ollama:m@http://127.0.0.1:{unused_tcp_port}/v1")
    await models.aclose()


async def test_closing_closes_every_provider_and_twice_is_fine(
    configured: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed: list[str] = []

    class Own:
        def __init__(self, settings: Settings) -> None:
            self.settings = settings

        async def connect(self, spec: ModelSpec) -> Any:
            return spec.name

        async def aclose(self) -> None:
            closed.append("own")

    monkeypatch.setitem(PROVIDERS, "own", f"{__name__}:Own")
    monkeypatch.setattr(roles.importlib, "import_module", lambda _: type("module", (), {"Own": Own}))
    models = Models(configured)
    assert str(await models.chat("fast", "own:one")) == "one"
    assert str(await models.chat("fast", "own:two")) == "two"
    await models.aclose()
    await models.aclose()
    assert closed == ["own"]


def test_every_provider_in_the_table_can_be_loaded() -> None:
    import importlib

    for where in [*PROVIDERS.values(), roles.OTHER_PROVIDER]:
        module, _, name = where.partition(":")
        assert callable(getattr(importlib.import_module(module), name))
