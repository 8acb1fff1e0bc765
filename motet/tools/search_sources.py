"""Where the web is searched: `ddgs`, and services that `[searches.NAME]` of the settings names.

What does not live here: the tool (`web_search`). A source is a class and a line in `SOURCES`.

    [searches.own]
    kind = "searxng"
    url = "https://search.example.com/search"

    [searches.wiki]
    kind = "wikipedia"
"""

from __future__ import annotations

import asyncio
import email.utils
import html
import json
import re
import time
from importlib import import_module
from typing import TYPE_CHECKING, Any, Protocol, cast
from urllib.parse import quote, urlencode

from motet.errors import MotetError, SettingInvalid, ToolFailed, did_you_mean
from motet.storage.search import has_cjk
from motet.tools.wrap import cut

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from motet.egress.client import Egress, Fetched

SOURCES: dict[str, str] = {
    "searxng": "motet.tools.search_sources:Searxng",
    "wikipedia": "motet.tools.search_sources:Wikipedia",
}
"""Kinds of `[searches.NAME]`."""

ENGINES = "ddgs"
"""The source that needs no entry."""

MAX_WAIT_S = 20.0
"""A source that asks for a longer wait is passed over."""

_KEYS = {"kind", "url", "headers"}
_TAG = re.compile(r"<[^>]*>")
_ENGINE_TIMEOUT_S = 8
_PARSING = (OSError, ValueError, TypeError, LookupError, AttributeError)
"""What a reader of engines' pages raises when one looks otherwise than it did."""


class TooMany(Exception):
    """A source refuses more questions for now."""

    def __init__(self, wait_s: float | None = None) -> None:
        super().__init__()
        self.wait_s = wait_s
        """What it asks to wait, in seconds; None where it does not say."""


class Source(Protocol):
    """Searches the web."""

    async def search(self, query: str, limit: int) -> Sequence[Mapping[str, Any]]:
        """Return rows of `title`, `href` and `body`, best first; [] where nothing was found.

        Raises:
            TooMany: It refuses more questions for now.
            ToolFailed: It cannot be reached, or answers with something else.
        """
        ...


class Engines:
    """Several public search engines, through `ddgs`; `search` is asked in its place by tests."""

    def __init__(self, search: Any = None) -> None:
        self._search = search or _ask_engines

    async def search(self, query: str, limit: int) -> Sequence[Mapping[str, Any]]:
        """See `Source.search`."""
        return await asyncio.to_thread(self._ask, query, limit)

    def _ask(self, query: str, limit: int) -> Sequence[Mapping[str, Any]]:
        from ddgs.exceptions import DDGSException, RatelimitException  # noqa: PLC0415

        try:
            return self._search(query, region="cn-zh" if has_cjk(query) else "us-en", max_results=limit)
        except RatelimitException:
            raise TooMany from None
        except DDGSException as error:
            # An empty result and an unreachable network are the same class; only the words differ.
            if str(error).startswith("No results"):
                return []
            raise ToolFailed(cut(str(error), 300), tool="web_search") from error
        except _PARSING as error:
            raise ToolFailed(cut(f"{type(error).__name__}: {error}", 300), tool="web_search") from error


class Searxng:
    """A SearXNG server, or another that answers `?q=…&format=json` with `results` of `title`, `url` and `content`."""

    def __init__(self, egress: Egress, url: str, headers: Mapping[str, str]) -> None:
        self._egress, self._url, self._headers = egress, url, headers
        if not url:
            raise SettingInvalid("A search of kind searxng needs its url.", setting="searches")

    async def search(self, query: str, limit: int) -> Sequence[Mapping[str, Any]]:
        """See `Source.search`."""
        asked = {"q": query, "format": "json", "language": "zh" if has_cjk(query) else "en"}
        found = await _asked(self._egress, self._url, asked, self._headers)
        return [
            {"title": row.get("title"), "href": row.get("url"), "body": row.get("content")}
            for row in _rows(found.get("results"))[:limit]
        ]


