"""The forms for programs."""

from __future__ import annotations

import json

from cli_story import cancelled, failed, record, whole

from motet.cli.render.machine import JsonLines, JsonObject, to_json
from motet.events import EVENT


def test_jsonl_is_every_event_one_a_line_and_reads_back() -> None:
    written: list[str] = []
    lines = JsonLines(written.append)
    story = record(whole())
    for recorded in story:
        lines.show(recorded)
    lines.close()
    assert all(line.count("\n") == 1 and line.endswith("\n") for line in written)
    read = [json.loads(line) for line in written]
    assert [line["seq"] for line in read] == list(range(1, len(story) + 1))
    place = {"seq", "ts", "run_id", "thread_id"}
    assert all(place <= set(line) for line in read)
    bare = [{key: value for key, value in line.items() if key not in place} for line in read]
    assert [EVENT.validate_python(line) for line in bare] == [recorded.event for recorded in story]


def the_object(story: list[object]) -> dict[str, object]:
    written: list[str] = []
    shown = JsonObject(written.append)
    for recorded in record(story):  # pyright: ignore[reportArgumentType]
        shown.show(recorded)
    assert written == []
    shown.close()
    return json.loads(written[0])


def test_json_is_one_object_at_the_end() -> None:
    found = the_object([*whole()])
    assert list(found) == [
        "thread_id",
        "run_id",
        "status",
        "answer",
        "citations",
        "usage",
        "error",
        "questions",
    ]
    assert (found["thread_id"], found["run_id"], found["status"]) == ("thread-1", "run-1", "success")
    assert found["error"] is None
    assert found["usage"] == {
        "model_calls": 1,
        "input_tokens": 1000,
        "output_tokens": 50,
        "model_s": 2.0,
        "duration_s": 11.5,
    }
    citations = found["citations"]
    assert isinstance(citations, list)
    assert citations[0]["number"] == 1
    assert citations[0]["text"].startswith("每块")


def test_json_tells_of_failure() -> None:
    assert the_object([*failed()])["status"] == "error"
    assert the_object([*failed()])["error"] == {
        "code": "model_unavailable",
        "message": "The model does not answer.",
        "fields": {},
    }
    assert the_object([*cancelled()])["status"] == "cancelled"


def test_json_keeps_chinese_and_escapes_what_no_stream_takes() -> None:
    assert to_json({"a": "中"}, indent=None) == '{"a": "中"}'
    assert to_json({"a": "中\ud800"}, indent=None) == '{"a": "\\u4e2d\\ud800"}'
