"""When the documents say nothing: decided from what was found, and told in fixed words, by no model.

What does not live here: looking things up (`retriever`) and judging single claims (`claims`).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from motet.agents.asked_words import asked_words, lacks, says_none
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

_UNSAID = re.compile(
    r"\b(?:documents?|passages?|texts?|materials?|sources?|results?|information)\b[^.!?\n]{0,30}?"
    r"\bdo(?:es)?(?: not|n['’]t) (?:say|state|mention|specify|give|provide|list|include|contain|name|tell|indicate)"
    r"|\b(?:not|no|nothing)\b[^.!?\n]{0,60}\b(?:in|by) (?:the|these|any)(?: given)? "
    r"(?:documents?|passages?|texts?|materials?|information)\b"
    r"|(?:文档|段落|资料|文件|材料|文本)[^。！？\n]{0,8}?(?:没有|没|未)(?:有)?"
    r"(?:具体|明确|直接)?(?:说明|提到|提及|给出|提供|包含|涉及|写明|说|指出|列出|找到)",
    re.IGNORECASE,
)
_AND_SAYS = re.compile(r"\b(?:but|however|only|except|though|although)\b|但|不过|只|除了|除此", re.IGNORECASE)

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
        named_alone = says_none(text, asked) or lacks(text, question)
        if words and len(words & set(terms(text))) / len(words) >= HELD and not named_alone:
            return True
    return False


def tells_nothing(claim: str) -> bool:
    """Say whether a sentence only says that the documents do not say something: no passage is the source of that."""
    return _UNSAID.search(claim) is not None and _AND_SAYS.search(claim) is None


def language_of(text: str) -> Language:
    """Return the language of an answer."""
    return "zh" if is_cjk(text) else "en"
