from typing import Annotated, Any, Literal, NotRequired, Optional, TypedDict

import pytest
from langchain_core.messages import AnyMessage
from langgraph.graph import START, StateGraph
from langgraph.graph.message import add_messages
from pydantic import ValidationError

from motet.runs import shapes


class Item(TypedDict):
    sku: str
    kind: Literal["part", "whole"]


class Order(TypedDict):  # of typing, as most graphs are written; Python 3.11's own
    messages: Annotated[list[AnyMessage], add_messages]
    items: list[Item]
    first: Item | None
    by_name: NotRequired[dict[str, Optional[Item]]]  # noqa: UP045  # the older spelling is what is tested


class Strange:
    """Nothing that pydantic knows."""


class Odd(TypedDict):
    thing: Strange


def graph_of(kind: Any) -> Any:
    builder = StateGraph(kind)
    builder.add_node("n", lambda state: state)
    builder.add_edge(START, "n")
    return builder.compile()


def test_a_state_of_typings_own_has_a_schema_at_every_depth() -> None:
    graph = graph_of(Order)
    found = shapes.input_schema(graph)
    assert found is not None
    assert found == shapes.output_schema(graph)
    assert (found["title"], sorted(found["required"])) == ("Order", ["first", "items", "messages"])
    assert found["properties"]["items"] == {
        "items": {"$ref": "#/$defs/Item"}, "title": "Items", "type": "array"
    }  # fmt: skip
    assert found["$defs"]["Item"]["properties"]["kind"]["enum"] == ["part", "whole"]
    assert shapes.context_schema(graph) is None


def test_what_such_a_graph_takes_is_looked_at() -> None:
    model = shapes.input_model(graph_of(Order))
    good = {"messages": [], "items": [{"sku": "a", "kind": "part"}], "first": None}
    model.model_validate(good)
    with pytest.raises(ValidationError, match=r"items\.0\.kind"):
        model.model_validate(good | {"items": [{"sku": "a", "kind": "none"}]})


def test_of_what_pydantic_does_not_know_nothing_is_said_and_everything_taken() -> None:
    graph = graph_of(Odd)
    assert shapes.input_schema(graph) is None
    shapes.input_model(graph).model_validate({"thing": 3})
