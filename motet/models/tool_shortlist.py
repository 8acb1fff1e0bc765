"""Which of many tools a model is shown: those whose descriptions are nearest to what is asked.

What does not live here: how tools are shown (`tool_prompt`). A model that calls tools by itself is shown all of them:
its server has read them before, and it chooses well among many.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from typing import TYPE_CHECKING, Any

from langchain_core.messages import AIMessage, HumanMessage

from motet.storage.content_words import without_function_words

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from langchain_core.messages import BaseMessage

MAX_TOOLS = 12
"""Most tools that are shown; a small model reads each at the price of an answer's words, and mixes up more."""

_ASKED_TURNS = 2
_WORD = re.compile(r"[a-z0-9]+|[\u3400-\u9fff\uf900-\ufaff]+")
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_K1 = 1.2


def shortlist(
    tools: Sequence[dict[str, Any]], messages: Sequence[BaseMessage], *, limit: int = MAX_TOOLS
) -> list[dict[str, Any]]:
    """Return at most `limit` tools, in the order that they came in.

    Tools that were called in the conversation stay. The others are ranked by the words that they share with the last
    two things that the user said, rare words first; function words ("is", "my", "的") are none, however rare they are
    in descriptions. When none shares a word (the question is in another language than the descriptions) nothing is
    known, and all are returned.

    Args:
        tools: In OpenAI's form.
        messages: The conversation.
        limit: At least 1.
    """
    if len(tools) <= limit:
        return list(tools)
    asked = [
        m.text for m in messages if isinstance(m, HumanMessage) and not m.additional_kwargs.get("tool_result")
    ]
    called = {call["name"] for m in messages if isinstance(m, AIMessage) for call in m.tool_calls}
    scores = _scores(
        words(" ".join(asked[-_ASKED_TURNS:])), [words(_text(tool["function"])) for tool in tools]
    )
    if not any(scores):
        return list(tools)
    kept = [place for place, tool in enumerate(tools) if tool["function"]["name"] in called]
    others = sorted((p for p in range(len(tools)) if p not in kept), key=lambda p: (-scores[p], p))
    shown = {*kept, *others[: max(limit - len(kept), 0)]}
    return [tool for place, tool in enumerate(tools) if place in shown]


def words(text: str) -> Counter[str]:
    """Return the words of a text with how often they come, function words left out.

    English ones come without an ending, Chinese ones as pairs of characters.
    """
    found: Counter[str] = Counter()
    plain = without_function_words(_CAMEL.sub(" ", text).lower().replace("_", " "))
    for word in _WORD.findall(plain):
        if word.isascii():
            found[_stem(word)] += 1
        else:
            found.update(word[at : at + 2] for at in range(max(len(word) - 1, 1)))
    return found


def _stem(word: str) -> str:
    for ending in ("ing", "ies", "es", "ed", "s"):
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            return word[: -len(ending)]
    return word


def _scores(asked: Counter[str], texts: list[Counter[str]]) -> list[float]:
    """Return each text's sum over the shared words of rarity times a count that levels off (BM25 without lengths)."""
    seen = Counter(word for text in texts for word in text)
    rarity = {
        word: math.log(1 + (len(texts) - seen[word] + 0.5) / (seen[word] + 0.5))
        for word in asked
        if word in seen
    }
    return [
        sum(
            rare * text[word] * (_K1 + 1) / (text[word] + _K1)
            for word, rare in rarity.items()
            if word in text
        )
        for text in texts
    ]


def _text(tool: Mapping[str, Any]) -> str:
    properties: dict[str, Any] = (tool.get("parameters") or {}).get("properties") or {}
    arguments = (f"{name} {inner.get('description') or ''}" for name, inner in properties.items())
    return " ".join([str(tool["name"]), str(tool.get("description") or ""), *arguments])
