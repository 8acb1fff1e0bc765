"""Slash commands that show something, and those that choose what the next message is answered with."""

from __future__ import annotations

import locale
from typing import TYPE_CHECKING

from rich.cells import cell_len
from rich.text import Text

from motet.cli.chat.slash.base import COMMANDS, Then, row
from motet.cli.chat.transcript import question
from motet.cli.lists import ID_CHARS
from motet.cli.render import wording
from motet.cli.render.narrator import describe
from motet.errors import InvalidInput

if TYPE_CHECKING:
    from motet.cli.chat.slash.base import Desk

KEYS = {
    "Enter": "send",
    "Esc Enter, Alt-Enter": "new line",
    "Tab": "complete a command, a conversation, a model, a file after @, a tag after #",
    "@FILE": "a text file or a picture to go with the message",
    "#TAG": "tag this conversation; -#TAG takes the tag away",
    "Ctrl-X Ctrl-E": "write in your editor",
    "!COMMAND": "run a command of your shell; agents do not see it",
    "Esc": "stop the run",
    "Esc Esc": "choose a turn to go back to",
    "Ctrl-C": "clear what is written, else stop the run, else refuse the call that waits, else (twice) leave",
    "Ctrl-D": "leave",
}

KEYS_ZH = {
    "Enter": "发送",
    "Esc Enter, Alt-Enter": "换行",
    "Tab": "补全命令、会话、模型、@ 后的文件、# 后的标签",
    "@FILE": "随消息附上文本文件或图片",
    "#TAG": "给本会话加标签；-#TAG 去掉",
    "Ctrl-X Ctrl-E": "在编辑器中写",
    "!COMMAND": "运行自己的 shell 命令；智能体看不到",
    "Esc": "停止运行",
    "Esc Esc": "选择要回退到的轮次",
    "Ctrl-C": "清除草稿，否则停止运行，否则拒绝等待批准的调用，否则（两次）离开",
    "Ctrl-D": "离开",
}

REMEMBERED = 20
"""Most memories that `/memory` shows."""


async def show_help(desk: Desk, language: str) -> None:
    """Show every command and key, in the language of the settings or of the system; `/help zh`, `/help en`.

    Raises:
        InvalidInput: Another language is asked for.
    """
    if language not in ("", "en", "zh"):
        raise InvalidInput(f"'{language}' is no language of /help: write /help en or /help zh.")
    chosen = language or desk.conversation.app.settings.agents.language
    if chosen == "zh" or (chosen == "auto" and (locale.getlocale()[0] or "").startswith(("zh", "Chinese"))):
        lines = {f"{command.alias} {command.usage}": command.zh for command in COMMANDS} | KEYS_ZH
    else:
        lines = {command.usage: command.meaning for command in COMMANDS} | KEYS
    width = max(map(cell_len, lines))
    for usage, meaning in lines.items():
        desk.tell(row(usage + " " * (width - cell_len(usage)), meaning))


async def show_plan(desk: Desk, _argument: str) -> None:
    """Show the plan of the last answer, each step with how it ended."""
    steps = desk.conversation.last.plan
    if not steps:
        desk.tell(Text("The last answer had no plan."))
    for step in steps:
        desk.tell(Text(describe(step)))


async def show_sources(desk: Desk, _argument: str) -> None:
    """Show the passages that the last answer cites, as they were when it was written."""
    passages = desk.conversation.last.citations
    if not passages:
        desk.tell(Text("The last answer cites nothing."))
    for passage in sorted(passages, key=lambda p: p.number or 0):
        desk.tell(Text(wording.citation(passage), style="bold"), question(passage.text))


async def show_usage(desk: Desk, _argument: str) -> None:
    """Show what the last answer took, and all answers since the chat began."""
    talk = desk.conversation
    for what, spent in (("the last answer", talk.last.spent), ("since this chat began", talk.spent)):
        calls = wording.count(spent.model_calls, "model call")
        tokens = f"{wording.count(spent.input_tokens, 'token')} in, {spent.output_tokens:,} out"
        desk.tell(row(what, f"{calls}, {tokens}, {wording.duration(spent.model_s)} in the model"))


async def choose_model(desk: Desk, spec: str) -> None:
    """Show the model that answers, or have another answer from the next message on."""
    if spec:
        desk.conversation.choose_model(spec)
    default = desk.conversation.app.settings.models.default
    desk.tell(Text(f"model: {desk.conversation.model or default}"))


async def choose_graph(desk: Desk, name: str) -> None:
    """Show the graphs, or have another one answer from the next message on."""
    if name:
        desk.conversation.choose_graph(name)
    app = desk.conversation.app
    chosen = desk.conversation.graph or app.settings.agents.graph
    for graph, description in app.graph_names().items():
        desk.tell(row(f"{'▸' if graph == chosen else ' '} {graph}", description))


async def list_tools(desk: Desk, _argument: str) -> None:
    """List the tools that agents may call."""
    for tool in await desk.conversation.app.tools():
        desk.tell(row(tool.name, tool.description.partition("\n")[0]))


async def show_memory(desk: Desk, query: str) -> None:
    """List what is remembered, or search it."""
    memories = desk.conversation.app.memories
    if query:
        found = [fact for fact, _ in await memories.search(query, limit=REMEMBERED)]
    else:
        found = (await memories.all())[:REMEMBERED]
    if not found:
        desk.tell(Text("Nothing is remembered yet."))
    for fact in found:
        desk.tell(row(fact.memory_id[:ID_CHARS], fact.text))


async def open_editor(_desk: Desk, _argument: str) -> Then:
    """Open the person's editor for the next message."""
    return Then(edit=True)


async def leave(_desk: Desk, argument: str) -> Then:
    """Leave the chat."""
    if argument:
        raise InvalidInput(f"/quit takes nothing after it; '{argument}' was written.")
    return Then(leave=True)
