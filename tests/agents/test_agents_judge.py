"""A judge is told by files, in the requirement's language, which a user may replace."""

from pathlib import Path
from typing import Any

import pytest

from motet.agents.judge import Judge
from motet.agents.prompts import Prompts
from motet.errors import ModelOutputInvalid
from motet.models.base import ConnectedModel
from motet.models.scripted import Call, scripted


def judge(calls: list[Call], asked: list[str | None], prompts: Prompts, reply: Any) -> Judge:
    def answer(call: Call) -> Any:
        calls.append(call)
        return reply

    async def connect(spec: str | None) -> ConnectedModel:
        asked.append(spec)
        return scripted(answer)

    return Judge(connect, prompts)


GOOD = {"json": {"reason": "it does", "score": 0.8}}


@pytest.mark.parametrize(
    ("requirement", "question", "words"),
    [
        ("is polite", "", ["Requirement: is polite", "Text:\nDear all"]),
        ("is polite", "Who?", ["Question:\nWho?", "Answer:\nDear all"]),
        ("要有礼貌", "", ["要求：要有礼貌", "文字：\nDear all"]),
        ("要有礼貌", "谁？", ["问题：\n谁？", "回答：\nDear all"]),
    ],
)
async def test_it_is_told_the_requirement_in_its_language(
    requirement: str, question: str, words: list[str]
) -> None:
    calls: list[Call] = []
    asked: list[str | None] = []
    verdict = await judge(calls, asked, Prompts(), GOOD).verdict(
        requirement, "Dear all", question=question, spec="vllm:x"
    )
    assert (verdict.score, verdict.reason, asked) == (0.8, "it does", ["vllm:x"])
    assert all(part in calls[0].user_text for part in words)


async def test_a_folder_of_the_users_own_replaces_what_it_is_told(tmp_path: Path) -> None:
    (tmp_path / "en").mkdir()
    (tmp_path / "en" / "judge_text.md").write_text("Be strict: $requirement / $text", "utf-8")
    calls: list[Call] = []
    await judge(calls, [], Prompts(override=str(tmp_path)), GOOD).verdict("is polite", "Dear all")
    assert calls[0].user_text.startswith("Be strict: is polite / Dear all")


async def test_what_is_no_verdict_is_an_error() -> None:
    with pytest.raises(ModelOutputInvalid):
        await judge([], [], Prompts(), "Nice.").verdict("is polite", "Dear all")
