"""Two ways to have one model answer the battery: Motet's own, and LangChain's `create_agent` as it comes.

What does not live here: the prompts and their rules (`battery`). Both have the same tools, passages and turns. Motet's
planner and writer bring the prompts that they have in its graphs; `create_agent` is told the same task in plain words.
"""

from __future__ import annotations

from contextlib import aclosing
from importlib import import_module
from typing import TYPE_CHECKING, Any, Literal, Protocol

from langchain_core.messages import AIMessage, HumanMessage
from langchain_core.tools import BaseTool, StructuredTool
from langchain_openai import ChatOpenAI
from pydantic import BaseModel, ConfigDict, Field

from motet.agents.base import AgentParts, build_agents
from motet.agents.planner import make_plan
from motet.agents.prompts import Prompts
from motet.agents.skills.battery import Answer, Item, Tool
from motet.agents.tool_agent import build_tool_agent
from motet.agents.writer import brief, write_answer
from motet.errors import ExtraMissing, InvalidInput
from motet.events import Passage
from motet.models.openai_chat import OpenAIChat
from motet.models.schema_tools import SchemaToolChatModel
from motet.settings import AgentSettings, ToolSettings
from motet.tools.base import ToolContext
from motet.tools.making import build_tools

if TYPE_CHECKING:
    from collections.abc import Sequence

    from langchain_core.messages import BaseMessage
    from langchain_core.runnables import RunnableConfig

    from motet.models.base import ConnectedModel
    from motet.retrieval.base import Retriever

MAX_TURNS = 4
"""Rounds of tool calls, for both."""

LIMIT: RunnableConfig = {"recursion_limit": 2 * MAX_TURNS + 2}
"""So many rounds, and an answer: an agent that goes on and on has failed."""

SYSTEM = {
    "en": "You are a helpful assistant. Use a tool when it is needed, and answer directly when it is not.",
    "zh": "你是一个有用的助手。需要时使用工具，不需要时直接回答。",
}
PLAN = {
    "en": "Make a plan for the request, of 1 to 4 steps. Each step has an agent: 'retriever' finds what documents say, "
    "'worker' calculates. Use only the agents that are needed.",
    "zh": "为请求制定计划，1 到 4 步。每一步有一个 agent：retriever 在文档里查找内容，worker 进行计算。"
    "只用需要的 agent。",
}
CITED = {
    "en": "Answer from the numbered passages only. After every statement write the number of its passage in square "
    "brackets, like [7]. When the passages do not answer the question, say so and cite nothing.",
    "zh": "只根据编号的段落回答。每个陈述后面用方括号写上段落编号，例如 [7]。段落里没有答案时，说明没有，不要引用。",
}


class Step(BaseModel):
    """A step of a plan."""

    model_config = ConfigDict(extra="forbid")

    agent: Literal["retriever", "worker"]
    task: str = Field(max_length=200)


class Plan(BaseModel):
    """A plan."""

    model_config = ConfigDict(extra="forbid")

    steps: list[Step] = Field(min_length=1, max_length=4)


class Arm(Protocol):
    """Has a model answer a prompt."""

    name: str

    async def answer(self, item: Item) -> Answer:
        """Return what the model did; errors of the model pass."""
        ...


class NoDocuments:
    """A retriever without documents: the battery's plans are made, not carried out."""

    async def search(self, query: str, *, limit: int = 4) -> list[Passage]:
        """See `Retriever.search`."""
        del query, limit
        return []

    async def nearness(self, queries: Sequence[str], texts: Sequence[str]) -> list[float]:
        """See `Retriever.nearness`."""
        del queries
        return [0.0] * len(texts)


class MotetArm:
    """Motet's own way: the planner, the tool agent, the writer with its citations, as its graphs have them."""

    name = "motet"

    def __init__(self, model: ConnectedModel) -> None:
        self._model = model

    async def answer(self, item: Item) -> Answer:
        """See `Arm.answer`."""
        if item.skill == "plan":
            tools = build_tools(ToolContext(ToolSettings(web_search=False)), ["calculator"])
            parts = self._parts(item, tools, NoDocuments())
            steps = await make_plan(parts, build_agents(parts), _turns(item), item.language)
            return Answer(agents=tuple(step.agent for step in steps))
        if item.skill == "cited":
            return Answer(text=(await self._cited(item)).text)
        tools = [as_tool(tool) for tool in item.tools]
        agent = build_tool_agent(self._model, tools, SYSTEM[item.language], max_turns=MAX_TURNS)
        return await play(agent, item, _turns(item))

    def _parts(
        self, item: Item, tools: Sequence[BaseTool] = (), retriever: Retriever | None = None
    ) -> AgentParts:
        prompts = Prompts(language=item.language)
        return AgentParts(self._model, self._model, prompts, AgentSettings(), tools, retriever)

    async def _cited(self, item: Item) -> AIMessage:
        parts = self._parts(item)
        passages = [
            Passage(passage_id=str(n), text=text, source=f"passage-{n}.txt")
            for n, text in enumerate(item.passages, 1)
        ]
        messages = brief(
            parts, question=item.turns[-1], passages=passages, findings=(), language=item.language
        )
        return await write_answer(parts, messages, passages, ())


