"""Inputs from words and files, filled and checked."""

from pathlib import Path

import pytest
from task_rig import load

from motet.errors import InvalidInput
from motet.tasks.inputs import complete, read_json_file, read_pairs
from motet.tasks.spec import Task


@pytest.fixture
def task(tmp_path: Path) -> Task:
    text = """
    inputs:
      vendor: {type: string, minLength: 1, description: Company name}
      count: {type: integer, default: 3}
      risks: {type: array, items: {type: string}, default: [price]}
      docs: {type: string, format: path, default: ./docs}
    steps: [{id: a, set: {x: 1}}]
    """
    return load(tmp_path, text).task


def test_words_are_read_by_the_inputs_schema(task: Task, tmp_path: Path) -> None:
    (tmp_path / "v.txt").write_text("示例公司", "utf-8")
    words = ["vendor=@v.txt", "count=5", "risks=a", "risks=b", "docs=here"]
    assert read_pairs(task, words, folder=tmp_path) == {
        "vendor": "示例公司",
        "count": 5,
        "risks": ["a", "b"],
        "docs": str(tmp_path / "here"),
    }
    assert read_pairs(task, ["vendor=@@home", 'risks=["x"]'], folder=tmp_path) == {
        "vendor": "@home",
        "risks": ["x"],
    }


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["vendor"], "write -i NAME=VALUE"),
        (["vender=x"], "Did you mean 'vendor'"),
        (["count=many"], "expected integer"),
        (["vendor=a", "vendor=b"], "given twice"),
        (["vendor=@none.txt"], "none.txt cannot be read"),
    ],
)
def test_words_that_do_not_fit_are_refused(words: list[str], why: str, task: Task, tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=why):
        read_pairs(task, words, folder=tmp_path)


def test_defaults_fill_what_is_not_given(task: Task) -> None:
    made = complete(task, {"vendor": "x"})
    assert made == {"vendor": "x", "count": 3, "risks": ["price"], "docs": "./docs"}


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({}, r"needs the input 'vendor' \(Company name\)"),
        ({"vendor": ""}, "'vendor' does not fit"),
        ({"x": 1}, "no input 'x'"),
    ],
)
def test_inputs_that_do_not_fit_are_refused(given: dict[str, object], why: str, task: Task) -> None:
    with pytest.raises(InvalidInput, match=why):
        complete(task, given)


def test_a_file_of_inputs_is_one_json_object(tmp_path: Path) -> None:
    path = tmp_path / "in.json"
    path.write_text('{"a": 1}')
    assert read_json_file(path) == {"a": 1}
    for text, why in (("[1]", "one JSON object"), ('{"a":\n 1,}', r"in\.json:2: this is not JSON")):
        path.write_text(text)
        with pytest.raises(InvalidInput, match=why):
            read_json_file(path)
