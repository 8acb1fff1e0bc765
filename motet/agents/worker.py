"""The worker: does a step with tools."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from langchain_core.messages import AIMessage, HumanMessage, ToolCall, ToolMessage
from langchain_core.tools import StructuredTool, ToolException
from pydantic import BaseModel, ConfigDict, Field, create_model

from motet.agents.base import Agent, AgentParts, Assignment, Outcome
from motet.agents.figures import all_figures, made_up
from motet.agents.tool_agent import build_tool_agent, results_of_turn
from motet.errors import ModelOutputInvalid
from motet.tools.calculator import calculate
from motet.tools.search_documents import NAME as SEARCH

if TYPE_CHECKING:
    from collections.abc import Sequence

    from langchain_core.messages import BaseMessage
    from langchain_core.tools import BaseTool

    from motet.agents.prompts import Language

_DESCRIPTION = {"en": "uses tools", "zh": "使用工具"}

NOT_ITS_OWN = frozenset({SEARCH})
"""Tools that another agent of the plan has."""

ARITHMETIC = frozenset({"calculator"})
"""Tools whose numbers are checked against what is known."""

EXAMPLE = "3 * 220 * (1 - 10%)"
"""The calculation of the worker's example."""

_EXAMPLE_FIGURES = {
    "en": [
        {"what": "tents", "value": "3"},
        {"what": "tent for a week", "value": "220"},
        {"what": "member discount", "value": "10%"},
    ],
    "zh": [
        {"what": "帐篷", "value": "3"},
        {"what": "帐篷租一周", "value": "220"},
        {"what": "会员优惠", "value": "10%"},
    ],
}

_FIGURES = {"en": "only the figures that the expression needs", "zh": "只写算式需要的数字"}

_REFUSAL = {
    "en": "Not calculated: {invented} stands neither in the question nor in what is known. Use known figures only; "
    "when one is missing, say which.",
    "zh": "没有计算：问题和已知内容里都没有 {invented}。只能使用已知的数字；缺少数字时，说明缺少什么。",
}


def build(parts: AgentParts) -> Agent | None:
    """Build the agent; None without tools."""
    tools = [tool for tool in parts.tools if tool.name not in NOT_ITS_OWN]
    return WorkerAgent(parts, tools) if tools else None


class Figure(BaseModel):
    """A number that a calculation uses, and what it is: named first, small models choose the right one."""

    model_config = ConfigDict(extra="forbid")

    what: str = Field(max_length=30)
    value: str = Field(max_length=12)


class WorkerAgent:
    """Calls tools until the task is done, a bounded number of times."""

    name = "worker"
    node: Literal["retrieve", "work"] = "work"

    def __init__(self, parts: AgentParts, tools: Sequence[BaseTool]) -> None:
        self._parts = parts
        self._tools = list(tools)

    def describe(self, language: Language) -> str:
        """See `Agent.describe`."""
        names = ", ".join(tool.name for tool in self._tools)
        return f"{_DESCRIPTION[language]}: {names}"

    async def do(self, assignment: Assignment) -> Outcome:
        """See `Agent.do`."""
        prompts, language = self._parts.prompts, assignment.language
        agent = build_tool_agent(
            self._parts.model_of("worker"),
            _held_to(self._tools, assignment),
            prompts.text("work", language),
            max_turns=self._parts.settings.max_tool_turns,
            silent=True,
        )
        text = prompts.text(
            "assignment",
            language,
            known=known(assignment) or "-",
            question=assignment.question,
            task=assignment.task,
        )
        try:
            state = await agent.ainvoke({"messages": [*self._example(language), HumanMessage(text)]})
        except ModelOutputInvalid as error:
            return Outcome(text=error.message, ok=False)
        return _outcome(state["messages"])

    def _example(self, language: Language) -> list[BaseMessage]:
        """Return a step that was done well, as turns of a conversation: small models follow it closely."""
        if all(tool.name != "calculator" for tool in self._tools):
            return []
        call: ToolCall = {
            "name": "calculator",
            "args": {"figures": _EXAMPLE_FIGURES[language], "expression": EXAMPLE},
            "id": "example",
        }
        return [
            HumanMessage(self._parts.prompts.text("work_example", language)),
            AIMessage("", tool_calls=[call]),
            ToolMessage(f"{EXAMPLE} = {calculate(EXAMPLE)}", name="calculator", tool_call_id="example"),
            AIMessage(self._parts.prompts.text("work_example_answer", language)),
        ]


def _held_to(tools: Sequence[BaseTool], assignment: Assignment) -> list[BaseTool]:
    """Return the tools, the calculator among them held to the figures that are known, where any were looked up."""
    if not assignment.findings:
        return list(tools)
    stated = f"{known(assignment)} {assignment.question} {assignment.task}"
    return [
        only_known_figures(tool, stated, assignment.language)
        if tool.name in ARITHMETIC and isinstance(tool, StructuredTool)
        else tool
        for tool in tools
    ]


def only_known_figures(tool: StructuredTool, stated: str, language: Language) -> BaseTool:
    """Return a tool that refuses to calculate with numbers that nobody gave, and says which: small models invent them.

    The tool's own results count as given from then on.
    """
    given = all_figures(stated)
    calculate: Any = tool.coroutine

    async def call(*, figures: list[Figure], **values: Any) -> str:  # noqa: ARG001  # written for the model's own sake
        invented = made_up(" ".join(map(str, values.values())), given)
        if invented:
            raise ToolException(_REFUSAL[language].format(invented=", ".join(invented)))
        result = str(await calculate(**values))
        given.update(all_figures(result))
        return result

    own: Any = tool.args_schema
    fields: Any = {name: (field.annotation, field) for name, field in own.model_fields.items()}
    first: Any = (list[Figure], Field(description=_FIGURES[language], max_length=5))
    shape = create_model(own.__name__, figures=first, **fields)
    return tool.model_copy(update={"coroutine": call, "args_schema": shape})


def known(assignment: Assignment) -> str:
    """Return what a step may build on: the results of the steps before it."""
    return "\n".join(f"- {finding.task} → {finding.text}" for finding in assignment.findings)


def _outcome(messages: Sequence[BaseMessage]) -> Outcome:
    """Sum up a tool agent's messages: its last words, with every tool's result word for word."""
    results = results_of_turn(messages)
    said = messages[-1].text.strip()
    good = [m for m in results if m.status != "error"]
    lines = [f"{m.name}: {' '.join(m.text.split())[:600]}" for m in good]
    text = "; ".join(lines if said in {m.text.strip() for m in good} else [*lines, said])
    return Outcome(text=text or said, ok=bool(said) and (bool(good) or not results), found=bool(good))
