"""The graph `chat`: one agent with tools, and the same memory as the ensemble's."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

from langchain_core.messages import AIMessage, SystemMessage, ToolCall, ToolMessage
from langgraph.config import get_stream_writer
from langgraph.graph import END, START, StateGraph
from langgraph.prebuilt import ToolNode

from motet.agents.citations import CitationFilter
from motet.agents.context import condense, earlier_of, is_long, shown
from motet.agents.links import with_safe_links
from motet.agents.nearest import abridged, nearest_statements
from motet.agents.notes import with_notes
from motet.agents.one_thing import to_work_out
from motet.agents.rememberer import keep_facts, speaks_of_self
from motet.agents.rephraser import stand_alone
from motet.agents.router import choose_route
from motet.agents.second_look import is_stated
from motet.agents.tool_agent import must_answer, results_of_turn
from motet.agents.unanswered import NOTHING
from motet.agents.ways import Way
from motet.agents.writer import with_citations
from motet.events import Passage, RetrievalCompleted
from motet.graphs.state import Conversation, LongConversation, look_back, memory_ids, recall
from motet.memory.window import last_user_text
from motet.models.filtered import StreamFilterModel
from motet.retrieval.render import render_passages
from motet.tools.ledger.keep import keep_call
from motet.tools.search_documents import NAME as SEARCH

if TYPE_CHECKING:
    from collections.abc import Sequence

    from langchain_core.messages import AnyMessage, BaseMessage
    from langgraph.graph.state import CompiledStateGraph

    from motet.agents.prompts import Language
    from motet.graphs.base import GraphParts


def build_chat(parts: GraphParts) -> CompiledStateGraph[Any, Any, Any, Any]:
    """Build the graph: a plain compiled LangGraph graph from `{"messages": […]}` to `{"messages": […]}`."""
    score = _Score(parts)
    tools = list(parts.agents.tools)
    builder = StateGraph(LongConversation, input_schema=Conversation, output_schema=Conversation)
    builder.add_node("recall", score.recall)
    builder.add_node("agent", score.agent)
    builder.add_node("remember", score.remember)
    builder.add_edge(START, "recall")
    builder.add_edge("recall", "agent")
    builder.add_edge("remember", END)
    # Also where there are none: a model may call what it was not given, and is told so.
    builder.add_node("tools", ToolNode(tools, handle_tool_errors=True, awrap_tool_call=keep_call))
    builder.add_edge("tools", "agent")
    builder.add_conditional_edges("agent", Way(score.after_agent), ["tools", "remember", END])
    return builder.compile()


class _Score:
    """The nodes of the graph, over the parts that they share."""

    def __init__(self, parts: GraphParts) -> None:
        self._parts = parts.agents
        self._memories = parts.memories
        self._history = parts.history

    async def recall(self, state: LongConversation) -> dict[str, Any]:
        """Look up what is known about the user."""
        messages = state["messages"]
        memories = await recall(self._memories, last_user_text(messages))
        return {"memories": memories, "found": await look_back(self._history, messages, earlier_of(state))}

    async def agent(self, state: LongConversation) -> dict[str, list[AIMessage]]:
        """Ask the model for an answer or a tool call, once what is asked of named documents was looked up."""
        parts, messages = self._parts, state["messages"]
        language = parts.prompts.language_of(last_user_text(messages))
        if look_up := await self._look_up(messages, language):
            return {"messages": [look_up]}
        passages = _tell_new_passages(messages)
        nearest, doubted = await self._look_again(messages, passages, language)
        if doubted and self._looks_up:
            return {"messages": [AIMessage(NOTHING[language])]}
        memories = await self._memories.get_many(memory_ids(state["memories"])) if self._memories else []
        system = parts.prompts.text("chat", language)
        given = _given(messages)
        asked = last_user_text(messages)
        safe = await with_safe_links(
            lambda: CitationFilter(passages, given=given, asked=asked, doubted=doubted)
        )
        model: Any = StreamFilterModel(inner=parts.model_of("chat").chat, make_filter=safe)
        tools = [tool for tool in parts.tools if tool.name != SEARCH or not (self._looks_up and passages)]
        if tools and not must_answer(messages, parts.settings.max_tool_turns):
            model = model.bind_tools(tools)
        told = await shown(
            parts,
            "chat",
            _numbered(messages, nearest),
            language,
            earlier=earlier_of(state),
            found=state.get("found") or (),
        )
        told = with_notes(parts, told, memories, language)
        reply: AIMessage = await model.ainvoke([SystemMessage(system), *told])
        return {"messages": [reply if reply.tool_calls else with_citations(reply, passages)]}

    @property
    def _looks_up(self) -> bool:
        """Whether the graph searches by itself: where documents are named, a small model says what it knows instead."""
        parts = self._parts
        has_search = any(tool.name == SEARCH for tool in parts.tools)
        return parts.documents_named and has_search and parts.model_of("chat").capabilities.small

    async def _look_up(self, messages: Sequence[AnyMessage], language: Language) -> AIMessage | None:
        """Return a search for what the user just asked; None where it is not for the graph to search."""
        if not self._looks_up or messages[-1].type != "human":
            return None
        chosen = await choose_route(self._parts, messages, language)
        if chosen.route == "direct":
            return None
        query = await stand_alone(self._parts, messages, language)
        call = ToolCall(name=SEARCH, args={"query": query}, id=f"call_{uuid.uuid4().hex}")
        return AIMessage("", tool_calls=[call])

    async def _look_again(
        self, messages: Sequence[AnyMessage], passages: Sequence[Passage], language: Language
    ) -> tuple[list[tuple[str, Passage]], bool]:
        """Return the statements of passages that a small model is shown, and whether it finds that they do not say it.

        It is asked for that alone, unless the answer may have to be worked out. It is shown all, and not asked, where
        another tool gave something: the answer may be from that.
        """
        retriever = self._parts.retriever
        small = self._parts.model_of("chat").capabilities.small
        results = results_of_turn(messages)
        others = any(not isinstance(result.artifact, list) for result in results)
        if not passages or not small or others or retriever is None:
            return [], False
        # A follow-up is not understood without the conversation; what was searched for is.
        first = sum(message.type == "human" for message in messages) == 1
        queries = _queries(messages)
        searched = " ".join(queries.get(result.tool_call_id, "") for result in results)
        task = last_user_text(messages) if first else searched
        found = await nearest_statements(retriever, [task], passages)
        if to_work_out(task):
            return found, False
        return found, not await is_stated(self._parts, task, abridged(found), language)

    async def after_agent(self, state: LongConversation) -> str:
        """Name the node that goes on; where nothing is to be remembered the turn ends, without a step for it."""
        last = state["messages"][-1]
        if isinstance(last, AIMessage) and last.tool_calls:
            return "tools"
        told = self._tells_of_user(last_user_text(state["messages"]))
        long = await is_long(self._parts, "chat", state["messages"], earlier_of(state))
        return "remember" if told or long else END

    def _tells_of_user(self, asked: str) -> bool:
        return self._memories is not None and speaks_of_self(asked)

    async def remember(self, state: LongConversation) -> dict[str, Any]:
        """Keep what the user told about themselves, and sum up what has grown too long to be shown."""
        messages = state["messages"]
        asked = last_user_text(messages)
        language = self._parts.prompts.language_of(asked)
        if self._memories and self._tells_of_user(asked):
            await keep_facts(self._parts, self._memories, messages, language)
        earlier = await condense(self._parts, "chat", messages, earlier_of(state), language)
        return {"earlier": earlier} if earlier else {}


def _tell_new_passages(messages: Sequence[AnyMessage]) -> list[Passage]:
    """Return the passages that this turn's searches found, and tell of those that are new."""
    write = get_stream_writer()
    queries = _queries(messages)
    newest = next((i for i in range(len(messages) - 1, -1, -1) if messages[i].type != "tool"), -1)
    results = results_of_turn(messages)
    for result in messages[newest + 1 :]:
        found = _passages_of(result)
        if found:
            query = queries.get(getattr(result, "tool_call_id", ""), "")
            write(RetrievalCompleted(query=query, passages=found))
    return list({p.passage_id: p for result in results for p in _passages_of(result)}.values())


