"""CrewAI's files as a task file that runs, with what could not be carried over."""

from pathlib import Path

import pytest
from task_rig import KNOWN, Stage

from motet.errors import InvalidInput
from motet.models.scripted import Call
from motet.tasks.crewai import import_crew
from motet.tasks.load import load_task

AGENTS = """
researcher:
  role: >
    {topic} Senior Data Researcher
  goal: >
    Uncover cutting-edge developments in {topic}
  backstory: >
    You're a seasoned researcher.
  llm: openai/gpt-4o
  tools: [FileReadTool, MagicTool]
  allow_delegation: true
reporting_analyst:
  role: 报告分析师
  goal: Write reports
  backstory: You turn data into reports.
  llm: bedrock/claude
"""
TASKS = """
research_task:
  description: >
    Research {topic} in {year}.
  expected_output: A list with 10 points
  agent: researcher
reporting_task:
  description: Expand each point into a section.
  expected_output: >
    A report with sections.
  agent: reporting_analyst
  output_file: report.md
  human_input: true
  guardrail: check_it
summary:
  description: Sum up.
  expected_output: One line
  agent: reporting_analyst
  context: [research_task]
"""


@pytest.fixture
def crew(tmp_path: Path) -> Path:
    folder = tmp_path / "crew"
    (folder / "src" / "crew" / "config").mkdir(parents=True)
    (folder / "src" / "crew" / "config" / "agents.yaml").write_text(AGENTS, "utf-8")
    (folder / "src" / "crew" / "config" / "tasks.yaml").write_text(TASKS, "utf-8")
    return folder


async def test_a_crew_becomes_a_task_file_that_runs(crew: Path, tmp_path: Path) -> None:
    made = import_crew(crew)
    path = tmp_path / "demo.task.yaml"
    path.write_text(made.to_yaml(), "utf-8")
    loaded = load_task(path, KNOWN)
    assert list(loaded.task.inputs) == ["topic", "year"]
    assert loaded.task.agents["researcher"].model == "openai:gpt-4o"
    assert loaded.task.agents["researcher"].tools == ["read_file"]
    assert [step.id for step in loaded.task.steps] == [
        "research_task",
        "reporting_task",
        "reporting_task_ok",
        "summary",
    ]
    heard: list[Call] = []

    def answer(call: Call) -> str:
        heard.append(call)
        return f"answer {len(heard)}"

    stage = Stage(tmp_path, "steps: [{id: a, set: 1}]\n", answer)
    stage.file = loaded
    values = await stage.play({"topic": "茶", "year": "2026"}, approved=["reporting_task_ok"])
    assert heard[0].system_text.startswith(
        "You are 茶 Senior Data Researcher.\nYou're a seasoned researcher.\n"
    )
    assert heard[0].user_text == "Research 茶 in 2026.\n\nExpected result: A list with 10 points"
    assert "answer 1" in heard[1].user_text
    assert "answer 1" in heard[2].user_text
    assert values["outputs"]["result"].startswith("answer")
    assert (tmp_path / "report.md").exists()


def test_what_cannot_be_carried_over_is_said(crew: Path) -> None:
    made = import_crew(crew)
    told = "\n".join(made.lost)
    for lost in ("MagicTool", "allow_delegation true", "bedrock/claude", "reporting_task.guardrail"):
        assert lost in told
        assert lost in made.to_yaml().partition("schema:")[0]
    assert len(made.lost) == 4


def test_files_that_do_not_fit_are_refused(crew: Path, tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=r"no agents\.yaml"):
        import_crew(tmp_path / "nowhere")
    tasks = crew / "src" / "crew" / "config" / "tasks.yaml"
    for text, why in (
        (TASKS.replace("agent: researcher", "agent: reseacher"), "Did you mean 'researcher'"),
        (TASKS.replace("[research_task]", "[nothing]"), "names the task 'nothing'"),
        ("- a\n", "expected a mapping of names"),
        ("a: 1\n", r"tasks\.yaml:1: 'a' is 1"),
    ):
        tasks.write_text(text, "utf-8")
        with pytest.raises(InvalidInput, match=why):
            import_crew(crew)
