"""The tool `search_documents`: passages of the user's documents.

What does not live here: the search (`retrieval`), and the numbers that passages have in a whole run (the graphs).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from langchain_core.tools import BaseTool, StructuredTool, ToolException

from motet.errors import MotetError
from motet.retrieval.render import render_passages

if TYPE_CHECKING:
    from motet.tools.base import ToolContext

NAME = "search_documents"

_DESCRIPTION = "Search the user's documents for facts, figures and rules. Returns numbered passages."


def build(context: ToolContext) -> BaseTool | None:
    """Build the tool; None without a retriever.

    What the agent is given are the passages, numbered from 1 in each call. The message's artifact is the list of
    `events.Passage` as plain dicts, so that a graph can number them through the run and show them again with
    `retrieval.render.render_passages`. A search that fails gives the agent the error's message.
    """
    retriever = context.retriever
    if retriever is None:
        return None

    async def search_documents(query: str) -> tuple[str, list[dict[str, Any]]]:
        try:
            passages = await retriever.search(query)
        except MotetError as error:
            raise ToolException(error.message) from error
        if not passages:
            return f"No passage of the documents was found for: {query}", []
        return render_passages(passages), [passage.model_dump(mode="json") for passage in passages]

    return StructuredTool.from_function(
        coroutine=search_documents,
        name=NAME,
        description=_DESCRIPTION,
        response_format="content_and_artifact",
        handle_tool_error=True,
        metadata={"effect": "pure", "class": "read"},
    )
