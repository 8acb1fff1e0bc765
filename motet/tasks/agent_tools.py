"""Searches of an agent's step: their passages are numbered through the step, so that `[n]` means one passage.

What does not live here: the search itself (`motet.tools.search_documents`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from langchain_core.messages import ToolMessage
from langchain_core.tools import StructuredTool
from pydantic import ValidationError

from motet.errors import RunError
from motet.events import Passage
from motet.retrieval.render import render_passages
from motet.tasks.problems import quoted
from motet.tools.search_documents import NAME as SEARCH

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from langchain_core.messages import BaseMessage
    from langchain_core.tools import BaseTool


def numbered(sources: Any) -> list[Passage]:
    """Return passages that steps found, each once, numbered from 1.

    Raises:
        RunError: What is given is no list of passages.
    """
    if sources in (None, ""):
        return []
    try:
        found = {p.passage_id: p for p in (Passage.model_validate(item) for item in sources)}
    except (TypeError, ValidationError):
        raise RunError(f"sources is {quoted(sources)}; expected passages, as steps.ID.citations.") from None
    return [p.model_copy(update={"number": number}) for number, p in enumerate(found.values(), 1)]


def numbered_search(tools: Sequence[BaseTool], shown: Sequence[Passage] = ()) -> list[BaseTool]:
    """Return tools whose document search counts its passages on from call to call, behind those shown already."""
    return [_numbering(t, shown) if t.name == SEARCH and isinstance(t, StructuredTool) else t for t in tools]


def _numbering(tool: StructuredTool, shown: Sequence[Passage]) -> BaseTool:
    search: Any = tool.coroutine
    numbers = {passage.passage_id: passage.number or 0 for passage in shown}

    async def call(query: str) -> tuple[str, list[dict[str, Any]]]:
        text, found = await search(query)
        if not found:
            return text, []
        passages = [Passage.model_validate(item) for item in found]
        told = [
            passage.model_copy(update={"number": numbers.setdefault(passage.passage_id, len(numbers) + 1)})
            for passage in passages
        ]
        return render_passages(told), [passage.model_dump(mode="json") for passage in told]

    return tool.model_copy(update={"coroutine": call})


def passages_of(messages: Iterable[BaseMessage]) -> list[dict[str, Any]]:
    """Return the passages that searches left in their results, each once, by its number."""
    found: dict[str, dict[str, Any]] = {}
    for message in messages:
        artifact: Any = message.artifact if isinstance(message, ToolMessage) else None
        for item in artifact if isinstance(artifact, list) else ():
            passage = Passage.model_validate(item)
            number = passage.number or len(found) + 1
            found.setdefault(
                passage.passage_id, passage.model_copy(update={"number": number}).model_dump(mode="json")
            )
    return sorted(found.values(), key=lambda passage: passage["number"])
