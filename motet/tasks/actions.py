"""What a step does: one function an action. Each is given what the step's expressions came to.

What does not live here: when and how often it is done (`steps`, `attempt`).
"""

from __future__ import annotations

import dataclasses
import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from langchain_core.messages import AIMessage, HumanMessage, SystemMessage, ToolMessage
from langchain_core.tools import StructuredTool
from langgraph.config import get_stream_writer
from langgraph.types import interrupt

from motet.agents.asked_words import questions
from motet.agents.citations import CitationFilter
from motet.errors import ModelOutputInvalid, PermissionRefused, RunError, ToolFailed
from motet.events import ARGUMENTS_KEY, CITATIONS_KEY, Passage, ToolCompleted, ToolStarted
from motet.models.json_text import find_json, schema_problem
from motet.models.structured import NOSTREAM, ask_schema
from motet.retrieval.render import render_passages
from motet.tasks import approval
from motet.tasks.agent_tools import numbered, numbered_search, passages_of
from motet.tasks.expressions import fill, text_of
from motet.tasks.program import run_program
from motet.tools.ledger.keep import call_for_message

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from langchain_core.messages import BaseMessage
    from langchain_core.tools import BaseTool
    from langgraph.graph.state import CompiledStateGraph

    from motet.models.base import ConnectedModel
    from motet.retrieval.base import Retriever
    from motet.tasks.load import TaskFile
    from motet.tasks.parts import TaskParts
    from motet.tasks.spec import Step


@dataclass(frozen=True, slots=True)
class Outcome:
    """What an action gave."""

    output: Any
    citations: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])


@dataclass(frozen=True, slots=True)
class Doing:
    """A step that is being done."""

    step: Step
    file: TaskFile
    parts: TaskParts
    resolved: Mapping[str, Any]
    """The step's fields with their expressions worked out."""
    scope: Mapping[str, Any]
    trust: str = ""
    """The digest that the file is trusted by: of the one that was run, where another uses it."""
    approved: Sequence[str] = ()
    """Steps whose question is answered with yes beforehand."""
    retriever: Retriever | None = None
    child: CompiledStateGraph[Any, Any, Any, Any] | None = None
    """The graph of the task file that the step uses."""


async def act(doing: Doing) -> Outcome:
    """Do a step once.

    Raises:
        MotetError: It cannot be done.
        GraphInterrupt: A person is asked.
    """
    return await _ACTIONS[doing.step.action](doing)


def model_of(file: TaskFile, step: Step, resolved: Mapping[str, Any]) -> str | None:
    """Return the spec of the model that does a step: the run's, the step's, its agent's, the file's; None for none."""
    agent = file.task.agents.get(step.agent or "")
    own = str(resolved["model"]) if resolved.get("model") else None
    return file.model or own or (agent.model if agent else None) or file.task.defaults.model


async def _agent(doing: Doing) -> Outcome:
    agent = doing.file.task.agents[str(doing.step.agent)]
    spec = model_of(doing.file, doing.step, doing.resolved)
    model = await doing.parts.chat("deep", spec)
    temperature = agent.temperature if agent.temperature is not None else doing.file.task.defaults.temperature
    if temperature is not None:
        model = with_temperature(model, temperature)
    system = str(fill(agent.system, {"inputs": doing.scope["inputs"]}))
    messages: list[BaseMessage] = [SystemMessage(system)] if system else []
    shown = numbered(doing.resolved.get("sources"))
    prompt = text_of(doing.resolved["prompt"])
    material = render_passages(shown)
    if doing.step.sources is not None and not shown:
        # A model that is shown no passages, and is not told why, answers from what it knows.
        prompts = doing.parts.prompts
        material = prompts.text("nothing_found", prompts.language_of(prompt))
    messages.append(HumanMessage(f"{prompt}\n\n{material}" if material else prompt))
    citations = [passage.model_dump(mode="json") for passage in shown]
    said: str | None = None
    given = [system, prompt]
    if agent.tools:
        messages, found = await _use_tools(doing, model, system, messages, shown)
        citations += found
        given += _told_by_tools(messages)
        said = messages[-1].text
    if doing.step.output is not None:
        return Outcome(await _structured(model, doing.step.output, messages, said), citations)
    if said is None:
        reply: AIMessage = await model.chat.ainvoke(messages, {"tags": [NOSTREAM]})
        said = reply.text
    if not said.strip():
        raise ModelOutputInvalid(
            f"{model.spec} answered with nothing. Ask again, or use a more capable model."
        )
    if citations or doing.step.sources is not None:
        by_number = {passage["number"]: Passage.model_validate(passage) for passage in citations}
        passages = [by_number[number] for number in sorted(by_number)]
        # What an agent with tools says may be a word that other steps compare: no source is put behind that.
        marks = CitationFilter(
            passages, given=" ".join(given), asked=questions(prompt), names_sources=not agent.tools
        )
        said = marks.feed(str(said)) + marks.finish()
    return Outcome(str(said).strip(), citations)


