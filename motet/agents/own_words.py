"""The user's own words in a message, without what was pasted, quoted or piped in: somebody else said that.

What does not live here: what is done with them (`rememberer`). This keeps foreign text out of the memories; it is no
judge of what a text means.
"""

from __future__ import annotations

import re

from motet.storage.search import text_width

MAX_WIDTH = 1200
"""Columns of own words that are looked at. Who writes more at once is most likely pasting."""

QUOTE_WIDTH = 24
"""A quotation of up to this many columns is a name or a title; a longer one is somebody else's sentence."""

_FENCE = re.compile(r"^(?P<fence>`{3,}|~{3,}).*?(?:^(?P=fence)[`~]*[ \t]*$|\Z)", re.MULTILINE | re.DOTALL)
_QUOTED_LINE = re.compile(r"^[ \t]*>.*$", re.MULTILINE)
_QUOTATION = re.compile(r"“[^”]*”|\"[^\"]*\"|「[^」]*」|『[^』]*』|«[^»]*»|‘[^’]*’")
_MATERIAL = re.compile(
    r"^.*(?:\b(?:e-?mail|mail|letter|message|text|page|article|document|note|material|says?|wrote|writes|forwarded|pasted)\b"
    r".{0,40}|(?:邮件|信|消息|文章|网页|文件|材料|原文|内容|写道|如下).{0,20})[:：][ \t]*$[\s\S]*",
    re.MULTILINE | re.IGNORECASE,
)
"""From a line on that announces somebody else's text and ends in a colon."""


def own_words(text: str) -> str:
    """Return what of a message the user said in their own words; "" when nothing is left."""
    for foreign in (_FENCE, _MATERIAL, _QUOTED_LINE):
        text = foreign.sub(" ", text)
    text = _QUOTATION.sub(
        lambda found: found.group() if text_width(found.group()) <= QUOTE_WIDTH else " ", text
    )
    text = text.strip()
    return text if text_width(text) <= MAX_WIDTH else ""