class Wikipedia:
    """Wikipedia's own search, in the query's language; `url` for another wiki of the same software."""

    def __init__(self, egress: Egress, url: str, headers: Mapping[str, str]) -> None:
        self._egress, self._url, self._headers = egress, url, headers

    async def search(self, query: str, limit: int) -> Sequence[Mapping[str, Any]]:
        """See `Source.search`."""
        language = "zh" if has_cjk(query) else "en"
        url = self._url or f"https://{language}.wikipedia.org/w/api.php"
        asked = {
            "action": "query",
            "list": "search",
            "format": "json",
            "utf8": "1",
            "srsearch": query,
            "srlimit": str(limit),
        }
        found = await _asked(self._egress, url, asked, self._headers)
        pages = url.rpartition("/w/")[0] + "/wiki/"
        result = found.get("query")
        rows = _rows(cast("dict[str, Any]", result).get("search") if isinstance(result, dict) else None)
        return [
            {
                "title": row.get("title"),
                "href": pages + quote(str(row.get("title", "")).replace(" ", "_")),
                "body": html.unescape(_TAG.sub("", str(row.get("snippet", "")))),
            }
            for row in rows[:limit]
        ]


def read_sources(names: str, table: Mapping[str, Any], egress: Egress | None) -> list[tuple[str, Source]]:
    """Return the sources of `tools.search_sources`, in their order.

    Raises:
        SettingInvalid: A name is unknown, or its entry is wrong.
    """
    found: list[tuple[str, Source]] = []
    for name in names.replace(",", " ").split():
        if name == ENGINES:
            found.append((name, Engines()))
        elif name not in table:
            known = (ENGINES, *table)
            raise SettingInvalid(
                f"tools.search_sources names '{name}'.{did_you_mean(name, known)}",
                setting="tools.search_sources",
            )
        elif egress is not None:
            found.append((name, _read(name, table[name], egress)))
    return found


def _read(name: str, value: Any, egress: Egress) -> Source:
    given = cast("dict[str, Any]", value) if isinstance(value, dict) else {}
    unknown, kind = sorted(given.keys() - _KEYS), given.get("kind", "")
    if unknown or kind not in SOURCES:
        problem = (
            f"'{unknown[0]}' is unknown"
            if unknown
            else f"kind is '{kind}'.{did_you_mean(str(kind), SOURCES)}"
        )
        raise SettingInvalid(f"[searches.{name}]: {problem}", setting=f"searches.{name}")
    module, _, attribute = SOURCES[kind].partition(":")
    headers = {str(key): str(word) for key, word in given.get("headers", {}).items()}
    made: Source = getattr(import_module(module), attribute)(egress, str(given.get("url", "")), headers)
    return made


def _ask_engines(query: str, *, region: str, max_results: int) -> Sequence[dict[str, Any]]:
    from ddgs import DDGS  # noqa: PLC0415  # most runs search nothing

    return DDGS(timeout=_ENGINE_TIMEOUT_S).text(query, region=region, max_results=max_results)


async def _asked(
    egress: Egress, url: str, asked: Mapping[str, str], headers: Mapping[str, str]
) -> dict[str, Any]:
    joined = f"{url}{'&' if '?' in url else '?'}{urlencode(asked)}"
    try:
        got = await egress.fetch(joined, headers=headers, accept=("application/json",))
    except MotetError as error:
        raise ToolFailed(error.message, tool="web_search") from error
    if got.status in (429, 503):
        raise TooMany(_wait(got))
    try:
        found: Any = json.loads(got.text) if got.status < 400 else None
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise ToolFailed(f"It answered {got.status}, and no JSON object.", tool="web_search")
    return cast("dict[str, Any]", found)


def _wait(got: Fetched) -> float | None:
    """Return what `Retry-After` says, in seconds or as a date; None where it says nothing."""
    told = got.headers.get("retry-after", "").strip()
    if told.isdigit():
        return float(told)
    when = email.utils.parsedate_tz(told) if told else None
    return max(0.0, email.utils.mktime_tz(when) - time.time()) if when else None


def _rows(value: Any) -> list[dict[str, Any]]:
    return (
        [row for row in cast("list[Any]", value) if isinstance(row, dict)] if isinstance(value, list) else []
    )
