"""`motet memory`: list, search, add, correct, why, forget; told in a conversation, recalled in the next."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from motet.cli.entry import run

if TYPE_CHECKING:
    from pathlib import Path

SCRIPT = """
rules:
  - schema: UserFacts
    user: "Max"
    reply: {json: {facts: [{text: "The user's dog is called Max.", kind: identity}]}}
  - schema: UserFacts
    user: "Bella"
    reply: {json: {facts: [{text: "The user's dog is called Bella.", kind: identity}]}}
  - schema: UserFacts
    user: "杭州"
    reply: {json: {facts: [{text: "用户住在杭州。", kind: identity}]}}
  - schema: Comparison
    reply: {json: {verdict: replaces}}
default: "Noted."
"""


LONGER = "Take a longer text in as a document: motet kb add PATH."


@pytest.fixture(autouse=True)
def home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    (tmp_path / "script.yaml").write_text(SCRIPT, "utf-8")
    monkeypatch.setenv("MOTET_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("MOTET_CONFIG", str(tmp_path / "none.toml"))
    monkeypatch.setenv("MOTET_MODEL", f"scripted:{tmp_path / 'script.yaml'}")
    monkeypatch.setenv("MOTET_MODEL_EMBED", "none")
    monkeypatch.setenv("MOTET_GRAPH", "chat")
    monkeypatch.chdir(tmp_path)
    return tmp_path / "home"


class Shown:
    """Runs commands and gives what they print."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys

    def __call__(self, *arguments: str, status: int = 0) -> str:
        self._capsys.readouterr()
        assert run([*arguments]) == status
        streams = self._capsys.readouterr()
        return streams.out + streams.err

    def plain(self, *arguments: str) -> Any:
        return json.loads(self(*arguments, "--json"))


@pytest.fixture
def shown(capsys: pytest.CaptureFixture[str]) -> Shown:
    return Shown(capsys)


def test_nothing_is_remembered_yet(shown: Shown) -> None:
    for command in (["list"], ["search", "dog"], ["forget", "--all"]):
        assert shown("memory", *command) == "Nothing is remembered yet.\n"
    assert shown.plain("memory", "list") == []


def test_a_turn_is_remembered_corrected_by_a_later_one_and_why_shows_both(shown: Shown) -> None:
    assert "remembered: The user's dog is called Max." in shown("ask", "My dog is called Max.")
    told = shown("ask", "My dog is called Bella now.")
    assert "remembered: The user's dog is called Bella. (before: The user's dog is called Max.)" in told
    [fact] = shown.plain("memory", "list")
    assert (fact["text"], fact["trust"], fact["version"], fact["kind"]) == (
        "The user's dog is called Bella.",
        "user",
        2,
        "identity",
    )
    lines = shown("memory", "why", fact["memory_id"][:8]).splitlines()
    assert lines[0] == "The user's dog is called Bella."
    assert lines[1].startswith("  said by   you, 20")
    assert "  turn      My dog is called Bella now." in lines
    thread_id, run_id = fact["source"]["thread_id"], fact["source"]["run_id"]
    assert f"  thread    My dog is called Bella now. ({thread_id})" in lines
    assert f"  run       {run_id}" in lines
    assert f"  open it   motet threads show {thread_id[:8]}" in lines
    assert "before: The user's dog is called Max." in lines
    assert "  turn      My dog is called Max." in lines
    assert "My dog is called Bella now." in shown("threads", "show", thread_id[:8])
    assert "Bella" in shown("runs", "show", run_id[:8])
    both = shown.plain("memory", "why", fact["memory_id"])
    assert [o["message"]["text"] for o in both] == ["My dog is called Bella now.", "My dog is called Max."]
    shown("threads", "rm", thread_id, "--yes")
    assert f"  thread    {thread_id}, which was deleted" in shown("memory", "why", fact["memory_id"])