def _queries(messages: Sequence[AnyMessage]) -> dict[str | None, str]:
    """Return what each tool call asked for, by its id."""
    calls = [call for message in messages for call in getattr(message, "tool_calls", ())]
    return {call["id"]: " ".join(str(value) for value in call["args"].values()) for call in calls}


def _given(messages: Sequence[AnyMessage]) -> str:
    """Return what an answer may say without citing a passage: what was asked, and what other tools told."""
    told = [result.text for result in results_of_turn(messages) if not _passages_of(result)]
    return " ".join([last_user_text(messages), *told])


def _numbered(
    messages: Sequence[AnyMessage], nearest: Sequence[tuple[str, Passage]] = ()
) -> list[BaseMessage]:
    """Return the messages with this turn's passages numbered through, not from 1 in each search.

    Of each passage the nearest statements alone are shown, where some are given, and none of the other passages.
    """
    turn = results_of_turn(messages)
    texts: dict[str, str] = {}
    for said, passage in nearest:
        texts[passage.passage_id] = f"{texts.get(passage.passage_id, '')} {said}".strip()
    numbers: dict[str, int] = {}
    for result in turn:
        for passage in _passages_of(result):
            numbers.setdefault(passage.passage_id, len(numbers) + 1)
    shown: list[BaseMessage] = []
    for message in messages:
        found = [
            p.model_copy(update={"number": numbers[p.passage_id], "text": texts.get(p.passage_id, p.text)})
            for p in (_passages_of(message) if message in turn else [])
            if not texts or p.passage_id in texts
        ]
        shown.append(message.model_copy(update={"content": render_passages(found)}) if found else message)
    return shown


def _passages_of(message: BaseMessage) -> list[Passage]:
    """Return the passages that a search left in its result's artifact."""
    raw = message.artifact if isinstance(message, ToolMessage) else None
    return [Passage.model_validate(item) for item in raw] if isinstance(raw, list) else []
