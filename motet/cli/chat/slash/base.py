"""The table of slash commands, and what one is given and gives back.

What does not live here: what a command does (a file a subject), and keys (`motet.cli.chat.interactive`).
"""

from __future__ import annotations

import re
from collections.abc import Callable  # noqa: TC003  # a dataclass's field
from dataclasses import dataclass, field
from importlib import import_module
from typing import TYPE_CHECKING, Any, NamedTuple

from rich.text import Text

from motet.errors import InvalidInput, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from rich.console import RenderableType

    from motet.cli.chat.conversation import Conversation


class Command(NamedTuple):
    """One line of the table."""

    usage: str
    """How it is written, its arguments in capitals: `/threads [QUERY]`."""
    meaning: str
    target: str
    """Import string of an async function `(desk, argument) -> Then | None`."""
    alias: str
    """The same command in Chinese: `/会话`."""
    zh: str
    """What it means, in Chinese."""
    waits: bool = False
    """Whether it waits for the answers that are on their way: it changes what the next message goes on from."""


@dataclass(frozen=True, slots=True)
class Then:
    """What follows a command. Nothing, unless a field says so."""

    leave: bool = False
    """The person wants to leave."""
    say: str | None = None
    """This is sent as if the person had typed it."""
    draft: str | None = None
    """This stands at the prompt, to be changed and sent."""
    edit: bool = False
    """The draft is opened in the person's editor."""


_HERE = "motet.cli.chat.slash"

COMMANDS = (
    Command("/help", "what can be done here", f"{_HERE}.about:show_help", "/帮助", "这里能做什么"),
    Command(
        "/threads [#TAG …] [QUERY]",
        "list conversations, or search all of them; with #TAG, those that have it",
        f"{_HERE}.threads:list_threads",
        "/会话",
        "列出会话，或全文搜索；加 #标签 只看带该标签的",
    ),
    Command(
        "/resume N|ID",
        "go on with another conversation: its number in the list, its id, or its title",
        f"{_HERE}.threads:resume",
        "/继续",
        "继续另一个会话：列表中的编号、编号串或标题",
        waits=True,
    ),
    Command(
        "/new", "begin a new conversation", f"{_HERE}.threads:begin_anew", "/新建", "开始新会话", waits=True
    ),
    Command(
        "/rename TITLE",
        "give this conversation another title",
        f"{_HERE}.threads:rename",
        "/改名",
        "给本会话改标题",
    ),
    Command(
        "/tag #TAG -#TAG …",
        "tag this conversation, or take tags away; a message of nothing but #TAG does the same",
        f"{_HERE}.threads:tag",
        "/标签",
        "给本会话加标签或去掉标签；只写 #标签 也可以",
    ),
    Command(
        "/turns",
        "list the turns of this conversation",
        f"{_HERE}.turns:list_turns",
        "/轮次",
        "列出本会话的各轮",
    ),
    Command(
        "/fork [TURN]",
        "go on in a copy that ends after this turn",
        f"{_HERE}.turns:fork",
        "/分叉",
        "在此轮之后的副本中继续",
        waits=True,
    ),
    Command(
        "/rewind [TURN]",
        "go back to the end of this turn; the one before the last",
        f"{_HERE}.turns:rewind",
        "/回退",
        "回到某一轮结束时；默认上一轮之前",
        waits=True,
    ),
    Command("/undo", "take the last turn back", f"{_HERE}.turns:undo", "/撤销", "撤回最后一轮", waits=True),
    Command(
        "/retry",
        "take the last answer back and ask the same again",
        f"{_HERE}.turns:retry",
        "/重试",
        "撤回最后的回答并重新提问",
        waits=True,
    ),
    Command(
        "/edit [TEXT]",
        "take the last turn back, change what was said, and send it",
        f"{_HERE}.turns:edit",
        "/修改",
        "撤回最后一轮，修改后再发送",
        waits=True,
    ),
    Command(
        "/pin [TURN]",
        "have the model keep in mind what you said in a turn; the last one",
        f"{_HERE}.pins:pin",
        "/置顶",
        "让模型一直记住某一轮说的话；默认最后一轮",
        waits=True,
    ),
    Command("/unpin [TURN]", "take that back", f"{_HERE}.pins:unpin", "/取消置顶", "取消置顶", waits=True),
    Command(
        "/editor",
        "write the message in your editor ($VISUAL or $EDITOR)",
        f"{_HERE}.about:open_editor",
        "/编辑器",
        "在编辑器中写消息",
    ),
    Command(
        "/export FILE",
        "write this conversation: .md, .html, .json or .jsonl",
        f"{_HERE}.files:export",
        "/导出",
        "把本会话写入文件",
    ),
    Command(
        "/copy [N]",
        "copy the last answer, or the N-th before it, to the clipboard",
        f"{_HERE}.files:copy",
        "/复制",
        "把回答复制到剪贴板",
    ),
    Command(
        "/plan", "show the last plan, step by step", f"{_HERE}.about:show_plan", "/计划", "显示最近的计划"
    ),
    Command(
        "/sources",
        "show the passages that the last answer cites",
        f"{_HERE}.about:show_sources",
        "/来源",
        "显示上次回答引用的原文",
    ),
    Command(
        "/trace",
        "show what the last run did: when, by what, at which cost",
        f"{_HERE}.work:show_trace",
        "/轨迹",
        "显示上次运行做了什么",
    ),
    Command(
        "/usage",
        "show what the last answer and this conversation took",
        f"{_HERE}.about:show_usage",
        "/用量",
        "显示用量",
    ),
    Command("/tokens", "the same as /usage", f"{_HERE}.about:show_usage", "/令牌", "同 /用量"),
    Command(
        "/cost", "what the last answer and this chat cost", f"{_HERE}.work:show_cost", "/费用", "显示费用"
    ),
    Command(
        "/context",
        "show how much of the model's window the last answer took",
        f"{_HERE}.work:show_context",
        "/上下文",
        "上次回答占用了多少上下文窗口",
    ),
    Command(
        "/compact [TURNS]",
        "delete older checkpoints; the text stays, the newest turns can still be gone back to",
        f"{_HERE}.work:compact",
        "/压缩",
        "删除旧检查点；文字保留",
        waits=True,
    ),
    Command(
        "/model [SPEC]",
        "show the model, or use another from now on",
        f"{_HERE}.about:choose_model",
        "/模型",
        "显示或更换模型",
    ),
    Command(
        "/graph [NAME]",
        "show the graphs, or use another from now on",
        f"{_HERE}.about:choose_graph",
        "/图",
        "显示或更换图",
    ),
    Command(
        "/agents",
        "list the agents and the model of each",
        f"{_HERE}.work:list_agents",
        "/智能体",
        "列出智能体及其模型",
    ),
    Command(
        "/tools", "list the tools that agents may call", f"{_HERE}.about:list_tools", "/工具", "列出可用工具"
    ),
    Command(
        "/approve [RULE]",
        "show the rules on tool calls, or allow some in this conversation",
        f"{_HERE}.rules:approve",
        "/批准",
        "显示工具调用规则，或在本会话中允许",
    ),
    Command(
        "/memory [QUERY]",
        "list or search what is remembered",
        f"{_HERE}.about:show_memory",
        "/记忆",
        "列出或搜索记忆",
    ),
    Command(
        "/kb [add|sync|search …]",
        "show your documents; take in, look again, search",
        f"{_HERE}.knowledge:knowledge",
        "/文档",
        "显示、加入、更新或搜索文档",
    ),
    Command(
        "/set [NAME [VALUE]]",
        "show or change what the next messages are asked with: budget, tools, collections, max_steps, record",
        f"{_HERE}.work:set_option",
        "/设置",
        "显示或更改后续消息的选项",
    ),
    Command(
        "/theme [NAME]",
        "dark, light or plain colours",
        f"{_HERE}.files:theme",
        "/主题",
        "配色：dark、light、plain",
    ),
    Command(
        "/profile",
        "show the profile of settings that counts",
        f"{_HERE}.work:show_profile",
        "/配置",
        "显示当前配置档",
    ),
    Command(
        "/doctor", "say what is missing, and how to get it", f"{_HERE}.work:doctor", "/诊断", "检查缺少什么"
    ),
    Command("/quit", "leave; the conversation is kept", f"{_HERE}.about:leave", "/退出", "离开；会话会保留"),
)
"""Every command, in the order that `/help` shows."""


