"""What a graph needs of its models, checked when they are connected: nobody waits for an answer that cannot come.

What does not live here: finding out what a model can do (`motet.models.probe`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from motet.errors import ModelRefused

if TYPE_CHECKING:
    from collections.abc import Iterable

    from motet.models.base import ConnectedModel


@dataclass(frozen=True, slots=True)
class Needs:
    """What every model of a graph has to be able to do. A graph of your own says so by `build.needs = Needs(…)`."""

    context_tokens: int = 0
    """Smallest window; one that is not known passes."""
    own_tool_calls: bool = False
    """Calls of the model's own, several at once, not one under a schema."""
    json_schema: bool = False
    """Whether its server has to enforce JSON schemas."""
    images: bool = False
    """Whether it has to see images; what nobody asked it passes."""


NEEDS: dict[str, Needs] = {"chat": Needs(context_tokens=1500), "ensemble": Needs(context_tokens=3000)}
"""What the shipped graphs need: their longest prompt with four passages, and room for the answer."""


def check_needs(graph: str, needs: Needs, models: Iterable[ConnectedModel]) -> None:
    """Refuse a model that cannot do what a graph needs.

    Raises:
        ModelRefused: The message says what is missing, and what would do.
    """
    for model in models:
        able = model.capabilities
        lacks = [
            (
                0 < able.context_tokens < needs.context_tokens,
                f"a window of {needs.context_tokens} tokens, and it has {able.context_tokens}",
                "a model with a larger window (MOTET_EMBEDDED_CONTEXT is the embedded one's)",
            ),
            (
                needs.own_tool_calls and able.tool_method != "native",
                f"tool calls of the model's own, and its tools are called by {able.tool_method}",
                "openai:NAME, or a server that parses tool calls (vLLM: --enable-auto-tool-choice)",
            ),
            (
                needs.json_schema and not able.json_schema,
                "a server that enforces JSON schemas, and this one does not",
                "embedded, openai:NAME, vllm:NAME, or any server of llama.cpp",
            ),
            (
                needs.images and able.images is False,
                "a model that sees images, and this one does not",
                "openai:NAME, or PROVIDER:NAME@URL of a vision model",
            ),
        ]
        for missing, what, would in lacks:
            if missing:
                raise ModelRefused(
                    f"{model.spec} cannot do what graph '{graph}' needs: {what}. What would: {would}. "
                    f"'motet models probe {model.spec}' shows what it can do.",
                    model=str(model.spec),
                    graph=graph,
                )


def needs_of(graph: str, made: Any = None) -> Needs:
    """Return what a graph needs: the table's word, or what a user's function or graph says in its attribute `needs`."""
    said = getattr(made, "needs", None)
    return said if isinstance(said, Needs) else NEEDS.get(graph, Needs())
