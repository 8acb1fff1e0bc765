from typing import Any

import pytest
from stage import stage

from motet.agents.second_look import MAX_CHARS, is_said


@pytest.mark.parametrize("said", [True, False])
async def test_a_model_is_asked_for_that_alone(*, said: bool) -> None:
    parts, calls = stage({"Says": {"asked": "captain", "said": said}})
    assert await is_said(parts.agents, "Find the captain.", ["Ada\nbuilt it.", "It sails."], "en") is said
    assert calls[0].user_text == "Text: Ada built it. It sails. -> Task: Find the captain. ->"


async def test_a_model_that_cannot_be_understood_denies_nothing() -> None:
    no_json: dict[str, Any] = {"Says": lambda _: "maybe"}
    parts, calls = stage(no_json)
    assert await is_said(parts.agents, "查找船长。", ["船" * 5000], "zh")
    assert calls[0].user_text == f"文字：{'船' * MAX_CHARS} -> 任务：查找船长。 ->"
