"""Motet's graphs inside a LangGraph graph of your own.

`build_chat` and `build_ensemble` return plain compiled LangGraph graphs over `{"messages": […]}`, so either is a node
like any other. Here the chat agent answers with a calculator, and a node of our own signs what it said.

Run it with `python examples/subgraph.py`. It uses the scripted model, so it needs no key and no network; put any
LangChain chat model in its place, like `ChatOpenAI(model="gpt-5-mini")`.
"""

import asyncio
from typing import Any

from langchain_core.messages import AIMessage
from langgraph.graph import END, START, MessagesState, StateGraph

from motet.graphs.base import simple_parts
from motet.graphs.chat import build_chat
from motet.models.scripted import ScriptedChatModel, ToolCall
from motet.settings import ToolSettings
from motet.tools.base import ToolContext
from motet.tools.making import build_tools


def sign(state: MessagesState) -> dict[str, Any]:
    """Put a name under the answer."""
    answer = state["messages"][-1]
    return {"messages": [AIMessage(f"{answer.text}\n— the choir", id=answer.id)]}


def build() -> Any:
    """Put the chat agent and the signature into one graph."""
    model = ScriptedChatModel(
        script=[ToolCall("calculator", {"expression": "12 * 4"}), "Twelve quartets have 48 voices."]
    )
    tools = build_tools(ToolContext(ToolSettings()), ["calculator"])
    chat = build_chat(simple_parts(model, tools=tools))
    builder = StateGraph(MessagesState)
    builder.add_node("chat", chat)
    builder.add_node("sign", sign)
    builder.add_edge(START, "chat")
    builder.add_edge("chat", "sign")
    builder.add_edge("sign", END)
    return builder.compile()


async def main() -> None:
    """Ask one question and print the signed answer."""
    state = await build().ainvoke({"messages": [("user", "How many voices do twelve quartets have?")]})
    print(state["messages"][-1].text)


if __name__ == "__main__":
    asyncio.run(main())
