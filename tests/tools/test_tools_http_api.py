"""HTTP by an OpenAPI document: what a document becomes, how a call goes out, and that it goes nowhere else."""

import json
from pathlib import Path
from typing import Any

import pytest
from langchain_core.tools import BaseTool
from listener import Listener, answer, egress, redirect

from motet.errors import InvalidInput, SettingInvalid
from motet.settings import Settings, ToolSettings
from motet.tools.base import IDEMPOTENCY_KEY, ToolContext
from motet.tools.http_api.document import load_document
from motet.tools.http_api.settings import read_apis
from motet.tools.making import build_tools

DOCUMENT: dict[str, Any] = {
    "openapi": "3.1.0",
    "servers": [{"url": "https://shop.example/v1"}],
    "paths": {
        "/orders/{id}": {
            "parameters": [{"name": "id", "in": "path", "required": True, "schema": {"type": "string"}}],
            "get": {"operationId": "getOrder", "summary": "Read an order."},
            "put": {
                "operationId": "putOrder",
                "requestBody": {
                    "required": True,
                    "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Order"}}},
                },
            },
            "delete": {"operationId": "deleteOrder"},
        },
        "/orders": {
            "get": {
                "operationId": "listOrders",
                "parameters": [
                    {"$ref": "#/components/parameters/Tags"},
                    {"name": "X-Trace", "in": "header", "schema": {"type": "string"}},
                    {"name": "Authorization", "in": "header", "schema": {"type": "string"}},
                    {"name": "session", "in": "cookie", "schema": {"type": "string"}},
                ],
            },
            "post": {
                "requestBody": {
                    "content": {
                        "application/json": {"schema": {"type": "array", "items": {"type": "integer"}}}
                    }
                }
            },
        },
    },
    "components": {
        "parameters": {
            "Tags": {"name": "tag", "in": "query", "schema": {"type": "array", "items": {"type": "string"}}}
        },
        "schemas": {
            "Order": {
                "type": "object",
                "required": ["item"],
                "properties": {
                    "item": {"type": "string", "nullable": True},
                    "id": {"type": "integer"},
                    "parent": {"$ref": "#/components/schemas/Order"},
                },
            }
        },
    },
}


@pytest.fixture
def document(tmp_path: Path) -> Path:
    path = tmp_path / "shop.json"
    path.write_text(json.dumps(DOCUMENT), "utf-8")
    return path


def tools_of(document: Path, url: str = "", **more: Any) -> dict[str, BaseTool]:
    entry = {"document": str(document), **({"url": url} if url else {}), **more}
    context = ToolContext(
        ToolSettings(web_search=False, max_output_chars=2000),
        egress=egress(80, allow="127.0.0.1"),
        http_apis={"shop": entry},
    )
    return {made.name: made for made in build_tools(context) if made.name.startswith("shop__")}


def test_each_operation_is_a_tool_of_its_methods_class(document: Path) -> None:
    tools = tools_of(document)
    assert {name: (made.metadata or {})["class"] for name, made in tools.items()} == {
        "shop__getOrder": "egress",
        "shop__putOrder": "write",
        "shop__deleteOrder": "write",
        "shop__listOrders": "egress",
        "shop__post_orders": "write",
    }
    effects = {name: (made.metadata or {})["effect"] for name, made in tools.items()}
    assert effects["shop__getOrder"] == "pure"
    assert effects["shop__deleteOrder"] == "idempotent"
    assert effects["shop__post_orders"] == "once"
    assert tools["shop__getOrder"].description == "Read an order."
    assert set(tools["shop__listOrders"].args) == {"tag", "X-Trace"}  # no argument sets a credential
    put = tools["shop__putOrder"].args
    assert set(put) == {"id", "item", "body_id", "parent"}
    assert put["item"]["type"] == ["string", "null"]
    assert set(tools_of(document, operations=["get*", "list*"])) == {"shop__getOrder", "shop__listOrders"}