def test_what_the_user_writes_by_hand(shown: Shown) -> None:
    assert shown("memory", "add", "我喜欢龙井茶。").startswith("Remembered: 我喜欢龙井茶。 (")
    assert shown("memory", "add", "我喜欢龙井茶。") == "That is remembered already.\n"
    shown("memory", "add", "I have a bicycle.")
    [first, _] = shown.plain("memory", "search", "喜欢什么茶")
    assert first["text"] == "我喜欢龙井茶。"
    assert 0 < first["score"] <= 1
    said = shown("memory", "correct", first["memory_id"][:6], "我喜欢  红茶。")
    assert said == "Corrected: 我喜欢 红茶。 (was: 我喜欢龙井茶。)\n"
    assert (
        shown("memory", "correct", first["memory_id"], "我喜欢 红茶。") == "That is what it says already.\n"
    )
    told = shown("memory", "why", first["memory_id"])
    assert "before: 我喜欢龙井茶。" in told
    assert "you wrote it with 'motet memory'" in told
    line = shown("memory", "list").splitlines()[0].split("\t")
    assert line[1:5] == ["我喜欢 红茶。", "other", "you", "just now"]


def test_forgetting_some_and_all(shown: Shown) -> None:
    for text in ("one fact", "two facts", "three facts"):
        shown("memory", "add", text)
    ids = {fact["text"]: fact["memory_id"] for fact in shown.plain("memory", "list")}
    assert shown("memory", "forget", ids["one fact"], ids["one fact"][:8]) == "Forgotten: one fact\n"
    assert "Nobody can be asked here: add --yes" in shown("memory", "forget", "--all", status=2)
    assert len(shown.plain("memory", "list")) == 2
    assert shown("memory", "forget", "--all", "--yes").count("Forgotten: ") == 2
    assert shown.plain("memory", "list") == []


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["why", "zzzz"], "There is no memory 'zzzz'. 'motet memory list' shows them."),
        (["forget", ""], "There is no memory ''. 'motet memory list' shows them."),
        (["forget"], "Name memories or say --all. 'motet memory list' shows them."),
        (["forget", "x", "--all"], "Name memories or say --all. 'motet memory list' shows them."),
        (
            ["correct", "x", " "],
            "A correction needs at least one character. To delete it: motet memory forget ID.",
        ),
        (["add", " "], "A memory needs at least one character."),
        (["add", "字" * 300], "A memory is at most 400 columns long, this has 600. " + LONGER),
    ],
    ids=str,
)
def test_what_cannot_be_done_is_one_line(shown: Shown, arguments: list[str], said: str) -> None:
    shown("memory", "add", "a fact")
    assert shown("memory", *arguments, status=2) == f"motet: {said}\n"


def test_a_mistyped_id_is_guessed(shown: Shown) -> None:
    shown("memory", "add", "a fact")
    [fact] = shown.plain("memory", "list")
    for wrong in ("z" + fact["memory_id"][1:8], fact["memory_id"][:3] + "z", fact["memory_id"] + "0"):
        told = shown("memory", "why", wrong, status=2)
        assert f"Did you mean {fact['memory_id'][:8]}, “a fact”?" in told


def test_nothing_of_a_forgotten_memory_is_left_in_the_files(home: Path, shown: Shown) -> None:
    """Not in the table, its history, the log of its run, the state of later runs, or the bytes of the files."""
    shown("ask", "我住在杭州。")
    shown("ask", "Where do I live?")  # recalls it into a state
    shown("ask", "杭州 is where I live.")
    [fact] = shown.plain("memory", "list")
    assert fact["uses"] > 0
    secret = "用户住在杭州"
    shown("memory", "correct", fact["memory_id"], "用户住在苏州。")

    def left(words: str) -> list[str]:
        forms = [words.encode(), json.dumps(words)[1:-1].encode()]
        return [
            path.name
            for path in home.rglob("*")
            if path.is_file() and any(form in path.read_bytes() for form in forms)
        ]

    assert left(secret) == left("用户住在苏州") == ["motet.db"], "the test sees what is there"
    shown("memory", "forget", fact["memory_id"])
    assert left(secret) == left("用户住在苏州") == []
    run_id = fact["source"]["run_id"]
    assert secret not in shown("runs", "show", run_id)
    assert "我住在杭州" in shown("threads", "search", "我住在"), "the conversation is the user's to delete"
