"""The user's own words in a message, without what was pasted, quoted or piped in: somebody else said that.

What does not live here: what is done with them (`rememberer`). This keeps foreign text out of the memories; it is no
judge of what a text means.
"""

from __future__ import annotations

import re

from motet.storage.search import text_width
from motet.tools.policy.pasted import without_pasted

MAX_WIDTH = 1200
"""Columns of own words that are looked at. Who writes more at once is most likely pasting."""

QUOTE_WIDTH = 24
"""A quotation of up to this many columns is a name or a title; a longer one is somebody else's sentence."""

_QUOTATION = re.compile(r"“[^”]*”|\"[^\"]*\"|「[^」]*」|『[^』]*』|«[^»]*»|‘[^’]*’")


def own_words(text: str) -> str:
    """Return what of a message the user said in their own words; "" when nothing is left."""
    text = _QUOTATION.sub(
        lambda found: found.group() if text_width(found.group()) <= QUOTE_WIDTH else " ", without_pasted(text)
    )
    text = text.strip()
    return text if text_width(text) <= MAX_WIDTH else ""
