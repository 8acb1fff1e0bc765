"""From a task file to a LangGraph graph.

What does not live here: what a step does (`steps`). The shape of the graph::

    begin ─▶ steps that wait for nothing ─▶ steps that wait for one of them alone ─▶ … ─▶ next ─▶ finish
                                                      │                                 │ ▲
                                                      └──── steps that wait for several ◀┘ │
                                                                  └───────────────────────┘

A step that waits for one other follows it by an edge. One that waits for several is sent by the node `next`, which
looks after each round which of them are ready. Each step's record has a channel of its own, so that a checkpoint
holds what is new and not what all steps came to. A step with `foreach` is three nodes: it works out its items, does
each by `Send`, and gathers them.
"""

from __future__ import annotations

import asyncio
import json
import uuid
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING, Annotated, Any, cast
from weakref import WeakValueDictionary

from langchain_core.messages import AIMessage
from langgraph.config import get_config, get_stream_writer
from langgraph.graph import END, START, StateGraph
from langgraph.types import Command, Send
from typing_extensions import TypedDict

from motet.agents.citations import cited
from motet.errors import InvalidInput, ModelError, ModelUnavailable, MotetError
from motet.events import CITATIONS_KEY, PlanStep, PlanUpdated
from motet.graphs.state import Conversation
from motet.memory.window import last_user_text
from motet.tasks import order
from motet.tasks.expressions import fill, text_of
from motet.tasks.inputs import complete
from motet.tasks.records import channel, items_channel, merge_items, trimmed, view
from motet.tasks.steps import StepRunner

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from langgraph.graph.state import CompiledStateGraph

    from motet.tasks.load import TaskFile
    from motet.tasks.parts import TaskParts
    from motet.tasks.records import Record
    from motet.tasks.spec import Step, Task

BEGIN, NEXT, FINISH = "begin task", "next steps", "finish task"

CONTROL_KEYS = frozenset({"redo", "keep", "only", "approved", "nested"})


class TaskInput(Conversation):
    """What a task's graph takes."""

    inputs: dict[str, Any] | None
    """The task's inputs by name. Without them the last message is the task's only text input that has no default."""
    control: dict[str, Any] | None
    """`keep`: use what earlier runs of the thread left behind; `redo`: but not these steps; `only`: no other steps;
    `approved`: questions that are answered with yes."""


class TaskOutput(Conversation):
    """What a task's graph gives; `messages` has the main output as an answer."""

    outputs: dict[str, Any]
    steps: dict[str, Any]
    """What became of each step: `{"status", "seconds", …}` by its id."""


class _Plain(TaskInput, TaskOutput):
    args: dict[str, Any]
    plan: dict[str, Any]
    turn: str
    started: dict[str, Any]


def compile_task(
    file: TaskFile, parts: TaskParts, *, trust: str | None = None
) -> CompiledStateGraph[Any, Any, Any, Any]:
    """Compile a task file.

    Args:
        file: As it was loaded, or locked.
        parts: What its steps are made of.
        trust: The digest that it is trusted by; its own unless given.

    Returns:
        A graph from `TaskInput` to `TaskOutput`. Its config brings a recursion limit that its steps fit into.
    """
    return _Compiler(file, parts, trust or file.digest).compile()


