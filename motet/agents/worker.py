"""The worker: does a step with tools."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from langchain_core.messages import HumanMessage, ToolMessage

from motet.agents.base import Agent, AgentParts, Assignment, Outcome
from motet.agents.tool_agent import build_tool_agent
from motet.errors import ModelOutputInvalid

if TYPE_CHECKING:
    from collections.abc import Sequence

    from langchain_core.messages import BaseMessage
    from langchain_core.tools import BaseTool

    from motet.agents.prompts import Language

_DESCRIPTION = {"en": "uses tools", "zh": "使用工具"}

NOT_ITS_OWN = frozenset({"search_documents"})
"""Tools that another agent of the plan has."""


def build(parts: AgentParts) -> Agent | None:
    """Build the agent; None without tools."""
    tools = [tool for tool in parts.tools if tool.name not in NOT_ITS_OWN]
    return WorkerAgent(parts, tools) if tools else None


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
            self._parts.fast,
            self._tools,
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
            state = await agent.ainvoke({"messages": [HumanMessage(text)]})
        except ModelOutputInvalid as error:
            return Outcome(text=error.message, ok=False)
        return _outcome(state["messages"])


def known(assignment: Assignment) -> str:
    """Return what a step may build on: the results of the steps before it."""
    return "\n".join(f"- {finding.task} → {finding.text}" for finding in assignment.findings)


def _outcome(messages: Sequence[BaseMessage]) -> Outcome:
    """Sum up a tool agent's messages: its last words, with every tool's result word for word."""
    results = [m for m in messages if isinstance(m, ToolMessage)]
    said = messages[-1].text.strip()
    good = [m for m in results if m.status != "error"]
    lines = [f"{m.name}: {' '.join(m.text.split())[:600]}" for m in good]
    text = "; ".join(lines if said in {m.text.strip() for m in good} else [*lines, said])
    return Outcome(text=text or said, ok=bool(said) and (bool(good) or not results))
