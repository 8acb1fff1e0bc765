"""HTTP by an OpenAPI document: what a document becomes, how a call goes out, and that it goes nowhere else."""

import json
from pathlib import Path
from typing import Any
from urllib.parse import unquote

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
        assert "which is not followed" in await tools["shop__getOrder"].ainvoke({"id": "1"})
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


def described(path: Path, paths: dict[str, Any], **more: Any) -> Path:
    """Write a document of OpenAPI 3.0."""
    written = path / "service.json"
    head = {"openapi": "3.0.3", "servers": [{"url": "https://shop.example"}]}
    written.write_text(json.dumps({**head, "paths": paths, **more}, ensure_ascii=False), "utf-8")
    return written


def parameter(name: str, place: str, schema: Any, **more: Any) -> dict[str, Any]:
    return {"name": name, "in": place, "schema": schema, **more}


def with_body(schema: Any, kind: str = "application/json", **more: Any) -> dict[str, Any]:
    return {
        "operationId": "send",
        "requestBody": {"required": True, "content": {kind: {"schema": schema}}},
        **more,
    }


TEXT, TEXTS, TABLE = {"type": "string"}, {"type": "array", "items": {"type": "string"}}, {"type": "object"}


async def test_a_document_in_chinese_has_tools_of_their_own_and_every_argument(tmp_path: Path) -> None:
    number = parameter("编号", "path", TEXT)
    asked = [number, *(parameter(name, "query", TEXT) for name in ("城市", "国家", "省份id"))]
    document = described(
        tmp_path,
        {
            "/订单/{编号}": {
                "get": {"operationId": "查询订单", "parameters": asked},
                "delete": {"operationId": "删除订单", "parameters": [number], "summary": "删除"},
            }
        },
    )
    tools = tools_of(document)
    assert {name: made.description for name, made in tools.items()} == {
        "shop__get": "查询订单",
        "shop__delete": "删除",
    }
    told = {name: about["description"] for name, about in tools["shop__get"].args.items()}
    assert told == {"path": "编号", "query": "城市", "query_2": "国家", "id": "省份id"}
    assert list(tools_of(document, operations=["查询*"])) == ["shop__get"]
    async with Listener() as shop:
        called = tools_of(document, f"http://127.0.0.1:{shop.port}")["shop__get"]
        await called.ainvoke({"path": "7", "query": "北京", "query_2": "中国"})
        assert unquote(shop.seen[0][1]) == "/订单/7?城市=北京&国家=中国"


def test_operations_of_one_name_are_told_apart(tmp_path: Path) -> None:
    same: dict[str, Any] = {"get": {"operationId": "read"}}
    long = {f"/{'a' * 80}/{end}": {"get": {}} for end in "bc"}
    tools = tools_of(described(tmp_path, {"/a": same, "/b": same, **long}))
    assert list(tools)[:2] == ["shop__read", "shop__read_2"]
    assert len(tools) == 4
    assert all(len(name) <= 64 for name in tools)


def test_a_schema_that_is_inside_of_itself_stays_small(tmp_path: Path) -> None:
    node = {"$ref": "#/components/schemas/Node"}
    schemas: dict[str, Any] = {"Node": {"type": "object", "properties": dict.fromkeys("abcdefgh", node)}}
    for depth in range(20):  # and one that is not, but is twice as wide with every step
        wider = {"$ref": f"#/components/schemas/S{depth + 1}"}
        schemas[f"S{depth}"] = {"type": "object", "properties": dict.fromkeys("xy", wider)}
    schemas["Node"]["properties"]["wide"] = {"$ref": "#/components/schemas/S0"}
    made = tools_of(described(tmp_path, {"/n": {"post": with_body(node)}}, components={"schemas": schemas}))[
        "shop__send"
    ]
    assert made.args["a"] == {"type": "object"}
    assert len(json.dumps(made.args)) < 50_000


@pytest.mark.parametrize(
    ("given", "value", "path"),
    [
        (parameter("t", "query", TEXTS), [], "/a"),
        (parameter("t", "query", TEXTS), ["a", "b"], "/a?t=a&t=b"),
        (parameter("t", "query", TEXTS, explode=False), ["a,", "b"], "/a?t=a%2C,b"),
        (parameter("t", "query", TEXTS, explode=False, style="pipeDelimited"), ["a", "b"], "/a?t=a|b"),
        (parameter("t", "query", TABLE), {"k": 1, "l": "x"}, "/a?k=1&l=x"),
        (parameter("t", "query", TABLE, style="deepObject"), {"k": 1}, "/a?t[k]=1"),
        (parameter("t", "query", TABLE, explode=False), {"k": 1}, "/a?t=k,1"),
        (
            {"name": "t", "in": "query", "content": {"application/json": {}}},
            {"k": 1},
            "/a?t=%7B%22k%22%3A+1%7D",
        ),
        (parameter("t", "query", {"type": "boolean"}), False, "/a?t=false"),
        (parameter("t", "path", TEXTS), ["1", "2/3"], "/a/1,2%2F3"),
        (parameter("t", "path", TABLE, explode=True), {"k": 1}, "/a/k%3D1"),
        (parameter("t", "query", {"type": "integer", "minimum": 0, "exclusiveMinimum": True}), 1, "/a?t=1"),
        (parameter("t", "query", {"type": "integer", "minimum": 0, "exclusiveMinimum": True}), 0, ""),
        (parameter("t", "query", {"type": "string", "nullable": True, "enum": ["k"]}), None, "/a"),
    ],
)
async def test_lists_and_objects_are_written_as_the_document_says(
    tmp_path: Path, given: dict[str, Any], value: Any, path: str
) -> None:
    where = "/a/{t}" if given["in"] == "path" else "/a"
    document = described(tmp_path, {where: {"get": {"operationId": "a", "parameters": [given]}}})
    async with Listener() as shop:
        await tools_of(document, f"http://127.0.0.1:{shop.port}")["shop__a"].ainvoke({"t": value})
        assert [seen[1] for seen in shop.seen] == ([path] if path else [])


