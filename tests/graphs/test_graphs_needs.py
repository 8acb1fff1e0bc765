"""A model that cannot do what a graph needs is refused when it is connected, with what would do."""

import pytest

from motet.errors import ModelRefused
from motet.graphs.base import GRAPHS, build_graph, simple_parts
from motet.graphs.needs import NEEDS, Needs, check_needs, needs_of
from motet.models.base import Capabilities, ConnectedModel, ModelSpec
from motet.models.scripted import ScriptedChatModel


def model(able: Capabilities) -> ConnectedModel:
    return ConnectedModel(ModelSpec("x", "m", "http://h/v1"), ScriptedChatModel(), able)


ABLE = Capabilities("native", json_schema=True, context_tokens=32_000, images=True)
WEAK = Capabilities("prompt", json_schema=False, context_tokens=1000, images=False)


@pytest.mark.parametrize(
    ("needs", "what", "would"),
    [
        (Needs(context_tokens=3000), "a window of 3000 tokens, and it has 1000", "MOTET_EMBEDDED_CONTEXT"),
        (Needs(own_tool_calls=True), "its tools are called by prompt", "--enable-auto-tool-choice"),
        (Needs(json_schema=True), "enforces JSON schemas, and this one does not", "llama.cpp"),
        (Needs(images=True), "sees images, and this one does not", "a vision model"),
    ],
)
def test_what_is_missing_is_said_with_what_would_do(needs: Needs, what: str, would: str) -> None:
    check_needs("mine", needs, [model(ABLE)])
    with pytest.raises(ModelRefused) as caught:
        check_needs("mine", needs, [model(ABLE), model(WEAK)])
    for words in (what, would, "x:m@http://h/v1 cannot do what graph 'mine' needs", "motet models probe"):
        assert words in caught.value.message


def test_what_is_not_known_passes() -> None:
    check_needs(
        "g", Needs(context_tokens=9000, images=True), [model(Capabilities("native", json_schema=True))]
    )


def test_every_shipped_graph_says_what_it_needs() -> None:
    assert NEEDS.keys() == GRAPHS.keys()

    def mine() -> None: ...

    assert needs_of("mine", mine) == Needs()
    mine.needs = Needs(images=True)  # pyright: ignore[reportFunctionMemberAccess]
    assert needs_of("mine", mine).images


def test_a_graph_is_not_built_for_a_model_that_cannot_do_it() -> None:
    parts = simple_parts(ScriptedChatModel())
    weak = model(WEAK)
    agents = type(parts.agents)(weak, weak, parts.agents.prompts, parts.agents.settings)
    with pytest.raises(ModelRefused, match="graph 'ensemble' needs: a window of 3000"):
        build_graph("ensemble", type(parts)(agents), own={})
