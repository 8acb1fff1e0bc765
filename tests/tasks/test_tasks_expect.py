"""Checks of what came out."""

from typing import Any

import pytest

from motet.agents.judge import Judge
from motet.models.base import ConnectedModel
from motet.models.scripted import scripted
from motet.tasks.expect import Came, fault
from motet.tasks.spec import Check

CITED = [{"number": 1}, {"number": 2}]


def came(value: Any, **more: Any) -> Came:
    return Came(value, {"inputs": {"name": "示例"}, "outputs": {"n": 3, "brief": "风险 [1]"}}, **more)


@pytest.mark.parametrize(
    ("check", "value", "told"),
    [
        ({"type": "contains", "value": "Risk"}, "The RISK is high", ""),
        ({"type": "contains", "value": ["risk", "cost"]}, "the risk", '["risk", "cost"] is not in'),
        ({"type": "contains", "value": "${{ inputs.name }}"}, "给示例公司", ""),
        ({"type": "contains", "target": "outputs.brief", "value": "风险"}, None, ""),
        ({"type": "contains", "target": "outputs.gone", "value": "x"}, None, "there is no 'gone'"),
        ({"type": "not_contains", "value": "as an AI"}, "As an AI, I", "is in 'As an AI"),
        ({"type": "equals", "value": 3}, 3, ""),
        ({"type": "equals", "value": "x"}, " x\n", ""),
        ({"type": "equals", "value": {"a": 1}}, {"a": 2}, "is not"),
        ({"type": "regex", "value": r"\d{4}"}, "in 2026", ""),
        ({"type": "regex", "value": "^x"}, "y", "nothing fits /^x/"),
        ({"type": "json_schema", "value": {"type": "array", "minItems": 2}}, [1], "json_schema: "),
        ({"type": "expression", "value": "outputs.n > 2 && text == 'x'"}, "x", ""),
        ({"type": "expression", "value": "outputs.n > 3"}, "x", "is not true"),
        ({"type": "citations", "min": 2}, "a [1] b [2]", ""),
        ({"type": "citations"}, "a 【1，2】", ""),
        ({"type": "citations"}, "nothing", "0 passages are cited"),
        ({"type": "citations"}, "a [7]", "[7] point to no passage"),
        ({"type": "steps_run", "value": ["a", "b"]}, None, ""),
        ({"type": "steps_run", "value": ["a", "z"]}, None, "z did not run"),
        ({"type": "tool_called", "value": "calculator", "min": 2}, None, ""),
        ({"type": "tool_called", "value": "calculator", "max": 1}, None, "at most 1"),
        ({"type": "tool_called", "value": "now"}, None, "0 times"),
        ({"type": "tool_not_called", "value": "calculator"}, None, "was called"),
        ({"type": "tokens", "max": 10}, None, "12 tokens were used"),
        ({"type": "latency", "max": 2}, None, ""),
        ({"type": "rubric", "value": "is polite"}, "x", "no model to judge"),
    ],
)
async def test_each_check_says_what_is_wrong(check: dict[str, Any], value: Any, told: str) -> None:
    seen = came(
        value, citations=CITED, steps=["a", "b"], tools=["calculator", "calculator"], tokens=12, seconds=1.5
    )
    found = await fault(Check.model_validate(check), seen)
    assert told in found if told else found == ""


@pytest.mark.parametrize(("score", "told"), [(0.9, ""), (0.3, "rubric: 0.3 for 'is polite', at least 0.8")])
async def test_a_rubric_is_judged_by_a_model(score: float, told: str) -> None:
    asked: list[str | None] = []

    async def judge(spec: str | None) -> ConnectedModel:
        asked.append(spec)
        return scripted(lambda _: {"json": {"reason": "so so", "score": score}})

    check = Check(type="rubric", value="is polite", threshold=0.8, model="scripted:judge")
    found = await fault(check, came("Dear all", judge=Judge(judge)))
    assert found.startswith(told) if told else found == ""
    assert asked == ["scripted:judge"]
