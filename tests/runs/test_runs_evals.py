"""Evaluations: data sets are read with their lines, answers scored by rules, results kept and compared."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from motet.agents.judge import Judge
from motet.errors import InvalidInput, NotFound
from motet.models.base import ConnectedModel
from motet.models.scripted import scripted
from motet.runs.evals import stats
from motet.runs.evals.dataset import Check, Row, load
from motet.runs.evals.scores import Answered, at_path, numbers, score
from motet.runs.evals.store import Evaluations, Header, Result, name_of

HEADER = Header("e", "set", "digest", "chat", "scripted:x", 2, 5.0)


def result(name: str, *, passed: bool = True, **more: Any) -> Result:
    base = Result(name, "问", "答", float(passed), passed, [], "", "run", 10, 0.5)
    return replace(base, **more)


async def judge_of(score: float) -> ConnectedModel:
    return scripted(lambda _: {"json": {"reason": "because", "score": score}})


async def checked(answer: Answered, judged: float = 1.0, **check: Any) -> str:
    row = Row(id="1", input="q", checks=[Check(**check)])
    found = await score(row, answer, Judge(lambda _: judge_of(judged)))
    assert found.passed == (not found.problems)
    return "; ".join(found.problems)


@pytest.mark.parametrize(
    ("check", "right", "wrong"),
    [
        ({"type": "exact", "value": "The Cat"}, "the　cat. [1]", "the cats"),
        ({"type": "exact", "value": ["红", "蓝"]}, "蓝。", "绿"),
        ({"type": "contains", "value": ["216", "euros"]}, "It costs 216 Euros [2].", "It costs 216."),
        ({"type": "numeric", "value": 1200}, "That is １,200 euros [3].", "Passage [120] says 12.00."),
        ({"type": "numeric", "value": -3.5, "tolerance": 0.1}, "around -3.45", "3.5"),
        ({"type": "numeric", "value": 35}, "一共三十五张。", "一共三十张。"),
        (
            {"type": "json_path", "path": "$.items[0].price", "value": 3},
            '```json\n{"items": [{"price": 3}]}\n```',
            '{"items": []}',
        ),
        ({"type": "json_path", "path": "$['a b'][*]", "value": "y"}, '{"a b": ["x", "y"]}', "no JSON"),
    ],
)
async def test_a_text_is_right_or_wrong(check: dict[str, Any], right: str, wrong: str) -> None:
    assert await checked(Answered(right), **check) == ""
    assert (await checked(Answered(wrong), **check)).startswith(f"{check['type']}: ")


async def test_citations_and_the_way_there() -> None:
    answer = Answered("x", ["docs/prices.md", "p-1"], ["search_documents", "calculator"])
    assert await checked(answer, type="citation", value="prices.md") == ""
    assert "rules.md is not cited" in await checked(answer, type="citation", value=["prices.md", "rules.md"])
    assert "is cited" in await checked(answer, type="citation", value=[])
    assert await checked(answer, type="trajectory", value=["calculator"]) == ""
    assert await checked(answer, type="trajectory", value=["calculator", "search_documents"]) != ""
    both = ["calculator", "search_documents"]
    assert await checked(answer, type="trajectory", value=both, order="any_order") == ""
    assert await checked(answer, type="trajectory", value=["calculator"], order="exact") != ""
    assert await checked(Answered(), type="trajectory", value=[], order="exact") == ""


async def test_a_judge_gives_a_score() -> None:
    assert await checked(Answered("x"), 0.9, type="judge", value="is short", threshold=0.8) == ""
    assert "0.7, at least 0.8 was expected: because" in await checked(
        Answered("x"), 0.7, type="judge", value="is short", threshold=0.8
    )
    half = Row(id="1", input="q", checks=[Check(type="judge", value="?"), Check(type="exact", value="no")])
    assert (await score(half, Answered("x"), Judge(lambda _: judge_of(0.5)))).score == 0.25


def test_paths_and_numbers() -> None:
    assert at_path({"a": [{"b": 1}, {"b": 2}]}, "$.a[*].b") == [1, 2]
    assert at_path([1], "$") == [[1]]
    with pytest.raises(InvalidInput, match=r"\$\.items"):
        at_path({}, "$.a[")
    assert numbers("1,200.5 and 2e3, v2.1, twelve") == [1200.5, 2000.0, 12.0, 2.1] or 12.0 in numbers(
        "twelve"
    )


def test_a_data_set_is_read_with_its_lines(tmp_path: Path) -> None:
    file = tmp_path / "set.jsonl"
    file.write_text(
        '\ufeff{"input": "多少钱？", "expected": "216"}\n\n'
        '{"id": "b", "input": {"messages": [{"role": "user", "content": "q"}]}, "checks": [{"type": "numeric", '
        '"value": 3}], "weight": 2}\n',
        "utf-8",
    )
    found = load(file)
    assert [(row.id, row.asked) for row in found.rows] == [("1", "多少钱？"), ("b", "q")]
    assert found.rows[0].checks == [Check(type="contains", value="216")]
    assert found.rows[0].graph_input == {"messages": [{"role": "user", "content": "多少钱？"}]}
    assert not found.needs_judge
    with pytest.raises(NotFound):
        load(tmp_path / "none.jsonl")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "has no rows"),
        ("nonsense", "line 1: no JSON"),
        ('{"input": "q"}', "line 1: checks"),
        ('{"input": "q", "expected": "x", "check": "guess"}', "line 1"),
        ('{"input": "q", "expected": "x", "check": "numeric"}', "needs a number"),
        (
            '{"id": "a", "input": "q", "expected": 1}\n{"id": "a", "input": "q", "expected": 1}',
            "line 2: the id",
        ),
    ],
)
def test_a_wrong_line_is_named(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "set.jsonl").write_text(text, "utf-8")
    with pytest.raises(InvalidInput, match=said):
        load(tmp_path / "set.jsonl")


def test_results_are_kept_and_read_past_half_a_line(tmp_path: Path) -> None:
    store = Evaluations(tmp_path / "evals")
    assert store.headers() == []
    assert store.begin(HEADER).results == {}
    store.add("e", result("1", passed=False, error="down"))
    store.add("e", result("1"))
    with (tmp_path / "evals" / "e.jsonl").open("a") as file:
        file.write('{"id": "2", "as')
    assert store.read("e").results == {"1": result("1")}
    again = store.begin(replace(HEADER, started_at=9.0))
    assert again.header.started_at == 5.0
    store.add("e", result("2"))
    assert list(store.read("e").results) == ["1", "2"]
    assert [header.name for header in store.headers()] == ["e"]


def test_what_is_no_evaluation_is_refused(tmp_path: Path) -> None:
    store = Evaluations(tmp_path)
    store.begin(HEADER)
    with pytest.raises(InvalidInput, match="--name"):
        store.begin(replace(HEADER, model="other"))
    with pytest.raises(NotFound, match="See: motet eval list"):
        store.read("f")
    for name in ("../x", "", ".x", "a/b"):
        with pytest.raises(InvalidInput, match="no name"):
            store.read(name)
    (tmp_path / "old.jsonl").write_text('{"evaluation": 99}\n', "utf-8")
    (tmp_path / "bad.jsonl").write_text(json.dumps({"evaluation": 1}) + "\n", "utf-8")
    for name, said in (("old", "version 99"), ("bad", "no header")):
        with pytest.raises(InvalidInput, match=said):
            store.read(name)
    assert [header.name for header in store.headers()] == ["e"]


def test_names_are_files_names() -> None:
    assert name_of("set", "chat", "openai:x@http://h/v1") == "set-chat-openai_x@http_h_v1"
    assert name_of("问答", "", "../..") == "问答-"


def test_shares_have_intervals_and_sides_are_compared_in_pairs() -> None:
    first = {str(n): result(str(n), passed=n < 5) for n in range(10)}
    second = {str(n): result(str(n), passed=n < 9, weight=1.0) for n in range(10)}
    told = stats.summary(list(first.values()))
    assert (told.count, told.passed, told.score, told.tokens) == (10, 5, 0.5, 100)
    assert 0.2 < told.passed_low < 0.3 < told.passed_high < 0.8
    assert told.score_low < 0.5 < told.score_high
    compared = stats.compare(first, second | {"more": result("more")})
    assert (compared.count, compared.better, compared.worse) == (10, 4, 0)
    assert compared.difference == pytest.approx(0.4)
    assert compared.low > 0
    assert compared.p_value == pytest.approx(0.125)
    assert stats.compare(first, first).p_value == 1.0
    nothing = stats.summary([])
    assert (nothing.count, nothing.score, stats.bootstrap([])) == (0, 0.0, (0.0, 0.0))
    scores = [(0.0, 1.0), (1.0, 1.0), (1.0, 2.0), (0.0, 1.0), (1.0, 1.0)]
    assert stats.bootstrap(scores) == stats.bootstrap(scores[::-1])  # whatever ended first
