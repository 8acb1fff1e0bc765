"""Task files written for a test, and what is around them."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from langchain_core.tools import BaseTool
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.store.memory import InMemoryStore
from stage import Library

from motet.models.base import ConnectedModel
from motet.models.scripted import Call, ScriptedChatModel, scripted
from motet.settings import ToolSettings
from motet.tasks.check import Known
from motet.tasks.compile import compile_task
from motet.tasks.load import TaskFile, examine, load_task
from motet.tasks.parts import TaskParts
from motet.tools.base import ToolContext
from motet.tools.making import build_tools

KNOWN = Known(
    frozenset({"calculator", "search_documents", "read_file", "now"}), frozenset({"chat", "ensemble"})
)

HEAD = "schema: motet.task/v1\nname: demo\n"


def write(folder: Path, text: str, name: str = "demo.task.yaml", *, head: str = HEAD) -> Path:
    """Write a task file; `text` is indented as it is convenient."""
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(head + textwrap.dedent(text).lstrip("\n"), "utf-8")
    return path


def problems(folder: Path, text: str) -> list[str]:
    """Return what is wrong with a task file, each thing without its folder."""
    return [str(problem).replace(f"{folder}/", "") for problem in examine(write(folder, text), KNOWN)[1]]


def load(folder: Path, text: str, name: str = "demo.task.yaml") -> TaskFile:
    """Write and load a task file that is right."""
    return load_task(write(folder, text, name), KNOWN)


class Stage:
    """A task's graph with a scripted model, tools and documents of the test's own."""

    def __init__(self, folder: Path, text: str, answer: Callable[[Call], Any] | None = None) -> None:
        self.file = load(folder, text)
        self.model = scripted(answer or (lambda call: f"<{call.user_text}>"))
        self.trusted = False
        self.graphs: dict[str, Any] = {}
        self.store = InMemoryStore()
        self.saver = InMemorySaver()
        self.connected: list[str | None] = []

    @property
    def calls(self) -> list[str]:
        """What the model was asked, oldest first."""
        assert isinstance(self.model.chat, ScriptedChatModel)
        return [call.user_text for call in self.model.chat.calls]

    def edit(self, text: str) -> None:
        """Put another text in the file's place."""
        self.file = load(self.file.folder, text)

    async def play(self, inputs: dict[str, Any] | None = None, **control: Any) -> dict[str, Any]:
        """Run the task on the stage's one thread; return the graph's values."""
        given = {"inputs": inputs or {}, "control": control}
        return await self.send(given)

    async def send(self, given: Any) -> dict[str, Any]:
        """Give the graph an input or a command; return its values. Interrupts are under `__interrupt__`."""
        graph = compile_task(self.file, self._parts()).copy({"checkpointer": self.saver})
        config: Any = {"configurable": {"thread_id": "t"}, "recursion_limit": 200}
        return await graph.ainvoke(given, config)

    def _parts(self) -> TaskParts:
        async def chat(_role: Any, spec: str | None) -> ConnectedModel:
            self.connected.append(spec)
            return self.model

        async def tools(names: Sequence[str], retriever: Any) -> list[BaseTool]:
            return build_tools(ToolContext(ToolSettings(web_search=False), retriever), list(names))

        async def graph(name: str, _spec: str | None) -> Any:
            return self.graphs[name]

        async def documents(_paths: Sequence[Path], _folder: Path, _limit: int | None) -> tuple[Any, str]:
            return Library(), "1"

        return TaskParts(
            chat=chat,
            model_name=lambda _role, spec: spec or "scripted:x",
            tools=tools,
            graph=graph,
            documents=documents,
            store=self.store,
            is_trusted=lambda _digest: self.trusted,
        )
