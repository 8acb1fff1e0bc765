"""The budget as a value: what is read, what is refused, and what it says of itself."""

from __future__ import annotations

import pytest

from motet.errors import InvalidInput
from motet.runs.budget import Budget
from motet.runs.request import RunOptions

WHOLE = "tokens=20000 cost=0.5 time=300 model_calls=20 tool_calls=0 then=fail"


def test_a_budget_is_read_from_words_and_written_back() -> None:
    budget = Budget.parse("tokens=20000, cost=0.50 time=300,model_calls=20 tool_calls=0 then=fail")
    assert budget == Budget(
        max_tokens=20000,
        max_cost_usd=0.5,
        max_time_s=300,
        max_model_calls=20,
        max_tool_calls=0,
        at_limit="fail",
    )
    assert str(budget) == WHOLE
    assert Budget.parse(str(budget)) == budget


def test_no_limit_is_no_budget() -> None:
    assert not Budget()
    assert not Budget.parse("")
    assert not Budget(at_limit="fail")
    assert Budget(max_tool_calls=0)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("token=5", "Did you mean 'tokens'"),
        ("tokens", "NAME=NUMBER"),
        ("tokens=", "NAME=NUMBER"),
        ("tokens=many", "max_tokens"),
        ("tokens=0", "max_tokens"),
        ("tokens=1.5", "max_tokens"),
        ("cost=-1", "max_cost_usd"),
        ("cost=nan", "max_cost_usd"),
        ("time=inf", "max_time_s"),
        ("tool_calls=-1", "max_tool_calls"),
        ("tokens=5 tokens=6", "twice"),
        ("then=panic", "at_limit"),
    ],
)
def test_what_is_no_budget_is_refused_with_its_name(text: str, said: str) -> None:
    with pytest.raises(InvalidInput, match=said) as caught:
        Budget.parse(text)
    assert text in caught.value.message


def test_it_travels_in_the_options() -> None:
    options = RunOptions(budget=Budget.parse(WHOLE))
    assert RunOptions.model_validate_json(options.model_dump_json()) == options
