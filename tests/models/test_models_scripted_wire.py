"""The scripted server's shapes, without a socket."""

import pytest

from motet.models.script import Call, Reply, ToolCall
from motet.models.scripted_wire import (
    calls_as_text,
    completion,
    enforced,
    error_body,
    read_call,
    stream_chunks,
)
from motet.models.structured import response_format
from motet.models.tool_prompt import union_schema

UNION = response_format("reply", union_schema({"look": {"type": "object"}}, {"type": "string"}))
BODY = {
    "model": "m",
    "messages": [{"role": "user", "content": "hi"}],
    "stream_options": {"include_usage": True},
}
LOOK = Reply(tool_calls=(ToolCall("look", {"word": "fish"}),), delay_s=1.0)


def test_read_call() -> None:
    call = read_call({**BODY, "tools": [{"function": {"name": "look"}}], "tool_choice": "auto"})
    assert (call.user_text, call.tool_names, call.tool_choice) == ("hi", ["look"], "auto")
    assert call.options.keys() == {"model", "stream_options"}
    for bad in ({}, {"messages": []}, {"messages": "hi"}):
        with pytest.raises(ValueError, match="messages"):
            read_call(bad)


def test_a_model_that_is_held_to_the_union_writes_it() -> None:
    call = Call([], response_format=UNION)
    assert enforced(LOOK, call) == Reply('{"tool": "look", "arguments": {"word": "fish"}}', delay_s=1.0)
    assert enforced(Reply("Hi"), call).text == '{"tool": "none", "answer": "Hi"}'
    assert enforced(Reply('{"tool": "x"}'), call).text == '{"tool": "x"}'


def test_any_other_schema_is_the_scripts_business() -> None:
    call = Call([], response_format=response_format("Person", {"type": "object", "properties": {"name": {}}}))
    assert enforced(Reply('{"name": 1}'), call) == Reply('{"name": 1}')
    assert enforced(Reply("Hi"), Call([])) == Reply("Hi")


def test_a_model_without_tool_calls_writes_them_as_text() -> None:
    assert calls_as_text(LOOK).text == '{"name": "look", "arguments": {"word": "fish"}}'
    assert calls_as_text(Reply("Hi")) == Reply("Hi")


def test_whole_and_streamed_forms_say_the_same() -> None:
    call = read_call(BODY)
    whole = completion(LOOK, call, model="m", number=7)
    chunks = list(stream_chunks(LOOK, call, model="m", number=7, size=3))
    assert {chunk["id"] for chunk in chunks} == {whole["id"]} == {"chatcmpl-7"}
    parts = [p for c in chunks if c["choices"] for p in c["choices"][0]["delta"].get("tool_calls", [])]
    assert "".join(part["function"]["arguments"] for part in parts) == '{"word": "fish"}'
    assert parts[0]["id"] == whole["choices"][0]["message"]["tool_calls"][0]["id"]
    assert chunks[-1]["usage"] == whole["usage"]
    assert whole["choices"][0]["message"]["content"] is None
    assert whole["choices"][0]["finish_reason"] == "tool_calls"


def test_error_body() -> None:
    assert error_body("No.", "refused")["error"]["code"] == "refused"
