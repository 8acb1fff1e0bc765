"""An evaluation goes through the gate, is kept row by row, and goes on where it was stopped."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from motet.app import App, build_app
from motet.app.evals import Evaluator, evaluations
from motet.errors import InvalidInput
from motet.runs.evals.dataset import Dataset, load
from motet.runs.evals.store import Header, Result
from motet.runs.request import Caller, RunOptions
from motet.settings import Settings

SCRIPT = """
rules:
  - {user: "batteries", after: calculator, reply: "They hold 360."}
  - {user: "batteries", reply: {tool: calculator, arguments: {expression: "12*30"}}}
  - {user: "broken", times: 1, reply: {fault: auth}}
default: "你好。"
"""
ROWS = """
{"id": "sum", "input": "batteries", "expected": 360, "check": "numeric", "checks": [CALLED]}
{"id": "hi", "input": "hi", "expected": "再见"}
{"id": "broken", "input": "broken", "expected": "你好"}
"""


@pytest.fixture
async def app(settings: Settings, tmp_path: Path) -> AsyncIterator[App]:
    (tmp_path / "script.yaml").write_text(SCRIPT, "utf-8")
    settings = settings.replace(
        models__default=f"scripted:{tmp_path / 'script.yaml'}", models__embed="none", agents__graph="chat"
    )
    async with build_app(settings) as made:
        yield made


@pytest.fixture
def dataset(tmp_path: Path) -> Dataset:
    called = '{"type": "trajectory", "value": ["calculator"]}'
    (tmp_path / "set.jsonl").write_text(ROWS.replace("CALLED", called), "utf-8")
    return load(tmp_path / "set.jsonl")


def evaluator(app: App, dataset: Dataset) -> Evaluator:
    header = Header("e", dataset.name, dataset.digest, "chat", app.settings.models.default, 3, 1.0)
    return Evaluator(app, dataset, header, RunOptions(max_retries=0), parallel=2)


async def test_a_judge_that_is_not_there_is_said_before_any_row_is_asked(app: App, tmp_path: Path) -> None:
    row = '{"input": "hi", "checks": [{"type": "judge", "value": "is polite"}]}'
    (tmp_path / "judged.jsonl").write_text(row, "utf-8")
    judged = load(tmp_path / "judged.jsonl")
    made = evaluator(app, judged)
    nobody = replace(made, header=replace(made.header, judge="nosuch:x"))
    with pytest.raises(InvalidInput, match="nosuch:x"):
        [result async for result in nobody.run()]
    assert await app.desk(Caller()).lookup.runs(limit=5) == []


async def test_rows_are_asked_scored_and_kept_and_only_failed_runs_are_asked_anew(
    app: App, dataset: Dataset
) -> None:
    found: dict[str, Result] = {r.id: r async for r in evaluator(app, dataset).run()}
    assert {name: r.passed for name, r in found.items()} == {"sum": True, "hi": False, "broken": False}
    assert found["hi"].problems == ["contains: '再见' is not in '你好。'"]
    assert found["broken"].error
    assert found["sum"].tokens > 0
    runs = await app.records.runs(limit=10)
    assert {run.run_id for run in runs} == {r.run_id for r in found.values()}
    again = [r async for r in evaluator(app, dataset).run()]
    assert [(r.id, r.passed, r.tries) for r in again] == [("broken", True, 2)]
    kept = evaluations(app).read("e")
    assert {name: r.passed for name, r in kept.results.items()} == {"sum": True, "hi": False, "broken": True}
    assert len(await app.records.runs(limit=10)) == 4


async def test_a_run_that_was_made_but_not_written_down_is_followed_not_made_again(
    app: App, dataset: Dataset
) -> None:
    first = [r async for r in evaluator(app, dataset).run() if r.id == "sum"]
    file = evaluations(app).folder / "e.jsonl"
    file.write_text(file.read_text("utf-8").splitlines()[0] + "\n", "utf-8")  # all results are lost
    only = replace(evaluator(app, dataset), dataset=replace(dataset, rows=dataset.rows[:1]))
    [again] = [r async for r in only.run()]
    assert replace(again, duration_s=0) == replace(first[0], duration_s=0)
    assert len(await app.records.runs(limit=10)) == 3
