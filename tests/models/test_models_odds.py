"""The odds that a list was not left empty, however the tokens of a server cut it."""

import math
from typing import Any

import pytest
from langchain_core.messages import AIMessage

from motet.models.cassette import message_of, reply_of
from motet.models.odds import list_odds, word_odds


def token(text: str, **others: float) -> dict[str, Any]:
    """Return a token, and what else stood in its place: probabilities by text, `_` for a blank."""
    likely = [{"token": k.replace("_", " "), "logprob": math.log(p)} for k, p in others.items()]
    return {"token": text, "logprob": -0.1, "top_logprobs": likely}


def reply(*tokens: dict[str, Any]) -> AIMessage:
    text = "".join(one["token"] for one in tokens)
    return AIMessage(text, response_metadata={"logprobs": {"content": list(tokens)}})


@pytest.mark.parametrize(
    "tokens",
    [
        [token('{"facts":'), token(' ["', **{'_["': 0.6, '["': 0.3, "_[]": 0.1}), token("A"), token('"]}')],
        [token('{"facts":'), token(" ["), token('"', **{'"': 0.9, "]": 0.05, "_]}": 0.05}), token('A"]}')],
        [token('{"facts":'), token("[\n"), token('  "', **{'__"': 0.6, '"': 0.3, "\n]": 0.1}), token('A"]}')],
    ],
)
def test_odds_are_of_a_list_with_something_in_it(tokens: list[dict[str, Any]]) -> None:
    assert list_odds(reply(*tokens)) == pytest.approx(math.log(9), abs=0.01)


def test_a_list_that_was_left_empty_has_low_odds() -> None:
    empty = reply(token('{"facts":'), token(" []", **{"_[]": 0.8, '_["': 0.2}), token("}"))
    assert list_odds(empty) == pytest.approx(math.log(0.25), abs=0.01)


def test_what_is_not_among_the_likeliest_is_not_impossible() -> None:
    odds = list_odds(reply(token('{"facts":'), token(' ["', **{'_["': 0.99}), token('A"]}')))
    assert odds is not None
    assert 11 < odds < 12


@pytest.mark.parametrize(
    "metadata",
    [{}, {"logprobs": None}, {"logprobs": {"content": None}}, {"logprobs": {"content": [token("{}")]}}],
)
def test_without_log_probabilities_or_without_a_list_there_are_none(metadata: dict[str, Any]) -> None:
    assert list_odds(AIMessage("{}", response_metadata=metadata)) is None


def test_odds_of_a_word_are_those_of_its_spellings_against_the_other_words() -> None:
    said = reply(token("yes", yes=0.4, _Yes=0.2, no=0.2, perhaps=0.2))
    assert word_odds(said, {"yes", "Yes"}, {"no"}) == pytest.approx(math.log(3), abs=0.01)
    assert word_odds(reply(token("是", 是=0.2, 否=0.8)), {"是"}, {"否"}) == pytest.approx(
        math.log(0.25), abs=0.01
    )
    assert word_odds(AIMessage("yes"), {"yes"}, {"no"}) is None
    kept = message_of(reply_of(said))
    assert word_odds(kept, {"yes", "Yes"}, {"no"}) == word_odds(said, {"yes", "Yes"}, {"no"})


def test_a_recording_keeps_the_odds_and_not_what_they_came_from() -> None:
    said = reply(token('{"facts":'), token(' ["', **{'_["': 0.6, "_[]": 0.2}), token('A"]}'))
    kept = reply_of(said)
    assert "logprobs" not in kept["metadata"]
    assert list_odds(message_of(kept)) == list_odds(said)
    assert "metadata" not in reply_of(AIMessage("x"))
