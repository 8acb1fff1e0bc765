"""Motet's store in a plain LangGraph graph: what one thread tells is known on every other, also tomorrow.

python examples/store_standalone.py "I like green tea" agents.db
python examples/store_standalone.py "What do I drink?" agents.db
"""

import sys
import uuid

from langchain_core.messages import AIMessage, HumanMessage
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.runtime import Runtime

from motet.memory.store import MotetStore


def answer(state: MessagesState, runtime: Runtime) -> dict[str, list[AIMessage]]:
    """Say what was said before that has most to do with this, and keep what is said now."""
    said, store = state["messages"][-1].text, runtime.store
    assert store is not None
    found = store.search(("said",), query=said, limit=1)
    if not said.endswith(("?", "？")):
        store.put(("said",), uuid.uuid4().hex, {"text": said}, index=["text"])
    return {
        "messages": [AIMessage(f"You once said: {found[0].value['text']}" if found else "I shall remember.")]
    }


def main(text: str, file: str) -> None:
    """Run one turn."""
    with MotetStore.from_url(f"sqlite:///{file}") as store:
        graph = StateGraph(MessagesState).add_node(answer).add_edge(START, "answer").compile(store=store)
        state = graph.invoke({"messages": [HumanMessage(text)]})
        print(state["messages"][-1].text)


if __name__ == "__main__":
    main(*sys.argv[1:])
