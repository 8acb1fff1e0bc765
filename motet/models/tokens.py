"""How many tokens a text is, where no tokenizer can be asked: by rules that know Chinese, Japanese and Korean.

What does not live here: a model's own tokenizer.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from langchain_core.messages import AIMessage

if TYPE_CHECKING:
    from collections.abc import Sequence

    from langchain_core.messages import BaseMessage

MESSAGE_TOKENS = 8
"""What a message takes beside its text: its role and the marks around it."""


def estimate_tokens(text: str) -> int:
    """Return about how many tokens a text is; 0 for an empty one.

    Letters come to about four a token. A character of Chinese, Japanese or Korean is most often one token of its own,
    or shares one with its neighbour: 0.8 on average. Digits and marks are a token for every two or three.
    """
    wide = sum(1 for c in text if c > "\u2e7f")
    letters = sum(1 for c in text if c <= "\u2e7f" and (c.isalpha() or c == " "))
    return int(wide * 0.8 + letters / 4.2 + (len(text) - wide - letters) / 2.2 + 0.999)


def most_tokens(text: str) -> int:
    """Return more tokens than a text has by any usual tokenizer: one for every two bytes."""
    return len(text.encode("utf-8", "replace")) // 2 + 1


def most_prompt_tokens(messages: Sequence[BaseMessage], tools: Any = None) -> int:
    """Return more tokens than a prompt has, its tools' schemas included."""
    texts = [message.text for message in messages]
    texts += [
        json.dumps(m.tool_calls, default=str) for m in messages if isinstance(m, AIMessage) and m.tool_calls
    ]
    schemas = json.dumps(tools, default=str) if tools else ""
    return sum(most_tokens(text) + MESSAGE_TOKENS for text in texts) + most_tokens(schemas)
