"""`motet runs resume`: a question is shown, kept over the end of the process, and answered by another one."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from cli_process import Motet

from motet.cli.answer import choose, read_answer
from motet.cli.chat.asking import Asking, choices
from motet.errors import InvalidInput, NotFound
from motet.events import InterruptRequested

GRAPH = """
from langchain_core.messages import AIMessage
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.types import interrupt


async def node(state: MessagesState):
    schema = {"enum": ["yes", "no"]}
    answer = interrupt({"question": "买票吗? Shall I buy it?", "response_schema": schema})
    return {"messages": [AIMessage(f"You said {answer}.")]}


def build():
    builder = StateGraph(MessagesState)
    builder.add_node("node", node)
    builder.add_edge(START, "node")
    return builder.compile()
"""


@pytest.fixture
def motet(tmp_path: Path) -> Motet:
    made = Motet(tmp_path)
    (tmp_path / "asking_graph.py").write_text(GRAPH, "utf-8")
    (tmp_path / "motet.toml").write_text('[graphs]\nasking = "asking_graph:build"\n', "utf-8")
    made.environment |= {"PYTHONPATH": str(tmp_path), "MOTET_GRAPH": "chat"}
    return made


def test_a_question_is_shown_and_answered_by_another_process(motet: Motet) -> None:
    asked = motet.run("ask", "--graph", "asking", "a ticket, please")
    assert asked.returncode == 5, asked.stderr
    assert "it asks: 买票吗? Shall I buy it?" in asked.stderr
    [how] = [line for line in asked.stderr.splitlines() if "motet runs resume" in line]
    run = how.split("motet runs resume ")[1].split()[0]

    shown = motet.here("runs", "show", run)
    assert "买票吗? Shall I buy it?" in shown.stdout
    assert f"motet runs resume {run} --answer" in shown.stdout
    [question] = json.loads(motet.here("runs", "show", run, "--json").stdout)["questions"]
    assert question["response_schema"] == {"enum": ["yes", "no"]}

    wrong = motet.here("runs", "resume", run, "--answer", "perhaps")
    assert wrong.returncode == 2
    assert "does not fit: 'perhaps' is not one of ['yes', 'no']" in wrong.stderr
    assert "Traceback" not in wrong.stderr

    done = motet.run("runs", "resume", run, "--interrupt", question["interrupt_id"][:6], "--answer", "yes")
    assert done.returncode == 0, done.stderr
    assert done.stdout == "You said yes.\n"
    late = motet.here("runs", "resume", run, "--answer", "no")
    assert late.returncode == 2
    assert "waits no more" in late.stderr


def test_the_chat_by_lines_tells_how_to_answer(motet: Motet) -> None:
    done = motet.run("chat", "--graph", "asking", piped="a ticket, please\n")
    assert done.returncode == 5, done.stderr
    assert "it asks: 买票吗? Shall I buy it?" in done.stderr
    assert "motet runs resume" in done.stderr


def test_in_the_chat_the_next_line_is_the_answer(motet: Motet) -> None:
    done = motet.run("chat", "--graph", "asking", piped="a ticket, please\nperhaps\nY\nhello\n")
    assert "write yes or no, or the first letters of it" in done.stderr
    assert (
        done.stderr.count("it asks: 买票吗?") == 3
    )  # at first, after the answer that does not fit, and anew
    assert "does not fit: 'perhaps'" in done.stderr
    assert done.stdout == "You said yes.\n"
    again = motet.run("chat", "-c", "--graph", "asking", piped="n\n")
    assert again.returncode == 0, again.stderr
    assert again.stderr.count("it asks: 买票吗?") == 1
    assert again.stdout == "You said no.\n"


def test_several_questions_are_asked_one_after_the_other() -> None:
    asking = Asking("run", [question("a1"), question("b2")])
    assert asking.lines()[0] == "it asks (1 of 2): ?"
    assert asking.take("12") is None
    assert asking.lines()[0] == "it asks (2 of 2): ?"
    assert asking.take(" 好的 ") == {"a1": 12, "b2": " 好的 "}


@pytest.mark.parametrize(
    ("text", "value"),
    [("Mo", "more"), ("s", "s"), ("STOP", "stop"), ("skip", "skip"), ('{"model": "x"}', {"model": "x"})],
)
def test_an_offered_word_is_known_by_its_first_letters(text: str, value: object) -> None:
    schema = {"anyOf": [{"enum": ["more", "stop", "skip"]}, {"type": "object"}, {"const": "more"}]}
    assert choices(schema) == ["more", "stop", "skip"]
    asked = InterruptRequested(interrupt_id="a", value="?", response_schema=schema)
    assert Asking("run", [asked]).take(text) == {"a": value}


def test_json_output_has_the_question(motet: Motet) -> None:
    done = motet.run("ask", "--graph", "asking", "--output", "json", "a ticket")
    assert done.returncode == 5
    [question] = json.loads(done.stdout)["questions"]
    assert question["value"]["question"].startswith("买票吗?")


def question(interrupt_id: str) -> InterruptRequested:
    return InterruptRequested(interrupt_id=interrupt_id, value="?")


def test_a_question_is_named_by_the_beginning_of_its_id() -> None:
    two = [question("abc1"), question("abd2")]
    assert choose(two, "abd") == two[1]
    assert choose(two[:1], None) == two[0]
    with pytest.raises(InvalidInput, match=r"--interrupt \(abc1, abd2\)"):
        choose(two, None)
    for wrong in ("ab", "x"):
        with pytest.raises(NotFound, match="abc1, abd2"):
            choose(two, wrong)


@pytest.mark.parametrize(
    ("text", "schema", "value"),
    [
        ('{"approve": true}', None, {"approve": True}),
        ("yes", None, "yes"),
        ("12", None, 12),
        ("12", {"type": "string"}, "12"),
        ("12", {"type": "integer"}, 12),
        ('"12"', {"type": "string"}, "12"),
        ("是", {"type": "boolean"}, "是"),
    ],
)
def test_an_answer_is_json_where_that_fits(
    text: str, schema: dict[str, object] | None, value: object
) -> None:
    assert read_answer(text, schema) == value
