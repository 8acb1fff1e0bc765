"""The server around every wire: hosts, origins, sizes, errors, streams; and the table of who may do what."""

import asyncio
import json
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import sqlalchemy as sa
from server_house import House, open_house, run_of, says, server_settings

from motet import Settings
from motet.errors import MotetError, RateLimited, SettingInvalid
from motet.runs.request import Caller
from motet.runs.scopes import allows
from motet.server.errors import TITLES, problem_of, status_of
from motet.server.http import table
from motet.server.office import Rates
from motet.server.protocols.base import PROTOCOLS, Route, Wire, known_wires
from motet.server.run import listen
from motet.server.sse import frame
from motet.storage.tables import runs

PUBLIC = {
    "system.live",
    "system.ready",
    "system.openapi",
    "system.docs",
    "langserve.playground",
    "langserve.playground_configured",
    "agent_server.ok",
    "agent_server.info",
}
"""What anybody may ask; a new name here is a decision."""


def test_every_route_has_a_row_and_only_what_tells_nothing_is_public() -> None:
    rows = table(known_wires([]))
    assert {route.operation_id for _, route in rows if route.scope == "public"} <= PUBLIC
    assert len({(route.method, route.path) for _, route in rows}) == len(rows)
    assert {wire.name for wire, _ in rows} == set(PROTOCOLS)


def test_every_wire_of_others_has_a_golden_file_of_bytes() -> None:
    here = Path(__file__).parent
    for place in PROTOCOLS.values():
        wire = place.removeprefix("motet.server.protocols.").partition(":")[0].removesuffix(".wire")
        golden = [*here.glob(f"golden/{wire}_*.sse"), *here.parent.glob(f"golden/{wire}_*.sse")]
        assert golden != [] or wire == "system", wire


def test_the_routes_that_answer_are_the_rows_of_the_table(house: House) -> None:
    app: Any = house.office
    from motet.server.http import build_server

    built: Any = build_server(app)
    served = {(method, route.path) for route in built.app.routes for method in route.methods - {"HEAD"}}
    assert served == {(route.method, route.path) for _, route in built.app.state.table}


async def test_lives_and_is_ready_until_it_stops(house: House, client: httpx.AsyncClient) -> None:
    assert (await client.get("/live")).json() == {"status": "live"}
    assert (await client.get("/ready")).status_code == 200
    house.office.draining, house.app.accepting = True, False
    assert (await client.get("/ready")).status_code == 503
    refused = await client.post("/motet/v1/runs", json=says("hi", graph="echo"))
    assert (refused.status_code, refused.json()["code"]) == (503, "server_stopping")
    assert refused.headers["retry-after"] == "2"


STRANGE_HOSTS = [
    "evil.example", "evil.example:8377", "127.0.0.1/x?", "127.0.0.1@evil.example", "localhost.evil.example", "", "a b",
]  # fmt: skip


async def test_a_strangers_host_is_refused(client: httpx.AsyncClient) -> None:
    for host in STRANGE_HOSTS:
        answer = await client.get("/live", headers={"Host": host})
        assert answer.status_code in (400, 403), host
        assert "live" not in answer.text


async def test_a_strangers_page_is_refused(client: httpx.AsyncClient, house: House) -> None:
    for origin, status in (("https://evil.example", 403), ("null", 403), (house.url, 200)):
        assert (await client.get("/live", headers={"Origin": origin})).status_code == status, origin


async def test_a_page_of_an_allowed_origin_may_read(settings: Settings, tmp_path: Path) -> None:
    allowed = server_settings(settings, tmp_path, server__allowed_origins="https://app.example")
    async with open_house(allowed, work=False) as house, house.client(Origin="https://app.example") as client:
        assert (await client.get("/live")).headers["access-control-allow-origin"] == "https://app.example"
        preflight = await client.options("/motet/v1/runs")
        assert (preflight.status_code, preflight.headers["access-control-max-age"]) == (204, "600")


