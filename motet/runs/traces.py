"""OpenTelemetry spans of runs, by the semantic conventions for generative AI: run, agent, model call, tool, search.

What does not live here: where spans go (`app.tracing`). They are made of LangChain's callbacks, so those of anybody's
graph are there, and of the searches that go through `recordings.taps`. What was said is in them only where that is
asked for, and then without configured secrets.

Source: OpenTelemetry semantic conventions, GenAI spans; names as in `opentelemetry-semantic-conventions` 0.66.
"""

from __future__ import annotations

import json
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from langchain_core.callbacks import BaseCallbackHandler
from typing_extensions import override

from motet.runs.model_calls import CalledModel, message_of, tokens_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from uuid import UUID

    from langchain_core.messages import BaseMessage
    from langchain_core.outputs import LLMResult
    from opentelemetry.context import Context
    from opentelemetry.trace import Span, Tracer

    from motet.runs.queue.base import Claim
    from motet.telemetry import Redactor

TRACE_KEY = "motet_trace"
"""Where a run's trace is in a config's `configurable`."""

MAX_CONTENT_CHARS = 20_000
"""Longer content is cut."""

Attributes = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Traces:
    """Makes spans of runs."""

    tracer: Tracer
    content: bool = False
    """Whether what was said, given to tools and found is in the spans."""
    redactor: Redactor | None = None

    @contextmanager
    def run(self, claim: Claim) -> Iterator[RunTrace]:
        """Have an attempt of a run traced, for as long as the context lasts."""
        job = claim.job
        attributes = {
            "gen_ai.operation.name": "invoke_workflow",
            "gen_ai.workflow.name": job.graph,
            "gen_ai.conversation.id": job.thread_id,
            "motet.run.id": job.run_id,
            "motet.run.attempt": claim.attempt,
            "motet.tenant.id": job.tenant_id,
        }
        above = _remote(job.traceparent) if job.traceparent else None
        span = self.tracer.start_span(f"invoke_workflow {job.graph}", context=above, attributes=attributes)
        trace = RunTrace(self, span)
        try:
            yield trace
        except BaseException as error:
            _failed(span, error)
            raise
        finally:
            trace.close()
            span.end()


