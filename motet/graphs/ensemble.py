"""The graph `ensemble`: recall → route → plan → (retrieve, work) in parallel → review → answer → remember.

A greeting or a follow-up goes from the router straight to the answer. A review that finds something missing has
the plan mended, a bounded number of times.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

from langchain_core.messages import AIMessage, AnyMessage, HumanMessage
from langgraph.config import get_stream_writer
from langgraph.graph import END, START, StateGraph
from langgraph.types import Overwrite, Send
from typing_extensions import TypedDict

from motet.agents.asked_words import asks_missing
from motet.agents.base import Assignment, Finding, Outcome, build_agents
from motet.agents.context import background, condense, earlier_of, is_long, pinned_text, shown
from motet.agents.planner import make_plan, mend_plan
from motet.agents.prompts import Language  # noqa: TC001  # LangGraph reads the state's types
from motet.agents.rememberer import keep_facts
from motet.agents.rephraser import stand_alone
from motet.agents.reviewer import review
from motet.agents.router import choose_route
from motet.agents.second_look import is_stated
from motet.agents.unanswered import NOTHING, may_hold
from motet.agents.ways import Way
from motet.agents.writer import brief, write_answer, write_direct
from motet.events import (
    Passage,
    PlanStep,
    PlanUpdated,
    RetrievalCompleted,
    StepCompleted,
    StepStarted,
)
from motet.graphs.state import Conversation, LongConversation, look_back, memory_ids, merge_results, recall
from motet.memory.window import last_user_text
from motet.retrieval.render import whole_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from langchain_core.messages import BaseMessage
    from langgraph.graph.state import CompiledStateGraph

    from motet.agents.base import Agent
    from motet.graphs.base import GraphParts
    from motet.memory.fact import Memory

MAX_PASSAGES = 6
"""Passages that an answer is written from."""


class EnsembleState(LongConversation):
    """The conversation, and this turn's work. Everything but the conversation is made anew each turn."""

    language: Language
    personal: bool
    question: str
    """What is asked, so that it can be understood without the conversation; "" until there is a plan."""
    plan: list[dict[str, Any]]
    """The plan's steps, as dicts of `PlanStep`."""
    results: Annotated[dict[str, Any], merge_results]
    """By step number: `{"text", "ok", "passages"}`."""
    replans: int
    missing: str


class StepInput(TypedDict):
    """What a step is sent."""

    step: dict[str, Any]
    question: str
    language: Language
    results: dict[str, Any]


def build_ensemble(parts: GraphParts) -> CompiledStateGraph[Any, Any, Any, Any]:
    """Build the graph: a plain compiled LangGraph graph from `{"messages": […]}` to `{"messages": […]}`."""
    score = _Score(parts)
    builder = StateGraph(EnsembleState, input_schema=Conversation, output_schema=Conversation)
    builder.add_node("recall", score.recall)
    builder.add_node("route", score.route)
    builder.add_node("plan", score.plan)
    builder.add_node("dispatch", score.dispatch)
    builder.add_node("retrieve", score.do_step, input_schema=StepInput)
    builder.add_node("work", score.do_step, input_schema=StepInput)
    builder.add_node("review", score.review)
    builder.add_node("answer", score.answer)
    builder.add_node("remember", score.remember)
    builder.add_edge(START, "recall")
    builder.add_edge("recall", "route")
    builder.add_conditional_edges("route", Way(score.after_route), ["plan", "answer"])
    builder.add_edge("plan", "dispatch")
    builder.add_conditional_edges("dispatch", Way(score.after_dispatch), ["retrieve", "work", "review"])
    builder.add_edge("retrieve", "dispatch")
    builder.add_edge("work", "dispatch")
    builder.add_conditional_edges("review", Way(score.after_review), ["plan", "answer"])
    builder.add_conditional_edges("answer", Way(score.after_answer), ["remember", END])
    builder.add_edge("remember", END)
    return builder.compile()


