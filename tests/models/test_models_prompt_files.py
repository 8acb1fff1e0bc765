"""What models are told of tools and of JSON: files in two languages, which a user's folder replaces one by one."""

from pathlib import Path
from string import Template

import pytest
from langchain_core.messages import AIMessage, HumanMessage

from motet.errors import SettingInvalid
from motet.models import prompt_files as room
from motet.models.prompt_files import FOLDER, PromptFiles, language_of
from motet.models.roles import Models
from motet.models.scripted_server import ScriptedServer
from motet.models.structured import ask_schema
from motet.settings import Settings

SHIPPED = Path(room.__file__).parent / FOLDER


def test_both_languages_have_the_same_prompts_with_the_same_placeholders() -> None:
    def shape(language: str) -> dict[str, set[str]]:
        return {
            path.stem: set(Template(path.read_text("utf-8")).get_identifiers())
            for path in (SHIPPED / language).iterdir()
        }

    assert shape("en") == shape("zh")
    assert shape("en").keys() == PromptFiles().names("zh")


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("What is the time?", "en"),
        ("现在几点？", "zh"),
        ("请用 Python 写一个函数", "zh"),
        ("What does 你好 mean in English?", "en"),
        ("12 * 3", "en"),
        ("", "en"),
    ],
)
def test_language_of_the_last_user_message(text: str, language: str) -> None:
    assert language_of([HumanMessage("你好，你好"), AIMessage("Hi"), HumanMessage(text)]) == language
    assert language_of([]) == "en"


def test_what_is_put_in_is_never_read_as_a_template() -> None:
    text = PromptFiles().text("tools_result", "en", name="look", text="$name {0.__class__} $$")
    assert text == "Result of look: $name {0.__class__} $$"


async def test_a_users_file_is_what_the_model_is_sent(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "en").mkdir()
    (tmp_path / "en" / "tools.md").write_text("Pick one. $tools $examples", "utf-8")
    (tmp_path / "en" / "tools_call_number.md").write_text("Ring twice", "utf-8")
    (tmp_path / "en" / "schema_rule.md").write_text("As $schema, please.", "utf-8")
    tool = {"name": "look", "description": "Look.", "parameters": {"type": "object", "properties": {}}}
    word = {"type": "object", "properties": {"word": {"type": "string"}}, "required": ["word"]}
    script = ['{"tool": "none", "answer": "Hi"}', '{"word": "hi"}']
    async with ScriptedServer(script, tools="refused", json_schema="refused") as server:
        models = Models(settings.replace(agents__prompts=str(tmp_path)))
        model = await models.chat("fast", f"x:scripted@{server.base_url}")
        assert (await model.chat.bind_tools([tool]).ainvoke("Hello!")).text == "Hi"
        assert await ask_schema(model, [HumanMessage("A word.")], "Word", word) == {"word": "hi"}
        await models.aclose()
        told, asked = (call.system_text for call in server.calls)
    assert told.startswith("Pick one. - look(): Look. Can I still swim")
    assert asked.startswith("As {")
    assert asked.endswith(", please.")


def test_a_users_file_that_lost_a_placeholder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "zh").mkdir()
    (tmp_path / "zh" / "tools.md").write_text("工具：$tools", "utf-8")
    with pytest.raises(SettingInvalid, match=r"placeholders \$examples, \$tools; it has \$tools"):
        PromptFiles(str(tmp_path)).check()
