"""CrewAI's `agents.yaml` and `tasks.yaml` as a task file, and what of them has no place in one.

What does not live here: CrewAI itself; nothing of it is run or needed. What its project says in Python (tools, the
crew's process, callbacks) is not read.

Source: CrewAI's documentation of its YAML configuration, as of version 1.15: a task without `context` is given what
all tasks before it came to, in the file's order.
"""

from __future__ import annotations

import io
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from motet.errors import InvalidInput
from motet.tasks.problems import quoted
from motet.tasks.source import read_source
from motet.tasks.spec import VERSION

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_PLACEHOLDER = re.compile(r"\{([A-Za-z_][A-Za-z0-9_\-]*)\}")
_TOOLS = {
    "SerperDevTool": "web_search",
    "EXASearchTool": "web_search",
    "BraveSearchTool": "web_search",
    "FileReadTool": "read_file",
}
"""Tools of CrewAI's that Motet has a counterpart of."""

_AGENT_KEYS = {"role", "goal", "backstory", "llm", "tools", "max_iter", "verbose"}
_TASK_KEYS = {
    "description", "expected_output", "agent", "context", "output_file", "human_input", "async_execution", "markdown",
    "name", "create_directory",
}  # fmt: skip


@dataclass(slots=True)
class Imported:
    """A task file made of a crew."""

    data: dict[str, Any] = field(default_factory=dict[str, Any])
    lost: list[str] = field(default_factory=list[str])
    """What could not be carried over, each with where it stood."""

    def to_yaml(self) -> str:
        """Return the task file's text; what was lost stands in comments at its top."""
        from ruamel.yaml import YAML  # noqa: PLC0415  # only task files need it

        writer = YAML(pure=True)
        writer.width = 110
        writer.indent(mapping=2, sequence=4, offset=2)
        stream = io.StringIO()
        writer.dump(_blocks(self.data), stream)
        comments = "".join(f"# Not carried over: {' '.join(line.split())}\n" for line in self.lost)
        return f"# Imported from CrewAI.\n{comments}{stream.getvalue()}"


def import_crew(folder: Path) -> Imported:
    """Read a crew's two files from a folder, or from `config/` or `src/*/config/` in it.

    Raises:
        InvalidInput: They are not there, are no YAML, or a task names an agent or a task that is not there.
    """
    agents_file, tasks_file = _find(folder)
    agents, tasks = _mapping(agents_file), _mapping(tasks_file)
    made = Imported()
    crew = _Crew(agents, tasks, agents_file.name, tasks_file.name, made)
    crew.convert(folder.resolve().name or "crew")
    return made


def _find(folder: Path) -> tuple[Path, Path]:
    places = [folder, folder / "config", *sorted(folder.glob("src/*/config"))]
    for place in places:
        if (place / "agents.yaml").is_file() and (place / "tasks.yaml").is_file():
            return place / "agents.yaml", place / "tasks.yaml"
    raise InvalidInput(
        f"There are no agents.yaml and tasks.yaml in {folder}, its config or its src/*/config.",
        path=str(folder),
    )


def _mapping(path: Path) -> dict[str, Any]:
    source = read_source(path)
    if not isinstance(source.data, dict):
        raise InvalidInput(f"{path}:1: expected a mapping of names, not {quoted(source.data)}.")
    for name, value in source.data.items():
        if not isinstance(value, dict):
            raise InvalidInput(f"{source.where((name,))}: '{name}' is {quoted(value)}; expected a mapping.")
    return source.data


