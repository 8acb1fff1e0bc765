"""What a graph looks like from outside, as plain JSON: its nodes and edges, and the schemas of what goes in and out.

What does not live here: running it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import TypeAdapter

from motet.errors import NotFound
from motet.runs import shapes

if TYPE_CHECKING:
    from langgraph.graph.state import CompiledStateGraph

    Graph = CompiledStateGraph[Any, Any, Any, Any]

Json = dict[str, Any]


async def drawing(graph: Graph, *, xray: int | bool = False) -> Json:
    """Return a graph's nodes and edges; with `xray`, those of graphs within it too, so many levels deep."""
    drawn = await graph.aget_graph(xray=xray)
    nodes: list[Json] = []
    for node in drawn.nodes.values():
        shown: Json = {"id": node.id}
        if node.data is not None and node.name != "__end__":
            shown |= {"type": "runnable", "data": {"name": node.id}}
        if node.metadata:
            shown["metadata"] = node.metadata
        nodes.append(shown)
    edges = [
        {"source": edge.source, "target": edge.target}
        | ({"data": str(edge.data)} if edge.data else {})
        | ({"conditional": True} if edge.conditional else {})
        for edge in drawn.edges
    ]
    return {"nodes": nodes, "edges": edges}


def schemas(graph: Graph) -> Json:
    """Return JSON Schemas of a graph's input, output, state and context; None where a type has none."""
    context = shapes.context_schema(graph)
    return {
        "input_schema": shapes.input_schema(graph),
        "output_schema": shapes.output_schema(graph),
        "state_schema": shapes.first_of(lambda: shapes.json_schema(graph.builder.state_schema)),
        "config_schema": context or TypeAdapter(dict).json_schema(),
        "context_schema": context,
    }


def context_names(graph: Graph) -> list[str]:
    """Return the names of the fields of a graph's context; [] where it says nothing about one."""
    found = shapes.context_schema(graph) or {}
    return list(found.get("properties", {}))


async def inner_schemas(graph: Graph, *, namespace: str | None = None, recurse: bool = False) -> Json:
    """Return the schemas of graphs within a graph, by their place.

    Raises:
        NotFound: `namespace` is given, and there is none.
    """
    found: Json = {}
    inner: Any
    async for place, inner in graph.aget_subgraphs(namespace=namespace, recurse=recurse):
        found[place] = schemas(inner)
    if namespace is not None and not found:
        raise NotFound(f"There is no graph within the graph at '{namespace}'.")
    return found
