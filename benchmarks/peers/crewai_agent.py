"""CrewAI: one agent, one task, one kickoff a turn; nothing is stored.

It has no conversation: what was said is put into the task, as a chat over it has to.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from crewai import LLM, Agent, Crew, Task
from crewai.tools import tool

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path


@tool
def multiply(a: int, b: int) -> int:
    """Multiply two numbers."""
    return a * b


async def turns(base_url: str, folder: Path) -> AsyncIterator[Any]:
    """Yield one turn."""
    del folder
    model = LLM(model="openai/scripted", base_url=base_url, api_key="none")
    agent = Agent(role="agent", goal="Answer.", backstory="None.", llm=model, tools=[multiply])
    task = Task(
        description="The conversation so far:\n{said}\n\nNow answer: How much is 6 * 7?",
        expected_output="A number.",
        agent=agent,
    )
    crew = Crew(agents=[agent], tasks=[task])
    said: list[str] = []

    async def turn() -> str:
        answer = str(await crew.kickoff_async(inputs={"said": "\n".join(said)}))
        said.extend(("user: How much is 6 * 7?", f"assistant: {answer}"))
        return answer

    yield turn