class _Crew:
    def __init__(
        self,
        agents: Mapping[str, Any],
        tasks: Mapping[str, Any],
        agents_file: str,
        tasks_file: str,
        made: Imported,
    ) -> None:
        self._agents = agents
        self._tasks = tasks
        self._agents_file = agents_file
        self._tasks_file = tasks_file
        self._made = made
        self._inputs: dict[str, str] = {}

    def convert(self, name: str) -> None:
        agents = {_identifier(key): self._agent(key, value) for key, value in self._agents.items()}
        steps: list[dict[str, Any]] = []
        for key, value in self._tasks.items():
            steps += self._task(key, value)
        self._made.data = {
            "schema": VERSION,
            "name": name,
            "inputs": {found: {"type": "string", "minLength": 1} for found in self._inputs},
            "agents": agents,
            "steps": steps,
            "outputs": {"result": f"${{{{ steps.{_identifier(list(self._tasks)[-1])}.text }}}}"}
            if self._tasks
            else {},
        }
        if not self._made.data["inputs"]:
            del self._made.data["inputs"]

    def _agent(self, name: str, agent: Mapping[str, Any]) -> dict[str, Any]:
        parts = [
            f"You are {self._text(agent.get('role', name)).rstrip('.')}.",
            self._text(agent.get("backstory", "")),
            f"Your goal: {self._text(agent['goal'])}" if agent.get("goal") else "",
        ]
        made: dict[str, Any] = {"system": "\n".join(part for part in parts if part)}
        where = f"{self._agents_file}: {name}"
        model = self._model(agent.get("llm"), where)
        if model:
            made["model"] = model
        tools = self._tools(agent.get("tools"), where)
        if tools:
            made["tools"] = tools
        if isinstance(agent.get("max_iter"), int):
            made["max_turns"] = max(1, min(50, agent["max_iter"]))
        self._lose(agent, _AGENT_KEYS, where)
        return made

    def _task(self, name: str, task: Mapping[str, Any]) -> list[dict[str, Any]]:
        where = f"{self._tasks_file}: {name}"
        agent = str(task.get("agent", ""))
        if agent not in self._agents:
            from motet.errors import did_you_mean  # noqa: PLC0415

            raise InvalidInput(f"{where}: there is no agent '{agent}'.{did_you_mean(agent, self._agents)}")
        step: dict[str, Any] = {"id": _identifier(name), "agent": _identifier(agent)}
        context = self._context(name, task, where)
        parts = [self._text(task.get("description", ""))]
        if task.get("expected_output"):
            parts.append(f"Expected result: {self._text(task['expected_output'])}")
        if context:
            told = "\n\n".join(f"${{{{ steps.{_identifier(other)}.text }}}}" for other in context)
            parts.append(f"This is what was found before:\n\n{told}")
        step["prompt"] = "\n\n".join(parts)
        if task.get("output_file"):
            step["save"] = self._text(task["output_file"]).lstrip("/")
        if task.get("tools"):
            self._made.lost.append(
                f"{where}.tools {quoted(task['tools'])}: tools belong to agents in a task file"
            )
        self._lose(task, _TASK_KEYS | {"tools"}, where)
        steps = [step]
        if task.get("human_input"):
            question = f"Is this right?\n\n${{{{ steps.{step['id']}.text }}}}"
            steps.append({"id": f"{step['id']}_ok", "needs": [step["id"]], "approve": question})
        return steps

    def _context(self, name: str, task: Mapping[str, Any], where: str) -> list[str]:
        names = list(self._tasks)
        context = task.get("context")
        if not isinstance(context, list):
            return names[: names.index(name)]
        for other in context:
            if other not in self._tasks:
                raise InvalidInput(f"{where}: context names the task '{other}', which is not there.")
        return [str(other) for other in context]

    def _text(self, value: Any) -> str:
        """Return a text with its `{placeholders}` as inputs."""

        def put(found: re.Match[str]) -> str:
            name = _identifier(found[1])
            self._inputs[name] = name
            return f"${{{{ inputs.{name} }}}}"

        return _PLACEHOLDER.sub(put, str(value).strip().replace("${{", "$ {{"))

    def _model(self, llm: Any, where: str) -> str | None:
        if llm is None:
            return None
        provider, slash, name = str(llm).partition("/")
        if slash and provider == "openai":
            return f"openai:{name}"
        self._made.lost.append(
            f"{where}.llm {quoted(llm)}: name the model as Motet does, openai:NAME or PROVIDER:NAME@URL"
        )
        return None

    def _tools(self, tools: Any, where: str) -> list[str]:
        found: list[str] = []
        for tool in tools if isinstance(tools, list) else []:
            name = _TOOLS.get(str(tool).removesuffix("()"))
            if name is None:
                self._made.lost.append(f"{where}.tools {quoted(tool)}: Motet has no such tool")
            elif name not in found:
                found.append(name)
        return found

    def _lose(self, part: Mapping[str, Any], known: set[str], where: str) -> None:
        for key, value in part.items():
            if key not in known:
                self._made.lost.append(f"{where}.{key} {quoted(value)}")


def _identifier(name: str) -> str:
    """Return a name as task files write it: letters, digits and `_`."""
    made = re.sub(r"[^A-Za-z0-9_]", "_", name)
    return (made if made[:1].isalpha() or made[:1] == "_" else f"_{made}")[:64]


def _blocks(value: Any) -> Any:
    """Return plain data whose long texts are written as blocks."""
    from ruamel.yaml.scalarstring import LiteralScalarString  # noqa: PLC0415

    if isinstance(value, dict):
        return {key: _blocks(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_blocks(item) for item in value]
    return LiteralScalarString(value) if isinstance(value, str) and "\n" in value else value
