"""Choices of the next node that callbacks do not hear of."""

from typing import Any

import pytest
from langchain_core.callbacks import AsyncCallbackHandler
from langgraph.graph import END, START, StateGraph
from typing_extensions import TypedDict

from motet.agents.ways import Way


class State(TypedDict):
    word: str


class Heard(AsyncCallbackHandler):
    def __init__(self) -> None:
        self.names: list[str] = []

    async def on_chain_start(self, serialized: Any, inputs: Any, **kwargs: Any) -> None:
        self.names.append(kwargs["name"])


async def say(state: State) -> State:
    return {"word": state["word"] + "!"}


async def choose(state: State) -> str:
    return "again" if state["word"] == "hi!" else END


def graph(way: Any) -> Any:
    builder = StateGraph(State)
    builder.add_node("say", say)
    builder.add_node("again", say)
    builder.add_edge(START, "say")
    builder.add_conditional_edges("say", way, ["again", END])
    builder.add_edge("again", END)
    return builder.compile()


@pytest.mark.parametrize(("word", "found"), [("hi", "hi!!"), ("ho", "ho!")])
async def test_it_leads_where_the_function_leads(word: str, found: str) -> None:
    assert await graph(Way(choose)).ainvoke({"word": word}) == {"word": found}
    assert await graph(choose).ainvoke({"word": word}) == {"word": found}


async def test_callbacks_hear_of_nodes_alone() -> None:
    told, plain = Heard(), Heard()
    await graph(Way(choose)).ainvoke({"word": "hi"}, {"callbacks": [told]})
    await graph(choose).ainvoke({"word": "hi"}, {"callbacks": [plain]})
    assert told.names == ["LangGraph", "say", "again"]
    assert plain.names == ["LangGraph", "say", "choose", "again"]


def test_a_drawing_shows_the_same_edges() -> None:
    drawn, plain = (graph(way).get_graph() for way in (Way(choose), choose))
    assert drawn.edges == plain.edges


def test_it_has_no_synchronous_form() -> None:
    with pytest.raises(TypeError, match="'choose' has no synchronous form"):
        Way(choose).invoke({})
