"""Web search: the sources of the settings, one after the other until one answers.

What does not live here: the sources (`search_sources`) and opening the pages that were found.
"""

from __future__ import annotations

import asyncio
import logging
import unicodedata
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, Field

from motet.errors import ToolFailed
from motet.tools.search_sources import ENGINES, MAX_WAIT_S, Engines, TooMany, read_sources
from motet.tools.wrap import as_tool, cut

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from langchain_core.tools import BaseTool

    from motet.tools.base import ToolContext
    from motet.tools.search_sources import Source

logger = logging.getLogger(__name__)

LIMIT = 5
"""Results of one search."""
_SHOWN = {"title": 200, "href": 500, "body": 300}
"""What is shown of a result, and the most characters of each."""
_GO_ON = "Go on without it, and say in the answer that the web was not searched."
_UNREACHABLE = f"Web search cannot be reached now. {_GO_ON}"
_BUSY = f"Web search refuses more questions for now. {_GO_ON}"


class Arguments(BaseModel):
    """What the tool is given."""

    query: str = Field(description="A few words to search for", min_length=1, max_length=400)


def build(context: ToolContext, *, search: Any = None, pause_s: float = 1.0) -> BaseTool | None:
    """Build the tool; None where the settings forbid web search.

    Args:
        context: Its settings bound the time and the length of a search, and name the sources.
        search: Asked instead of the real engines, as `ddgs.DDGS().text` is: blocking, raising as ddgs does.
        pause_s: Wait before a source that refuses more questions is asked a second time; before the third, twice that.
    """
    settings = context.settings
    if not settings.web_search:
        return None
    sources = read_sources(settings.search_sources, context.searches, context.egress)
    if search is not None:
        sources = [(name, Engines(search) if name == ENGINES else source) for name, source in sources]
    if not sources:
        return None

    async def web_search(query: str) -> tuple[str, dict[str, Any]]:
        told = _UNREACHABLE
        try:
            async with asyncio.timeout(settings.timeout_s):
                for name, source in sources:
                    rows, told = await _ask(name, source, query, pause_s)
                    if rows or (rows is not None and name == sources[-1][0]):
                        links = [str(row.get("href") or "") for row in rows[:LIMIT]]
                        shown = _show(rows, query, settings.max_output_chars)
                        return shown, {"offers": [link for link in links if link]}
        except TimeoutError:
            raise ToolFailed(_UNREACHABLE, tool="web_search") from None
        raise ToolFailed(told, tool="web_search")

    return as_tool(
        web_search,
        name="web_search",
        description="Search the web for current or public facts that the documents do not hold.",
        arguments=Arguments,
        access="egress",
        extra={"loose": ["query"], "offers": True},
        with_artifact=True,
    )


async def _ask(
    name: str, source: Source, query: str, pause_s: float
) -> tuple[Sequence[Mapping[str, Any]] | None, str]:
    """Ask one source, up to three times while it refuses; return its rows, or None and why it gave none."""
    for pause in (pause_s, 2 * pause_s, None):
        try:
            return await source.search(query, LIMIT), ""
        except TooMany as busy:
            wait = max(pause or 0.0, busy.wait_s or 0.0)
            if pause is None or wait > MAX_WAIT_S:
                break
            await asyncio.sleep(wait)
        except ToolFailed as error:
            logger.info("web search: %s failed: %s", name, error.message)
            return None, _UNREACHABLE
    return None, _BUSY


def _show(rows: Sequence[Mapping[str, Any]], query: str, limit: int) -> str:
    if not rows:
        return f"The web search for '{query}' found nothing. Try other words, or go on without it."
    blocks: list[str] = []
    for number, row in enumerate(rows[:LIMIT], start=1):
        lines = [_clean(row.get(field), size) for field, size in _SHOWN.items()]
        blocks.append(f"{number}. " + "\n".join(line for line in lines if line))
    return cut("\n\n".join(blocks), limit)


def _clean(value: Any, limit: int) -> str:
    """Put a stranger's text on one line, without control and invisible characters."""
    text = " ".join(str(value or "").split())
    return cut("".join(c for c in text if unicodedata.category(c) not in ("Cc", "Cf", "Co", "Cs")), limit)
