"""Reading a web page as clean text, by the one way out.

What does not live here: which addresses may be called (`egress`).
"""

from __future__ import annotations

import asyncio
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, Field

from motet.errors import DocumentUnreadable, ToolFailed
from motet.tools.read_file import piece
from motet.tools.wrap import as_tool

if TYPE_CHECKING:
    from langchain_core.tools import BaseTool

    from motet.egress.client import Egress, Fetched
    from motet.tools.base import ToolContext

_ACCEPT = ("text/", "application/json", "application/xml", "+json", "+xml")
_HTML = ("text/html", "application/xhtml+xml")


class Arguments(BaseModel):
    """What the tool is given."""

    url: str = Field(description="Address of a page, https://…", min_length=1, max_length=2000)
    offset: int = Field(default=0, ge=0, description="Character to start at, to go on in a long page")


def build(context: ToolContext) -> BaseTool | None:
    """Build the tool; None where there is no way out."""
    if context.egress is None:
        return None
    away, settings = context.egress, context.settings

    async def web_fetch(url: str, offset: int = 0) -> str:
        got = await _fetch(away, url, settings.timeout_s)
        return piece(await asyncio.to_thread(to_text, got), got.url, offset, settings.max_output_chars)

    return as_tool(
        web_fetch,
        name="web_fetch",
        description="Read a web page as text. Give the full address.",
        arguments=Arguments,
        access="egress",
        extra={"offered": ["url"]},
    )


async def _fetch(away: Egress, url: str, timeout_s: float) -> Fetched:
    got = await away.fetch(url, accept=_ACCEPT, timeout_s=timeout_s)
    if got.status >= 400:
        raise ToolFailed(
            f"The page answered {got.status}. Try another, or go on without it.", tool="web_fetch"
        )
    return got


def to_text(got: Fetched) -> str:
    """Return a page's main text; what is no HTML as it is, without characters that nobody sees.

    What the server says of the encoding comes before what the page says, as in browsers, unless it cannot be.

    Raises:
        ToolFailed: It cannot be read.
    """
    from motet.retrieval.decode import clean, decode, taken_for  # noqa: PLC0415
    from motet.retrieval.loaders.html import load  # noqa: PLC0415  # its parsers load when a page is read

    page: Any = PurePosixPath("page.html")  # a name alone
    try:
        if got.content_type not in _HTML:
            return decode(got.body, page, declared=taken_for(got.charset))
        loaded: Any = load(got.body, page, declared=got.charset)
    except DocumentUnreadable as error:
        if got.content_type not in _HTML:
            return clean(got.text)
        raise ToolFailed(f"The page cannot be read: {error.message}", tool="web_fetch") from None
    return f"{loaded.title}\n\n{loaded.text}".strip()
