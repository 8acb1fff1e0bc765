"""One step of a compiled task: whether it is done, kept or skipped, doing it, and the record that it leaves.

What does not live here: the order of steps (`compile`) and what an action does (`actions`).
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from langgraph.config import get_stream_writer
from langgraph.errors import GraphBubbleUp

from motet.agents.judge import Judge
from motet.errors import MotetError, RunError
from motet.events import StepCompleted, StepStarted
from motet.tasks import keep, order
from motet.tasks.actions import Doing, act, model_of
from motet.tasks.attempt import ENDS_THE_RUN, EXPECTATION, as_motet_error, attempts
from motet.tasks.expect import Came, fault
from motet.tasks.expressions import fill, parse, text_of
from motet.tasks.records import channel, gathered, items_channel, key_of, view
from motet.tasks.save import save

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from langgraph.graph.state import CompiledStateGraph

    from motet.events import StepStatus
    from motet.retrieval.base import Retriever
    from motet.tasks.actions import Outcome
    from motet.tasks.load import TaskFile
    from motet.tasks.parts import TaskParts
    from motet.tasks.records import Record
    from motet.tasks.spec import Step

_SHORT = 300


@dataclass(frozen=True, slots=True)
class StepRunner:
    """Does one step of one task file."""

    step: Step
    number: int
    """Its place in the file, from 1."""
    needs: Sequence[str]
    file: TaskFile
    parts: TaskParts
    trust: str
    child: CompiledStateGraph[Any, Any, Any, Any] | None = None

    @property
    def name(self) -> str:
        """Return what the step is called: its id, and what is said of it."""
        about = self.step.description
        return f"{self.step.id}: {about}" if about else self.step.id

    async def run(self, state: Mapping[str, Any]) -> dict[str, Any]:
        """Do the step, unless it is skipped or was done before; return its record."""
        early = self._early(state)
        if early is not None:
            return {channel(self.step.id): early}
        record = await self._whole(state)
        return {channel(self.step.id): record}

    async def fan(self, state: Mapping[str, Any]) -> dict[str, Any]:
        """Work out the items of a step with `foreach`; each is done by itself afterwards."""
        early = self._early(state)
        if early is not None:
            return {channel(self.step.id): early}
        turn = state["turn"]
        begun: Record = {"status": "fanned", "turn": turn, "key": "", "earlier": self._kept_items(state)}
        try:
            items = fill(self.step.foreach, self.scope(state))
            if not isinstance(items, list):
                raise RunError(f"foreach is {text_of(items)[:60]!r}; expected a list.")
            begun["all"] = items
        except MotetError as error:
            return {channel(self.step.id): self._failed(error, state)}
        self._tell_start(state)
        return {channel(self.step.id): begun, items_channel(self.step.id): {"turn": turn}}

    async def item(self, sent: Mapping[str, Any]) -> dict[str, Any]:
        """Do one item of a step with `foreach`."""
        record = await self._whole(sent, item=sent["item"], index=sent["index"])
        return {items_channel(self.step.id): {"turn": sent["turn"], str(sent["index"]): record}}

    async def gather(self, state: Mapping[str, Any]) -> dict[str, Any]:
        """Make the step's record of those of its items."""
        record = state[channel(self.step.id)]
        if record["status"] != "fanned":
            return {}
        items = state.get(items_channel(self.step.id)) or {}
        done = [items[str(number)] for number in range(len(record["all"]))]
        key = key_of(self.step, [item["key"] for item in done], self._upstream(state))
        made = gathered(done, key=key, turn=state["turn"], continue_on_error=self.step.continue_on_error)
        self._tell_end(state, made)
        return {channel(self.step.id): made, items_channel(self.step.id): {"turn": "gathered"}}

    def scope(self, state: Mapping[str, Any], **more: Any) -> dict[str, Any]:
        """Return what the step's expressions may read."""
        steps = {name: view(state.get(channel(name))) for name in self.needs}
        return {"inputs": state["args"], "steps": steps, **more}

    # Whether it is done

    def _early(self, state: Mapping[str, Any]) -> Record | None:
        """Return the record of a step that is not done now, or None."""
        if self._goes_on(state):
            return None
        control: Mapping[str, Any] = state.get("plan") or {}
        earlier: Record | None = state.get(channel(self.step.id))
        only = control.get("only")
        if only and self.step.id not in only:
            kept = earlier if earlier and earlier["status"] in ("done", "failed", "skipped") else None
            return {**kept, "turn": state["turn"]} if kept else self._skipped("not asked for", state)
        reads = order.reads_of(self.step)
        decides = {name for name, field in reads.fields if field == "status"} if self.step.if_ else set[str]()
        for name in self.needs:
            before: Record = state.get(channel(name)) or {}
            stops = before.get("status") == "failed" and not before.get("tolerated")
            if (stops or before.get("blocked")) and name not in decides:
                why = f"needs '{name}', which {'failed' if stops else 'was not done'}"
                return self._skipped(why, state, blocked=True)
        if self.step.if_ is None:
            return None
        try:
            wanted = parse(self.step.if_).value(self.scope(state))
        except MotetError as error:
            return self._failed(error, state)
        return None if wanted else self._skipped(f"if {self.step.if_}", state)

    def _goes_on(self, state: Mapping[str, Any]) -> bool:
        """Say whether the step is in the middle of its loop."""
        record: Record = state.get(channel(self.step.id)) or {}
        return record.get("status") == "looping" and record.get("turn") == state["turn"]

    def _earlier(self, state: Mapping[str, Any], index: int | None) -> Record | None:
        """Return what this step (or item) left behind before, where it may be used again."""
        plan: Mapping[str, Any] = state.get("plan") or {}
        if plan.get("fresh") or self.step.id in (plan.get("redo") or ()):
            return None
        if index is not None:
            return state.get("earlier")
        return state.get(channel(self.step.id))

    def _kept_items(self, state: Mapping[str, Any]) -> list[Record]:
        """Return what the items left behind before, in their order; {} where there is nothing of one."""
        earlier = self._earlier(state, None) or {}
        if earlier.get("status") != "fanned":
            return earlier.get("items") or []
        left = {
            int(number): item
            for number, item in (state.get(items_channel(self.step.id)) or {}).items()
            if number.isdigit()
        }
        before: list[Record] = earlier.get("earlier") or []
        count = max([len(before), *(number + 1 for number in left)])
        return [
            left.get(number) or (before[number] if number < len(before) else {}) for number in range(count)
        ]

    def _upstream(self, state: Mapping[str, Any]) -> list[Any]:
        return [(state.get(channel(name)) or {}).get("key") for name in self.needs]

    # Doing it

    async def _whole(self, state: Mapping[str, Any], **item: Any) -> Record:
        """Do the step or one item of it; what fails is a record too."""
        began = time.monotonic()
        alone = not item
        try:
            record = await self._do(state, item)
        except (GraphBubbleUp, *ENDS_THE_RUN):
            raise
        except Exception as raised:  # noqa: BLE001  # the step's edge: its own fault is its record
            record = self._failed(as_motet_error(raised), state, tell=alone)
            record["key"] = ""
        else:
            if alone and record["status"] != "looping":
                self._tell_end(state, record)
        record["seconds"] = round(time.monotonic() - began, 3)
        return record

    async def _do(self, state: Mapping[str, Any], item: Mapping[str, Any]) -> Record:
        step, turn = self.step, state["turn"]
        looped: Record = (state.get(channel(step.id)) or {}) if self._goes_on(state) else {}
        iteration = int(looped.get("iteration", 0)) + 1
        scope = self.scope(state, **item)
        if step.loop is not None:
            last = looped.get("output")
            scope |= {"output": last, "text": text_of(last), "iteration": iteration}
        resolved = {
            name: fill(getattr(step, name), scope) for name in order.FILLED if name not in ("foreach", "save")
        }
        resolved = {name: value for name, value in resolved.items() if value is not None}
        retriever, revision = await self._documents(state)
        more = [self._upstream(state), self._model(resolved), revision, self._agent_definition(state)]
        key = key_of(step, [resolved, iteration], more)
        found = await self._found(state, key, item, iteration)
        if found is not None:
            return {**found, "turn": turn}
        if iteration == 1 and not item:
            self._tell_start(state)
        doing = Doing(
            step,
            self.file,
            self.parts,
            resolved,
            scope,
            self.trust,
            self._approved(state),
            retriever,
            self.child,
        )
        outcome = await attempts(
            lambda: self._checked(doing),
            retry=step.retry or self._default("retry"),
            timeout_s=self._timeout(),
        )
        record: Record = {"status": "done", "key": key, "turn": turn, "output": outcome.output}
        if outcome.citations:
            record["citations"] = outcome.citations
        return await self._finish(record, scope, iteration, looped.get("first_key"))

    async def _finish(
        self, record: Record, scope: Mapping[str, Any], iteration: int, first_key: str | None
    ) -> Record:
        """Save what is to be saved, keep what is to be kept, and look whether a loop goes on."""
        step = self.step
        if step.loop is not None:
            record["iteration"] = iteration
            record["first_key"] = first_key or record["key"]
            seen = {
                **scope,
                "output": record["output"],
                "text": text_of(record["output"]),
                "iteration": iteration,
            }
            if not parse(step.loop.until).value(seen) and iteration < step.loop.max_iterations:
                return {**record, "status": "looping"}
        if step.save is not None:
            name = text_of(fill(step.save, {**scope, "output": record["output"]}))
            record["artifact"] = save(self.file.save_to or self.file.folder, name, record["output"])
        if step.cache and step.loop is None:
            await keep.cache(self.parts.store, record["key"], record)
        return record

    async def _found(
        self, state: Mapping[str, Any], key: str, item: Mapping[str, Any], iteration: int
    ) -> Record | None:
        """Return the record of an earlier time with the same key, of this thread or of the cache."""
        if self.step.loop is not None and iteration > 1:
            return None
        earlier = self._earlier(state, item.get("index"))
        if earlier and earlier.get("status") == "done" and self._same(earlier, key):
            return {**earlier, "kept": True}
        plan: Mapping[str, Any] = state.get("plan") or {}
        if self.step.cache and self.step.id not in (plan.get("redo") or ()):
            record = await keep.cached(self.parts.store, key)
            if record is not None and self.step.save is not None:
                scope = {**self.scope(state, **item), "output": record["output"]}
                name = text_of(fill(self.step.save, scope))
                record["artifact"] = save(self.file.save_to or self.file.folder, name, record["output"])
            return None if record is None else {**record, "kept": True}
        return None

    def _same(self, earlier: Record, key: str) -> bool:
        """Say whether an earlier record belongs to this key; a loop's by its first round."""
        return earlier.get("key") == key or earlier.get("first_key") == key

    async def _checked(self, doing: Doing) -> Outcome:
        """Act, and hold what came out against what is expected."""
        outcome = await act(doing)
        scope = {**doing.scope, "output": outcome.output, "text": text_of(outcome.output)}
        scope["citations"] = outcome.citations
        came = Came(outcome.output, scope, citations=outcome.citations, judge=self._judge())
        for check in self.step.expect:
            wrong = await fault(check, came)
            if wrong:
                raise RunError(f"What came out is not as expected: {wrong}.", kind=EXPECTATION)
        return outcome

    def _judge(self) -> Judge:
        return Judge(lambda spec: self.parts.chat("judge", spec), self.parts.prompts)

    async def _documents(self, state: Mapping[str, Any]) -> tuple[Retriever | None, str]:
        agent = self.file.task.agents.get(self.step.agent or "")
        name = agent.knowledge if agent else None
        known = self.file.task.knowledge
        if name is None and self.step.tool == "search_documents" and known:
            name = next(iter(known))
        if name is None:
            return None, ""
        paths = [
            self.file.folder / text_of(fill(path, {"inputs": state["args"]})) for path in known[name].paths
        ]
        return await self.parts.documents(paths, self.file.folder, known[name].top_k)

    def _agent_definition(self, state: Mapping[str, Any]) -> Any:
        agent = self.file.task.agents.get(self.step.agent or "")
        if agent is None:
            return None
        return [
            agent.model_dump(mode="json", exclude_unset=True),
            fill(agent.system, {"inputs": state["args"]}),
        ]

    def _model(self, resolved: Mapping[str, Any]) -> str | None:
        if self.step.action not in ("agent", "graph"):
            return None
        return self.parts.model_name("deep", model_of(self.file, self.step, resolved))

    def _approved(self, state: Mapping[str, Any]) -> Sequence[str]:
        return (state.get("plan") or {}).get("approved") or ()

    def _default(self, name: str) -> Any:
        # A question or a program that fails is not asked or run again because models are.
        return (
            getattr(self.file.task.defaults, name) if self.step.action in ("agent", "graph", "tool") else None
        )

    def _timeout(self) -> float | None:
        return self.step.timeout if self.step.timeout is not None else self._default("timeout")

    # Records and events

    def _skipped(self, why: str, state: Mapping[str, Any], *, blocked: bool = False) -> Record:
        record: Record = {"status": "skipped", "key": "", "turn": state["turn"], "why": why}
        if blocked:
            record["blocked"] = True
        self._tell_end(state, record)
        return record

    def _failed(self, error: MotetError, state: Mapping[str, Any], *, tell: bool = True) -> Record:
        record: Record = {"status": "failed", "key": "", "turn": state["turn"], "error": error.to_dict()}
        if self.step.continue_on_error:
            record["tolerated"] = True
        if tell:
            self._tell_end(state, record)
        return record

    def _tell_start(self, state: Mapping[str, Any]) -> None:
        if not _is_nested(state):
            get_stream_writer()(StepStarted(step_id=self.number, agent=self.step.action, task=self.name))

    def _tell_end(self, state: Mapping[str, Any], record: Record) -> None:
        if _is_nested(state):
            return
        status: StepStatus = record["status"]
        result = _short(record)
        get_stream_writer()(StepCompleted(step_id=self.number, status=status, result=result))


def _is_nested(state: Mapping[str, Any]) -> bool:
    return bool((state.get("plan") or {}).get("nested"))


def _short(record: Record) -> str:
    """Return what a step came to, in short."""
    if record["status"] == "failed":
        return str((record.get("error") or {}).get("message", ""))[:_SHORT]
    if record["status"] == "skipped":
        return str(record.get("why", ""))[:_SHORT]
    text = " ".join(text_of(view(record)["output"]).split())
    text = text if len(text) <= _SHORT else text[: _SHORT - 1] + "…"
    told = f"(kept from before) {text}" if record.get("kept") else text
    return f"{record['why']}; {told}" if record.get("why") else told
