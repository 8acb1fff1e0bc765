"""Asking the person whom the run is for: the run waits for the answer, a restart in between included."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, Field

from motet.tools.wrap import as_tool

if TYPE_CHECKING:
    from langchain_core.tools import BaseTool

    from motet.tools.base import ToolContext


class Arguments(BaseModel):
    """What the tool is given."""

    question: str = Field(description="One short question", min_length=1, max_length=1000)
    choices: list[str] = Field(
        default=[], description="Answers to choose from, where there are few", max_length=12
    )


def build(context: ToolContext) -> BaseTool:  # noqa: ARG001  # every tool is built the same way
    """Build the tool; it needs no settings."""
    return as_tool(
        _ask,
        name="ask_user",
        description="Ask the user one question when something that only they know is missing.",
        arguments=Arguments,
        access="read",
        extra={"trust": "trusted", "asks": True},
    )


async def _ask(question: str, choices: list[str] | None = None) -> str:
    from langgraph.types import interrupt  # noqa: PLC0415  # the table of tools is read without LangGraph

    asked: dict[str, Any] = {"kind": "question", "question": question}
    schema: dict[str, Any] = {"type": "string"}
    if choices:
        asked["choices"] = choices
        schema = {"type": "string", "enum": choices}
    return str(interrupt(asked, response_schema=schema))
