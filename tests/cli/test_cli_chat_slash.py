"""Slash commands, on a real conversation: SQLite on disk and a model that follows a script."""

from __future__ import annotations

import json
from importlib import import_module
from typing import TYPE_CHECKING, Any

import pytest
from cli_process import Motet
from rich.console import Console

from motet.app import build_app
from motet.cli.chat.conversation import Conversation
from motet.cli.chat.slash.base import COMMANDS, Desk, as_command, find, name_of
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
    names = [name for command in COMMANDS for name in (name_of(command.usage), command.alias)]
    assert len(set(names)) == len(names)
    for command in COMMANDS:
        assert find(f"{name_of(command.usage)} something") is command
        assert find(command.alias) is command
        module, _, name = command.target.partition(":")
        assert callable(getattr(import_module(module), name))
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


async def test_what_was_said_is_pinned_and_unpinned(talk: Talk) -> None:
    await talk.say("请用米。", "second")
    assert "请用米。" in await talk.shown("/pin 1")
    assert await talk.shown("/置顶") == "Kept in mind:\n  •  请用米。\n  •  second"
    await talk.say("third")
    assert "请用米" not in await talk.shown("/unpin 1")
    assert await talk.shown("/unpin 2") == "Nothing is pinned."


async def test_a_rewind_says_how_to_have_it_back(talk: Talk) -> None:
    await talk.say("first", "second", "third")
    assert "motet threads fork" in await talk.shown("/rewind 1")
    assert await talk.texts() == ["first", "One."]


@pytest.mark.parametrize(
    "line", ["/rewind", "/fork", "/retry", "/edit", "/turns", "/rename x", "/tag #x", "/export a.md"]
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


async def test_conversations_are_tagged_and_found_by_their_tags(talk: Talk) -> None:
    await talk.say("给我蓝的")
    assert await talk.shown(as_command("#工作 #draft")) == "Tags: #draft #工作"
    await talk.run("/new")
    await talk.say("蓝 again")
    assert "给我蓝的  (2 messages, just now, #draft #工作)" in await talk.shown("/threads #工作")
    assert "again" not in await talk.shown("/threads #工作 蓝色")
    assert await talk.shown("/threads #work") == "No conversation has '#work'."
    await talk.run("/resume 给我蓝的")
    assert await talk.shown(as_command("-#draft")) == "Tags: #工作"
    assert await talk.shown("/tag") == "Tags: #工作"
    assert await talk.shown("/标签 -#工作") == "No tags."
    with pytest.raises(InvalidInput, match=r"write #work, or -#work\."):
        await talk.run("/tag work")


@pytest.mark.parametrize("line", ["# 标题", "#", "see #4", "#work now", "## two", "/tag #x", "#a\n\ntext"])
def test_what_is_not_tags_alone_is_a_message(line: str) -> None:
    assert as_command(line) == line


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
    chinese = await talk.shown("/帮助 zh")
    assert all(command.alias in chinese and command.zh in chinese for command in COMMANDS)
    with pytest.raises(InvalidInput, match="no language"):
        await talk.run("/help fr")
    assert (await talk.run("/quit")).leave
    assert (await talk.run("/editor")).edit


async def test_the_last_turn_is_taken_back(talk: Talk) -> None:
    await talk.say("first", "second")
    assert "taken out" in await talk.shown("/undo")
    assert await talk.texts() == ["first", "One."]


async def test_an_answer_is_copied_where_there_is_a_clipboard(talk: Talk) -> None:
    await talk.say("first", "second")
    with pytest.raises(InvalidInput, match="no clipboard"):
        await talk.run("/copy")
    taken: list[str] = []
    talk.copy = taken.append
    await talk.run("/copy")
    await talk.run("/copy 1")
    assert taken == ["Two.", "One."]
    for wrong in ("2", "x"):
        with pytest.raises(InvalidInput):
            await talk.run(f"/copy {wrong}")


async def test_colours_are_chosen_where_there_are_any(talk: Talk) -> None:
    with pytest.raises(InvalidInput, match="no terminal"):
        await talk.run("/theme dark")
    chosen: list[str] = []
    talk.paint = chosen.append
    assert "dark, light, plain" in await talk.shown("/theme")
    await talk.run("/theme light")
    assert chosen == ["light"]
    with pytest.raises(InvalidInput, match="Did you mean 'light'"):
        await talk.run("/theme lihgt")


async def test_documents_are_taken_in_looked_at_again_and_searched(talk: Talk, tmp_path: Path) -> None:
    assert "no documents yet" in await talk.shown("/kb")
    (tmp_path / "票价 表.md").write_text("# 票价\n\n团体票打八五折。", "utf-8")
    assert "added" in await talk.shown("/kb add '票价 表.md'")
    assert "1 document" in await talk.shown("/文档")
    assert "团体票打八五折" in await talk.shown("/kb search 团体票")
    (tmp_path / "票价 表.md").write_text("# 票价\n\n团体票打七折。", "utf-8")
    assert "replaced" in await talk.shown("/kb sync")
    for wrong in ("/kb add", "/kb search", "/kb nonsense", "/kb add '"):
        with pytest.raises(InvalidInput):
            await talk.run(wrong)


async def test_a_run_is_shown_with_what_it_took(talk: Talk) -> None:
    for line in ("/trace", "/compact", "/approve t"):
        with pytest.raises(InvalidInput, match="say something first"):
            await talk.run(line)
    await talk.say("first")
    assert "tokens in" in await talk.shown("/trace")
    assert "models of your own" in await talk.shown("/cost")
    context = await talk.shown("/context")
    assert "tokens in its longest call" in context
    assert "2 messages" in context
    assert "every word is kept" in await talk.shown("/compact 1")
    with pytest.raises(InvalidInput, match="no number of turns"):
        await talk.run("/compact all")
    assert "writer" in await talk.shown("/agents")
    assert "none.toml" in (await talk.shown("/profile")).replace(
        "\n", ""
    )  # a long path goes over the line's end
    with pytest.raises(InvalidInput, match="motet --profile work chat"):
        await talk.run("/profile work")


async def test_options_count_for_the_next_messages(talk: Talk) -> None:
    assert (await talk.shown("/set")).count("as the settings say") == 5
    await talk.run("/set budget model_calls=5")
    await talk.run("/set tools calculator, now")
    await talk.run("/set record on")
    shown = await talk.shown("/set max_steps 50")
    assert "model_calls=5" in shown
    assert "calculator, now" in shown
    await talk.say("first")
    options = await talk.conversation.app.records.options(talk.conversation.last.run_id)
    assert options.budget is not None
    assert (options.budget.max_model_calls, options.tools, options.max_steps) == (
        5,
        ["calculator", "now"],
        50,
    )
    assert options.record is True
    await talk.run("/set budget")
    assert "budget" not in talk.conversation.options
    for wrong in (
        "/set budgt x",
        "/set budget x",
        "/set max_steps 1001",
        "/set max_steps 0",
        "/set max_steps many",
        "/set record perhaps",
    ):
        with pytest.raises(InvalidInput):
            await talk.run(wrong)


async def test_calls_are_allowed_in_one_conversation(talk: Talk) -> None:
    await talk.say("first")
    assert "@write, @exec are asked for" in await talk.shown("/approve")
    await talk.run("/approve write_file:path=notes/*")
    assert "write_file:path=notes/*  (in this conversation)" in await talk.shown("/批准")
    with pytest.raises(InvalidInput, match="is no rule"):
        await talk.run("/approve no rule")
