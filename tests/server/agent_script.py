"""One long conversation with an Agent Server, the same for any: what is asked, and how its answers are compared.

`python -m tests.server.agent_script URL FILE` writes down what a server answers.
"""

from __future__ import annotations

import asyncio
import json
import re
import sys
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple

import httpx

NOBODY = "00000000-0000-4000-8000-000000000000"


class Step(NamedTuple):
    """One request. `{name.path}` in it stands for a value of an earlier answer."""

    name: str
    method: str
    path: str
    body: Any = None
    headers: dict[str, str] | None = None
    wait_for: str | None = None
    """Ask again until the run has this status (of `GET` on a run)."""
    raw: bytes | None = None


def _run(graph: str, **more: Any) -> dict[str, Any]:
    return {"assistant_id": graph, **more}


_ids = count(1)


def _says(text: str) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": text, "id": f"said-{next(_ids)}"}]}


ALL_MODES = ["values", "updates", "messages-tuple", "custom", "tasks", "checkpoints", "debug"]

STEPS: list[Step] = [
    Step("ok", "GET", "/ok"),
    Step("info", "GET", "/info"),
    # assistants
    Step("assistants", "POST", "/assistants/search", {"graph_id": "agent"}),
    Step("assistants_count", "POST", "/assistants/count", {"graph_id": "agent"}),
    Step("assistant_by_graph", "GET", "/assistants/agent"),
    Step("assistant_bad", "GET", "/assistants/nope"),
    Step("assistant_missing", "GET", f"/assistants/{NOBODY}"),
    Step("assistant_create", "POST", "/assistants", {
        "graph_id": "notes", "name": "Two", "metadata": {"team": "blue"}, "description": "A test.",
        "config": {"tags": ["x"], "configurable": {"level": "high"}}}),
    Step("assistant_create_both", "POST", "/assistants", {
        "graph_id": "notes", "context": {"who": "ann"}, "config": {"configurable": {"level": "high"}}}),
    Step("assistant_create_context", "POST", "/assistants", {"graph_id": "notes", "context": {"who": "ann"}}),
    Step("assistant_create_bad_graph", "POST", "/assistants", {"graph_id": "nope"}),
    Step("assistant_create_no_graph", "POST", "/assistants", {"name": "x"}),
    Step("assistant_create_again", "POST", "/assistants", {
        "assistant_id": "{assistant_create.assistant_id}", "graph_id": "notes"}),
    Step("assistant_create_do_nothing", "POST", "/assistants", {
        "assistant_id": "{assistant_create.assistant_id}", "graph_id": "notes", "if_exists": "do_nothing"}),
    Step("assistant_patch", "PATCH", "/assistants/{assistant_create.assistant_id}", {
        "name": "Three", "metadata": {"more": 1}}),
    Step("assistant_versions", "POST", "/assistants/{assistant_create.assistant_id}/versions", {}),
    Step("assistant_latest", "POST", "/assistants/{assistant_create.assistant_id}/latest", {"version": 1}),
    Step("assistant_latest_bad", "POST", "/assistants/{assistant_create.assistant_id}/latest", {"version": 9}),
    Step("assistants_by_metadata", "POST", "/assistants/search", {
        "metadata": {"team": "blue"}, "select": ["assistant_id", "name"]}),
    Step("assistants_page", "POST", "/assistants/search", {"limit": 1, "sort_by": "assistant_id", "sort_order": "asc"}),
    Step("assistants_bad_sort", "POST", "/assistants/search", {"sort_by": "nope"}),
    Step("assistant_graph", "GET", "/assistants/agent/graph"),
    Step("assistant_graph_xray", "GET", "/assistants/nested/graph?xray=true"),
    Step("assistant_schemas", "GET", "/assistants/{assistant_create_context.assistant_id}/schemas"),
    Step("assistant_schemas_agent", "GET", "/assistants/{assistants.0.assistant_id}/schemas"),
    Step("nested", "POST", "/assistants/search", {"graph_id": "nested"}),
    Step("assistant_subgraphs", "GET", "/assistants/{nested.0.assistant_id}/subgraphs?recurse=true"),
    Step("assistant_subgraphs_ns", "GET", "/assistants/{nested.0.assistant_id}/subgraphs/inner"),
    Step("assistant_get", "GET", "/assistants/{assistants.0.assistant_id}"),
    Step("assistant_subgraphs_none", "GET", "/assistants/{assistants.0.assistant_id}/subgraphs"),
    # threads
    Step("thread", "POST", "/threads", {"metadata": {"topic": "sums"}}),
    Step("thread_get", "GET", "/threads/{thread.thread_id}"),
    Step("thread_again", "POST", "/threads", {"thread_id": "{thread.thread_id}"}),
    Step("thread_again_do_nothing", "POST", "/threads", {
        "thread_id": "{thread.thread_id}", "if_exists": "do_nothing"}),
    Step("thread_bad_id", "GET", "/threads/nope"),
    Step("thread_missing", "GET", f"/threads/{NOBODY}"),
    Step("thread_patch", "PATCH", "/threads/{thread.thread_id}", {"metadata": {"mood": "good"}}),
    Step("thread_patch_bad", "PATCH", "/threads/{thread.thread_id}", {"metadata": 3}),
    Step("state_empty", "GET", "/threads/{thread.thread_id}/state"),
    Step("history_empty", "POST", "/threads/{thread.thread_id}/history", {}),
    # runs
    Step("wait", "POST", "/threads/{thread.thread_id}/runs/wait", _run("agent", input=_says("add 2 3"))),
    Step("state", "GET", "/threads/{thread.thread_id}/state"),
    Step("history", "POST", "/threads/{thread.thread_id}/history", {"limit": 3}),
    Step("history_get", "GET", "/threads/{thread.thread_id}/history?limit=1"),
    Step("state_at", "GET", "/threads/{thread.thread_id}/state/{history.1.checkpoint.checkpoint_id}"),
    Step("state_at_post", "POST", "/threads/{thread.thread_id}/state/checkpoint", {
        "checkpoint": {"checkpoint_id": "{history.1.checkpoint.checkpoint_id}", "checkpoint_ns": ""}}),
    Step("state_at_missing", "GET", f"/threads/{{thread.thread_id}}/state/{NOBODY}"),
    Step("thread_after", "GET", "/threads/{thread.thread_id}"),
    Step("runs", "GET", "/threads/{thread.thread_id}/runs"),
    Step("run", "GET", "/threads/{thread.thread_id}/runs/{runs.0.run_id}"),
    Step("run_missing", "GET", f"/threads/{{thread.thread_id}}/runs/{NOBODY}"),
    Step("run_bad_id", "GET", "/threads/{thread.thread_id}/runs/nope"),
    Step("runs_status", "GET", "/threads/{thread.thread_id}/runs?status=error&limit=5"),
    Step("runs_select", "GET", "/threads/{thread.thread_id}/runs?select=run_id&select=status"),
    Step("join", "GET", "/threads/{thread.thread_id}/runs/{runs.0.run_id}/join"),
    Step("join_missing", "GET", f"/threads/{{thread.thread_id}}/runs/{NOBODY}/join"),
    Step("stream_all", "POST", "/threads/{thread.thread_id}/runs/stream", _run(
        "agent", input=_says("hello there"), stream_mode=ALL_MODES)),
    Step("stream_messages", "POST", "/threads/{thread.thread_id}/runs/stream", _run(
        "agent", input=_says("add 2 3"), stream_mode=["messages"])),
    Step("stream_default", "POST", "/threads/{thread.thread_id}/runs/stream", _run("agent", input=_says("a b"))),
    Step("stream_updates", "POST", "/threads/{thread.thread_id}/runs/stream", _run(
        "agent", input=_says("add 2 3"), stream_mode="updates")),
    Step("stream_events", "POST", "/runs/stream", _run("notes", input={"notes": ["go"]}, stream_mode=["events"])),
    Step("stream_resumable", "POST", "/threads/{thread.thread_id}/runs/stream", _run(
        "agent", input=_says("c d"), stream_mode=["values"], stream_resumable=True)),
    Step("stream_subgraphs", "POST", "/runs/stream", _run(
        "nested", input=_says("x y"), stream_mode=["values", "updates", "messages-tuple"], stream_subgraphs=True)),
    Step("stream_bad_mode", "POST", "/threads/{thread.thread_id}/runs/stream", _run(
        "agent", input=_says("x"), stream_mode=["tools"])),
    Step("stream_bad_assistant", "POST", "/threads/{thread.thread_id}/runs/stream", _run("nope", input={})),
    Step("stream_missing_thread", "POST", f"/threads/{NOBODY}/runs/stream", _run("agent", input=_says("x"))),
    Step("stream_no_assistant", "POST", "/threads/{thread.thread_id}/runs/stream", {"input": {}}),
    Step("create", "POST", "/threads/{thread.thread_id}/runs", _run("notes", input={"notes": []}, metadata={"a": 1})),
    Step("create_done", "GET", "/threads/{thread.thread_id}/runs/{create.run_id}", wait_for="success"),
    Step("create_not_json", "POST", "/threads/{thread.thread_id}/runs", raw=b"{nope"),
    Step("create_not_utf8", "POST", "/threads/{thread.thread_id}/runs", raw=b'{"assistant_id": "\xff\xfe"}'),
    Step("create_list", "POST", "/threads/{thread.thread_id}/runs", [1]),
    Step("create_bad_multitask", "POST", "/threads/{thread.thread_id}/runs", _run(
        "notes", input={}, multitask_strategy="nope")),
    Step("create_if_not_exists", "POST", "/threads/11111111-1111-4111-8111-111111111111/runs/wait", _run(
        "notes", input={"notes": ["n"]}, if_not_exists="create", config={"configurable": {"level": "low"}})),
    Step("wait_context", "POST", "/runs/wait", _run("notes", input={"notes": []}, context={"who": "bob"})),
    Step("wait_both", "POST", "/runs/wait", _run(
        "notes", input={"notes": []}, context={"who": "bob"}, config={"configurable": {"level": "low"}})),
    Step("wait_assistant", "POST", "/runs/wait", _run("{assistant_create.assistant_id}", input={"notes": []})),
    Step("wait_fail", "POST", "/runs/wait", _run("fail", input={"notes": []})),
    Step("stream_fail", "POST", "/runs/stream", _run("fail", input={"notes": []}, stream_mode=["updates"])),
    Step("stateless_create", "POST", "/runs", _run("notes", input={"notes": []})),
    Step("batch", "POST", "/runs/batch", [_run("notes", input={"notes": []}), _run("notes", input={"notes": []})]),
    # interrupts
    Step("ask_thread", "POST", "/threads", {}),
    Step("ask", "POST", "/threads/{ask_thread.thread_id}/runs/wait", _run("ask", input={"notes": ["go"]})),
    Step("ask_state", "GET", "/threads/{ask_thread.thread_id}/state"),
    Step("ask_thread_after", "GET", "/threads/{ask_thread.thread_id}"),
    Step("ask_runs", "GET", "/threads/{ask_thread.thread_id}/runs"),
    Step("answer", "POST", "/threads/{ask_thread.thread_id}/runs/stream", _run(
        "ask", command={"resume": "yes"}, stream_mode=["values", "updates"])),
    Step("answer_again", "POST", "/threads/{ask_thread.thread_id}/runs/wait", _run("ask", command={"resume": "no"})),
    Step("ask_stream", "POST", "/threads/{ask_thread.thread_id}/runs/stream", _run(
        "ask", input={"notes": ["again"]}, stream_mode=["values", "updates"])),
    Step("before_thread", "POST", "/threads", {"graph_id": "notes"}),
    Step("before", "POST", "/threads/{before_thread.thread_id}/runs/stream", _run(
        "notes", input={"notes": ["go"]}, interrupt_before=["second"], stream_mode=["values", "updates"])),
    Step("before_state", "GET", "/threads/{before_thread.thread_id}/state"),
    Step("before_thread_after", "GET", "/threads/{before_thread.thread_id}"),
    Step("update", "POST", "/threads/{before_thread.thread_id}/state", {
        "values": {"notes": ["edited"]}, "as_node": "first"}),
    Step("update_state", "GET", "/threads/{before_thread.thread_id}/state"),
    Step("go_on", "POST", "/threads/{before_thread.thread_id}/runs/wait", _run("notes")),
    Step("update_bad_node", "POST", "/threads/{before_thread.thread_id}/state", {
        "values": {"notes": ["edited"]}, "as_node": "nope"}),
    Step("goto", "POST", "/threads/{before_thread.thread_id}/runs/wait", _run(
        "notes", command={"goto": "second", "update": {"notes": ["by command"]}})),
    Step("before_history", "POST", "/threads/{before_thread.thread_id}/history", {"limit": 20}),
    Step("fork", "POST", "/threads/{before_thread.thread_id}/runs/wait", _run(
        "notes", checkpoint_id="{update.checkpoint.checkpoint_id}")),
    Step("history_select", "POST", "/threads/{before_thread.thread_id}/history", {
        "limit": 1, "select": ["values.total", "next"]}),
    # threads, again
    Step("search", "POST", "/threads/search", {"metadata": {"topic": "sums"}}),
    Step("search_select", "POST", "/threads/search", {
        "metadata": {"topic": "sums"}, "select": ["thread_id", "status"]}),
    Step("search_status", "POST", "/threads/search", {"status": "interrupted", "select": ["status"]}),
    Step("search_values", "POST", "/threads/search", {"values": {"total": 11}, "limit": 2, "select": ["values"]}),
    Step("search_ids", "POST", "/threads/search", {"ids": ["{thread.thread_id}"], "select": ["metadata"]}),
    Step("search_extract", "POST", "/threads/search", {
        "ids": ["{thread.thread_id}"], "select": ["thread_id"], "extract": {"last": "values.messages[-1].content"}}),
    Step("search_bad_limit", "POST", "/threads/search", {"limit": 0}),
    Step("search_big_limit", "POST", "/threads/search", {"limit": 5000}),
    Step("threads_count", "POST", "/threads/count", {"metadata": {"topic": "sums"}}),
    Step("copy", "POST", "/threads/{thread.thread_id}/copy"),
    Step("copy_state", "GET", "/threads/{copy.thread_id}/state"),
    Step("copy_missing", "POST", f"/threads/{NOBODY}/copy"),
    Step("prune", "POST", "/threads/prune", {"thread_ids": ["{copy.thread_id}"], "strategy": "delete"}),
    Step("prune_gone", "GET", "/threads/{copy.thread_id}"),
    Step("prune_keep", "POST", "/threads/prune", {"thread_ids": ["{thread.thread_id}"], "strategy": "keep_latest"}),
    Step("supersteps_no_graph", "POST", "/threads", {"supersteps": [
        {"updates": [{"values": {"notes": ["a"]}, "as_node": "__input__"}]}]}),
    Step("supersteps", "POST", "/threads", {"metadata": {"graph_id": "notes"}, "supersteps": [
        {"updates": [{"values": {"notes": ["a"]}, "as_node": "__input__"}]},
        {"updates": [{"values": {"notes": ["b"]}, "as_node": "first"}]}]}),
    Step("supersteps_state", "GET", "/threads/{supersteps.thread_id}/state"),
    # cancelling and double texting
    Step("slow_thread", "POST", "/threads", {}),
    Step("slow", "POST", "/threads/{slow_thread.thread_id}/runs", _run("slow", input={"notes": ["go"]})),
    Step("slow_running", "GET", "/threads/{slow_thread.thread_id}/runs/{slow.run_id}", wait_for="running"),
    Step("slow_thread_busy", "GET", "/threads/{slow_thread.thread_id}"),
    Step("update_busy", "POST", "/threads/{slow_thread.thread_id}/state", {"values": {"notes": ["x"]}}),
    Step("reject", "POST", "/threads/{slow_thread.thread_id}/runs", _run(
        "notes", input={"notes": []}, multitask_strategy="reject")),
    Step("cancel", "POST", "/threads/{slow_thread.thread_id}/runs/{slow.run_id}/cancel?wait=true"),
    Step("cancelled", "GET", "/threads/{slow_thread.thread_id}/runs/{slow.run_id}"),
    Step("cancel_again", "POST", "/threads/{slow_thread.thread_id}/runs/{slow.run_id}/cancel"),
    Step("cancel_missing", "POST", f"/threads/{{slow_thread.thread_id}}/runs/{NOBODY}/cancel"),
    Step("cancel_thread_after", "GET", "/threads/{slow_thread.thread_id}"),
    Step("slow_2", "POST", "/threads/{slow_thread.thread_id}/runs", _run("slow", input={"notes": ["go"]})),
    Step("slow_2_running", "GET", "/threads/{slow_thread.thread_id}/runs/{slow_2.run_id}", wait_for="running"),
    Step("rollback", "POST", "/threads/{slow_thread.thread_id}/runs/wait", _run(
        "notes", input={"notes": ["r"]}, multitask_strategy="rollback")),
    Step("rolled_back", "GET", "/threads/{slow_thread.thread_id}/runs/{slow_2.run_id}"),
    Step("slow_3", "POST", "/threads/{slow_thread.thread_id}/runs", _run("slow", input={"notes": ["go"]})),
    Step("slow_3_running", "GET", "/threads/{slow_thread.thread_id}/runs/{slow_3.run_id}", wait_for="running"),
    Step("interrupt", "POST", "/threads/{slow_thread.thread_id}/runs/wait", _run(
        "notes", input={"notes": ["i"]}, multitask_strategy="interrupt")),
    Step("interrupted", "GET", "/threads/{slow_thread.thread_id}/runs/{slow_3.run_id}"),
    Step("cancel_join", "GET", "/threads/{slow_thread.thread_id}/runs/{slow.run_id}/join"),
    Step("later", "POST", "/threads/{slow_thread.thread_id}/runs", _run(
        "notes", input={"notes": []}, after_seconds=600)),
    Step("cancel_many", "POST", "/runs/cancel?action=interrupt", {
        "thread_id": "{slow_thread.thread_id}", "run_ids": ["{later.run_id}"]}),
    Step("later_after", "GET", "/threads/{slow_thread.thread_id}/runs/{later.run_id}"),
    Step("cancel_many_missing", "POST", "/runs/cancel", {"thread_id": "{slow_thread.thread_id}", "run_ids": [NOBODY]}),
    Step("cancel_many_bad", "POST", "/runs/cancel", {}),
    Step("run_delete", "DELETE", "/threads/{slow_thread.thread_id}/runs/{slow.run_id}"),
    Step("run_deleted", "GET", "/threads/{slow_thread.thread_id}/runs/{slow.run_id}"),
    # store
    Step("put", "PUT", "/store/items", {"namespace": ["users", "ann"], "key": "likes", "value": {"food": "noodles"}}),
    Step("put_dot", "PUT", "/store/items", {"namespace": ["a.b"], "key": "k", "value": {}}),
    Step("put_empty", "PUT", "/store/items", {"namespace": [], "key": "k", "value": {}}),
    Step("put_bad", "PUT", "/store/items", {"namespace": ["a"], "key": "k", "value": 3}),
    Step("item", "GET", "/store/items?namespace=users.ann&key=likes"),
    Step("item_missing", "GET", "/store/items?namespace=users.ann&key=nope"),
    Step("item_no_key", "GET", "/store/items?namespace=users.ann"),
    Step("items", "POST", "/store/items/search", {"namespace_prefix": ["users"], "filter": {"food": "noodles"}}),
    Step("namespaces", "POST", "/store/namespaces", {"prefix": ["users"], "max_depth": 1}),
    Step("item_delete", "DELETE", "/store/items", {"namespace": ["users", "ann"], "key": "likes"}),
    Step("items_none", "POST", "/store/items/search", {"namespace_prefix": ["users"]}),
    # crons
    Step("cron", "POST", "/runs/crons", _run(
        "notes", schedule="0 5 * * *", input={"notes": ["c"]}, timezone="Asia/Shanghai", metadata={"m": 1})),
    Step("cron_thread", "POST", "/threads/{thread.thread_id}/runs/crons", _run(
        "notes", schedule="*/5 * * * *", input={"notes": ["c"]})),
    Step("cron_bad_schedule", "POST", "/runs/crons", _run("notes", schedule="nope", input={})),
    Step("cron_bad_zone", "POST", "/runs/crons", _run("notes", schedule="0 5 * * *", timezone="Mars/Base", input={})),
    Step("cron_missing_thread", "POST", f"/threads/{NOBODY}/runs/crons", _run("notes", schedule="0 5 * * *", input={})),
    Step("crons", "POST", "/runs/crons/search", {"thread_id": "{thread.thread_id}"}),
    Step("crons_count", "POST", "/runs/crons/count", {}),
    Step("cron_get", "GET", "/runs/crons/{cron.cron_id}"),
    Step("cron_patch", "PATCH", "/runs/crons/{cron.cron_id}", {"schedule": "0 6 * * *", "enabled": False}),
    Step("cron_delete", "DELETE", "/runs/crons/{cron.cron_id}"),
    Step("cron_gone", "GET", "/runs/crons/{cron.cron_id}"),
    Step("cron_delete_again", "DELETE", "/runs/crons/{cron.cron_id}"),
    # the end
    Step("slow_4", "POST", "/threads/{slow_thread.thread_id}/runs", _run("slow", input={"notes": ["go"]})),
    Step("slow_4_running", "GET", "/threads/{slow_thread.thread_id}/runs/{slow_4.run_id}", wait_for="running"),
    Step("delete_running", "DELETE", "/threads/{slow_thread.thread_id}/runs/{slow_4.run_id}"),
    Step("delete_running_after", "GET", "/threads/{slow_thread.thread_id}/runs/{slow_4.run_id}"),
    Step("assistant_delete", "DELETE", "/assistants/{assistant_create.assistant_id}"),
    Step("assistant_gone", "GET", "/assistants/{assistant_create.assistant_id}"),
    Step("assistant_delete_missing", "DELETE", f"/assistants/{NOBODY}"),
    Step("thread_delete", "DELETE", "/threads/{thread.thread_id}"),
    Step("thread_gone", "GET", "/threads/{thread.thread_id}"),
    Step("thread_delete_missing", "DELETE", f"/threads/{NOBODY}"),
    Step("no_such_route", "GET", "/nope"),
    Step("wrong_method", "PUT", "/threads"),
]  # fmt: skip


