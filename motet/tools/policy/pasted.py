"""What of a message was pasted or quoted: somebody else wrote it.

What does not live here: what follows from it. This is no judge of what a text means.
"""

from __future__ import annotations

import re

UNTRUSTED_KEY = "motet_untrusted"
"""In a message's `additional_kwargs`: true where it is not its sender's own, a pasted mail or an attached file."""

_FENCE = re.compile(r"^(?P<fence>`{3,}|~{3,}).*?(?:^(?P=fence)[`~]*[ \t]*$|\Z)", re.MULTILINE | re.DOTALL)
_QUOTED_LINE = re.compile(r"^[ \t]*>.*$", re.MULTILINE)
_MATERIAL = re.compile(
    r"^.*(?:\b(?:e-?mail|mail|letter|message|text|page|article|document|note|material|says?|wrote|writes|forwarded|pasted)\b"
    r".{0,40}|(?:邮件|信|消息|文章|网页|文件|材料|原文|内容|写道|如下).{0,20})[:：][ \t]*$[\s\S]*",
    re.MULTILINE | re.IGNORECASE,
)
"""From a line on that announces somebody else's text and ends in a colon."""


def without_pasted(text: str) -> str:
    """Return a message without what stands in fences, in quoted lines, or behind a line that announces it."""
    for foreign in (_FENCE, _MATERIAL, _QUOTED_LINE):
        text = foreign.sub(" ", text)
    return text
