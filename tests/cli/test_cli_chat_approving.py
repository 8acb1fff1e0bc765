"""Approvals in the chat: a real conversation, a tool that writes, and every answer that a person can give."""

from __future__ import annotations

import io
import tomllib
from typing import TYPE_CHECKING, Any

import pytest
from cli_process import Motet

from motet.app import build_app
from motet.cli.chat import approving
from motet.cli.chat.conversation import Conversation
from motet.cli.task_questions import _ask as ask_at_the_terminal  # pyright: ignore[reportPrivateUsage]
from motet.errors import InvalidInput
from motet.events import InterruptRequested
from motet.settings import Settings
from motet.tools.policy.approval import question

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from motet.cli.render.outcome import Outcome

SCRIPT = """
rules:
  - {user: "report", reply: {tool: write_file, arguments: {path: "notes/报告.md", content: "第一行\\nsecond"}}}
  - {user: "other", reply: {tool: write_file, arguments: {path: "notes/other.md", content: "x"}}}
  - {user: "secret", reply: {tool: write_file, arguments: {path: "secret/x.md", content: "x"}}}
  - {after: write_file, reply: "Done."}
default: "Hello."
"""

CONFIG = """# mine
[permissions]
deny = ["write_file:path=secret/*"]  # never
"""


@pytest.fixture
async def talk(tmp_path: Path) -> AsyncIterator[Conversation]:
    for folder in ("files/notes", "files/secret"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "approve.yaml").write_text(SCRIPT, "utf-8")
    (tmp_path / "config.toml").write_text(CONFIG, "utf-8")
    environment = Motet(tmp_path).environment | {
        "MOTET_MODEL": f"scripted:{tmp_path / 'approve.yaml'}",
        "MOTET_CONFIG": str(tmp_path / "config.toml"),
        "MOTET_FILES_ROOT": str(tmp_path / "files"),
        "MOTET_FILES_WRITE": "true",
        "MOTET_TOOLS": "write_file",
    }
    async with build_app(Settings.load(environ=environment, cwd=tmp_path)) as app:
        yield Conversation(app, thread_id=None, graph="chat", model=None)


async def say(talk: Conversation, text: str) -> Outcome:
    return await talk.say(text, [])


def lines(talk: Conversation) -> str:
    assert talk.asking is not None
    return "\n".join(talk.asking.lines())


def written(tmp_path: Path) -> dict[str, str]:
    files = tmp_path / "files"
    return {str(path.relative_to(files)): path.read_text("utf-8") for path in files.rglob("*.md")}


async def test_the_exact_call_is_shown_and_made_once_it_is_approved(
    talk: Conversation, tmp_path: Path
) -> None:
    await say(talk, "write the report to notes/报告.md")
    shown = lines(talk)
    assert "write_file (writes)" in shown
    assert 'path = "notes/报告.md"   ‹the user\'s own words›' in shown
    assert "│ 第一行\n    │ second" in shown
    assert (
        f"settings [RULE]: always, write_file:path=notes/* goes to permissions.allow in {tmp_path}" in shown
    )
    assert written(tmp_path) == {}
    assert (await say(talk, "explain")).status == "interrupted"
    explained = lines(talk)
    assert "why: It writes." in explained
    assert "“write the report to notes/报告.md”" in explained
    assert "content: written by the model" in explained
    assert (await say(talk, "y")).answer == "Done."
    assert written(tmp_path) == {"notes/报告.md": "第一行\nsecond"}


@pytest.mark.parametrize("answer", ["n", "no not today", "否"])
async def test_a_refused_call_is_not_made(talk: Conversation, tmp_path: Path, answer: str) -> None:
    await say(talk, "report")
    assert (await say(talk, answer)).status == "success"
    assert written(tmp_path) == {}


async def test_always_is_for_this_conversation(talk: Conversation, tmp_path: Path) -> None:
    await say(talk, "report")
    await say(talk, "always path=notes/*")
    assert (await say(talk, "other")).status == "success"
    assert set(written(tmp_path)) == {"notes/报告.md", "notes/other.md"}
    talk.begin_anew()
    assert (await say(talk, "other")).status == "interrupted"
    assert (tmp_path / "config.toml").read_text("utf-8") == CONFIG


