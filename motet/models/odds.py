"""How much likelier a model found what it wrote than something else, from its log-probabilities.

A small model that is asked to note what a text says writes something nearly always; how nearly it left the list empty
tells whether the text says it. So with yes and no: how much likelier the one was tells more than which it was.

What does not live here: asking (`structured`), and from which odds on a model is believed (its caller).
"""

from __future__ import annotations

import math
from itertools import zip_longest
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from langchain_core.messages import AIMessage

ASK_FOR_ODDS: dict[str, Any] = {"logprobs": True, "top_logprobs": 10}
"""What a request asks for, so that odds can be read from its reply."""

ODDS_KEY = "list_odds"
"""Where a recorded reply has its odds, in its `response_metadata`."""

_LEAST = 1e-5
"""Stands for the probability of what is not among the likeliest tokens; no odds are beyond its logarithm."""


def list_odds(reply: AIMessage) -> float | None:
    """Return the natural logarithm of the odds that the first list of a reply holds something.

    None where the reply has no log-probabilities, as OpenAI's wire tells them (`logprobs.content`), or no list.
    """
    known = reply.response_metadata.get(ODDS_KEY)
    if isinstance(known, float):
        return known
    tokens = _tokens_of(reply)
    for token, after in zip_longest(tokens, tokens[1:]):
        text = str(token["token"])
        if "[" not in text:
            continue
        if text.rstrip().endswith("[") and after is not None:
            # The next token says whether it is closed at once.
            return _odds(after, lambda one: one.startswith("]"))
        return _odds(token, lambda one: "[]" in one, lambda one: "[" in one)
    return None


def word_odds(reply: AIMessage, words: Collection[str], others: Collection[str]) -> float | None:
    """Return the natural logarithm of the odds that a reply begins with one of some words, and not one of others.

    A word counts where it is a token of its own, whatever blanks stand around it. None without log-probabilities.
    """
    tokens = _tokens_of(reply)
    if not tokens:
        return None
    return _odds(tokens[0], lambda one: one in others, lambda one: one in words)


def kept_odds(reply: AIMessage) -> dict[str, Any]:
    """Return what a recording keeps, so that the same odds are read from it; {} of a reply without any.

    Of a reply of one word its log-probabilities; those of a longer one would take more room than all the rest.
    """
    if len(_tokens_of(reply)) == 1:
        return {"logprobs": reply.response_metadata["logprobs"]}
    odds = list_odds(reply)
    return {} if odds is None else {ODDS_KEY: odds}


def _tokens_of(reply: AIMessage) -> list[Mapping[str, Any]]:
    """Return a reply's tokens with their log-probabilities; [] where the server told none."""
    told = reply.response_metadata.get("logprobs")
    return (told.get("content") or []) if isinstance(told, dict) else []


def _odds(
    token: Mapping[str, Any],
    closes: Callable[[str], bool],
    counts: Callable[[str], bool] = lambda _: True,
) -> float:
    """Return the odds that a token does not close a list (or is not a no), among those in its place that count."""
    empty = full = _LEAST
    for other in token.get("top_logprobs") or ():
        text, probability = "".join(str(other["token"]).split()), math.exp(other["logprob"])
        if closes(text):
            empty += probability
        elif counts(text):
            full += probability
    return math.log(full / empty)