@dataclass
class RunTrace(BaseCallbackHandler):
    """The spans of one attempt; a LangChain callback."""

    traces: Traces
    root: Span
    _spans: dict[UUID, Span] = field(default_factory=dict["UUID", "Span"])
    _parents: dict[UUID, UUID | None] = field(default_factory=dict["UUID", "UUID | None"])
    run_inline = True

    def close(self) -> None:
        """End what has not ended: a run that is stopped tells its parts nothing."""
        while self._spans:
            self._spans.popitem()[1].end()

    @contextmanager
    def search(self, parent: UUID | None, query: str) -> Iterator[list[Any]]:
        """Trace a search; what it finds is put into the list that is given."""
        found: list[Any] = []
        said = {"gen_ai.retrieval.query.text": query}
        attributes = {"gen_ai.operation.name": "retrieval", **self._content(said)}
        span = self._open("retrieval documents", parent, attributes)
        try:
            yield found
            span.set_attribute("motet.retrieval.passages", len(found))
            told = [{"id": one.passage_id, "score": one.score} for one in found]
            self._add(span, {"gen_ai.retrieval.documents": told})
        except BaseException as error:
            _failed(span, error)
            raise
        finally:
            span.end()

    @override
    def on_chain_start(
        self,
        serialized: dict[str, Any],
        inputs: Any,
        *,
        run_id: UUID,
        parent_run_id: UUID | None = None,
        metadata: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        self._parents[run_id] = parent_run_id
        node = (metadata or {}).get("langgraph_node")
        if node is not None and kwargs.get("name") == node:
            named = {"gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": str(node)}
            self._spans[run_id] = self._open(f"invoke_agent {node}", parent_run_id, named)

    @override
    def on_chain_end(self, outputs: Any, *, run_id: UUID, **kwargs: Any) -> None:
        self._close(run_id)

    @override
    def on_chain_error(self, error: BaseException, *, run_id: UUID, **kwargs: Any) -> None:
        self._close(run_id, error)

    @override
    def on_chat_model_start(
        self,
        serialized: dict[str, Any],
        messages: list[list[BaseMessage]],
        *,
        run_id: UUID,
        parent_run_id: UUID | None = None,
        metadata: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        from opentelemetry.trace import SpanKind  # noqa: PLC0415  # an extra

        called = CalledModel.of(metadata)
        attributes = {
            "gen_ai.operation.name": "chat",
            "gen_ai.provider.name": called.provider or "unknown",
            "gen_ai.request.model": called.name,
            **self._content({"gen_ai.input.messages": _messages(messages[0] if messages else [])}),
        }
        name = f"chat {called.name}".strip()
        self._spans[run_id] = self._open(name, parent_run_id, attributes, kind=SpanKind.CLIENT)
        self._parents[run_id] = parent_run_id

    @override
    def on_llm_end(self, response: LLMResult, *, run_id: UUID, **kwargs: Any) -> None:
        span, message = self._spans.get(run_id), message_of(response)
        if span is not None and message is not None:
            read_written = tokens_of(message)
            about = message.response_metadata
            if read_written is not None:
                span.set_attribute("gen_ai.usage.input_tokens", read_written[0])
                span.set_attribute("gen_ai.usage.output_tokens", read_written[1])
            if about.get("model_name"):
                span.set_attribute("gen_ai.response.model", str(about["model_name"]))
            if about.get("finish_reason"):
                span.set_attribute("gen_ai.response.finish_reasons", [str(about["finish_reason"])])
            self._add(span, {"gen_ai.output.messages": _messages([message])})
        self._close(run_id)

    @override
    def on_llm_error(self, error: BaseException, *, run_id: UUID, **kwargs: Any) -> None:
        self._close(run_id, error)

    @override
    def on_tool_start(
        self,
        serialized: dict[str, Any],
        input_str: str,
        *,
        run_id: UUID,
        parent_run_id: UUID | None = None,
        inputs: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        name = str((serialized or {}).get("name") or kwargs.get("name") or "tool")
        attributes = {
            "gen_ai.operation.name": "execute_tool",
            "gen_ai.tool.name": name,
            "gen_ai.tool.type": "function",
            **self._content({"gen_ai.tool.call.arguments": inputs if inputs is not None else input_str}),
        }
        if kwargs.get("tool_call_id"):
            attributes["gen_ai.tool.call.id"] = str(kwargs["tool_call_id"])
        self._parents[run_id] = parent_run_id
        self._spans[run_id] = self._open(f"execute_tool {name}", parent_run_id, attributes)

    @override
    def on_tool_end(self, output: Any, *, run_id: UUID, **kwargs: Any) -> None:
        span = self._spans.get(run_id)
        if span is not None:
            if getattr(output, "tool_call_id", None):
                span.set_attribute("gen_ai.tool.call.id", str(output.tool_call_id))
            self._add(span, {"gen_ai.tool.call.result": getattr(output, "content", output)})
        self._close(run_id)

    @override
    def on_tool_error(self, error: BaseException, *, run_id: UUID, **kwargs: Any) -> None:
        self._close(run_id, error)

    def _open(self, name: str, parent: UUID | None, attributes: Attributes, **more: Any) -> Span:
        from opentelemetry.trace import set_span_in_context  # noqa: PLC0415  # an extra

        while parent is not None and parent not in self._spans:
            parent = self._parents.get(parent)
        above = self.root if parent is None else self._spans[parent]
        context = set_span_in_context(above)
        return self.traces.tracer.start_span(name, context=context, attributes=attributes, **more)

    def _close(self, run_id: UUID, error: BaseException | None = None) -> None:
        self._parents.pop(run_id, None)
        span = self._spans.pop(run_id, None)
        if span is None:
            return
        if error is not None:
            _failed(span, error)
        span.end()

    def _add(self, span: Span, said: Attributes) -> None:
        for name, value in self._content(said).items():
            span.set_attribute(name, value)

    def _content(self, said: Attributes) -> Attributes:
        """Return what was said as attributes, where it is asked for."""
        if not self.traces.content:
            return {}
        texts = {
            name: value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
            for name, value in said.items()
        }
        redactor = self.traces.redactor
        return {
            name: (redactor.redact(text) if redactor is not None else text)[:MAX_CONTENT_CHARS]
            for name, text in texts.items()
        }


def _remote(traceparent: str) -> Context:
    """Return the context of a caller's span; an empty one where it is none."""
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator  # noqa: PLC0415

    return TraceContextTextMapPropagator().extract({"traceparent": traceparent})


def _failed(span: Span, error: BaseException) -> None:
    """Note that something failed, and of which kind: the words may hold what was said."""
    from opentelemetry.trace import StatusCode  # noqa: PLC0415  # an extra

    span.set_attribute("error.type", type(error).__name__)
    span.set_status(StatusCode.ERROR)


_ROLES = {"human": "user", "ai": "assistant"}


def _messages(messages: Sequence[BaseMessage]) -> list[dict[str, Any]]:
    return [
        {
            "role": _ROLES.get(one.type, one.type),
            "parts": [{"type": "text", "content": one.text}, *_calls(one)],
        }
        for one in messages
    ]


def _calls(message: BaseMessage) -> list[dict[str, Any]]:
    calls: list[Any] = getattr(message, "tool_calls", None) or []
    return [
        {"type": "tool_call", "id": call["id"], "name": call["name"], "arguments": call["args"]}
        for call in calls
    ]
