"""The graph of the kept database that asks a person: its run waits for the answer."""

from typing import Any

from langchain_core.messages import AIMessage
from langgraph.graph import END, START, MessagesState, StateGraph
from langgraph.types import interrupt


def build_desk() -> Any:
    """Ask whether to go on, and say what was answered."""

    def look(state: MessagesState) -> dict[str, Any]:
        return {"messages": [AIMessage("The bill is 120 euros.")]}

    def ask(state: MessagesState) -> dict[str, Any]:
        answer = interrupt({"question": "Pay 120 euros?", "用途": "车票"})
        return {"messages": [AIMessage(f"You said {answer}.")]}

    builder = StateGraph(MessagesState)
    builder.add_node("look", look)
    builder.add_node("ask", ask)
    builder.add_edge(START, "look")
    builder.add_edge("look", "ask")
    builder.add_edge("ask", END)
    return builder
