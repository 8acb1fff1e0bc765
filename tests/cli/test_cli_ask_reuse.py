"""`motet ask --reuse`: a fork's next turn is given what the tools said in the conversation it came from."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest
from cli_desk import Desk, open_desk

if TYPE_CHECKING:
    from pathlib import Path

GRAPH = '''
from pathlib import Path
from typing import Any

from langchain_core.messages import AIMessage, HumanMessage
from langchain_core.tools import tool
from langgraph.graph import END, START, MessagesState, StateGraph
from langgraph.prebuilt import ToolNode


@tool
def send(text: str) -> str:
    """Send it, to be seen in a file."""
    with Path(__file__).with_name("sent.txt").open("a", encoding="utf-8") as file:
        file.write(text + "\\n")
    count = len(Path(__file__).with_name("sent.txt").read_text("utf-8").splitlines())
    return f"sent {text} as number {count}"


def think(state: MessagesState) -> dict[str, Any]:
    last = state["messages"][-1]
    if isinstance(last, HumanMessage):
        call = {"name": "send", "args": {"text": last.text.split()[0]}, "id": f"c{len(state['messages'])}"}
        return {"messages": [AIMessage("", tool_calls=[call])]}
    return {"messages": [AIMessage(last.text)]}


def build(parts: Any) -> Any:
    graph = StateGraph(MessagesState)
    graph.add_node("think", think)
    graph.add_node("tools", ToolNode([send]))
    graph.add_edge(START, "think")
    graph.add_conditional_edges("think", lambda s: "tools" if s["messages"][-1].tool_calls else END)
    graph.add_edge("tools", "think")
    return graph
'''


@pytest.fixture
def motet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Desk:
    desk = open_desk(tmp_path, monkeypatch, capsys)
    (tmp_path / "sender_graph.py").write_text(GRAPH, "utf-8")
    (tmp_path / "motet.toml").write_text('[graphs]\nsender = "sender_graph:build"\n', "utf-8")
    monkeypatch.setenv("MOTET_GRAPH", "sender")
    monkeypatch.syspath_prepend(str(tmp_path))
    sys.modules.pop("sender_graph", None)
    return desk


def sent(folder: Path) -> list[str]:
    return (folder / "sent.txt").read_text("utf-8").splitlines()


def test_a_fork_asks_again_and_the_tool_is_not_called_again(motet: Desk, tmp_path: Path) -> None:
    assert motet("ask", "-q", "first") == "sent first as number 1\n"
    assert motet("ask", "-q", "-c", "信 please") == "sent 信 as number 2\n"
    [thread] = motet.json("threads", "list")
    name = thread["thread_id"]
    run = motet.json("runs", "list")[0]["run_id"]
    fork = motet("threads", "fork", name, "--at", "1").strip()
    assert motet("ask", "-q", "-t", fork, "--reuse", "original", "信 once more") == "sent 信 as number 2\n"
    assert sent(tmp_path) == ["first", "信"]
    assert motet("ask", "-q", "-t", name, "--reuse", run[:8], "信 again") == "sent 信 as number 2\n"
    assert sent(tmp_path) == ["first", "信"]
    assert motet("ask", "-q", "-t", fork, "--reuse", run, "third") == "sent third as number 3\n"
    assert motet("ask", "-q", "-t", fork, "信 without") == "sent 信 as number 4\n"
    assert sent(tmp_path) == ["first", "信", "third", "信"]


def test_what_cannot_be_reused_is_one_line(motet: Desk, tmp_path: Path) -> None:
    motet("ask", "-q", "first")
    [thread] = motet.json("threads", "list")
    name = thread["thread_id"]
    assert "run 'nope'" in motet("ask", "-t", name, "--reuse", "nope", "again", status=2)
    assert "was not forked" in motet("ask", "-t", name, "--reuse", "original", "again", status=2)
    assert "was not forked" in motet("ask", "--reuse", "original", "again", status=2)
    fork = motet("threads", "fork", name).strip()
    assert "has no turn after" in motet("ask", "-t", fork, "--reuse", "original", "again", status=2)
    assert sent(tmp_path) == ["first"]
    motet("threads", "rm", name, "--yes")
    assert f"no thread '{name}'" in motet("ask", "-t", fork, "--reuse", "original", "again", status=2)