class _Compiler:
    def __init__(self, file: TaskFile, parts: TaskParts, trust: str) -> None:
        self._file = file
        self._task: Task = file.task
        self._waits = order.needs(self._task.steps)
        self._gates: WeakValueDictionary[tuple[str, str], asyncio.Semaphore] = WeakValueDictionary()
        children = {
            name: compile_task(replace(child, model=file.model, save_to=file.save_to), parts, trust=trust)
            for name, child in file.children.items()
        }
        self._runners = {
            step.id: StepRunner(
                step, number, self._waits[step.id], file, parts, trust, children.get(step.task or "")
            )
            for number, step in enumerate(self._task.steps, 1)
        }

    def compile(self) -> CompiledStateGraph[Any, Any, Any, Any]:
        builder: Any = StateGraph(self._state(), input_schema=TaskInput, output_schema=TaskOutput)
        several = [name for name, waits in self._waits.items() if len(waits) > 1]
        builder.add_node(BEGIN, self._begin)
        builder.add_node(NEXT, self._next, destinations=(*map(_node, several), FINISH))
        builder.add_node(FINISH, self._finish)
        builder.add_edge(START, BEGIN)
        for name, waits in self._waits.items():
            self._add(builder, self._runners[name].step)
            if not waits:
                builder.add_edge(BEGIN, _node(name))
        builder.add_edge(FINISH, END)
        rounds = sum(step.loop.max_iterations if step.loop else 3 for step in self._task.steps)
        return builder.compile().with_config(recursion_limit=2 * rounds + 10)

    def _state(self) -> type:
        fields: dict[str, Any] = {channel(step.id): dict[str, Any] for step in self._task.steps}
        for step in self._task.steps:
            if step.foreach is not None:
                fields[items_channel(step.id)] = Annotated[dict[str, Any], merge_items]
        steps = TypedDict("TaskSteps", fields)  # pyright: ignore[reportGeneralTypeIssues, reportArgumentType, reportUnknownVariableType]
        return (
            type("TaskState", (), {"__annotations__": {}})
            if not fields
            else _joined(_Plain, cast("type", steps))
        )

    def _add(self, builder: Any, step: Step) -> None:
        """Add a step's nodes, and the edges to what follows it."""
        runner, name = self._runners[step.id], _node(step.id)
        following = [other for other, waits in self._waits.items() if waits == [step.id]]
        to_next = len(following) < sum(step.id in waits for waits in self._waits.values()) or not following
        after = [*map(_node, following), *([NEXT] if to_next else [])]
        if step.foreach is not None:
            builder.add_node(name, runner.fan)
            builder.add_node(f"{name} item", self._limited(step), input_schema=_Item)
            builder.add_node(f"{name} end", runner.gather)
            builder.add_conditional_edges(name, self._send_items(step), [f"{name} item", f"{name} end"])
            builder.add_edge(f"{name} item", f"{name} end")
            name = f"{name} end"
        else:
            builder.add_node(name, runner.run)
        if step.loop is not None:
            builder.add_conditional_edges(name, self._round(step, after), [name, *after])
            return
        for target in after:
            builder.add_edge(name, target)

    def _round(self, step: Step, after: list[str]) -> Any:
        async def go_on(state: Any) -> list[str]:  # LangGraph looks the types up
            return [_node(step.id)] if state[channel(step.id)]["status"] == "looping" else after

        return go_on

    def _send_items(self, step: Step) -> Any:
        name = _node(step.id)
        reads = order.reads_of(step).steps

        async def send(state: Any) -> list[Send] | str:  # LangGraph looks the types up
            record: Record = state[channel(step.id)]
            if record["status"] != "fanned" or not record["all"]:
                return f"{name} end"
            shared = {key: state.get(key) for key in ("args", "plan", "turn")}
            for need in self._waits[step.id]:
                shared[channel(need)] = trimmed(state.get(channel(need)), whole=need in reads)
            earlier: Sequence[Record] = record["earlier"]
            return [
                Send(
                    f"{name} item",
                    {**shared, "item": item, "index": n, "earlier": earlier[n] if n < len(earlier) else None},
                )
                for n, item in enumerate(record["all"])
            ]

        return send

    def _limited(self, step: Step) -> Any:
        """Return a step's work on one item, for so many items at once."""
        runner = self._runners[step.id]
        most = step.max_parallel or self._task.defaults.max_parallel

        async def item(sent: _Item) -> dict[str, Any]:
            known = sent["turn"], step.id
            gate = self._gates.get(known)
            if gate is None:
                gate = self._gates[known] = asyncio.Semaphore(most)
            async with gate:
                return await runner.item(cast("Mapping[str, Any]", sent))

        return item

    async def _begin(self, state: Mapping[str, Any]) -> dict[str, Any]:
        """Check the inputs, and say what is planned. What was asked is used up: the next run brings its own."""
        control: dict[str, Any] = state.get("control") or {}
        unknown = sorted(control.keys() - CONTROL_KEYS)
        if unknown:
            raise InvalidInput(
                f"control has the unknown key '{unknown[0]}'. Known: {', '.join(sorted(CONTROL_KEYS))}."
            )
        args = complete(self._task, self._given(state))
        run_id = (get_config().get("metadata") or {}).get("run_id")
        turn = f"{run_id}" if run_id and not control.get("nested") else str(uuid.uuid4())
        plan = {"fresh": not control.get("keep"), **{k: v for k, v in control.items() if k != "keep" and v}}
        if not control.get("nested"):
            get_stream_writer()(PlanUpdated(steps=self._plan_steps()))
        return {
            "args": args,
            "plan": plan,
            "turn": turn,
            "inputs": None,
            "control": None,
            "outputs": {},
            "steps": {},
        }

    def _given(self, state: Mapping[str, Any]) -> dict[str, Any]:
        """Return the inputs; a conversation's last message is the one text input that has no default."""
        given = state.get("inputs")
        if given is not None:
            return given
        texts = [
            name
            for name, schema in self._task.inputs.items()
            if "default" not in schema and schema.get("type", "string") == "string"
        ]
        said = last_user_text(state.get("messages") or [])
        return {texts[0]: said} if said and len(texts) == 1 else {}

    def _plan_steps(self) -> list[PlanStep]:
        numbers = {step.id: number for number, step in enumerate(self._task.steps, 1)}
        return [
            PlanStep(
                step_id=numbers[step.id],
                agent=step.action,
                task=self._runners[step.id].name,
                depends_on=[numbers[name] for name in self._waits[step.id]],
            )
            for step in self._task.steps
        ]

    async def _next(self, state: Mapping[str, Any]) -> Command[Any]:
        """Start the steps that wait for several and whose turn it is; finish when all have ended."""
        turn = state["turn"]
        ended = {name for name in self._waits if _has_ended(state.get(channel(name)), turn)}
        known: Mapping[str, Any] = state.get("started") or {}
        started: list[str] = known["names"] if known.get("turn") == turn else []
        ready = [
            name
            for name, waits in self._waits.items()
            if len(waits) > 1 and name not in started and ended.issuperset(waits)
        ]
        if len(ended) == len(self._waits):
            return Command(goto=FINISH)
        return Command(
            update={"started": {"turn": turn, "names": [*started, *ready]}} if ready else None,
            goto=[_node(name) for name in ready],
        )

    async def _finish(self, state: Mapping[str, Any]) -> dict[str, Any]:
        """Give the outputs; the first step that failed is the run's failure."""
        records: dict[str, Record] = {name: state[channel(name)] for name in self._waits}
        failed = [
            n for n, record in records.items() if record["status"] == "failed" and not record.get("tolerated")
        ]
        if failed:
            raise _failure(failed, records)
        scope = {"inputs": state["args"], "steps": {name: view(record) for name, record in records.items()}}
        outputs = self._outputs(scope, records)
        text = _answer(outputs)
        sources = _cited(text, records)
        answer = AIMessage(
            text, id=str(uuid.uuid4()), additional_kwargs={CITATIONS_KEY: sources} if sources else {}
        )
        made = {"outputs": outputs, "steps": {name: _summary(record) for name, record in records.items()}}
        return made if state["plan"].get("nested") else {**made, "messages": [answer]}

    def _outputs(self, scope: Mapping[str, Any], records: Mapping[str, Record]) -> dict[str, Any]:
        """Return the file's outputs; those of steps that nothing waits for, where it names none."""
        if self._task.outputs:
            return fill(self._task.outputs, scope)
        awaited = {name for waits in self._waits.values() for name in waits}
        return {name: view(record)["output"] for name, record in records.items() if name not in awaited}