async def test_a_body_is_what_may_be_said(tmp_path: Path) -> None:
    order = {
        "type": "object",
        "required": ["id", "item"],
        "properties": {"id": {"type": "integer", "readOnly": True}, "item": {**TEXT, "nullable": True}},
    }
    document = described(
        tmp_path, {"/a": {"post": with_body(order, "application/vnd.shop+json; charset=utf-8")}}
    )
    async with Listener() as shop:
        tool = tools_of(document, f"http://127.0.0.1:{shop.port}")["shop__send"]
        assert list(tool.args) == ["item"]
        await tool.ainvoke({"item": None})
        assert (shop.seen[0][2]["content-type"], shop.seen[0][3]) == (
            "application/vnd.shop+json",
            b'{"item": null}',
        )
        optional = with_body(order)
        optional["requestBody"]["required"] = False
        document = described(tmp_path, {"/a": {"post": optional}})
        await tools_of(document, f"http://127.0.0.1:{shop.port}")["shop__send"].ainvoke({})
        assert shop.seen[1][3] == b""
    form = described(tmp_path, {"/a": {"post": with_body(TABLE, "multipart/form-data")}, "/b": {"get": {}}})
    assert list(tools_of(form)) == ["shop__get_b"]  # without its body it would be another call
    with pytest.raises(SettingInvalid, match="no operation that takes JSON"):
        tools_of(described(tmp_path, {"/a": {"post": with_body(TABLE, "multipart/form-data")}}))


@pytest.mark.parametrize(
    ("reply", "said"),
    [
        (answer(b"", status="204 No Content", content_type=""), "shop answered 204, without content."),
        (answer(b"", status="201 Created", content_type="image/png"), "shop answered 201, without content."),
        (answer(b'{"a":1}', content_type="application/hal+json"), '{"a": 1}'),
        (answer(b'{"a":1}', content_type=""), '{"a": 1}'),
        (answer(b"x" * 2000, content_type="image/png"), "answered 200 with 2,000 bytes that are image/png"),
        (answer("三元".encode("gbk"), content_type="text/plain; charset=gbk"), "三元"),
    ],
)
async def test_what_was_done_is_not_told_as_failed(tmp_path: Path, reply: bytes, said: str) -> None:
    document = described(tmp_path, {"/a": {"delete": {"operationId": "a"}}})
    async with Listener(reply) as shop:
        assert said in await tools_of(document, f"http://127.0.0.1:{shop.port}")["shop__a"].ainvoke({})


async def test_no_argument_sets_what_the_settings_set_or_stands_in_the_way(tmp_path: Path) -> None:
    names = [parameter(name, "query", TEXT) for name in ("self", "config", "callbacks", "run_manager")]
    key = parameter("X-API-Key", "header", TEXT, required=True)
    document = described(tmp_path, {"/a/{id}": {"get": {"operationId": "a", "parameters": [*names, key]}}})
    async with Listener() as shop:
        tool = tools_of(document, f"http://127.0.0.1:{shop.port}", headers={"x-api-key": "real"})["shop__a"]
        assert set(tool.args) == {"id", "self", "config", "callbacks", "run_manager"}
        assert "unexpected" in await tool.ainvoke({"id": "1", "X-API-Key": "mine"})
        await tool.ainvoke({"id": "1", "self": "a", "config": "b", "callbacks": "c", "run_manager": "d"})
    assert [seen[1] for seen in shop.seen] == ["/a/1?self=a&config=b&callbacks=c&run_manager=d"]
    assert shop.seen[0][2]["x-api-key"] == "real"


def test_a_servers_variables_are_their_defaults_and_odd_documents_are_read(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text(
        "openapi: 3.1.0\nservers: [{url: 'https://{where}.example', variables: {where: {default: eu}}}]\n"
        "paths:\n  1:\n    get: {parameters: [3], requestBody: x}\n  /b:\n    $ref: '#/paths/~1b'\n",
        "utf-8",
    )
    found = load_document(path)
    assert (found.server, [one.name for one in found.operations]) == ("https://eu.example", ["get_1"])
