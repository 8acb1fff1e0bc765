"""Pictures and links of an answer in a conversation that has read strangers' words: they load and hide nothing.

What does not live here: what may be called (`motet.egress`). A picture is fetched by whoever shows the answer, without
anybody's doing, and its address can carry out what the model knows. So a picture becomes its address as text, and so
does a link, whose words may say another place than its address; unless the address stands in the user's own words, or
was offered by a search.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Protocol

from motet.tools.policy.guard import current_guard
from motet.tools.policy.origins import Texts, trace

if TYPE_CHECKING:
    from collections.abc import Callable

LONGEST = 4000
"""A link that is longer than this is text."""

_OPENER = re.compile(r"!?\[|<(?=[A-Za-z/!?]|$)|!$")
_INLINE = re.compile(r"(?P<picture>!?)\[(?P<text>(?:\\.|[^\[\]\n\\])*)\]\(\s*<?(?P<url>[^)\s>]*)>?[^)\n]*\)")
_DEFINED = re.compile(r"\[(?P<text>[^\]\n]+)\]:[ \t]*<?(?P<url>[^\s>]+)>?(?=\s)")
_AUTOMATIC = re.compile(r"<(?P<url>[A-Za-z][A-Za-z0-9+.-]*:[^\s<>]*)>")
_AROUND = re.compile(r"\[[^\[\]\n]*!\[")
_TAG = re.compile(r"<[/!?]?[A-Za-z][^<>]*>", re.DOTALL)
_LEADS_AWAY = re.compile(r"[A-Za-z][\w+.-]*:|//|\\\\|&|%")
"""What may be an address of another machine; a browser reads `\\\\` as `//`, and a renderer reads entities."""
_CODE = re.compile(r"`+")


class Filter(Protocol):
    """Changes a text that comes in pieces."""

    def feed(self, text: str) -> str:
        """Take a piece; return what may be shown by now."""
        ...

    def finish(self) -> str:
        """Return what was held back."""
        ...


class LinkFilter:
    """Shows where links lead, and has nothing load."""

    def __init__(self, texts: Texts) -> None:
        self._texts = texts
        self._held = ""

    def feed(self, text: str) -> str:
        """See `Filter.feed`."""
        self._held += text
        return self._take(is_last=False)

    def finish(self) -> str:
        """See `Filter.finish`."""
        self._held += "\n"  # what is at the end is whole
        return self._take(is_last=True)[:-1]

    def _take(self, *, is_last: bool) -> str:
        shown: list[str] = []
        while (opened := _OPENER.search(self._held)) is not None:
            shown.append(self._held[: opened.start()])
            self._held = self._held[opened.start() :]
            found = self._replaced()
            if found is None and not is_last and self._may_go_on():
                return "".join(shown)
            told, length = found or (self._held[0], 1)
            shown.append(told)
            self._held = self._held[length:]
        shown.append(self._held)
        self._held = ""
        return "".join(shown)

    def _replaced(self) -> tuple[str, int] | None:
        """Return what stands in the place of the link or tag that the text begins with, and that one's length."""
        for pattern in (_INLINE, _DEFINED):
            if match := pattern.match(self._held):
                return self._told(match), match.end()
        if _AROUND.match(self._held):
            return "\\[", 1  # a link around a picture, which is none any more
        if match := _AUTOMATIC.match(self._held):
            return match.group(), match.end()  # it says where it leads
        if match := _TAG.match(self._held):
            return "< " + match.group()[1:], match.end()  # no tag any more
        return None

    def _told(self, match: re.Match[str]) -> str:
        url, text = match["url"], match["text"]
        if not _LEADS_AWAY.match(url) or self._is_known(url):
            return match.group()
        shown = f"`{_CODE.sub('', url)}`"
        if match.re is _DEFINED:
            return f"{text}: {shown}"
        return f"{text} ({shown})" if text.strip() and text != url else shown

    def _is_known(self, url: str) -> bool:
        return all(origin.is_trusted for origin in trace({"url": url}, self._texts, offered=["url"]))

    def _may_go_on(self) -> bool:
        """Say whether the text may still become a link or a tag with what follows."""
        held = self._held
        if len(held) > LONGEST:
            return False
        if held.startswith("<"):
            return ">" not in held and "<" not in held[1:]
        text, closed, after = held.replace("\\\\", "__").replace("\\]", "__").partition("]")
        if not closed:
            return "\n" not in text
        if after[:1] == "(":
            return ")" not in after and "\n" not in after
        return not after or (after[0] == ":" and not re.search(r"\S\s", after[1:]) and "\n" not in after)


class Chained:
    """One filter after the other."""

    def __init__(self, first: Filter, second: Filter) -> None:
        self._first, self._second = first, second

    def feed(self, text: str) -> str:
        """See `Filter.feed`."""
        return self._second.feed(self._first.feed(text))

    def finish(self) -> str:
        """See `Filter.finish`."""
        return self._second.feed(self._first.finish()) + self._second.finish()


async def with_safe_links(make: Callable[[], Filter]) -> Callable[[], Filter]:
    """Return what makes the filter of an answer: with one for links where the run has read strangers' words."""
    guard = current_guard()
    if guard is None or not await guard.read():
        return make
    texts = await guard.texts()
    return lambda: Chained(make(), LinkFilter(texts))
