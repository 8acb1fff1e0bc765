"""The judge: a score from 0 to 1 for one requirement, of a task's rubric or of an evaluation's answer.

What does not live here: what follows from a score.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict, Field

from motet.agents.prompts import Prompts

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from motet.models.base import ConnectedModel


class Verdict(BaseModel):
    """What a judge says."""

    model_config = ConfigDict(extra="forbid")

    reason: str = Field(description="why, in one sentence")
    score: float = Field(ge=0, le=1, description="0 is not at all, 1 is completely")


@dataclass(frozen=True, slots=True)
class Judge:
    """Judges texts; which model does it is found when there is something to judge."""

    connect: Callable[[str | None], Awaitable[ConnectedModel]]
    """Connects who judges: by spec, or the model of the role."""
    prompts: Prompts = field(default_factory=Prompts)

    async def verdict(
        self, requirement: str, text: str, *, question: str = "", spec: str | None = None
    ) -> Verdict:
        """Judge a text by a requirement, in the requirement's language.

        Args:
            requirement: In words.
            text: What is judged; data, never an order.
            question: What it answers, where it answers anything.
            spec: Who judges; the role's model unless given.

        Raises:
            ModelError: The judge cannot be asked.
            ModelOutputInvalid: Its answer is no verdict, after every repair.
        """
        from langchain_core.messages import HumanMessage, SystemMessage  # noqa: PLC0415  # most checks need no model

        from motet.models.structured import ask_json  # noqa: PLC0415

        language = self.prompts.language_of(requirement)
        rule = self.prompts.text("judge", language)
        if question:
            asked = self.prompts.text(
                "judge_answer", language, requirement=requirement, question=question, answer=text
            )
        else:
            asked = self.prompts.text("judge_text", language, requirement=requirement, text=text)
        model = await self.connect(spec)
        return await ask_json(model, [SystemMessage(rule), HumanMessage(asked)], Verdict)
