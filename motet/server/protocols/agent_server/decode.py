"""From this wire's body of a run to a `RunRequest`.

What does not live here: whether the run may be (the gate says).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from motet.errors import InvalidInput, UserError
from motet.runs.budgets.question import PREFIX
from motet.runs.drive import Drive, RecordMode, SendTo, StateWrite
from motet.runs.request import RunOptions, RunRequest, Webhook, check_steps
from motet.server.protocols.agent_server.bodies import SendBody

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from motet.runs.assistants import AssistantRecord
    from motet.server.protocols.agent_server.bodies import Command, RunBody, StateWriteBody

Json = dict[str, Any]

_INTERRUPT_ID = re.compile(rf"[0-9a-f]{{32}}|{PREFIX}[0-9a-f]{{24}}")
"""Ids of questions: LangGraph's, and those about budgets (`runs.budgets`)."""

RECORDED: dict[str, RecordMode] = {"messages-tuple": "messages"}
"""What has to be recorded for a mode, where it is not the mode itself."""


def modes_of(body: RunBody) -> list[str]:
    """Return the modes that a stream of the run shows."""
    asked = body.stream_mode
    if not asked:  # npm's client sends an empty list
        return ["values"]
    return list(dict.fromkeys([asked] if isinstance(asked, str) else asked))


def recorded(modes: Iterable[str]) -> list[RecordMode]:
    """Return what is recorded so that these modes can be shown."""
    return list(dict.fromkeys(RECORDED.get(mode, mode) for mode in modes))  # pyright: ignore[reportReturnType]


def decode(
    body: RunBody,
    assistant: AssistantRecord,
    *,
    thread_id: str | None,
    context_names: Iterable[str] = (),
    record: Iterable[str] = (),
    **more: Any,
) -> RunRequest:
    """Return the request that a body asks for.

    Args:
        body: What was sent.
        assistant: Whose graph and settings count where the body says nothing.
        thread_id: The thread.
        context_names: Fields of the graph's context: what a config says about them counts for the context too.
        record: Modes of LangGraph's stream that a viewer wants.
        more: Other fields of the request.

    Raises:
        InvalidInput: The input is no object, or parts do not go together.
        UserError: It has both a configurable and a context.
    """
    given, metadata = _input(body), _metadata(body, assistant)
    command = body.command
    resume, answers = _answers(command)
    drive = Drive(
        **_driven(body, assistant, list(context_names)),
        record=recorded(record),
        subgraphs=bool(body.stream_subgraphs),
        go_on=given is None and command is None,
        update=command.update if command is not None else None,
        goto=_goto(command),
        metadata=metadata,
    )
    asked: Json = {} if resume is None else {"resume": resume}
    return RunRequest(
        **asked,
        graph=assistant.graph,
        thread_id=thread_id,
        input=given if command is None else None,
        answers=answers,
        options=RunOptions(**_limit(body, assistant)),
        drive=drive,
        multitask=body.multitask_strategy or "enqueue",
        delay_s=body.after_seconds or 0.0,
        metadata=metadata,
        webhook=Webhook(url=body.webhook, wire="agent_server") if body.webhook else None,
        **more,
    )


def decode_update(
    writes: Iterable[Iterable[StateWriteBody]], *, graph: str, thread_id: str, place: Mapping[str, Any]
) -> RunRequest:
    """Return the request that writes a thread's state."""
    steps = [[_write(one) for one in step] for step in writes]
    drive = Drive(
        supersteps=steps,
        checkpoint_id=place.get("checkpoint_id"),
        checkpoint_ns=place.get("checkpoint_ns") or "",
    )
    return RunRequest(graph=graph, thread_id=thread_id, drive=drive, multitask="reject")


def _write(one: StateWriteBody) -> StateWrite:
    return StateWrite(values=one.values, as_node=one.as_node, update=one.command)


def _input(body: RunBody) -> Json | None:
    if body.input is None or isinstance(body.input, dict):
        return body.input
    raise InvalidInput("input: an object was expected, the graph's state by name.")


def _answers(command: Command | None) -> tuple[Any, Json | None]:
    """Return an answer to the one question, or answers by the ids of questions."""
    resume: Any = None if command is None else command.resume
    if isinstance(resume, dict):
        named: Json = {str(key): value for key, value in resume.items()}
        if named and all(_INTERRUPT_ID.fullmatch(key) for key in named):
            return None, named
    return resume, None


def _goto(command: Command | None) -> list[str | SendTo]:
    if command is None or command.goto is None:
        return []
    places = command.goto if isinstance(command.goto, list) else [command.goto]
    return [SendTo(node=to.node, input=to.input) if isinstance(to, SendBody) else to for to in places]


def _driven(body: RunBody, assistant: AssistantRecord, context_names: list[str]) -> Json:
    asked = body.config
    said: Json = (asked.configurable if asked is not None else None) or {}
    if said and body.context:
        raise UserError(
            "A run says either config.configurable or context, and not both; context is the better one."
        )
    settled: Json = assistant.config.get("configurable") or {}
    configurable = {**settled, **said}
    context = body.context or None
    if context is None:
        said_of_it: Json = {**assistant.context, **configurable}
        if context_names or not assistant.context:
            said_of_it = {name: said_of_it[name] for name in context_names if name in said_of_it}
        context = said_of_it or None
    tags: list[str] = [
        *(assistant.config.get("tags") or []),
        *((asked.tags if asked is not None else None) or []),
    ]
    place = body.checkpoint_id or (body.checkpoint.checkpoint_id if body.checkpoint is not None else None)
    return {
        "configurable": configurable,
        "context": context,
        "tags": tags,
        "checkpoint_id": place,
        "interrupt_before": body.interrupt_before or [],
        "interrupt_after": body.interrupt_after or [],
    }


def _limit(body: RunBody, assistant: AssistantRecord) -> Json:
    """Return the run's limit of steps where one was asked for: an option that is named counts for answers too."""
    steps = body.config.recursion_limit if body.config is not None else None
    if steps is None:
        steps = assistant.config.get("recursion_limit")
        # An older Motet kept what no run may have.
        check_steps(steps, f"The recursion_limit of assistant {assistant.assistant_id}")
    return {} if steps is None else {"max_steps": steps}


def _metadata(body: RunBody, assistant: AssistantRecord) -> Json:
    said = (body.config.metadata if body.config is not None else None) or {}
    ids = {"graph_id": assistant.graph, "assistant_id": assistant.assistant_id}
    return {**assistant.metadata, **said, **(body.metadata or {}), **ids}
