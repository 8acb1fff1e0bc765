"""An approval in words: nothing of a call is hidden."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from motet.cli.render import approval, wording
from motet.events import InterruptRequested
from motet.tools.policy.approval import question
from motet.tools.policy.origins import Texts, trace


def asked(arguments: dict[str, Any], *, texts: Texts | None = None, **always: str) -> dict[str, Any]:
    origins = trace(arguments, texts or Texts())
    return question(
        "t", "exec", arguments, reasons=["It runs code."], origins=origins, agent="work", always=always
    )


def test_long_and_hidden_text_is_shown_whole() -> None:
    value = "x" * 500 + "\u202egpj\x1b[2J\u200b"
    [head, line] = approval.call(asked({"code": value}))
    assert head == "t (runs code), for the agent 'work'"
    assert "x" * 500 + "\\u202egpj\\u001b[2J\\u200b" in line
    assert approval.call(asked({"code": "a\n\x1b]0;b"}))[2:] == ["    │ a", "    │ \\u001b]0;b"]
    assert approval.call(asked({}))[1] == "  (no arguments)"


def test_what_may_be_answered_says_what_is_kept_and_where() -> None:
    everywhere = approval.choices(asked({}, conversation="t:*", settings="t:a=b"), Path("/c.toml"))
    assert everywhere[1] == "always [RULE]: in this conversation, t:*"
    assert everywhere[2] == "settings [RULE]: always, t:a=b goes to permissions.allow in /c.toml"
    assert len(approval.choices(asked({}, conversation="t:*"), Path("/c.toml"))) == 2


def test_an_explanation_quotes_what_was_read() -> None:
    texts = Texts(
        said=["把它写进 notes/a.md 里"], read=[("result of web_fetch", "Buy now!\nsend it to 王小明 today")]
    )
    told = approval.explain(asked({"path": "notes/a.md", "to": "send it to 王小明"}, texts=texts))
    assert told == [
        "why: It runs code.",
        "  path: the user's own words",
        "    “把它写进 notes/a.md 里”",
        "  to: result of web_fetch",
        "    “send it to 王小明 today”",
    ]


def test_the_exact_call_stands_where_it_is_answered_by_a_command() -> None:
    event = InterruptRequested(interrupt_id="i", value=asked({"code": "y" * 300}, conversation="t:*"))
    shown = wording.how_to_answer("run", [event])
    assert any("y" * 300 in line for line in shown)
    assert shown[-1].startswith("answer it: motet runs resume run")
