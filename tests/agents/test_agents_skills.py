"""The battery is whole and fair: right answers pass, wrong ones do not, and both arms are told the same."""

from __future__ import annotations

import dataclasses
import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from motet.agents.skills import report
from motet.agents.skills.arms import MotetArm, PlainArm
from motet.agents.skills.battery import SKILLS, Answer, Item, load, problem
from motet.errors import InvalidInput
from motet.models.scripted import Call, Reply, ToolCall, scripted


def right(item: Item) -> Answer:
    """Answer a prompt as its rule wants it."""
    calls = ((item.tool, {name: values[0] for name, values in item.arguments.items()}),) if item.tool else ()
    cited = f" [{item.cite}]" if item.cite else ""
    return Answer(f"It is {item.words[0] if item.words else 'so'}{cited}.", calls, item.agents)


def test_the_battery_is_large_and_as_large_in_both_languages() -> None:
    items = load()
    assert len(items) >= 120
    counts = Counter((item.skill, item.language) for item in items)
    assert {skill for skill, _ in counts} == set(SKILLS)
    assert all(counts[skill, "en"] == counts[skill, "zh"] for skill in SKILLS)
    assert len({item.turns for item in items}) == len(items)


def test_right_answers_pass_and_wrong_ones_do_not() -> None:
    for item in load(seed=3):
        assert problem(item, right(item)) == "", item
        assert problem(item, Answer("")) != "", item
        other = Answer("Hm.", (("no_such_tool", {}),), ("retriever", "worker", "worker", "worker", "worker"))
        assert problem(item, other) != "", item
        if item.arguments:
            wrong = dataclasses.replace(right(item), calls=((item.tool, dict.fromkeys(item.arguments, "?")),))
            assert "is '?'" in problem(item, wrong)
        if item.skill == "cited":
            assert "cited" in problem(item, Answer(f"{right(item).text} [{item.cite % 5 + 1}]"))


@pytest.mark.parametrize(
    ("said", "wrong"),
    [
        ("The passages do not say it.", ""),
        ("段落里没有说明。", ""),
        ("The passages do not say it [2].", "cited 2 instead of nothing"),
        ("The passages do not say it【2】", "cited 2 instead of nothing"),
        ("It is not known [1, 3].", "cited 1, 3 instead of nothing"),
        ("The lake is 99 m deep [?]. (The documents do not bear this out.)", "cited ? instead of nothing"),
        ("The lake is 412 m deep.", "none of do not say"),
    ],
)
def test_what_no_passage_says_is_said_to_be_missing_and_cites_nothing(said: str, wrong: str) -> None:
    unanswerable = [item for item in load() if item.skill == "cited" and not item.cite]
    assert len(unanswerable) == 6
    item = unanswerable[1 if "里" in said else 0]
    assert problem(item, Answer(said)).startswith(wrong)
    assert bool(problem(item, Answer(said))) == bool(wrong)


def test_one_passage_is_cited_in_whatever_form() -> None:
    item = next(item for item in load() if item.cite)
    for form in (f"[{item.cite}]", f"【{item.cite}】", f"[{item.cite}][{item.cite}]"):
        assert problem(item, Answer(f"{item.words[0]} {form}")) == ""
    for form in (f"[{item.cite}, 9]", f"[{item.cite}] [?]", "[?]"):
        assert "instead of" in problem(item, Answer(f"{item.words[0]} {form}"))


def test_a_seed_is_an_order_and_a_sample_has_every_skill() -> None:
    assert load(seed=1) == load(seed=1)
    assert load(seed=1) != load(seed=2)
    sample = load(sample=12)
    assert {(item.skill, item.language) for item in sample} == {(s, w) for s in SKILLS for w in ("en", "zh")}


def test_a_third_is_held_out_always_the_same() -> None:
    items = load()
    held_out = {item.turns for item in items if item.held_out}
    assert held_out == {item.turns for item in load(seed=7) if item.held_out}
    assert 0.28 < len(held_out) / len(items) < 0.4
    assert {item.skill for item in items if item.held_out} == set(SKILLS)


def perfect(items: list[Item]) -> Any:
    """A script that gives every right answer."""

    def answer(call: Call) -> Any:
        item = next(item for item in items if item.turns[-1] in call.user_text)
        if item.skill == "plan":
            steps = [{"agent": agent, "task": f"by {agent}", "depends_on": []} for agent in item.agents]
            return {"json": {"steps": steps}}
        if item.tool and not call.tool_result:
            name, arguments = right(item).calls[0]
            types = {t["function"]["name"]: t["function"]["parameters"] for t in call.tools}
            needed = {key: arguments.get(key, 1) for key in types[name]["properties"]}
            return ToolCall(name, needed)
        return Reply(text=right(item).text)

    return answer


async def test_a_perfect_model_is_right_everywhere() -> None:
    items = load(sample=24)
    results = [result async for result in report.run(MotetArm(scripted(perfect(items))), items)]
    assert [(result.asked, result.detail) for result in results if not result.passed] == []
    *_, last = report.lines(results)
    assert (last.skill, last.passed, last.count) == ("all", {"motet": 24}, 24)


async def test_what_a_model_cannot_do_is_a_result_not_an_error() -> None:
    items = load(sample=12)
    results = [result async for result in report.run(MotetArm(scripted(lambda _: "Hm.")), items)]
    assert len(results) == 12
    assert any("ModelOutputInvalid" in result.detail for result in results)


def test_the_other_arm_needs_a_server() -> None:
    pytest.importorskip("langchain.agents", reason="the extra 'eval' is not installed")
    with pytest.raises(InvalidInput, match="no server"):
        PlainArm(scripted(["hi"]))


def test_results_are_read_back_and_the_held_out_have_a_line(tmp_path: Path) -> None:
    kept = tmp_path / "results.jsonl"
    assert report.read_results(kept) == []
    one = report.Result("motet", "memory", "zh", "我的猫叫什么？", True, "", 0.5, True)
    said = Answer("团子", (("look", {"at": "猫"}),), ("worker",))
    two = dataclasses.replace(one, answer=said)
    lines = [json.dumps(dataclasses.asdict(result), ensure_ascii=False) for result in (one, two)]
    kept.write_text("\n".join(lines) + "\n", "utf-8")
    assert report.read_results(kept) == [one, two]
    assert [line.skill for line in report.lines([one])] == ["memory, zh", "held out", "all"]
    kept.write_text("{}\n", "utf-8")
    with pytest.raises(InvalidInput, match="line 1"):
        report.read_results(kept)


def test_an_arm_that_was_stopped_counts_what_it_was_asked() -> None:
    one = report.Result("motet", "memory", "en", "q", True, "", 0.1)
    other = dataclasses.replace(one, arm="create_agent")
    more = dataclasses.replace(one, asked="q2", passed=False)
    *_, last = report.lines([one, more, other])
    assert (last.passed, last.asked) == ({"motet": 1, "create_agent": 1}, {"motet": 2, "create_agent": 1})


def test_intervals_and_plot(tmp_path: Path) -> None:
    low, high = report.interval(9, 10)
    assert 0.59 < low < 0.6
    assert 0.98 < high < 0.99
    assert report.interval(0, 0) == (0.0, 1.0)
    pytest.importorskip("matplotlib", reason="the extra 'eval' is not installed")
    result = report.Result("motet", "memory", "en", "q", True, "", 0.1)
    report.plot([result], tmp_path / "plot.png")
    assert (tmp_path / "plot.png").stat().st_size > 1000
