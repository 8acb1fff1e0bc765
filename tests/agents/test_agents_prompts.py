from pathlib import Path

import pytest

from motet.agents import prompts as room
from motet.agents.prompts import Prompts
from motet.errors import SettingInvalid

FOLDER = Path(room.__file__).parent / room.FOLDER


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
