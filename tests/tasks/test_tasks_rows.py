"""Rows in, lines out: in order, after a crash too."""

import json
from pathlib import Path

import pytest

from motet.errors import Conflict, InvalidInput
from motet.tasks.rows import count_rows, open_results, read_rows


@pytest.fixture
def rows(tmp_path: Path) -> Path:
    path = tmp_path / "rows.jsonl"
    path.write_text('{"n": 1}\n\n{"n": "二"}\n{"n": 3}\n', "utf-8")
    return path


def test_rows_are_read_one_by_one(rows: Path) -> None:
    assert count_rows(rows) == 3
    assert [row["n"] for row in read_rows(rows, after=1)] == ["二", 3]


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("{n: 1}", r"rows\.jsonl:2: \"{n: 1}\" is not JSON"),
        ("[1]", r"rows\.jsonl:2: \[1\] is no JSON object"),
    ],
)
def test_a_row_that_is_no_object_is_refused_with_its_line(line: str, why: str, rows: Path) -> None:
    rows.write_text(f'{{"n": 1}}\n{line}\n')
    with pytest.raises(InvalidInput, match=why):
        count_rows(rows)


def test_results_go_on_behind_the_last_whole_line(rows: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    with open_results(out, rows, resume=False) as results:
        results.keep_lock("digest")
        results.write({"row": 0, "text": "茶"})
        first = results.map_id
    with out.open("a") as file:
        file.write('{"row": 1, "te')
    with open_results(out, rows, resume=True) as results:
        assert (results.written, results.map_id, results.lock) == (1, first, "digest")
        results.write({"row": 1})
        results.finish()
    assert [json.loads(line)["row"] for line in out.read_text("utf-8").splitlines()] == [0, 1]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out.jsonl", "rows.jsonl"]


def test_a_file_that_is_something_else_is_left_alone(rows: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    with pytest.raises(InvalidInput, match="holds the rows"), open_results(rows, rows, resume=True):
        pass
    for text in ('{"row": 5}\n', "hello\nworld\n", '{"a": 1}\n'):
        out.write_text(text)
        with pytest.raises(Conflict), open_results(out, rows, resume=False):
            pass
        with pytest.raises(InvalidInput, match="something else"), open_results(out, rows, resume=True):
            pass
        assert out.read_text() == text