async def test_a_call_goes_out_as_the_document_says(document: Path) -> None:
    async with Listener(
        answer(b'{ "ok":  true, "\xe5\x90\x8d": 1 }', content_type="application/json")
    ) as shop:
        tools = tools_of(
            document, f"http://127.0.0.1:{shop.port}/v1", headers={"Authorization": "Bearer s3cret"}
        )
        config: Any = {"configurable": {IDEMPOTENCY_KEY: "key-1"}}
        assert await tools["shop__getOrder"].ainvoke({"id": "a/../b 名"}) == '{"ok": true, "名": 1}'
        await tools["shop__listOrders"].ainvoke({"tag": ["a b", "c"], "X-Trace": "t"})
        await tools["shop__putOrder"].ainvoke({"id": "7", "item": "茶", "body_id": 3})
        await tools["shop__post_orders"].ainvoke({"body": [1, 2]}, config)
    lines = [(method, path) for method, path, _, _ in shop.seen]
    assert lines == [
        ("GET", "/v1/orders/a%2F..%2Fb%20%E5%90%8D"),
        ("GET", "/v1/orders?tag=a+b&tag=c"),
        ("PUT", "/v1/orders/7"),
        ("POST", "/v1/orders"),
    ]
    assert all(headers["authorization"] == "Bearer s3cret" for _, _, headers, _ in shop.seen)
    assert shop.seen[1][2]["x-trace"] == "t"
    assert json.loads(shop.seen[2][3]) == {"item": "茶", "id": 3}
    assert json.loads(shop.seen[3][3]) == [1, 2]
    assert shop.seen[3][2]["idempotency-key"] == "key-1"


@pytest.mark.parametrize(
    ("name", "arguments", "said"),
    [
        ("getOrder", {}, "'id' is a required property"),
        ("getOrder", {"id": ".."}, "part of the path"),
        ("putOrder", {"id": "1"}, "'item' is a required property"),
        ("putOrder", {"id": "1", "item": "x", "body_id": "three"}, "not of type 'integer'"),
        ("listOrders", {"limit": 3}, "limit"),
        ("listOrders", {"X-Trace": "a\r\nHost: evil"}, "printable ASCII"),
    ],
)
async def test_arguments_that_do_not_fit_call_nothing(
    document: Path, name: str, arguments: dict[str, Any], said: str
) -> None:
    async with Listener() as shop:
        tools = tools_of(document, f"http://127.0.0.1:{shop.port}")
        assert said in await tools[f"shop__{name}"].ainvoke(arguments)
        assert shop.hits == 0


async def test_only_the_one_host_is_called(document: Path) -> None:
    async with Listener() as other, Listener(redirect(f"http://127.0.0.1:{other.port}/")) as shop:
        tools = tools_of(document, f"http://127.0.0.1:{shop.port}")
        assert "redirects" in await tools["shop__getOrder"].ainvoke({"id": "1"})
        assert other.hits == 0
    async with Listener(answer(b'{"why": "gone"}', status="404 Not Found")) as shop:
        tools = tools_of(document, f"http://127.0.0.1:{shop.port}")
        assert 'shop answered 404: {"why": "gone"}' in await tools["shop__getOrder"].ainvoke({"id": "1"})
    inside = tools_of(document, "http://10.0.0.1")
    assert "not called" in await inside["shop__getOrder"].ainvoke({"id": "1"})  # the one way out's rules hold


def test_a_document_in_yaml_and_what_is_none(tmp_path: Path, document: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text(
        "openapi: 3.0.1\npaths:\n  /on:\n    get: {operationId: on, description: Is it on?}\n", "utf-8"
    )
    (operation,) = load_document(path).operations
    assert (operation.name, operation.method, operation.path) == ("on", "GET", "/on")
    for text in ("", "{", "swagger: '2.0'", "[1]", "a: [", "{" * 5000):
        path.write_text(text, "utf-8")
        with pytest.raises(InvalidInput):
            load_document(path)
    path.write_text("openapi: 3.0.1\npaths: {/on: {get: {}}}\n", "utf-8")
    with pytest.raises(SettingInvalid, match="is no address"):
        tools_of(path)
    with pytest.raises(SettingInvalid, match="chooses 0 of 5"):
        tools_of(document, operations=["none*"])


@pytest.mark.parametrize(
    "entry",
    [
        "x",
        {},
        {"document": "a", "operations": "all"},
        {"document": "a", "headers": []},
        {"document": "a", "host": "b"},
    ],
)
def test_entries_that_cannot_be_read(entry: Any) -> None:
    with pytest.raises(SettingInvalid, match=r"http_api\.a"):
        read_apis({"a": entry})


def test_the_document_lies_beside_the_settings_and_its_headers_are_secrets(tmp_path: Path) -> None:
    own = tmp_path / "config.toml"
    own.write_text(
        '[http_api.shop]\ndocument = "shop.json"\n[http_api.shop.headers]\n'
        'Authorization = "Bearer s3cret!"\nAccept = "text/plain"\n',
        "utf-8",
    )
    settings = Settings.load(
        environ={"MOTET_CONFIG": str(own), "MOTET_HOME": str(tmp_path)}, cwd=tmp_path / "x"
    )
    assert settings.http_api["shop"]["document"] == str(tmp_path / "shop.json")
    assert "Bearer s3cret!" in settings.secrets()
    assert "text/plain" not in settings.secrets()