def fill(value: Any, answers: dict[str, Any]) -> Any:
    """Put values of earlier answers in the place of their names."""
    if isinstance(value, dict):
        return {key: fill(item, answers) for key, item in value.items()}
    if isinstance(value, list):
        return [fill(item, answers) for item in value]
    if isinstance(value, str):
        return re.sub(r"\{([a-z_0-9]+(?:\.[a-z_0-9]+)+)\}", lambda found: _value(found[1], answers), value)
    return value


def _value(path: str, answers: dict[str, Any]) -> str:
    name, *keys = path.split(".")
    value = answers[name]["body"]
    for key in keys:
        try:
            value = value[int(key) if key.isdecimal() else key]
        except (KeyError, IndexError, TypeError):
            return f"missing:{path}"
    return str(value)


KEPT_HEADERS = (
    "content-type",
    "location",
    "content-location",
    "x-pagination-next",
    "cache-control",
    "x-accel-buffering",
)


async def hold(client: httpx.AsyncClient, steps: list[Step] | None = None) -> dict[str, Any]:
    """Have the conversation; return each step's status, headers and body."""
    answers: dict[str, Any] = {}
    for step in steps or STEPS:
        try:
            answers[step.name] = await _ask(client, step, answers)
        except httpx.HTTPError as error:
            answers[step.name] = {"status": 0, "headers": {}, "body": repr(error)}
    return answers


