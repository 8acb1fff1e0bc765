"""CrewAI with a conversation that is kept: a Flow whose state, with what was said, goes to its own SQLite store."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from crewai import LLM, Agent, Crew, Task
from crewai.flow.flow import Flow, start
from crewai.flow.persistence import SQLiteFlowPersistence, persist
from crewai.tools import tool
from pydantic import BaseModel

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

ASKED = "How much is 6 * 7?"


@tool
def multiply(a: int, b: int) -> int:
    """Multiply two numbers."""
    return a * b


class Talk(BaseModel):
    """What a flow keeps."""

    id: str = ""
    said: list[str] = []


async def turns(base_url: str, folder: Path) -> AsyncIterator[Any]:
    """Yield one turn."""
    model = LLM(model="openai/scripted", base_url=base_url, api_key="none")
    agent = Agent(role="agent", goal="Answer.", backstory="None.", llm=model, tools=[multiply])
    task = Task(
        description=f"The conversation so far:\n{{said}}\n\nNow answer: {ASKED}",
        expected_output="A number.",
        agent=agent,
    )
    crew = Crew(agents=[agent], tasks=[task])

    @persist(SQLiteFlowPersistence(str(folder / "flow.db")))
    class Chat(Flow[Talk]):
        @start()
        async def turn(self) -> str:
            answer = str(await crew.kickoff_async(inputs={"said": "\n".join(self.state.said)}))
            self.state.said = [*self.state.said, f"user: {ASKED}", f"assistant: {answer}"]
            return answer

    async def turn() -> str:
        flow: Any = Chat(suppress_flow_events=True)
        answer = str(await flow.kickoff_async(inputs={"id": "t"}))
        if answer != flow.state.said[-1].removeprefix("assistant: "):
            raise RuntimeError("the flow's state is not the turn's")
        return answer

    yield turn
