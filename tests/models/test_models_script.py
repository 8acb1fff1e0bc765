"""A script answers the same calls the same way, and a bad one says where it is bad."""

from pathlib import Path
from typing import Any

import pytest
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage, ToolMessage

from motet.errors import InvalidInput, ModelError, NotFound
from motet.models.script import Call, Reply, Rule, Script, ToolCall, as_reply

YAML = """
rules:
  - user: "(?i)weather"
    reply: {tool: weather, arguments: {city: Paris}}
  - after: weather
    result: sunny
    reply: It is sunny.
  - after: weather
    reply: No idea.
  - schema: Plan
    times: 1
    reply: {json: {steps: []}}
  - system: "^You are Ada"
    reply: I am Ada.
replies: [First., {text: Second., delay_s: 0.5}]
default: Nothing more.
"""


def ask(script: Script, *messages: BaseMessage, schema: str = "") -> Reply:
    wanted = {"type": "json_schema", "json_schema": {"name": schema}} if schema else None
    return script.reply(Call(list(messages), response_format=wanted))


def asked_weather(result: str) -> list[BaseMessage]:
    call = AIMessage("", tool_calls=[{"name": "weather", "args": {}, "id": "1"}])
    return [HumanMessage("weather?"), call, ToolMessage(result, tool_call_id="1")]


@pytest.fixture
def script(tmp_path: Path) -> Script:
    path = tmp_path / "script.yaml"
    path.write_text(YAML, "utf-8")
    return Script.load(path)


def test_rules_fit_in_order(script: Script) -> None:
    hello = HumanMessage("hello")
    assert ask(script, HumanMessage("Weather?")).tool_calls == (ToolCall("weather", {"city": "Paris"}),)
    assert ask(script, *asked_weather("sunny, 20")).text == "It is sunny."
    assert ask(script, *asked_weather("?")).text == "No idea."
    assert ask(script, hello, schema="Plan").text == '{"steps": []}'
    assert ask(script, SystemMessage("You are Ada."), hello).text == "I am Ada."


def test_replies_come_in_order_then_the_default(script: Script) -> None:
    hello = HumanMessage("hello")
    assert ask(script, hello) == Reply("First.")
    assert ask(script, hello) == Reply("Second.", delay_s=0.5)
    assert [ask(script, hello).text for _ in range(2)] == ["Nothing more."] * 2


def test_a_rule_is_used_up(script: Script) -> None:
    hello = HumanMessage("hello")
    ask(script, hello, schema="Plan")
    assert ask(script, hello, schema="Plan").text == "First."


def test_a_script_that_has_no_reply_says_what_was_asked() -> None:
    script = Script(["one"], rules=[Rule("x", user="y")])
    ask(script, HumanMessage("hello"))
    with pytest.raises(ModelError, match="no reply to 'hello'"):
        ask(script, HumanMessage("hello"))


def test_json_lines(tmp_path: Path) -> None:
    path = tmp_path / "script.jsonl"
    path.write_text('"One."\n{"tool": "now"}\n\n', "utf-8")
    script = Script.load(path)
    assert ask(script, HumanMessage("a")).text == "One."
    assert ask(script, HumanMessage("a")).tool_calls == (ToolCall("now", {}),)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("{", "is not YAML or JSON"),
        ("just text", "a script is a list of replies, or a mapping"),
        ("rule: []", "unknown key 'rule'. Did you mean 'rules'?"),
        ("[{txt: a}]", "unknown key 'txt'. Did you mean 'text'?"),
        ("[3]", "a reply is text or a mapping, not int"),
        ("[{fault: serve}]", "Unknown fault 'serve'. Did you mean 'server'?"),
        ("[{tools: [1]}]", "a reply is not well formed"),
        ("rules: [{user: a}]", "a rule is a mapping with a reply"),
        ("rules: [{user: '(', reply: a}]", "a rule is not well formed"),
        ("rules: [{usr: a, reply: a}]", "Did you mean 'user'?"),
    ],
)
def test_a_bad_file_says_where(tmp_path: Path, text: str, problem: str) -> None:
    path = tmp_path / "script.yaml"
    path.write_text(text, "utf-8")
    with pytest.raises(InvalidInput) as caught:
        Script.load(path)
    assert problem in caught.value.message
    assert "script.yaml" in caught.value.message


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="cannot be read: No such file"):
        Script.load(tmp_path / "none.yaml")


def test_many_things_stand_for_a_reply() -> None:
    call = ToolCall("now", {"zone": "UTC"}, "id1")
    values: list[Any] = [
        call,
        [call],
        AIMessage("", tool_calls=[{"name": "now", "args": {"zone": "UTC"}, "id": "id1"}]),
    ]
    assert [as_reply(value).tool_calls for value in values] == [(call,)] * 3
    boom = RuntimeError("boom")
    assert as_reply(boom).error is boom
    assert as_reply({"fault": "rate_limit", "retry_after": 2}).retry_after == "2"
