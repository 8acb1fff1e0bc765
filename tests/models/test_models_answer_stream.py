"""A reply is the same however it is cut into pieces, and half a tool call is never one."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from motet.models.answer_stream import (
    AnswerOutcome,
    AnswerStream,
    CallOutcome,
    Outcome,
    ReplyReader,
    StringDecoder,
    UnfitOutcome,
)

CALCULATOR: dict[str, Any] = {
    "type": "object",
    "properties": {"expression": {"type": "string"}, "digits": {"type": "integer"}},
    "required": ["expression"],
    "additionalProperties": False,
}


def read(
    *pieces: str, may_answer: bool = True, enforced: bool = True, cut: bool = False
) -> tuple[str, Outcome]:
    reader = ReplyReader({"calculator": CALCULATOR}, may_answer=may_answer, enforced=enforced)
    shown = "".join(reader.feed(piece) for piece in pieces)
    return shown, reader.finish(cut=cut)


@given(
    text=st.text(st.characters(exclude_categories=["Cs"])), size=st.integers(1, 9), ascii_only=st.booleans()
)
def test_answer_streams_the_same_text_for_every_cut(text: str, size: int, ascii_only: bool) -> None:
    reply = json.dumps({"tool": "none", "answer": text}, ensure_ascii=ascii_only)
    shown, outcome = read(*(reply[i : i + size] for i in range(0, len(reply), size)))
    if text:
        assert (shown, outcome) == (text, AnswerOutcome(""))
    else:
        assert outcome == UnfitOutcome("its answer is empty")


@given(text=st.text(), keep=st.integers(0, 200))
def test_a_reply_cut_anywhere_never_raises_and_never_calls(text: str, keep: int) -> None:
    reply = json.dumps({"tool": "calculator", "arguments": {"expression": text}})[:keep]
    _, outcome = read(reply, cut=True)
    assert isinstance(outcome, UnfitOutcome)


@given(st.text())
def test_any_text_at_all_gives_an_outcome(text: str) -> None:
    for enforced in (True, False):
        shown, outcome = read(text, enforced=enforced)
        assert isinstance(outcome, (AnswerOutcome, CallOutcome, UnfitOutcome))
        assert isinstance(shown, str)


@pytest.mark.parametrize(
    ("inside", "text"),
    [
        (r"\ud83d\ude00", "😀"),
        (r"a\ud83d", "a\ufffd"),
        (r"\ud83dz", "\ufffdz"),
        (r"\ude00", "\ufffd"),
        (r"\ud83d\ud83d\ude00", "\ufffd😀"),
        (r"\uZZZZ", "\ufffd"),
        (r"\"\\\/\b\f\n\r\t", '"\\/\b\f\n\r\t'),
        ("line\nbreak", "line\nbreak"),
        (r"\u4e2d文", "中文"),
    ],
)
def test_string_decoder(inside: str, text: str) -> None:
    decoder = StringDecoder()
    assert "".join(decoder.feed(char) for char in inside + '"') == text
    assert decoder.closed


def test_answer_arrives_while_it_is_written() -> None:
    stream = AnswerStream()
    assert stream.feed('{"tool": "none", "ans') == ""
    assert stream.feed('wer": "Good ') == "Good "
    assert stream.feed("morning") == "morning"
    assert stream.feed('"}') == ""


def test_an_argument_called_answer_is_not_the_answer() -> None:
    stream = AnswerStream()
    assert (
        stream.feed('{"tool": "quiz", "arguments": {"answer": "no", "more": ["answer", {"answer": "x"}]}}')
        == ""
    )
    assert not stream.started


def test_fenced_json_streams_too() -> None:
    shown, outcome = read("``", "`json\n", '{"answer": "yes', '"}\n```', enforced=False)
    assert (shown, outcome) == ("yes", AnswerOutcome(""))


def test_call_is_parsed() -> None:
    shown, outcome = read('{"tool": "calculator", "arg', 'uments": {"expression": "2+2"}}')
    assert shown == ""
    assert outcome == CallOutcome("calculator", {"expression": "2+2"})


def test_cut_answer_stays_an_answer() -> None:
    shown, outcome = read('{"tool": "none", "answer": "Half a sen', cut=True)
    assert (shown, outcome) == ("Half a sen", AnswerOutcome(""))


@pytest.mark.parametrize(
    ("reply", "problem"),
    [
        ('{"tool": "calculater", "arguments": {}}', "no tool 'calculater'; the tools are calculator, none"),
        ('{"tool": "calculator", "arguments": {}}', "'expression' is a required property"),
        ('{"tool": "calculator", "arguments": {"expression": 5}}', "expression: 5 is not of type 'string'"),
        ('{"tool": "calculator", "arguments": {"expression": "1", "x": 1}}', "Additional properties"),
        ('{"tool": "calculator", "arguments": [1]}', "not a JSON object"),
        ('{"tool": "calculator", "argum', "no JSON object"),
        ('{"tool": "none"}', "its answer is empty"),
        ("", "it is empty"),
    ],
)
def test_unfit_replies_say_what_is_wrong(reply: str, problem: str) -> None:
    _, outcome = read(reply)
    assert isinstance(outcome, UnfitOutcome)
    assert problem in outcome.problem


@pytest.mark.parametrize(
    "reply",
    [
        'Sure!\n```json\n{"tool": "calculator", "arguments": {"expression": "1"}}\n```',
        '<tool_call>\n{"name": "calculator", "arguments": {"expression": "1"}}\n</tool_call>',
        '[{"name": "calculator", "parameters": {"expression": "1"}}]',
        '{"tool": "calculator", "args": {"expression": "1"}}',
        '{"tool": "calculator", "arguments": "{\\"expression\\": \\"1\\"}"}',
    ],
)
def test_looser_forms_of_a_call_are_taken(reply: str) -> None:
    _, outcome = read(reply, enforced=False)
    assert outcome == CallOutcome("calculator", {"expression": "1"})


def test_prose_is_an_answer_only_where_nothing_enforces_the_form() -> None:
    assert read("It is four.", enforced=False)[1] == AnswerOutcome("It is four.")
    assert isinstance(read("It is four.", enforced=True)[1], UnfitOutcome)
    assert isinstance(read("It is four.", enforced=False, may_answer=False)[1], UnfitOutcome)


def test_json_that_is_no_call_is_an_answer() -> None:
    text = 'Here is the record: {"name": "Ada", "age": 36}'
    assert read(text, enforced=False)[1] == AnswerOutcome(text)


def test_an_answer_that_is_an_object_is_handed_out_as_json() -> None:
    assert read('{"tool": "none", "answer": {"n": 1}}')[1] == AnswerOutcome('{"n": 1}')


def test_an_answer_is_unfit_where_a_tool_must_be_called() -> None:
    shown, outcome = read('{"tool": "none", "answer": "no"}', may_answer=False)
    assert shown == ""
    assert isinstance(outcome, UnfitOutcome)
    assert "a tool must be called: calculator" in outcome.problem


def test_deep_nesting_is_unfit_and_no_crash() -> None:
    assert isinstance(read('{"tool":' * 100_000)[1], UnfitOutcome)
