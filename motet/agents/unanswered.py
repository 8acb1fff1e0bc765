"""When the documents say nothing: decided from what was found, and told in fixed words, by no model.

What does not live here: looking things up (`retriever`) and judging single claims (`claims`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from motet.agents.asked_words import asked_words, says_none
from motet.retrieval.render import whole_text
from motet.storage.content_words import content_words
from motet.storage.search import is_cjk, terms

if TYPE_CHECKING:
    from collections.abc import Sequence

    from motet.agents.prompts import Language
    from motet.events import Passage

NOTHING: dict[Language, str] = {
    "en": "The documents do not say this: nothing in them was found that answers the question.",
    "zh": "文档里没有说明这一点：没有找到能回答这个问题的内容。",
}
UNSUPPORTED: dict[Language, str] = {
    "en": "(The documents do not bear this out.)",
    "zh": "（文档中没有依据。）",
}

HELD = 0.5
"""Share of a question's terms that a passage must hold to be worth a model's look though no fact was noted from it."""


def may_hold(question: str, passages: Sequence[Passage]) -> bool:
    """Say whether a passage may answer a question: it holds half of its terms, or is in another language.

    One that holds only the names in a question, and nothing of what is asked about them, does not.
    """
    words = set(terms(content_words(question)))
    asked = asked_words(question)
    for passage in passages:
        text = whole_text(passage)
        if is_cjk(text) != is_cjk(question):
            return True
        if words and len(words & set(terms(text))) / len(words) >= HELD and not says_none(text, asked):
            return True
    return False


def language_of(text: str) -> Language:
    """Return the language of an answer."""
    return "zh" if is_cjk(text) else "en"
