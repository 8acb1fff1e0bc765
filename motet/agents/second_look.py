"""A second look of a small model: whether a text says what is looked for, asked alone and answered by yes or no.

Asked to note what a text says, a small model writes something; asked whether it says it, it is more often right, and
most of all about a single statement. It is asked for one word: as JSON, or with a reason before it, it is less often
right.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from langchain_core.messages import HumanMessage, SystemMessage

from motet.models.odds import ASK_FOR_ODDS, word_odds
from motet.models.structured import NOSTREAM

if TYPE_CHECKING:
    from motet.agents.base import AgentParts
    from motet.agents.prompts import Language

MAX_CHARS = 1600
"""Of the text that is looked at."""

STATED = 0.3
"""Odds from which on a text is taken to say what is looked for, as `odds.word_odds` gives them.

Measured with the embedded model over 95 facts in both languages that passed every other rule, each with the statement
that it came from: of the 68 that were right 91 % were above, of the 27 that were wrong 48 %; by its word alone (odds
of 0) it was 93 % and 52 %.
"""

_MAX_TOKENS = 8
"""Of the word where its odds are not told; a model that thinks first does not come to it, and denies nothing."""

_YES = frozenset({"yes", "Yes", "是", "有"})
_NO = frozenset({"no", "No", "否", "不", "没", "没有"})
_DENIES = re.compile(r"\W*(?:no\b|否|不|没)", re.IGNORECASE)


async def is_stated(parts: AgentParts, task: str, text: str, language: Language) -> bool:
    """Say whether a text says what a task looks for; True of a model that answers neither yes nor no.

    A model that tells how likely its words are has to be as sure as `STATED`.

    Raises:
        ModelError: The model cannot be reached.
    """
    model = parts.model_of("retriever")
    shown = " ".join(text.split())[:MAX_CHARS]
    asked = parts.prompts.text("stated_material", language, statement=shown, task=task)
    messages = [SystemMessage(parts.prompts.text("stated", language)), HumanMessage(asked)]
    odds_too = model.capabilities.logprobs
    wanted: dict[str, Any] = {"max_tokens": 1, **ASK_FOR_ODDS} if odds_too else {"max_tokens": _MAX_TOKENS}
    reply = await model.chat.ainvoke(messages, {"tags": [NOSTREAM]}, **wanted)
    odds = word_odds(reply, _YES, _NO)
    return _DENIES.match(reply.text) is None if odds is None else odds >= STATED