class _Score:
    """The nodes of the graph, over the parts that they share."""

    def __init__(self, parts: GraphParts) -> None:
        self._parts = parts.agents
        self._memories = parts.memories
        self._history = parts.history
        self._agents: dict[str, Agent] = build_agents(parts.agents)

    async def recall(self, state: EnsembleState) -> dict[str, Any]:
        """Clear the last turn's work and look up what is known about the user."""
        messages = state["messages"]
        asked = last_user_text(messages)
        return {
            "language": self._parts.prompts.language_of(asked),
            "memories": await recall(self._memories, asked),
            "found": await look_back(self._history, messages, earlier_of(state)),
            "personal": False,
            "question": "",
            "plan": [],
            "results": Overwrite({}),
            "replans": 0,
            "missing": "",
        }

    async def route(self, state: EnsembleState) -> dict[str, Any]:
        chosen = await choose_route(self._parts, state["messages"], state["language"])
        return {"personal": chosen.personal, "missing": "" if chosen.route == "direct" else "plan"}

    async def after_route(self, state: EnsembleState) -> Literal["plan", "answer"]:
        return "plan" if state["missing"] and self._agents else "answer"

    async def plan(self, state: EnsembleState) -> dict[str, Any]:
        """Make the plan, or mend it when a review found something missing."""
        question = _question(state)
        if not state["plan"]:
            known = background(
                self._parts,
                state["messages"],
                state["language"],
                earlier=earlier_of(state),
                found=state.get("found") or (),
            )
            question = await stand_alone(self._parts, state["messages"], state["language"], known=known)
            asked = [*state["messages"][:-1], HumanMessage(question)]
            steps = await make_plan(self._parts, self._agents, asked, state["language"])
        else:
            more = await mend_plan(
                self._parts,
                self._agents,
                question=question,
                done=_findings(state),
                missing=state["missing"],
                language=state["language"],
            )
            steps = [*_plan(state), *more]
        reason = state["missing"] if state["plan"] else ""
        get_stream_writer()(PlanUpdated(steps=_with_status(steps, state["results"]), reason=reason))
        return {"plan": [step.model_dump(mode="json") for step in steps], "question": question}

    async def dispatch(self, state: EnsembleState) -> dict[str, Any]:
        """Tell how far the plan is; the edge after this sends out what is ready."""
        if state["results"]:
            get_stream_writer()(PlanUpdated(steps=_with_status(_plan(state), state["results"])))
        return {}

    async def after_dispatch(self, state: EnsembleState) -> list[Send] | str:
        """Send out every step whose dependencies are done; when none is left, have the work reviewed."""
        results = state["results"]
        question = _question(state)
        sends: list[Send] = []
        for step in _plan(state):
            ready = all(str(needed) in results for needed in step.depends_on)
            if str(step.step_id) in results or not ready:
                continue
            needed = {str(n): results[str(n)] | {"task": _task(state, n)} for n in step.depends_on}
            given: StepInput = {
                "step": step.model_dump(mode="json"),
                "question": question,
                "language": state["language"],
                "results": needed,
            }
            sends.append(Send(self._agents[step.agent].node, given))
        return sends or "review"

    async def do_step(self, state: StepInput) -> dict[str, Any]:
        """Have an agent do one step; both `retrieve` and `work` are this."""
        step = PlanStep.model_validate(state["step"])
        write = get_stream_writer()
        write(StepStarted(step_id=step.step_id, agent=step.agent, task=step.task))
        outcome = await self._agents[step.agent].do(_assignment(step, state))
        if self._agents[step.agent].node == "retrieve":
            write(RetrievalCompleted(query=step.task, passages=outcome.passages))
        status = "done" if outcome.ok else "failed"
        write(StepCompleted(step_id=step.step_id, status=status, result=outcome.text[:500]))
        return {"results": {str(step.step_id): _result(outcome)}}

    async def review(self, state: EnsembleState) -> dict[str, Any]:
        """Find out whether something is missing; not asked when nothing could be done about it.

        Nor of a small model where nothing at all was found: it was looked for in other words too, and what a small
        model plans instead finds what is near, or makes something up.
        """
        small = self._parts.model_of("retriever").capabilities.small
        spent = state["replans"] >= self._parts.settings.max_replans
        if spent or (small and _found_nothing(state)):
            return {"missing": ""}
        verdict = await review(self._parts, self._brief(state, await self._known(state)), state["language"])
        missing = "" if verdict.enough else verdict.missing.strip()
        return {"missing": missing, "replans": state["replans"] + (1 if missing else 0)}

    async def after_review(self, state: EnsembleState) -> Literal["plan", "answer"]:
        return "plan" if state["missing"] else "answer"

    async def answer(self, state: EnsembleState) -> dict[str, list[AnyMessage]]:
        """Write the answer: from the material where there was a plan, else from the conversation."""
        if not state["plan"]:
            known = await self._known(state)
            told = await shown(
                self._parts,
                "writer",
                state["messages"],
                state["language"],
                earlier=earlier_of(state),
                found=state.get("found") or (),
            )
            reply = await write_direct(self._parts, told, known, state["language"])
        elif _documents_say_nothing(state):
            reply = AIMessage(NOTHING[state["language"]])
        else:
            known = await self._known(state)
            reply = await write_answer(
                self._parts,
                self._brief(state, known),
                _passages(state),
                _findings(state),
                question=_question(state),
                doubted=await self._is_doubted(state),
                given=" ".join([self._pinned(state), *(memory.text for memory in known)]),
            )
        return {"messages": [reply]}

    async def after_answer(self, state: EnsembleState) -> str:
        """Where nothing is to be remembered the turn ends, without a step for it."""
        told = state["personal"] and self._memories is not None
        long = await is_long(self._parts, "writer", state["messages"], earlier_of(state))
        return "remember" if told or long else END

    async def _is_doubted(self, state: EnsembleState) -> bool:
        """Say whether a small writer, asked for that alone, finds that the passages do not say what is asked.

        It is asked where no passage has a word of what is asked, and no step worked anything out.
        """
        question, texts = _question(state), [whole_text(passage) for passage in _passages(state)]
        worked_out = any(
            step.agent != "retriever" and result.get("found", True) for step, result in _done(state)
        )
        small = self._parts.model_of("writer").capabilities.small
        if not small or worked_out or not asks_missing(question, texts):
            return False
        return not await is_stated(self._parts, question, " ".join(texts), state["language"])

    async def _known(self, state: EnsembleState) -> list[Memory]:
        """Return what was recalled, as it stands now."""
        return await self._memories.get_many(memory_ids(state["memories"])) if self._memories else []

    def _brief(self, state: EnsembleState, known: Sequence[Memory]) -> list[BaseMessage]:
        return brief(
            self._parts,
            question=_question(state),
            passages=_passages(state),
            findings=_findings(state),
            language=state["language"],
            memories=known,
            pinned=self._pinned(state),
        )

    def _pinned(self, state: EnsembleState) -> str:
        return pinned_text(self._parts, state["messages"], state["language"])

    async def remember(self, state: EnsembleState) -> dict[str, Any]:
        """Keep what the user told about themselves, and sum up what has grown too long to be shown.

        Nothing that was read in documents comes here.
        """
        messages, language = state["messages"], state["language"]
        if state["personal"] and self._memories:
            await keep_facts(self._parts, self._memories, messages, language)
        earlier = await condense(self._parts, "writer", messages, earlier_of(state), language)
        return {"earlier": earlier} if earlier else {}