def as_command(line: str) -> str:
    """Return a line that is nothing but tags as the command that it stands for; any other line as it is."""
    return f"/tag {line}" if _TAGS.fullmatch(line.strip()) else line


_TAGS = re.compile(r"-?#[^\s#]+(?:\s+-?#[^\s#]+)*")


def name_of(line: str) -> str:
    """Return the command that a line names: its first word."""
    return line.strip().partition(" ")[0]


def find(line: str) -> Command:
    """Return the command that a line begins with.

    Raises:
        InvalidInput: There is none; the message names the nearest.
    """
    table = {name: command for command in COMMANDS for name in (name_of(command.usage), command.alias)}
    name = name_of(line)
    if name not in table:
        raise InvalidInput(f"Unknown command '{name}'.{did_you_mean(name, table)}")
    return table[name]


@dataclass(slots=True)
class Desk:
    """What a command works with. What it has to say goes to `tell`."""

    conversation: Conversation
    tell: Callable[..., None]
    listed: list[str] = field(default_factory=list[str])
    """Ids of the threads that `/threads` showed last, in its order."""
    copy: Callable[[str], None] | None = None
    """Puts a text into the clipboard, where there is a terminal."""
    paint: Callable[[str], None] | None = None
    """Changes the colours, where there is a terminal."""

    async def run(self, line: str) -> Then:
        """Run one command line.

        Raises:
            MotetError: The command is unknown, or could not be done.
        """
        command = find(line)
        module, _, name = command.target.partition(":")
        work: Callable[[Desk, str], Awaitable[Then | None]] = getattr(import_module(module), name)
        argument: Any = line.strip().partition(" ")[2].strip()
        return await work(self, argument) or Then()


def row(head: str, text: str) -> RenderableType:
    """Return a line of a list: what is typed, and what it means."""
    return Text.assemble((head, "cyan"), "  ", text)
