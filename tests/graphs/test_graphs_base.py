from pathlib import Path

import pytest
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import END, START, MessagesState, StateGraph
from stage import stage

from motet.errors import InvalidInput, NotFound
from motet.graphs.base import DESCRIPTIONS, GRAPHS, build_graph, known_graphs, simple_parts, with_checkpointer
from motet.models.scripted import ScriptedChatModel

MODULE = """
from langgraph.graph import END, START, MessagesState, StateGraph

builder = StateGraph(MessagesState)
builder.add_node("say", lambda state: {"messages": [("ai", "said")]})
builder.add_edge(START, "say")
builder.add_edge("say", END)
compiled = builder.compile()

def nothing(): return builder
def with_parts(parts): return compiled if parts.agents else None
def wrong(): return 42
"""


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    (tmp_path / "somebodys_graphs.py").write_text(MODULE)
    monkeypatch.syspath_prepend(str(tmp_path))
    return "somebodys_graphs"


def test_every_shipped_graph_has_a_description_and_is_built() -> None:
    parts, _ = stage()
    assert GRAPHS.keys() == DESCRIPTIONS.keys()
    for name in GRAPHS:
        assert build_graph(name, parts, own={}).get_input_jsonschema()["properties"].keys() == {"messages"}


@pytest.mark.parametrize("attribute", ["builder", "compiled", "nothing", "with_parts"])
async def test_a_users_graph_may_be_a_builder_a_graph_or_a_function(module: str, attribute: str) -> None:
    parts, _ = stage()
    saver = InMemorySaver()
    graph = build_graph("mine", parts, own={"mine": f"{module}:{attribute}"}, checkpointer=saver)
    config: RunnableConfig = {"configurable": {"thread_id": "t"}}
    await graph.ainvoke({"messages": "hi"}, config)
    assert len((await graph.aget_state(config)).values["messages"]) == 2


@pytest.mark.parametrize("target", ["somebodys_graphs:missing", "no_such_module:x", "nonsense"])
def test_what_cannot_be_loaded_is_said_with_its_setting(module: str, target: str) -> None:
    del module
    parts, _ = stage()
    with pytest.raises(NotFound, match="Graph 'mine' is set to") as caught:
        build_graph("mine", parts, own={"mine": target})
    assert ("PYTHONPATH" in str(caught.value)) == (not target.startswith("somebodys"))


def test_what_is_no_graph_is_refused(module: str) -> None:
    parts, _ = stage()
    with pytest.raises(InvalidInput, match="is a int"):
        build_graph("mine", parts, own={"mine": f"{module}:wrong"})


def test_an_unknown_name_is_refused_with_a_guess_and_shipped_names_win() -> None:
    parts, _ = stage()
    with pytest.raises(NotFound, match="Did you mean 'ensemble'"):
        build_graph("ensembel", parts, own={})
    assert known_graphs({"chat": "mine:chat", "own": "mine:own"})["chat"] == GRAPHS["chat"]


def test_the_graph_that_was_given_keeps_its_own_checkpointer() -> None:
    builder = StateGraph(MessagesState)
    builder.add_node("say", lambda state: {"messages": []})
    builder.add_edge(START, "say")
    builder.add_edge("say", END)
    given = builder.compile()
    assert with_checkpointer("x", given, InMemorySaver()) is not given
    assert given.checkpointer is None


async def test_any_chat_model_is_enough_for_a_graph() -> None:
    graph = build_graph("chat", simple_parts(ScriptedChatModel(script=["Hi."])), own={})
    assert (await graph.ainvoke({"messages": "hello"}))["messages"][-1].text == "Hi."
