"""What a run of a task file is asked with: its options, its documents, its conversation.

What does not live here: asking (`task_run`, `task_map`, `task_tests`).
"""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from motet.app import App
    from motet.runs.request import RunOptions
    from motet.tasks.load import TaskFile

ROOT = uuid.UUID("5a3f1c52-7b1e-4a53-9d0b-6f6a1d6f0c11")
"""Namespace of the ids of tasks' conversations."""


async def options_of(app: App, file: TaskFile, *, reuse: str | None = None) -> RunOptions:
    """Return the options of a run of a task file: its lock, its budget, its permissions."""
    from motet.runs.request import RunOptions

    # Without a model: the lock has it, for the steps alone. A rubric is judged by another than it judges.
    asked = RunOptions(max_retries=0, reuse_results_of=reuse)
    return await app.tasks.options(file, asked)


async def take_documents(app: App, file: TaskFile, inputs: dict[str, Any]) -> None:
    """Take in the documents that a task searches: whoever runs it here may read them, wherever they lie."""
    from motet.tasks.expressions import fill, text_of

    for knowledge in file.task.knowledge.values():
        names = [text_of(fill(path, {"inputs": inputs})) for path in knowledge.paths]
        await app.tasks.documents([file.folder / name for name in names], None)


def thread_of(file: TaskFile, inputs: dict[str, Any], *more: Any) -> str:
    """Return the id of the conversation of a file with these inputs."""
    import json

    text = json.dumps([file.file, inputs, *more], sort_keys=True, ensure_ascii=False)
    return str(uuid.uuid5(ROOT, text.encode("utf-8", "replace").decode()))
