"""A scope names the user's own tools, those of HTTP services and MCP servers too, without a run naming them."""

import json
from pathlib import Path

from motet import build_app
from motet.runs.request import Caller, RunRequest
from motet.settings import Settings

DOCUMENT = {
    "openapi": "3.1.0",
    "servers": [{"url": "https://shop.example"}],
    "paths": {
        "/o": {"get": {"operationId": "list", "summary": "List."}},
        "/p": {"get": {"operationId": "other", "summary": "Other."}},
    },
}


def own() -> str:
    """Say something."""
    return "x"


async def test_a_scope_is_enough_for_each_kind_of_the_users_own_tools(tmp_path: Path) -> None:
    (tmp_path / "shop.json").write_text(json.dumps(DOCUMENT), "utf-8")
    (tmp_path / "config.toml").write_text('[http_api.shop]\ndocument = "shop.json"\n', "utf-8")
    environ = {"MOTET_CONFIG": str(tmp_path / "config.toml"), "MOTET_HOME": str(tmp_path / "home")}
    settings = Settings.load(environ=environ, cwd=tmp_path)
    scopes = {"runs:write", "tools:shop__list", "tools:own", "tools:now", "tools:gone__tool", "tools:none"}
    asked = RunRequest(
        graph="chat",
        input={"messages": [{"role": "user", "content": "hello"}]},
        caller=Caller(scopes=frozenset(scopes)),
    )
    async with build_app(settings, tools=[own]) as app:
        assert app.gate.grant(asked).options.tools == ["now", "own", "shop__list"]
