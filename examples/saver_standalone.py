"""Motet's checkpoint saver in a plain LangGraph graph: run it twice, and it goes on where it was.

python examples/saver_standalone.py "Hello" agents.db
"""

import sys

from langchain_core.messages import AIMessage, HumanMessage
from langgraph.graph import START, MessagesState, StateGraph

from motet.memory.checkpoints import MotetSaver


def answer(state: MessagesState) -> dict[str, list[AIMessage]]:
    """Say what came in, and how long the conversation is by now."""
    said, heard = state["messages"][-1].text, len(state["messages"])
    return {"messages": [AIMessage(f"You said: {said}. Messages so far: {heard}.")]}


def main(text: str, file: str) -> None:
    """Run one turn of the thread `main`."""
    with MotetSaver.from_url(f"sqlite:///{file}") as saver:
        graph = (
            StateGraph(MessagesState).add_node(answer).add_edge(START, "answer").compile(checkpointer=saver)
        )
        state = graph.invoke({"messages": [HumanMessage(text)]}, {"configurable": {"thread_id": "main"}})
        print(state["messages"][-1].text)


if __name__ == "__main__":
    main(*sys.argv[1:])
