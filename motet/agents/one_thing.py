"""Whether a question asks for one thing that can be looked up as it is, with nothing to be worked out from it.

A small planner finds steps for such a question all the same: a price and "what is extra", and a sum of both; each
step's words are further from what was asked. What does not live here: what is done about it (`planner`).
"""

from __future__ import annotations

import re

from motet.agents.asked_words import EITHER_ZH, OPEN_EN, OPEN_ZH
from motet.agents.figures import all_figures
from motet.storage.search import is_cjk

_ASKS_EN = re.compile(
    r"(?:^|[.!?;,:(]\s*|\b(?:and|or|but|also|plus)\s+)(?:(?:in|at|by|on|of|for|to|from|with|since|until|about)\s+)?"
    rf"(?:{OPEN_EN}|which)\b",
    re.IGNORECASE,
)
"""A word that asks, where a clause begins: within one ("what you pay when it rains") it does not ask."""

_ASKS_ZH = re.compile(rf"(?:{OPEN_ZH}|哪)+|能否|可否|{EITHER_ZH}")
_NAMED = re.compile(r"[A-Za-z]+-?\d[\w.-]*|(?:19|20)\d\d(?!\d)")
"""A figure that is part of a name (`TR-40`), or a year: nothing is calculated with it."""

_MARK = re.compile(r"[?？]")

_WORKED_OUT_EN = re.compile(
    r"\b(?:total|in all|altogether|sum|difference|compared?|comparison|than|average|percent|per cent|twice|double|half"
    r"|combined|together|remaining|left over|both)\b|%",
    re.IGNORECASE,
)
_WORKED_OUT_ZH = re.compile(
    r"[一总合]共|共计|[合总]计|加起来|[相]差|差多少|比|平均|百分|％|%|倍|一半|分别|各|剩|都"
)


def asks_one_thing(question: str) -> bool:
    """Say whether a question, in English or Chinese, asks one thing, with nothing `to_work_out`.

    False of what is no question: what it needs is the planner's to say.
    """
    if to_work_out(question):
        return False
    asking = len((_ASKS_ZH if is_cjk(question) else _ASKS_EN).findall(question))
    return max(asking, len(_MARK.findall(question))) == 1


def to_work_out(question: str) -> bool:
    """Say whether what a question asks for may have to be worked out: it compares or sums, or has a figure.

    A figure that is 1, a year or part of a name is nothing to calculate with.
    """
    compares = (_WORKED_OUT_ZH if is_cjk(question) else _WORKED_OUT_EN).search(question)
    return bool(compares or all_figures(_NAMED.sub(" ", question)) - {"1"})
