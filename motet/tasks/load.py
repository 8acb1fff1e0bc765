"""A task file from disk to a lock: read, checked, the files that it names read in, frozen under a digest.

What does not live here: what may stand in it (`spec`, `check`). A run goes by its lock alone: what is changed in the
file afterwards does not reach it.
"""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from motet.errors import InvalidInput, MotetError
from motet.tasks.check import Known, problems_of
from motet.tasks.problems import problem_at, refuse, shape_problems
from motet.tasks.source import Source, read_source
from motet.tasks.spec import Task
from motet.tools.read_file import read_text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from motet.tasks.problems import Problem
    from motet.tasks.source import Place

MAX_DEPTH = 5
"""How deep task files may use each other."""

_FILE = "file:"
_URLS = ("http://", "https://", "ftp://")


@dataclass(frozen=True, slots=True)
class TaskFile:
    """A task file as a run uses it."""

    task: Task
    folder: Path
    """Where it lies: its paths begin here."""
    file: str
    """Its absolute path."""
    children: Mapping[str, TaskFile] = field(default_factory=dict[str, "TaskFile"])
    """The task files that it uses, by the name it uses them under."""
    model: str | None = None
    """A model for every step, stronger than the file's own."""
    save_to: Path | None = None
    """Where artifacts go; the file's own folder unless given."""

    def lock(self) -> dict[str, Any]:
        """Return everything that a run goes by, as plain JSON."""
        return {
            "task": self.task.model_dump(mode="json", by_alias=True, exclude_unset=True),
            "folder": str(self.folder),
            "file": self.file,
            "children": {name: child.lock() for name, child in self.children.items()},
            **({"model": self.model} if self.model else {}),
            **({"save_to": str(self.save_to)} if self.save_to else {}),
        }

    @property
    def digest(self) -> str:
        """Return the SHA-256 of the lock, the model and the place of artifacts aside: what a file is trusted by."""
        lock = {key: value for key, value in self.lock().items() if key not in ("model", "save_to")}
        return digest_of(lock)

    @classmethod
    def from_lock(cls, lock: Mapping[str, Any]) -> TaskFile:
        """Return a task file as it was locked.

        Raises:
            InvalidInput: It is no lock.
        """
        try:
            task = Task.model_validate(lock["task"])
            children = {name: cls.from_lock(child) for name, child in lock["children"].items()}
            save_to = Path(lock["save_to"]) if lock.get("save_to") else None
            return cls(task, Path(lock["folder"]), str(lock["file"]), children, lock.get("model"), save_to)
        except (KeyError, TypeError, AttributeError, ValidationError) as error:
            reason = str(error).splitlines()[0]
            raise InvalidInput(
                f"This is no locked task file: {reason}. Run the file again with --new."
            ) from None


def digest_of(lock: Mapping[str, Any]) -> str:
    """Return the SHA-256 of a lock, in hexadecimal."""
    text = json.dumps(lock, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()


def load_task(path: Path, known: Known, *, model: str | None = None) -> TaskFile:
    """Read and check a task file with all that it names.

    Raises:
        InvalidInput: Something is wrong; `fields["problems"]` is the list of all that was found.
    """
    loaded, problems = examine(path, known)
    if problems or loaded is None:
        raise refuse(problems)
    return TaskFile(loaded.task, loaded.folder, loaded.file, loaded.children, model)


def examine(path: Path, known: Known) -> tuple[TaskFile | None, list[Problem]]:
    """Read a task file; return it and everything that is wrong with it. None when its shape is.

    Raises:
        InvalidInput: It cannot be read, or is not YAML.
    """
    return _Loader(known).load(path.expanduser(), str(path), ())


class _Loader:
    def __init__(self, known: Known) -> None:
        self._known = known

    def load(self, path: Path, name: str, above: tuple[Path, ...]) -> tuple[TaskFile | None, list[Problem]]:
        if str(path).startswith(("http:/", "https:/")):
            url = name.replace("://", ":/").replace(":/", "://", 1)  # a path keeps one slash of two
            raise InvalidInput(
                f"{url} is a URL. Fetch the file and look at it first: task files are run from disk."
            )
        path = path.resolve()
        source = read_source(path, name=name)
        if not isinstance(source.data, dict):
            return None, [
                problem_at(source, (), "a task file is a mapping that begins with 'schema: motet.task/v1'.")
            ]
        try:
            task = Task.model_validate(source.data)
        except ValidationError as error:
            return None, shape_problems(source, error)
        problems: list[Problem] = []
        data = _Files(source, path.parent, problems).read_in()
        task = Task.model_validate(data)
        children = self._children(task, source, path, above, problems)
        known = Known(self._known.tools, self._known.graphs, {n: c.task for n, c in children.items()})
        problems += problems_of(task, source, known)
        return TaskFile(task, path.parent, str(path), children), problems

    def _children(
        self, task: Task, source: Source, path: Path, above: tuple[Path, ...], problems: list[Problem]
    ) -> dict[str, TaskFile]:
        found: dict[str, TaskFile] = {}
        for number, step in enumerate(task.steps):
            if step.task is None or step.task in found:
                continue
            place: Place = ("steps", number, "task")
            target = Path(os.path.normpath(path.parent / step.task))
            if step.task.startswith(_URLS):
                problems.append(problem_at(source, place, "a task file is never taken from a URL."))
            elif target.resolve() in (*above, path):
                problems.append(problem_at(source, place, f"{step.task} uses this file, which uses it."))
            elif len(above) + 1 >= MAX_DEPTH:
                problems.append(
                    problem_at(source, place, f"task files use each other at most {MAX_DEPTH} deep.")
                )
            else:
                shown = os.path.normpath(Path(source.name).parent / step.task)
                try:
                    child, wrong = self.load(target, shown, (*above, path))
                except InvalidInput as error:
                    problems.append(problem_at(source, place, error.message))
                    continue
                problems += wrong
                if child is not None:
                    found[step.task] = child
        return found


class _Files:
    """Reads what `file:PATH` names, beneath the task file's folder, into the places where it stands."""

    def __init__(self, source: Source, folder: Path, problems: list[Problem]) -> None:
        self._source = source
        self._folder = folder
        self._problems = problems

    def read_in(self) -> dict[str, Any]:
        """Return the file's data with prompts in place of their names."""
        data = dict(self._source.data)
        steps = [self._replace(step, "prompt", ("steps", n)) for n, step in enumerate(data["steps"])]
        agents = {n: self._replace(a, "system", ("agents", n)) for n, a in data.get("agents", {}).items()}
        return {**data, "steps": steps, **({"agents": agents} if "agents" in data else {})}

    def _replace(self, part: dict[str, Any], key: str, place: Place) -> dict[str, Any]:
        text = part.get(key)
        if not isinstance(text, str) or not text.startswith(_FILE):
            return part
        name = text.removeprefix(_FILE).strip()
        try:
            read = read_text(self._folder, name, limit=1_000_000)
        except MotetError as error:
            self._problems.append(problem_at(self._source, (*place, key), f"{error.message}"))
            return part
        return {**part, key: read.strip()}
