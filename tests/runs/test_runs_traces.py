"""Spans of a whole run: a graph with a model, a tool and a search, in OpenTelemetry's own exporters."""

import json
from pathlib import Path
from typing import Any

import pytest
from listener import Listener
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from motet import RunRequest, Settings, build_app
from motet.runs.request import Caller, RunOptions
from motet.secret import Secret

SECRET = "sk-0123456789-0123456789"

RULES: list[dict[str, Any]] = [
    {"user": "wrong key", "reply": {"fault": "auth"}},
    {"after": "calculator", "reply": {"tool": "search_documents", "arguments": {"query": "ferry fares"}}},
    {"after": "search_documents", "reply": f"It is 42, 和 {SECRET}."},
    {"user": "^calculate", "reply": {"tool": "calculator", "arguments": {"expression": "6 * 7"}}},
]


@pytest.fixture
def spans(monkeypatch: pytest.MonkeyPatch) -> InMemorySpanExporter:
    """What is exported by apps whose settings name a collector."""
    exporter = InMemorySpanExporter()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr("motet.app.tracing._own_provider", lambda _endpoint: provider)
    return exporter


def traced(settings: Settings, tmp_path: Path, **more: Any) -> Settings:
    script = tmp_path / "script.json"
    script.write_text(json.dumps({"rules": RULES, "default": "Hello."}))
    told = {
        "models__default": f"scripted:{script}",
        "models__embed": "none",
        "models__openai_api_key": Secret(SECRET),
    }
    return settings.replace(**{**told, "log__otlp_endpoint": "http://127.0.0.1:9", **more})


async def run(settings: Settings, text: str) -> None:
    async with build_app(settings) as app:
        await app.desk(Caller()).library.add("default", "fares.md", b"Ferry fares: 7 crowns.")
        words = {"messages": [{"role": "user", "content": text}]}
        options = RunOptions(tools=["calculator", "search_documents"])
        async for _ in app.stream(RunRequest(graph="chat", input=words, options=options)):
            pass


def tree(found: tuple[ReadableSpan, ...]) -> dict[str, str]:
    """Each span's name, and its parent's."""
    names = {span.context.span_id: span.name for span in found if span.context is not None}
    return {span.name: names[span.parent.span_id] if span.parent is not None else "" for span in found}


async def test_a_run_is_a_tree_of_spans_by_the_conventions_and_tells_no_content(
    settings: Settings, tmp_path: Path, spans: InMemorySpanExporter
) -> None:
    await run(traced(settings, tmp_path), "calculate for me")
    found = spans.get_finished_spans()
    above = tree(found)
    root = "invoke_workflow chat"
    nodes = {name for name, parent in above.items() if parent == root}
    assert nodes == {f"invoke_agent {node}" for node in ("recall", "agent", "tools", "remember")}
    assert above[root] == ""
    assert above["execute_tool calculator"] == "invoke_agent tools"
    by_name = {span.name: dict(span.attributes or {}) for span in found}
    assert by_name[root]["gen_ai.operation.name"] == "invoke_workflow"
    assert len(str(by_name[root]["gen_ai.conversation.id"])) == 36
    tool = by_name["execute_tool calculator"]
    assert (tool["gen_ai.tool.name"], tool["gen_ai.operation.name"]) == ("calculator", "execute_tool")
    assert above["retrieval documents"] == "execute_tool search_documents"
    assert by_name["retrieval documents"]["motet.retrieval.passages"] == 1
    chats = [span for span in found if (span.attributes or {}).get("gen_ai.operation.name") == "chat"]
    assert len(chats) >= 3
    assert {span.kind for span in chats} == {SpanKind.CLIENT}
    for span in chats:
        said = dict(span.attributes or {})
        assert str(said["gen_ai.provider.name"]).startswith("scripted")
        assert int(str(said["gen_ai.usage.input_tokens"])) > 0
    everything = " ".join(span.to_json() for span in found)
    for word in ("calculate for me", "6 * 7", "ferry fares", "crowns", "It is 42", SECRET):
        assert word not in everything
    assert len({span.context.trace_id for span in found if span.context is not None}) == 1


async def test_a_run_belongs_to_the_trace_of_who_asked(
    settings: Settings, tmp_path: Path, spans: InMemorySpanExporter
) -> None:
    trace_id, span_id = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
    words = {"messages": [{"role": "user", "content": "hello"}]}
    asked = RunRequest(
        graph="chat", input=words, idempotency_key="k", traceparent=f"00-{trace_id}-{span_id}-01"
    )
    async with build_app(traced(settings, tmp_path)) as app:
        async for _ in app.stream(asked):
            pass
        again = asked.model_copy(update={"traceparent": None})
        assert not (await app.submit(again)).created  # another try of the same request has a span of its own
    found = spans.get_finished_spans()
    assert {f"{span.context.trace_id:032x}" for span in found if span.context is not None} == {trace_id}
    [root] = [span for span in found if span.name == "invoke_workflow chat"]
    assert root.parent is not None
    assert (f"{root.parent.span_id:016x}", root.parent.is_remote) == (span_id, True)


async def test_content_is_told_where_it_is_asked_for_and_secrets_never_are(
    settings: Settings, tmp_path: Path, spans: InMemorySpanExporter
) -> None:
    await run(traced(settings, tmp_path, log__trace_content=True), "calculate for me")
    found = spans.get_finished_spans()
    everything = " ".join(str(dict(span.attributes or {})) for span in found)
    for word in ("calculate for me", "6 * 7", "ferry fares", "42", "和 ***"):
        assert word in everything
    assert SECRET not in everything
    last = [dict(s.attributes or {}) for s in found if "gen_ai.output.messages" in (s.attributes or {})][-1]
    [message] = json.loads(str(last["gen_ai.output.messages"]))
    assert message["role"] == "assistant"


async def test_what_fails_says_of_which_kind(
    settings: Settings, tmp_path: Path, spans: InMemorySpanExporter
) -> None:
    await run(traced(settings, tmp_path, runs__max_retries=0), "the wrong key")
    failed = {span.name for span in spans.get_finished_spans() if span.status.status_code is StatusCode.ERROR}
    assert "invoke_workflow chat" in failed
    assert any(name.startswith("chat ") for name in failed)
    assert all(
        "error.type" in (span.attributes or {}) for span in spans.get_finished_spans() if span.name in failed
    )


async def test_spans_reach_a_collector(settings: Settings, tmp_path: Path) -> None:
    """The real exporter over a real socket, closed with the app: what is left is sent."""
    async with Listener() as collector:
        endpoint = f"http://127.0.0.1:{collector.port}"
        await run(traced(settings, tmp_path, log__otlp_endpoint=endpoint), "hello")
        assert {path for _, path, _, _ in collector.seen} == {"/v1/traces"}
        sent = b"".join(body for *_, body in collector.seen)
    assert b"gen_ai.operation.name" in sent or collector.seen[0][2].get("content-encoding") == "gzip"
    assert b"hello" not in sent