def _told_by_tools(messages: Sequence[BaseMessage]) -> list[str]:
    """Return what tools gave in a talk but passages: an answer may say it without citing one."""
    return [m.text for m in messages if isinstance(m, ToolMessage) and not passages_of([m])]


async def _use_tools(
    doing: Doing, model: ConnectedModel, system: str, messages: list[BaseMessage], shown: Sequence[Passage]
) -> tuple[list[BaseMessage], list[dict[str, Any]]]:
    """Let the agent call its tools until it answers; return the whole talk, and the passages that it found."""
    from motet.agents.tool_agent import build_tool_agent  # noqa: PLC0415  # most steps have no tools

    agent = doing.file.task.agents[str(doing.step.agent)]
    tools: list[BaseTool] = numbered_search(await doing.parts.tools(agent.tools, doing.retriever), shown)
    graph = build_tool_agent(model, tools, system, max_turns=agent.max_turns, silent=True)
    asked = [message for message in messages if not isinstance(message, SystemMessage)]
    state = await graph.ainvoke({"messages": asked})
    talk: list[BaseMessage] = [*messages[: len(messages) - len(asked)], *state["messages"]]
    return talk, passages_of(talk)


async def _structured(
    model: ConnectedModel, schema: dict[str, Any], messages: list[BaseMessage], said: str | None
) -> Any:
    """Return the output by the schema: of an agent's last words where they fit, else asked for."""
    if said is not None:
        try:
            value = find_json(said)
        except ValueError:
            value = None
        if value is not None and not schema_problem(value, schema):
            return value
        messages = [*messages, HumanMessage("Now give the result as one JSON object.")]
    return await ask_schema(model, messages, "Output", schema)


def with_temperature(model: ConnectedModel, temperature: float) -> ConnectedModel:
    """Return a model with another temperature, where its chat model has one."""
    chat: Any = model.chat
    if getattr(chat, "temperature", None) is not None:
        chat = chat.model_copy(update={"temperature": temperature})
    elif getattr(getattr(chat, "inner", None), "temperature", None) is not None:
        chat = chat.model_copy(update={"inner": chat.inner.model_copy(update={"temperature": temperature})})
    return dataclasses.replace(model, chat=chat)


async def _tool(doing: Doing) -> Outcome:
    [tool] = await doing.parts.tools([str(doing.step.tool)], doing.retriever) or [None]
    if tool is None:
        raise ToolFailed(f"The tool '{doing.step.tool}' cannot work with these settings; see 'motet doctor'.")
    message = await _told(tool, doing.resolved.get("with_") or {})
    if message.status == "error":
        raise ToolFailed(message.text, tool=tool.name)
    return Outcome(_typed(doing.step, message.text), passages_of([message]))


