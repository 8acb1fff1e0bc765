import agent_graphs
import pytest
from langgraph.graph import START, StateGraph

from motet.errors import NotFound
from motet.runs.drawing import context_names, drawing, inner_schemas, schemas


async def test_a_graph_is_drawn_with_what_is_within_it() -> None:
    plain = await drawing(agent_graphs.build_nested())
    assert [node["id"] for node in plain["nodes"]] == ["__start__", "inner", "__end__"]
    deep = await drawing(agent_graphs.build_nested(), xray=True)
    assert {"source": "inner:tools", "target": "inner:model"} in deep["edges"]


async def test_schemas_say_what_goes_in_and_out() -> None:
    found = schemas(agent_graphs.build_notes())
    assert set(found["input_schema"]["properties"]) == {"notes", "total"}
    assert context_names(agent_graphs.build_notes()) == ["who"]
    assert context_names(agent_graphs.build_ask()) == []
    assert list(await inner_schemas(agent_graphs.build_nested(), recurse=True)) == ["inner"]
    with pytest.raises(NotFound):
        await inner_schemas(agent_graphs.build_nested(), namespace="nope")


def test_a_graph_whose_state_has_no_schema_is_told_all_the_same() -> None:
    builder = StateGraph(dict)  # pyright: ignore[reportArgumentType]
    builder.add_node("n", lambda state: state)
    builder.add_edge(START, "n")
    assert "input_schema" in schemas(builder.compile())