def _question(state: EnsembleState) -> str:
    """Return what is asked; a state of an earlier release holds the user's words alone."""
    return state.get("question") or last_user_text(state["messages"])


def _assignment(step: PlanStep, given: StepInput) -> Assignment:
    results = given["results"]
    findings = [Finding(int(n), r["task"], r["text"]) for n, r in sorted(results.items())]
    return Assignment(
        step_id=step.step_id,
        task=step.task,
        question=given["question"],
        language=given["language"],
        findings=findings,
    )


def _result(outcome: Outcome) -> dict[str, Any]:
    passages = [passage.model_dump(mode="json") for passage in outcome.passages]
    return {"text": outcome.text, "ok": outcome.ok, "passages": passages, "found": outcome.found}


def _plan(state: EnsembleState) -> list[PlanStep]:
    return [PlanStep.model_validate(step) for step in state["plan"]]


def _task(state: EnsembleState, step_id: int) -> str:
    return next(step.task for step in _plan(state) if step.step_id == step_id)


def _done(state: EnsembleState) -> list[tuple[PlanStep, dict[str, Any]]]:
    """Return each finished step with its result, in the plan's order."""
    results = state["results"]
    return [(step, results[str(step.step_id)]) for step in _plan(state) if str(step.step_id) in results]


def _findings(state: EnsembleState) -> list[Finding]:
    """Return what each finished step found, in the plan's order."""
    return [
        Finding(
            step.step_id,
            step.task,
            result["text"],
            found=result.get("found", True),
            passage_ids=[passage["passage_id"] for passage in result["passages"]],
        )
        for step, result in _done(state)
    ]


def _documents_say_nothing(state: EnsembleState) -> bool:
    """Say whether things were looked up, and neither a passage nor a tool gave what could answer the question.

    Small models answer all the same when they are given the nearest passages, so none is asked then.
    """
    return _found_nothing(state) and not may_hold(_question(state), _passages(state))


def _found_nothing(state: EnsembleState) -> bool:
    """Say whether something was looked up, and neither a look-up nor a tool gave anything."""
    done = _done(state)
    missed = any(step.agent == "retriever" and not result.get("found", True) for step, result in done)
    return missed and not any(result["ok"] and result.get("found", True) for _, result in done)


def _passages(state: EnsembleState) -> list[Passage]:
    """Return the passages of all steps, each once, in turn from each step: number `n` is the n-th of them."""
    ranked = [result["passages"] for _, result in _done(state)]
    longest = max((len(passages) for passages in ranked), default=0)
    turns = [passages[i] for i in range(longest) for passages in ranked if i < len(passages)]
    unique = {passage["passage_id"]: Passage.model_validate(passage) for passage in reversed(turns)}
    return list(reversed(unique.values()))[:MAX_PASSAGES]


def _with_status(steps: list[PlanStep], results: dict[str, Any]) -> list[PlanStep]:
    def status(step: PlanStep) -> str:
        found = results.get(str(step.step_id))
        return "pending" if found is None else "done" if found["ok"] else "failed"

    return [step.model_copy(update={"status": status(step)}) for step in steps]