class _Item(TypedDict):
    """What the work on one item is sent, beside the records of the steps that it reads."""

    item: Any
    index: int
    turn: str
    args: dict[str, Any]
    plan: dict[str, Any]
    earlier: dict[str, Any] | None


def _joined(first: type, second: type) -> type:
    """Return one state with the keys of two."""
    hints = {**_hints(first), **_hints(second)}
    return cast("type", TypedDict("TaskState", hints))  # pyright: ignore[reportGeneralTypeIssues, reportArgumentType]


@cache
def _hints(kind: type) -> dict[str, Any]:
    from typing_extensions import get_type_hints  # noqa: PLC0415

    return get_type_hints(kind, include_extras=True)


def _node(step_id: str) -> str:
    """Return the name of a step's node; no channel may have it too."""
    taken = {*_hints(_Plain)}
    return f"{step_id} step" if step_id in taken or step_id.startswith(("step_", "items_")) else step_id


def _has_ended(record: Record | None, turn: str) -> bool:
    return bool(record) and record.get("turn") == turn and record["status"] in ("done", "failed", "skipped")


def _failure(failed: list[str], records: Mapping[str, Record]) -> MotetError:
    """Return the run's error: the first failed step's own, with its name."""
    error = MotetError.from_dict(records[failed[0]]["error"])
    more = f" {', '.join(failed[1:])} failed too." if failed[1:] else ""
    kept = [name for name, record in records.items() if record["status"] == "done"]
    again = " What is done is kept: run it again to go on." if kept else ""
    # The whole run is not tried again by itself: the step was, as often as its file says.
    kind = ModelError if isinstance(error, ModelUnavailable) else type(error)
    fields = {key: value for key, value in error.fields.items() if key not in ("step", "failed")}
    return kind(
        f"Step '{failed[0]}' failed: {error.message}{more}{again}", **fields, step=failed[0], failed=failed
    )


def _answer(outputs: Mapping[str, Any]) -> str:
    """Return outputs as a text: the only text as it is, else JSON."""
    values = list(outputs.values())
    if len(values) == 1:
        return text_of(values[0])
    return json.dumps(outputs, ensure_ascii=False, indent=2, default=str)


def _cited(text: str, records: Mapping[str, Record]) -> list[dict[str, Any]]:
    """Return the passages that the answer cites, of the last step that had any."""
    found = next((r["citations"] for r in reversed(list(records.values())) if r.get("citations")), [])
    numbers = {passage.get("number") for passage in found}
    marked = set(cited(text, max([number or 0 for number in numbers], default=0)))
    return [passage for passage in found if passage.get("number") in marked]


def _summary(record: Record) -> dict[str, Any]:
    names = ("status", "seconds", "why", "kept", "artifact", "iteration")
    found = {name: record[name] for name in names if name in record}
    return found | ({"error": record["error"]["message"]} if record.get("error") else {})