BAD_BODIES: list[bytes] = [
    b"", b"{", b"[]", b"null", b'"x"', b"\xff\xfe{}", b'{"input": {"a": NaN}}', b"[" * 100_000,
    b'{"input": {}, "unknown": 1}', b'{"input": 5}', b'{"input": {"messages": []}}',
    b'{"input": {"messages": [{"role": 7}]}}', b'{"graph": "\xed\xa0\x80", "input": {}}',
    b'{"graph": "nope", "input": {}}', b'{"thread_id": "../x", "input": {}}', b'{"input": {}, "resume": 1}',
    b'{"input": {"n": 1' + b"0" * 5000 + b"}}",
]  # fmt: skip


async def test_a_bad_body_is_the_callers_fault(client: httpx.AsyncClient) -> None:
    for body in BAD_BODIES:
        answer = await client.post("/motet/v1/runs", content=body)
        assert answer.status_code in (404, 409, 422), (body[:60], answer.text)
        problem = answer.json()
        assert problem["status"] == answer.status_code
        assert problem["request_id"] == answer.headers["x-request-id"]
        assert answer.headers["content-type"] == "application/problem+json"


async def test_no_id_leads_anywhere_else(client: httpx.AsyncClient) -> None:
    for path in ("..%2f..", "%2e%2e", "a%2fb", "a%252fb", "%00", "x" * 300, "a b", "%F0%9F%98%80", "nope"):
        answer = await client.get(f"/motet/v1/runs/{path}")
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found"), path


async def test_what_is_not_there_is_told_as_a_problem(client: httpx.AsyncClient) -> None:
    for method, path, status in (
        ("GET", "/nope", 404),
        ("DELETE", "/live", 405),
        ("PUT", "/motet/v1/runs", 405),
    ):
        answer = await client.request(method, path)
        assert (answer.status_code, answer.json()["status"]) == (status, status)


async def test_a_body_and_headers_that_are_too_large_are_refused(settings: Settings, tmp_path: Path) -> None:
    small = server_settings(settings, tmp_path, server__max_body_mb=0.001, server__max_header_kb=1)
    async with open_house(small, work=False) as house, house.client() as client:
        whole = await client.post("/motet/v1/runs", content=b"x" * 2000)

        async def pieces() -> AsyncIterator[bytes]:
            for _ in range(20):
                yield b"x" * 100

        unsized = await client.post("/motet/v1/runs", content=pieces())
        assert [(a.status_code, a.json()["code"]) for a in (whole, unsized)] == [(413, "too_large")] * 2
        headers = await client.get("/live", headers={"X-Much": "x" * 2000})
        assert headers.status_code == 431


async def test_large_bodies_at_once_take_no_more_than_they_may(settings: Settings, tmp_path: Path) -> None:
    """Sent slowly, they would all be in memory; small ones go all the same, and large ones when there is room."""
    half, let = b'{"x": "' + b"x" * 600_000, asyncio.Event()

    async def slowly() -> AsyncIterator[bytes]:
        yield half
        await let.wait()
        yield b'"}'

    told = server_settings(settings, tmp_path, server__max_bodies_mb=1)
    async with open_house(told) as house, house.client() as client, asyncio.TaskGroup() as group:
        first = group.create_task(client.post("/motet/v1/runs", content=slowly()))
        while house.office.bodies._held_bytes < len(half):  # noqa: ASYNC110  # it is on its way
            await asyncio.sleep(0.01)
        refused = await client.post("/motet/v1/runs", content=half)
        assert (refused.status_code, "retry-after" in refused.headers) == (429, True)
        assert (await client.post("/motet/v1/runs", json=says("hi", graph="echo"))).status_code == 202
        let.set()
        assert (await first).status_code == 422  # read whole, and no run's body
        assert (await client.post("/motet/v1/runs", content=half)).status_code == 422  # no JSON
        assert house.office.bodies._held_bytes == 0