class PlainArm:
    """LangChain's `create_agent` with its own client for the same server, as its documentation has it."""

    name = "create_agent"

    def __init__(self, model: ConnectedModel) -> None:
        """Take the model's server.

        Raises:
            ExtraMissing: LangChain is not installed.
            InvalidInput: The model has no server of OpenAI's wire.
        """
        try:
            agents: Any = import_module("langchain.agents")
        except ImportError:
            raise ExtraMissing("The comparison needs LangChain: pip install 'motet[eval]'.") from None
        self._create: Any = agents.create_agent
        chat = model.chat.wrapped if isinstance(model.chat, SchemaToolChatModel) else model.chat
        if not isinstance(chat, OpenAIChat):
            raise InvalidInput(f"{model.spec} has no server that LangChain could ask.")
        self._chat: Any = ChatOpenAI(
            model=chat.model_name,
            base_url=chat.spec.base_url,
            api_key=chat.openai_api_key,
            temperature=chat.temperature,
            max_completion_tokens=chat.max_tokens,
            timeout=chat.request_timeout,
            use_responses_api=False,
        )

    async def answer(self, item: Item) -> Answer:
        """See `Arm.answer`."""
        if item.skill == "plan":
            agent = self._create(self._chat, [], system_prompt=PLAN[item.language], response_format=Plan)
            plan: Plan = (await agent.ainvoke({"messages": _turns(item)}, LIMIT))["structured_response"]
            return Answer(agents=tuple(step.agent for step in plan.steps))
        tools = [as_tool(tool) for tool in item.tools]
        system = CITED if item.skill == "cited" else SYSTEM
        agent = self._create(self._chat, tools, system_prompt=system[item.language])
        turns = [_with_passages(item)] if item.skill == "cited" else _turns(item)
        return await play(agent, item, turns)


def as_tool(tool: Tool) -> BaseTool:
    """Return a tool of the battery as LangChain's."""

    async def call(**_arguments: Any) -> str:
        return tool.result

    properties = {name: {"type": kind} for name, kind in tool.arguments.items()}
    schema = {"type": "object", "properties": properties, "required": list(properties)}
    return StructuredTool(name=tool.name, description=tool.description, args_schema=schema, coroutine=call)


async def play(agent: Any, item: Item, messages: Sequence[BaseMessage]) -> Answer:
    """Return what an agent does with a prompt, up to the call that decides it."""
    state: dict[str, Any] = {"messages": messages}
    steps = agent.astream({"messages": list(messages)}, LIMIT, stream_mode="values")
    async with aclosing(steps):
        async for state in steps:
            last = state["messages"][-1]
            if item.decided_by_call and isinstance(last, AIMessage) and last.tool_calls:
                break
    return read(state["messages"])


def read(messages: Sequence[BaseMessage]) -> Answer:
    """Return what a conversation came to: the calls since the last question, and the last words."""
    since = max((place for place, m in enumerate(messages) if isinstance(m, HumanMessage)), default=0)
    calls = [call for m in messages[since:] if isinstance(m, AIMessage) for call in m.tool_calls]
    return Answer(messages[-1].text, tuple((call["name"], call["args"]) for call in calls))


def _turns(item: Item) -> list[BaseMessage]:
    noted = {"en": "Noted.", "zh": "好的。"}[item.language]
    earlier = [m for text in item.turns[:-1] for m in (HumanMessage(text), AIMessage(noted))]
    return [*earlier, HumanMessage(item.turns[-1])]


def _with_passages(item: Item) -> HumanMessage:
    shown = "\n".join(f"[{n}] {text}" for n, text in enumerate(item.passages, 1))
    return HumanMessage(f"{shown}\n\n{item.turns[-1]}")
