"""JSON is found where models put it, and schemas are closed the way servers want them."""

import json
import warnings
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from motet.models.json_text import find_json, schema_problem, strict_schema

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.text(), JSON, max_size=4))
def test_finds_a_whole_object_a_fenced_one_and_one_in_prose(value: dict[str, Any]) -> None:
    text = json.dumps(value, ensure_ascii=False)
    assert find_json(f" {text}\n") == value
    assert find_json(f"Here you are: {text} Is that right?") == value
    if "```" not in text:
        assert find_json(f"Sure:\n```json\n{text}\n```\nDone.") == value


@pytest.mark.parametrize(
    "text", ["", "nothing here", "{broken", '"only a string"', "{" * 5_000, "[" * 200_000]
)
def test_says_so_when_there_is_none(text: str) -> None:
    with pytest.raises(ValueError, match="no JSON object"):
        find_json(text)


def test_an_unclosed_fence_is_read_too() -> None:
    assert find_json('```json\n{"a": 1}') == {"a": 1}


def test_a_raw_line_break_in_a_string_is_taken() -> None:
    assert find_json('{"a": "one\ntwo"}') == {"a": "one\ntwo"}


def test_schema_problem_names_the_place() -> None:
    schema = {"type": "object", "properties": {"n": {"type": "array", "items": {"type": "integer"}}}}
    assert schema_problem({"n": [1]}, schema) == ""
    assert schema_problem({"n": [1, "x"]}, schema) == "n.1: 'x' is not of type 'integer'"


def test_a_broken_schema_is_not_the_values_fault() -> None:
    assert schema_problem({"n": 1}, {"type": "objekt"}) == ""
    assert schema_problem({"n": "a"}, {"properties": {"n": {"pattern": "("}}}) == ""


def test_a_schema_that_refers_elsewhere_is_not_fetched(monkeypatch: pytest.MonkeyPatch) -> None:
    fetched: list[str] = []
    monkeypatch.setattr("urllib.request.urlopen", fetched.append)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert schema_problem({"n": 1}, {"$ref": "http://127.0.0.1:9/schema.json"}) == ""
    assert fetched == []


class Inner(BaseModel):
    title: str = "untitled"


class Outer(BaseModel):
    """Its own words are not sent."""

    default: int = 3
    inner: list[Inner] = []
    note: str | None = None


def test_strict_schema_closes_every_object_and_keeps_fields_named_like_keywords() -> None:
    schema = strict_schema(Outer.model_json_schema())
    assert schema["required"] == ["default", "inner", "note"]
    assert schema["additionalProperties"] is False
    assert schema["properties"]["default"] == {"type": "integer"}
    assert schema["$defs"]["Inner"]["required"] == ["title"]
    assert schema["$defs"]["Inner"]["additionalProperties"] is False
    assert "title" not in schema
