"""The newer protocol of the Agent Server wire: commands, subscriptions, and what a run's events become.

The SDK's own client speaks it in `agent_clients`.
"""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from agent_house import agent_settings
from server_house import House, open_house
from test_server_protocols_agent_server_stream import found, log, piece

from motet import Settings, events
from motet.server.protocols.agent_server.protocol import SubscribeBody, frame_of
from motet.server.protocols.agent_server.protocol_events import MODES, ProtocolEncoder

STORY = log(
    events.RunAccepted(graph="g", input={"n": 1}),
    events.RunStarted(attempt=1),
    events.StreamPart(mode="messages", data=piece("你")),
    events.StreamPart(mode="messages", data=piece("好", chunk_position="last")),
    events.ToolStarted(tool_call_id="c1", name="add", arguments={"a": 1}),
    events.ToolCompleted(tool_call_id="c1", name="add", content="3"),
    events.StreamPart(mode="updates", namespace=["inner:1"], data={"model": {"n": 2}}),
    events.StreamPart(mode="custom", data={"at": 1}),
    events.InterruptRequested(interrupt_id="i1", value="really?"),
    events.RunInterrupted(),
)


def told() -> list[dict[str, Any]]:
    encoder = ProtocolEncoder(found("values", "updates", "messages", "custom"), 2)
    return [event for recorded in STORY for event in encoder.encode(recorded)]


def test_the_bytes_are_those_of_the_golden_file() -> None:
    path = Path(__file__).parent / "golden" / "agent_server_protocol.sse"
    assert b"".join(map(frame_of, told())) == path.read_bytes()


def test_a_runs_events_go_to_their_channels_under_numbers_that_grow() -> None:
    made = told()
    assert [(e["method"], e["params"]["data"].get("event")) for e in made] == [
        ("lifecycle", "started"),
        ("messages", "message-start"),
        ("messages", "content-block-start"),
        ("messages", "content-block-delta"),
        ("messages", "content-block-delta"),
        ("messages", "content-block-finish"),
        ("messages", "message-finish"),
        ("tools", "tool-started"),
        ("tools", "tool-finished"),
        ("updates", None),
        ("custom", None),
        ("input.requested", None),
        ("lifecycle", "interrupted"),
    ]
    numbers = [event["seq"] for event in made]
    assert numbers == sorted(set(numbers))
    assert numbers[0] > 2 * 10**9
    assert len({event["event_id"] for event in made}) == len(made)
    assert made[5]["params"]["data"]["content"] == {"type": "text", "text": "你好"}
    assert made[9]["params"]["namespace"] == ["inner:1"]
    assert made[9]["params"]["data"] == {"node": "model", "values": {"n": 2}}


@pytest.mark.parametrize(
    ("asked", "methods"),
    [
        ({"channels": ["input"]}, {"input.requested"}),
        ({"channels": ["custom:x", "tools"]}, {"custom", "tools"}),
        ({"channels": ["updates", "tools"], "namespaces": [[]], "depth": 0}, {"tools"}),
        ({"channels": ["updates", "tools"], "namespaces": [["inner"]]}, {"updates"}),
    ],
)
def test_a_subscription_gets_what_it_asks_for(asked: dict[str, Any], methods: set[str]) -> None:
    body = SubscribeBody.model_validate(asked)
    assert {event["method"] for event in told() if body.wants(event)} == methods


@pytest.fixture
async def house(settings: Settings, tmp_path: Path) -> AsyncIterator[House]:
    async with open_house(agent_settings(settings, tmp_path)) as made:
        yield made


THREAD = "0a1b2c3d-0000-4000-8000-0000000000aa"


async def read(client: httpx.AsyncClient, until: str, **asked: Any) -> list[dict[str, Any]]:
    """Read a thread's events until a phase of its run."""
    body = {"channels": ["lifecycle", "values", "messages"], **asked}
    seen: list[dict[str, Any]] = []
    async with client.stream("POST", f"/threads/{THREAD}/stream/events", json=body) as stream:
        assert stream.status_code == 200
        async for line in stream.aiter_lines():
            if line.startswith("data: "):
                seen.append(json.loads(line[6:]))
                if seen[-1]["params"]["data"].get("event") == until:
                    break
    return seen


async def test_what_was_seen_is_not_told_again_and_bad_commands_are_refused(house: House) -> None:
    assert MODES
    async with house.client() as client:
        start = {
            "id": 1,
            "method": "run.start",
            "params": {"assistant_id": "notes", "input": {"notes": ["x"]}},
        }
        begun = (await client.post(f"/threads/{THREAD}/commands", json=start)).json()
        assert (begun["type"], begun["id"]) == ("success", 1)
        whole = await read(client, "completed")
        rest = await read(client, "completed", since=whole[1]["seq"])
        assert rest == whole[2:]
        again = {**start, "id": 2}
        await client.post(f"/threads/{THREAD}/commands", json=again)
        later = await read(client, "completed", since=whole[-1]["seq"])
        assert min(event["seq"] for event in later) > whole[-1]["seq"]
        for command, code in (
            ({"id": 3, "method": "state.fork"}, "unknown_command"),
            ({"id": 4, "method": "run.start", "params": {"assistant_id": "nope"}}, "invalid_argument"),
            ({"id": 5, "method": "run.start", "params": {}}, "invalid_argument"),
            (
                {"id": 6, "method": "input.respond", "params": {"interrupt_id": "a" * 32, "response": 1}},
                "no_such_interrupt",
            ),
        ):
            answer = (await client.post(f"/threads/{THREAD}/commands", json=command)).json()
            assert (answer["type"], answer["error"], answer["id"]) == ("error", code, command["id"])
        bad = await client.post(f"/threads/{THREAD}/stream/events", json={"channels": ["nonsense"]})
        assert bad.status_code == 422
