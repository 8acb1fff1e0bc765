import os
from pathlib import Path

import pytest

from motet.agents import prompts as room
from motet.agents.prompts import Prompts, check_prompts
from motet.errors import SettingInvalid
from motet.models import prompt_files
from motet.models.prompt_files import LANGUAGES
from motet.models.tool_prompt import system_text
from motet.settings import Settings

FOLDER = Path(room.__file__).parent / prompt_files.FOLDER
MODELS = Path(prompt_files.__file__).parent / prompt_files.FOLDER


def test_both_languages_have_the_same_prompts_with_the_same_placeholders() -> None:
    from string import Template

    def shape(language: str) -> dict[str, set[str]]:
        return {
            path.name: set(Template(path.read_text("utf-8")).get_identifiers())
            for path in (FOLDER / language).iterdir()
        }

    assert shape("en") == shape("zh")


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("What is it?", "en"),
        ("这是什么？", "zh"),
        ("GPT-4 的价格是多少", "zh"),
        ("", "en"),
        ("What does 茶 mean in English?", "en"),
    ],
)
def test_the_language_follows_the_text(text: str, language: str) -> None:
    assert Prompts().language_of(text) == language
    assert Prompts(language="zh").language_of(text) == "zh"


def test_what_is_put_in_is_never_read_as_a_template() -> None:
    text = Prompts().text(
        "assignment", "en", known="$question {0.__class__} {{7*7}} {% x %}", question="q", task="t"
    )
    assert "$question {0.__class__} {{7*7}} {% x %}" in text


def test_a_users_file_replaces_one_prompt(tmp_path: Path) -> None:
    (tmp_path / "en").mkdir()
    (tmp_path / "en" / "review.md").write_text("Be strict.", "utf-8")
    prompts = Prompts(override=str(tmp_path))
    assert prompts.text("review", "en") == "Be strict."
    assert prompts.text("review", "zh") != "Be strict."


def test_a_users_file_that_lost_a_placeholder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "en").mkdir()
    (tmp_path / "en" / "plan.md").write_text("Plan with $agents", "utf-8")
    with pytest.raises(SettingInvalid, match=r"\$agents, \$max_steps; it has \$agents"):
        Prompts(override=str(tmp_path)).text("plan", "en", agents="", max_steps="")


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({"en/plan.md": "Plan with $agents"}, r"\$agents, \$max_steps; it has \$agents"),
        ({"en/tools_result.md": "$name: done"}, r"\$name, \$text; it has \$name"),
        ({"zh/plans.md": "计划"}, r"plans.md replaces none\. Did you mean 'plan'"),
        ({}, "which is no folder"),
    ],
)
def test_a_users_folder_is_checked_as_a_whole(tmp_path: Path, files: dict[str, str], words: str) -> None:
    folder = tmp_path / "prompts"
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, "utf-8")
    with pytest.raises(SettingInvalid, match=words):
        Prompts(override=str(folder)).check()
    (finding,) = check_prompts(Settings.load({"agents.prompts": str(folder)}))
    assert not finding.ok
    assert check_prompts(Settings.load()) == []


def test_no_two_rooms_have_a_prompt_of_the_same_name() -> None:
    names = [path.stem for folder in (FOLDER, MODELS) for path in (folder / "en").iterdir()]
    assert sorted(names) == sorted(Prompts().names("en"))


def test_prompts_are_as_they_were_measured() -> None:
    """Every text that models are told, with its placeholders, is in the snapshot: a change of it is meant, and seen.

    `MOTET_WRITE_SNAPSHOT=1 python -m pytest tests/agents/test_agents_prompts.py` writes it anew.
    """
    tools = [
        {"name": "look", "description": "Look.", "parameters": {"properties": {"word": {"type": "string"}}}}
    ]
    parts = [
        f"=== {path.parent.name}/{path.name}\n{path.read_text('utf-8').strip()}"
        for path in (*sorted(FOLDER.rglob("*.md")), *sorted(MODELS.rglob("*.md")))
    ]
    for language in LANGUAGES:
        parts += [
            f"=== tools {language} {may_answer}\n"
            + system_text(tools, language=language, may_answer=may_answer, prompts=Prompts())
            for may_answer in (True, False)
        ]
    snapshot = Path(__file__).with_name("prompts.snapshot")
    text = "\n\n".join(parts) + "\n"
    if os.environ.get("MOTET_WRITE_SNAPSHOT"):
        snapshot.write_text(text, "utf-8")
    assert snapshot.read_text("utf-8") == text
