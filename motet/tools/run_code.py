"""Programs in the sandbox: all of Python, and a shell. Off unless an operator enables them, and asked for each time.

What does not live here: the sandbox (`motet.sandbox`). Without one these tools say so, and run nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import BaseModel, Field

from motet.errors import ToolFailed
from motet.sandbox.box import SYSTEM_PYTHON
from motet.tools.wrap import as_tool, cut

if TYPE_CHECKING:
    from langchain_core.tools import BaseTool

    from motet.sandbox.box import Ran
    from motet.tools.base import ToolContext

_ENDED = {
    "timeout": "it took too long, and was ended",
    "too_much_output": "it wrote too much, and was ended",
    "failed": "it failed",
}


class PythonArguments(BaseModel):
    """What `python_full` is given."""

    code: str = Field(description="A Python program; print what matters", min_length=1, max_length=50_000)


class ShellArguments(BaseModel):
    """What `shell` is given."""

    command: str = Field(
        description="A command for sh, in an empty folder without network", min_length=1, max_length=10_000
    )


def build_python(context: ToolContext) -> BaseTool | None:
    """Build `python_full`; None unless it is enabled."""
    box, limit = context.sandbox, context.settings.max_output_chars
    if box is None or "python_full" not in context.settings.enabled():
        return None

    async def python_full(code: str) -> str:
        ran = await box.run([SYSTEM_PYTHON, "-I", "-"], stdin=code.encode("utf-8", "replace"))
        return _told(ran, "python_full", limit)

    return as_tool(
        python_full,
        name="python_full",
        description="Run a Python program with the whole standard library, in a box without network.",
        arguments=PythonArguments,
        access="exec",
        effect="idempotent",
    )


def build_shell(context: ToolContext) -> BaseTool | None:
    """Build `shell`; None unless it is enabled."""
    box, limit = context.sandbox, context.settings.max_output_chars
    if box is None or "shell" not in context.settings.enabled():
        return None

    async def shell(command: str) -> str:
        return _told(await box.run(["/bin/sh", "-c", command]), "shell", limit)

    return as_tool(
        shell,
        name="shell",
        description="Run a shell command in an empty box without network.",
        arguments=ShellArguments,
        access="exec",
        effect="idempotent",
    )


def _told(ran: Ran, tool: str, limit: int) -> str:
    said = ran.stdout.decode("utf-8", "replace").rstrip()
    wrong = ran.stderr.decode("utf-8", "replace").strip()
    if ran.ended == "ok":
        return cut("\n".join(part for part in (said, wrong) if part) or "(nothing was printed)", limit)
    how = f"The program did not end well: {_ENDED[ran.ended]} (exit code {ran.exit_code})."
    told = cut(f"{how}\n{said}\n{wrong}".strip(), limit)
    raise ToolFailed(told, tool=tool)