async def test_many_at_once_with_one_request_id_each_get_their_own_answer(client: httpx.AsyncClient) -> None:
    async def ask(nonce: str) -> None:
        answer = await client.post(
            "/langserve/echo/invoke", json={"input": nonce}, headers={"X-Request-ID": "1"}, timeout=60
        )
        assert answer.json()["output"]["messages"][-1]["content"] == f"echo {nonce}"

    await asyncio.gather(*(ask(f"nonce {n}") for n in range(30)))


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", True),
        ("00-00000000000000000000000000000000-b7ad6b7169203331-01", False),
        ("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331", False),
        ("追踪", False),
    ],
)
async def test_the_trace_of_a_request_is_kept_with_its_run(
    given: str, kept: bool, client: httpx.AsyncClient, house: House
) -> None:
    asked = says("hi", graph="echo")
    answer = await client.post("/motet/v1/runs", json=asked, headers=[(b"traceparent", given.encode())])
    assert answer.status_code == 202
    stored = await house.app._rooms.database.read(lambda c: c.execute(sa.select(runs.c.job)).scalar_one())
    assert json.loads(stored)["traceparent"] == (given if kept else None)


async def test_the_log_names_a_run_with_its_work_and_with_its_requests(
    settings: Settings, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = server_settings(settings, tmp_path, log__level="info", log__form="json")
    async with open_house(asked) as house, house.client() as client:
        ids = await run_of(client, says("hi", graph="fail"))
        await client.get(f"/motet/v1/runs/{ids['run_id']}/events")
        await client.post("/langserve/echo/invoke", json={"input": "hi"})
    records = [json.loads(line) for line in capsys.readouterr().err.splitlines() if line.startswith("{")]
    mine = [record for record in records if record.get("run_id") == ids["run_id"]]
    whole = [record["logger"] for record in mine if record.get("thread_id") == ids["thread_id"]]
    assert sorted(whole) == [
        "motet.runs.execute", "motet.runs.worker", "motet.runs.worker", "motet.server.access",
    ]  # fmt: skip
    assert [r["path"].rpartition("/")[2] for r in mine if "path" in r] == ["runs", "events"]
    [other] = [r for r in records if r.get("path", "").endswith("invoke")]
    assert other["run_id"] != ids["run_id"]


async def test_an_error_nobody_foresaw_tells_an_id_and_no_more(
    client: httpx.AsyncClient, house: House, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def broken(_request: object) -> None:
        raise RuntimeError("heap at 0x7f0000000000")

    monkeypatch.setattr(house.app, "submit", broken)
    answer = await client.post(
        "/motet/v1/runs", json=says("hi", graph="echo"), headers={"X-Request-ID": "r-1"}
    )
    assert (answer.status_code, answer.headers["x-request-id"]) == (500, "r-1")
    assert "0x7f" not in answer.text
    assert "r-1" in answer.text


async def test_callers_who_ask_too_often_are_told_when_to_come_back(
    settings: Settings, tmp_path: Path
) -> None:
    async with (
        open_house(server_settings(settings, tmp_path, server__rate_per_min=2), work=False) as house,
        house.client() as client,
    ):
        statuses = [(await client.get("/motet/v1/runs")).status_code for _ in range(3)]
        assert statuses == [200, 200, 429]
        assert int((await client.get("/motet/v1/runs")).headers["retry-after"]) >= 1


def test_a_rate_fills_up_again_and_callers_do_not_share_it() -> None:
    rates = Rates(60)
    for _ in range(60):
        rates.take(("t", "a"), now=100.0)
    rates.take(("t", "b"), now=100.0)
    with pytest.raises(RateLimited) as refused:
        rates.take(("t", "a"), now=100.0)
    assert refused.value.fields["retry_after_s"] == pytest.approx(1.0)
    rates.take(("t", "a"), now=101.0)


async def test_no_more_streams_than_a_caller_may_have(settings: Settings, tmp_path: Path) -> None:
    one = server_settings(settings, tmp_path, server__max_streams_per_caller=1)
    async with open_house(one) as house, house.client() as client:
        accepted = await run_of(client, says("hi", graph="wait"))
        path = f"/motet/v1/runs/{accepted['run_id']}/events"
        async with client.stream("GET", path) as stream:
            lines = stream.aiter_lines()
            await anext(lines)
            assert (await client.get(path)).status_code == 429
            await client.post(f"/motet/v1/runs/{accepted['run_id']}/cancel")
            assert "run.cancelled" in [line async for line in lines][-4]
        while house.office.streams.open:  # noqa: ASYNC110  # nobody is told when a connection is done
            await asyncio.sleep(0.005)
        assert (await client.get(path)).status_code == 200


async def test_a_silent_stream_says_that_it_lives(settings: Settings, tmp_path: Path) -> None:
    quick = server_settings(settings, tmp_path, server__heartbeat_s=0.05)
    async with open_house(quick) as house, house.client() as client:
        accepted = await run_of(client, says("hi", graph="wait"))
        async with client.stream("GET", f"/motet/v1/runs/{accepted['run_id']}/events") as stream:
            assert stream.headers["x-accel-buffering"] == "no"
            async for line in stream.aiter_lines():
                if line == ": heartbeat":
                    break
        await client.post(f"/motet/v1/runs/{accepted['run_id']}/cancel")


async def test_a_server_that_closes_breaks_its_streams_off_and_keeps_their_runs(
    settings: Settings, tmp_path: Path
) -> None:
    made = server_settings(settings, tmp_path)
    async with open_house(made) as house, house.client() as client:
        accepted = await run_of(client, says("hi", graph="wait"))
        async with client.stream("GET", f"/motet/v1/runs/{accepted['run_id']}/events") as stream:
            lines = stream.aiter_lines()
            await anext(lines)
            stopping = asyncio.create_task(house.stop(0.0))
            with pytest.raises(httpx.RemoteProtocolError):
                [line async for line in lines]
            assert await stopping == 1
        assert (await house.app.records.run(accepted["run_id"])).status == "pending"


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.0.0.1", "agents.example"])
def test_nobody_else_is_served_without_being_asked_who_they_are(settings: Settings, host: str) -> None:
    with pytest.raises(SettingInvalid, match="motet keys create"):
        listen(settings.replace(server__host=host).server, asks=False)


def test_a_port_that_is_taken_is_named(settings: Settings) -> None:
    first = listen(settings.replace(server__port=0).server, asks=False)
    try:
        with pytest.raises(SettingInvalid, match="Cannot listen"):
            listen(settings.replace(server__port=first.getsockname()[1]).server, asks=False)
    finally:
        first.close()


def _all_errors(cls: type[MotetError] = MotetError) -> list[type[MotetError]]:
    return [cls, *(found for child in cls.__subclasses__() for found in _all_errors(child))]


def test_every_error_has_a_status_and_what_is_ours_tells_nothing() -> None:
    for cls in _all_errors():
        problem = problem_of(cls("a secret place"), "r")
        assert problem.status == status_of(cls("x"))
        assert problem.status in TITLES
        assert (problem.status == 500) == ("secret" not in problem.message)


def test_scopes_are_by_name_by_area_or_everything() -> None:
    def may(*scopes: str) -> bool:
        return allows(Caller(scopes=frozenset(scopes)), "runs:read")

    assert [may("runs:read"), may("runs:*"), may("*"), may("admin")] == [True] * 4
    assert [may(), may("runs:write"), may("run:*"), may("threads:*")] == [False] * 4


def test_two_routes_of_one_name_are_refused() -> None:
    async def nothing(_call: object) -> Any: ...

    one = Route("GET", "/a", "one", "admin", nothing, "")
    for other in (
        Route("GET", "/b", "one", "admin", nothing, ""),
        Route("GET", "/a", "two", "admin", nothing, ""),
    ):
        with pytest.raises(MotetError):
            table([Wire("x", "X", (one, other))])


def test_a_frame_is_one_event_whatever_its_text() -> None:
    assert frame("a\nb", event="e", event_id=3) == b"event: e\ndata: a\ndata: b\nid: 3\n\n"
    assert json.loads(frame(json.dumps("\ud800"))[6:]) is not None


async def test_the_openapi_document_tells_of_every_route(client: httpx.AsyncClient) -> None:
    told = (await client.get("/openapi.json")).json()
    rows = table(known_wires([]))
    operations = {one["operationId"]: one for path in told["paths"].values() for one in path.values()}
    assert set(operations) == {route.operation_id for _, route in rows}
    for _, route in rows:
        one = operations[route.operation_id]
        assert {"422", "429", "500", "503"} <= set(one["responses"])
        assert ("401" in one["responses"]) == (route.scope != "public")
    for name in re.findall(r'"#/components/schemas/(\w+)"', json.dumps(told)):
        assert name in told["components"]["schemas"], name
    page = await client.get("/docs")
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert re.findall(r"(?:src|href)=[\"']?https?:", page.text) == []


async def test_below_a_prefix_what_is_told_leads_there(house: House) -> None:
    from starlette.applications import Starlette

    host = Starlette()
    await house.app.mount(host, "/agents")
    transport = httpx.ASGITransport(host)
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
        told = (await client.get("/agents/openapi.json")).json()
        assert told["servers"] == [{"url": "/agents"}]
        for path, status in (("/live", 200), ("/agents/live", 404)):
            assert (await client.get(told["servers"][0]["url"] + path)).status_code == status
        accepted = await client.post("/agents/motet/v1/runs", json=says("hi", graph="echo"))
        assert (await client.get(accepted.headers["location"])).json()["run_id"] == accepted.json()["run_id"]
        await client.get(f"{accepted.headers['location']}/events")  # until it has ended
        forked = await client.post(f"/agents/motet/v1/threads/{accepted.json()['thread_id']}/fork", json={})
        assert (await client.get(forked.headers["location"])).json()["thread_id"] == forked.json()[
            "thread_id"
        ]


async def test_what_is_not_to_be_told_is_not_there(settings: Settings, tmp_path: Path) -> None:
    quiet = server_settings(settings, tmp_path, server__docs=False)
    async with open_house(quiet, work=False) as house, house.client() as client:
        assert [(await client.get(p)).status_code for p in ("/docs", "/openapi.json", "/metrics")] == [
            404
        ] * 3


async def test_metrics_count_operations_and_nothing_that_callers_choose(
    settings: Settings, tmp_path: Path
) -> None:
    counting = server_settings(settings, tmp_path, server__metrics=True)
    async with open_house(counting, work=False) as house, house.client() as client:
        await client.get("/motet/v1/runs/secret-name")
        await client.get("/nope-nope")
        told = (await client.get("/metrics")).text
    assert 'motet_requests_total{operation="runs.get",status="404"} 1.0' in told
    assert 'operation="none",status="404"' in told
    assert "secret-name" not in told
    assert "nope-nope" not in told


async def test_no_tool_calls_the_port_that_its_own_server_listens_at(house: House) -> None:
    with pytest.raises(MotetError, match="Motet itself"):
        await house.app.fetch(f"{house.url}/live")


async def test_runs_that_end_in_time_are_waited_for_when_the_server_stops(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = tmp_path / "gate"
    monkeypatch.setenv("MOTET_GATE", str(gate))
    async with open_house(server_settings(settings, tmp_path)) as house, house.client() as client:
        accepted = await run_of(client, says("go", graph="steps"))
        async with client.stream("GET", f"/motet/v1/runs/{accepted['run_id']}/events") as stream:
            lines = stream.aiter_lines()
            while "event: custom" not in await anext(lines):
                pass
            stopping = asyncio.create_task(house.stop(60.0))
            while not house.office.draining:  # noqa: ASYNC110  # set by the task's first step
                await asyncio.sleep(0)
            assert (await client.get("/ready")).status_code == 503
            refused = await client.post("/motet/v1/runs", json=says("late", graph="echo"))
            assert refused.status_code == 503
            gate.touch()
            rest = [line async for line in lines]
        assert "event: run.completed" in rest
        assert await stopping == 0
