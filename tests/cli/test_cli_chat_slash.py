"""Slash commands, on a real conversation: SQLite on disk and a model that follows a script."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from cli_process import Motet
from rich.console import Console

from motet.app import build_app
from motet.cli.chat.conversation import Conversation
from motet.cli.chat.slash.base import COMMANDS, Desk, find, name_of
from motet.errors import InvalidInput, NotFound
from motet.settings import Settings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

SCRIPT = """
rules:
  - {user: "蓝", reply: "蓝色的。"}
replies: [One., Two., Three., Four.]
default: Again.
"""


class Talk(Desk):
    """A desk that keeps what it is told, as text of 80 columns."""

    def __init__(self, conversation: Conversation) -> None:
        super().__init__(conversation, self._keep)
        self.told: list[str] = []

    def _keep(self, *lines: Any) -> None:
        console = Console(width=80, color_system=None, file=None)
        with console.capture() as shown:
            console.print(*lines, sep="\n")
        self.told.append(shown.get().rstrip("\n"))

    async def say(self, *texts: str) -> list[str]:
        return [(await self.conversation.say(text, [])).answer for text in texts]

    async def shown(self, line: str) -> str:
        self.told.clear()
        await self.run(line)
        return "\n".join(self.told)

    async def texts(self) -> list[str]:
        return [message.text for message in await self.conversation.messages(100)]


@pytest.fixture
async def talk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Talk]:
    (tmp_path / "talk.yaml").write_text(SCRIPT, "utf-8")
    monkeypatch.chdir(tmp_path)
    environment = Motet(tmp_path).environment | {"MOTET_MODEL": f"scripted:{tmp_path / 'talk.yaml'}"}
    settings = Settings.load(environ=environment)
    async with build_app(settings) as app:
        yield Talk(Conversation(app, thread_id=None, graph="chat", model=None))


def test_every_command_leads_somewhere_and_no_two_are_one() -> None:
    names = [name_of(command.usage) for command in COMMANDS]
    assert len(set(names)) == len(names)
    for command in COMMANDS:
        assert find(f"{name_of(command.usage)} something") is command
    with pytest.raises(InvalidInput, match="Did you mean '/rewind'"):
        find("/rewnd")


async def test_a_retry_takes_the_answer_back_and_asks_the_same_again(talk: Talk) -> None:
    await talk.say("first", "second")
    then = await talk.run("/retry")
    assert then.say == "second"
    assert await talk.texts() == ["first", "One."]
    await talk.say(then.say)
    assert await talk.texts() == ["first", "One.", "second", "Three."]


async def test_an_edit_brings_the_words_back_or_sends_others(talk: Talk) -> None:
    await talk.say("first", "second")
    assert (await talk.run("/edit")).draft == "second"
    await talk.say("zweite")
    assert (await talk.run("/edit 第二")).say == "第二"
    assert await talk.texts() == ["first", "One."]


async def test_the_only_turn_is_retried_in_a_new_conversation(talk: Talk) -> None:
    await talk.say("first")
    kept = talk.conversation.thread_id
    assert (await talk.run("/retry")).say == "first"
    await talk.say("first")
    assert talk.conversation.thread_id != kept
    assert len(await talk.conversation.app.records.threads()) == 2


async def test_a_fork_goes_on_elsewhere_and_the_other_stays(talk: Talk) -> None:
    await talk.say("first", "second")
    original = talk.conversation.thread_id
    assert "1  first" in await talk.shown("/turns")
    assert "Going on in a copy" in await talk.shown("/fork 1")
    assert await talk.texts() == ["first", "One."]
    await talk.say("other")
    assert original is not None
    messages = await talk.conversation.app.records.messages(original)
    assert [message.text for message in messages] == ["first", "One.", "second", "Two."]
    with pytest.raises(NotFound, match="no turn 9"):
        await talk.run("/rewind 9")


async def test_a_rewind_says_how_to_have_it_back(talk: Talk) -> None:
    await talk.say("first", "second", "third")
    assert "motet threads fork" in await talk.shown("/rewind 1")
    assert await talk.texts() == ["first", "One."]


@pytest.mark.parametrize(
    "line", ["/rewind", "/fork", "/retry", "/edit", "/turns", "/rename x", "/export a.md"]
)
async def test_before_the_first_message_there_is_nothing_to_go_back_to(talk: Talk, line: str) -> None:
    with pytest.raises(InvalidInput, match="say something first"):
        await talk.run(line)


async def test_conversations_are_found_by_their_words_and_gone_on_with_by_number(talk: Talk) -> None:
    await talk.say("给我蓝的")
    await talk.run("/new")
    await talk.say("something else")
    listed = await talk.shown("/threads 蓝色")
    assert "给我蓝的" in listed
    assert "something else" not in listed
    assert "蓝色的。" in await talk.shown("/resume 1")
    assert await talk.texts() == ["给我蓝的", "蓝色的。"]


@pytest.mark.parametrize("ending", ["md", "html", "json", "jsonl"])
async def test_a_conversation_is_written_in_the_form_of_the_ending(
    talk: Talk, tmp_path: Path, ending: str
) -> None:
    await talk.say("<b>蓝</b>")
    await talk.run(f"/export talk.{ending}")
    text = (tmp_path / f"talk.{ending}").read_text("utf-8")
    assert "蓝色的。" in text
    assert ("<b>" in text) == (ending != "html")
    if ending == "json":
        assert [message["role"] for message in json.loads(text)["messages"]] == ["user", "assistant"]
    with pytest.raises(InvalidInput, match="there already"):
        await talk.run(f"/export talk.{ending}")
    with pytest.raises(InvalidInput, match="ends in one of"):
        await talk.run("/export talk.exe")
    with pytest.raises(InvalidInput, match="cannot be written"):
        await talk.run(f"/export none/talk.{ending}")


async def test_model_and_graph_are_chosen_for_the_next_message(talk: Talk, tmp_path: Path) -> None:
    (tmp_path / "other.yaml").write_text("default: Other.", "utf-8")
    await talk.run("/model scripted:other.yaml")
    assert await talk.say("hello") == ["Other."]
    assert "▸ ensemble" in await talk.shown("/graph ensemble")
    assert talk.conversation.graph == "ensemble"
    with pytest.raises(NotFound, match="Did you mean 'chat'"):
        await talk.run("/graph chet")
    with pytest.raises(InvalidInput):
        await talk.run("/model nonsense")


async def test_what_is_there_and_what_was_spent_is_shown(talk: Talk) -> None:
    assert "calculator" in await talk.shown("/tools")
    assert "Nothing is remembered yet." in await talk.shown("/memory")
    assert "no plan" in await talk.shown("/plan")
    assert "cites nothing" in await talk.shown("/sources")
    await talk.say("first", "second")
    last, whole = (await talk.shown("/usage")).splitlines()
    assert "1 model call," in last
    assert "2 model calls," in whole
    shown = await talk.shown("/help")
    assert all(name_of(command.usage) in shown for command in COMMANDS)
    assert (await talk.run("/quit")).leave
    assert (await talk.run("/editor")).edit
