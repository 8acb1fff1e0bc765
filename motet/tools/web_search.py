"""Web search through `ddgs`, which asks several public search engines and needs no key.

What does not live here: opening the pages that were found.
"""

from __future__ import annotations

import asyncio
import unicodedata
from typing import TYPE_CHECKING, Any, Protocol

from pydantic import BaseModel, Field

from motet.errors import ToolFailed
from motet.storage.search import has_cjk
from motet.tools.wrap import as_tool, cut

if TYPE_CHECKING:
    from collections.abc import Sequence

    from langchain_core.tools import BaseTool

    from motet.tools.base import ToolContext

LIMIT = 5
"""Results of one search."""
_SHOWN = {"title": 200, "href": 500, "body": 300}
"""What is shown of a result, and the most characters of each."""
_ENGINE_TIMEOUT_S = 8
"""Longest wait for one engine; others are asked after it, within the tool's own time."""
_GO_ON = "Go on without it, and say in the answer that the web was not searched."
_UNREACHABLE = f"Web search cannot be reached now. {_GO_ON}"
_BUSY = f"Web search refuses more questions for now. {_GO_ON}"


class Arguments(BaseModel):
    """What the tool is given."""

    query: str = Field(description="A few words to search for", min_length=1, max_length=400)


class Search(Protocol):
    """What is asked: `ddgs.DDGS().text`, or a test's own. Blocking; raises as ddgs does."""

    def __call__(self, query: str, *, region: str, max_results: int) -> Sequence[dict[str, Any]]:
        """Return rows of `title`, `href` and `body`, best first."""
        ...


def build(context: ToolContext, *, search: Search | None = None, pause_s: float = 1.0) -> BaseTool | None:
    """Build the tool; None where the settings forbid web search.

    Args:
        context: Its settings bound the time and the length of a search.
        search: Asked instead of the real engines.
        pause_s: Wait before the first retry of a search that was refused as too many; the second waits twice.
    """
    settings = context.settings
    if not settings.web_search:
        return None
    ask = search or _ask_engines

    async def web_search(query: str) -> tuple[str, dict[str, Any]]:
        try:
            async with asyncio.timeout(settings.timeout_s):
                for pause in (pause_s, 2 * pause_s, None):
                    rows = await asyncio.to_thread(_attempt, ask, query)
                    if rows is not None:
                        links = [str(row.get("href") or "") for row in rows[:LIMIT]]
                        shown = _show(rows, query, settings.max_output_chars)
                        return shown, {"offers": [link for link in links if link]}
                    if pause is not None:
                        await asyncio.sleep(pause)
        except TimeoutError:
            raise ToolFailed(_UNREACHABLE, tool="web_search") from None
        raise ToolFailed(_BUSY, tool="web_search")

    return as_tool(
        web_search,
        name="web_search",
        description="Search the web for current or public facts that the documents do not hold.",
        arguments=Arguments,
        access="egress",
        extra={"loose": ["query"], "offers": True},
        with_artifact=True,
    )


def _ask_engines(query: str, *, region: str, max_results: int) -> Sequence[dict[str, Any]]:
    from ddgs import DDGS  # noqa: PLC0415  # most runs search nothing

    return DDGS(timeout=_ENGINE_TIMEOUT_S).text(query, region=region, max_results=max_results)


def _attempt(search: Search, query: str) -> Sequence[dict[str, Any]] | None:
    """Search once, on a thread; None when the engines say that there were too many questions.

    Raises:
        ToolFailed: No engine can be reached.
    """
    from ddgs.exceptions import DDGSException, RatelimitException  # noqa: PLC0415

    try:
        return search(query, region="cn-zh" if has_cjk(query) else "us-en", max_results=LIMIT)
    except RatelimitException:
        return None
    except DDGSException as error:
        # An empty result and an unreachable network are the same class; only the words differ.
        if str(error).startswith("No results"):
            return []
        raise ToolFailed(_UNREACHABLE, tool="web_search", reason=cut(str(error), 300)) from error
    except OSError as error:
        raise ToolFailed(_UNREACHABLE, tool="web_search", reason=cut(str(error), 300)) from error


def _show(rows: Sequence[dict[str, Any]], query: str, limit: int) -> str:
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