async def _ask(client: httpx.AsyncClient, step: Step, answers: dict[str, Any]) -> dict[str, Any]:
    path, body = fill(step.path, answers), fill(step.body, answers)
    given: dict[str, Any] = {"json": body} if step.raw is None and body is not None else {"content": step.raw}
    headers = dict(step.headers or {})
    if step.raw is not None:
        headers["content-type"] = "application/json"
    while True:
        answer = read(await client.request(step.method, path, headers=headers, **given))
        if step.wait_for is None or answer["body"].get("status") == step.wait_for:
            return answer
        await asyncio.sleep(0.05)


def read(response: httpx.Response) -> dict[str, Any]:
    """Return a response as plain JSON; an event stream as a list of its events."""
    kind = response.headers.get("content-type", "")
    if "event-stream" in kind:
        body: Any = [event for event in map(_event, re.split(r"\r\n\r\n", response.text)) if event]
    else:
        try:
            body = response.json() if response.content else None
        except ValueError:
            body = response.text
    headers = {name: response.headers[name] for name in KEPT_HEADERS if name in response.headers}
    return {"status": response.status_code, "headers": headers, "body": body}


def _event(block: str) -> dict[str, Any] | None:
    fields: dict[str, str] = {}
    for line in block.split("\r\n"):
        if line and not line.startswith(":"):
            name, _, value = line.partition(": ")
            fields[name] = value
    if not fields:
        return None
    return {
        "event": fields.get("event"),
        "id": fields.get("id"),
        "data": json.loads(fields.get("data") or "null"),
    }


async def _main(url: str, path: str) -> None:
    """Write a server's answers to a file."""
    async with httpx.AsyncClient(base_url=url, timeout=60) as client:
        answers = await hold(client)
    text = json.dumps(answers, indent=1, ensure_ascii=False, sort_keys=True)
    await asyncio.to_thread(Path(path).write_text, text + "\n", "utf-8")


if __name__ == "__main__":
    asyncio.run(_main(*sys.argv[1:3]))