async def _told(tool: BaseTool, arguments: Mapping[str, Any]) -> ToolMessage:
    """Call a tool, and tell of it as of an agent's call."""
    write, call_id = get_stream_writer(), f"step-{uuid.uuid4().hex[:16]}"
    write(ToolStarted(tool_call_id=call_id, name=tool.name, arguments=dict(arguments)))
    message = await call_for_message(tool, arguments)
    status = "error" if message.status == "error" else "success"
    write(
        ToolCompleted(
            tool_call_id=call_id,
            name=tool.name,
            content=str(message.text),
            status=status,
            arguments=message.additional_kwargs.get(ARGUMENTS_KEY),
        )
    )
    return message


def _typed(step: Step, text: str) -> Any:
    """Return a text as the step's schema wants it: as JSON where there is one, which it must fit."""
    if step.output is None:
        return str(text)
    try:
        value = find_json(text)
    except ValueError:
        value = str(text)
    wrong = schema_problem(value, step.output)
    if wrong:
        raise RunError(f"The output does not fit its schema: {wrong}.")
    return value


async def _graph(doing: Doing) -> Outcome:
    spec = model_of(doing.file, doing.step, doing.resolved)
    graph = await doing.parts.graph(str(doing.step.graph), spec)
    prompt = HumanMessage(text_of(doing.resolved["prompt"]))
    state: Any = await graph.ainvoke({"messages": [prompt]}, {"tags": [NOSTREAM]})
    messages: list[BaseMessage] = state.get("messages") or [] if isinstance(state, dict) else []
    answer = next((m for m in reversed(messages) if isinstance(m, AIMessage) and m.text.strip()), None)
    if answer is None:
        raise RunError(f"The graph '{doing.step.graph}' gave no answer.")
    cited: list[dict[str, Any]] = [
        Passage.model_validate(item).model_dump(mode="json")
        for item in answer.additional_kwargs.get(CITATIONS_KEY) or []
    ]
    if doing.step.output is not None:
        model = await doing.parts.chat("fast", spec)
        return Outcome(await _structured(model, doing.step.output, [prompt, answer], answer.text), cited)
    return Outcome(str(answer.text).strip(), cited)


async def _task(doing: Doing) -> Outcome:
    assert doing.child is not None
    control = {"nested": True, "approved": list(doing.approved)}
    state = await doing.child.ainvoke({"inputs": doing.resolved.get("with_") or {}, "control": control})
    return Outcome(state["outputs"])


async def _run(doing: Doing) -> Outcome:
    if not doing.parts.is_trusted(doing.trust):
        raise PermissionRefused(
            f"{doing.file.file} runs programs and is not trusted. Look at it, then: motet trust {doing.file.file}",
            file=doing.file.file,
        )
    argv: list[Any] = doing.resolved["run"]
    env = {name: text_of(value) for name, value in (doing.resolved.get("env") or {}).items()}
    words = [text_of(word) for word in argv]

    async def run(argv: list[str]) -> str:
        return await run_program(argv, folder=doing.file.folder, env=env)

    tool = StructuredTool.from_function(
        coroutine=run, name="run", description="Runs a program.", metadata={"effect": "once", "class": "exec"}
    )
    message = await _told(tool, {"argv": words})
    return Outcome(_typed(doing.step, message.text))


async def _approve(doing: Doing) -> Outcome:
    question = text_of(doing.resolved["approve"])
    if doing.step.id in doing.approved:
        return Outcome(output=True)
    answer = interrupt(approval.question(doing.step.id, question), response_schema=approval.SCHEMA)
    if approval.is_yes(answer):
        return Outcome(output=True)
    if doing.step.continue_on_error:
        return Outcome(output=False)
    raise PermissionRefused(f"'{question}' was answered with no.", step=doing.step.id)


async def _set(doing: Doing) -> Outcome:
    return Outcome(doing.resolved["set"])


_ACTIONS = {
    "agent": _agent,
    "tool": _tool,
    "graph": _graph,
    "task": _task,
    "run": _run,
    "approve": _approve,
    "set": _set,
}