async def test_a_rule_for_the_settings_counts_everywhere_and_at_once(
    talk: Conversation, tmp_path: Path
) -> None:
    await say(talk, "report")
    await say(talk, "settings")
    text = (tmp_path / "config.toml").read_text("utf-8")
    assert text.startswith(CONFIG)
    assert tomllib.loads(text)["permissions"]["allow"] == ["write_file:path=notes/*"]
    talk.begin_anew()
    assert (await say(talk, "other")).status == "success"
    assert set(written(tmp_path)) == {"notes/报告.md", "notes/other.md"}


async def test_arguments_are_changed_and_fit_the_tools_schema(talk: Conversation, tmp_path: Path) -> None:
    await say(talk, "report")
    assert talk.asking is not None
    drafted = talk.asking.draft("edit")
    assert drafted is not None
    assert '"path": "notes/报告.md"' in drafted
    assert talk.asking.draft("edit path=x") is None
    for wrong, told in [
        ('edit {"path": 5, "content": ""}', "does not fit"),
        ("edit pth=notes/b.md", "does not fit"),
        ("edit {", "no JSON"),
        ("edit x", "has no '='"),
        ("perhaps", "none of the answers"),
        ("always path=elsewhere/*", "is not about this call"),
        ("always no rule here", "is no rule"),
    ]:
        with pytest.raises(InvalidInput, match=told):
            await say(talk, wrong)
        assert talk.asking is not None
    await say(talk, drafted.replace("second", "zweite").replace("报告", "b"))
    assert written(tmp_path) == {"notes/b.md": "第一行\nzweite"}


async def test_no_answer_is_stronger_than_a_rule_that_denies(talk: Conversation, tmp_path: Path) -> None:
    assert (await say(talk, "secret")).status == "success"  # it is not even asked
    await say(talk, "report")
    assert (await say(talk, "edit path=notes/../secret/x.md")).status == "success"
    await say(talk, "report")
    await say(talk, "always write_file:*")
    await say(talk, "secret")
    assert set(written(tmp_path)) == {"notes/报告.md"}


ASKED: dict[str, Any] = {"tool": "t", "arguments": {"a": "x", "n": 1, "on": True}}


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("yes", "yes"),
        ("可以", "yes"),
        ("no 太早了", {"no": "太早了"}),
        ("a", "always"),
        ("always a=x*", {"always": "t:a=x*"}),
        ("always u:a=x", {"always": "u:a=x"}),
        ("s", {"always": "*", "where": "settings"}),
        ("edit n=2 a=3", {"arguments": {"a": "3", "n": 2, "on": True}}),
        ("edit 'a=two words' on=false", {"arguments": {"a": "two words", "n": 1, "on": False}}),
        ('ed {"a": "y"}', {"arguments": {"a": "y"}}),
        ("ex", approving.EXPLAIN),
    ],
)
def test_what_a_person_writes(text: str, answer: Any) -> None:
    assert approving.read(text, ASKED) == answer


@pytest.mark.parametrize("text", ["e", "yess", "maybe", "edit 'a", "edit a"])
def test_what_is_no_answer(text: str) -> None:
    with pytest.raises(InvalidInput):
        approving.read(text, ASKED)


def test_a_task_at_a_terminal_asks_in_the_same_words(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    value = question("t", "write", {"a": "x" * 300}, reasons=["It writes."], origins=[], agent="", always={})
    asked = InterruptRequested(interrupt_id="i", value=value)
    monkeypatch.setattr("sys.stdin", io.StringIO("perhaps\nexplain\nedit a=y\n"))
    assert ask_at_the_terminal(asked) == {"arguments": {"a": "y"}}
    told = capsys.readouterr().err
    assert "x" * 300 in told
    assert "none of the answers" in told
    assert "why: It writes." in told
    assert "/new" not in told
    plain = InterruptRequested(interrupt_id="i", value="Go on?", response_schema={"enum": ["yes", "no"]})
    for typed, answer in (("\n", "no"), ("y\n", "yes"), ("", "no")):
        monkeypatch.setattr("sys.stdin", io.StringIO(typed))
        assert ask_at_the_terminal(plain) == answer
