"""The port of the tools' room: what a tool is, and the table of those that ship with Motet.

What does not live here: any tool, and how the named ones are made (`making`). A tool is one file with a
`build(context) -> BaseTool` and one line in `TOOLS`; another package adds its own through the entry-point group
`motet.tools`, a user by a line of `[functions]`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Any, Literal, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from langchain_core.tools import BaseTool

    from motet.egress.client import Egress
    from motet.memory.recall import Memories
    from motet.retrieval.base import Retriever
    from motet.sandbox.box import Sandbox
    from motet.settings import ToolSettings

TOOLS: dict[str, str] = {
    "ask_user": "motet.tools.ask_user:build",
    "calculator": "motet.tools.calculator:build",
    "delegate": "motet.tools.delegate:build",
    "edit_file": "motet.tools.files:build_edit",
    "forget": "motet.tools.memory:build_forget",
    "list_files": "motet.tools.files:build_list",
    "now": "motet.tools.now:build",
    "python": "motet.tools.python:build",
    "python_full": "motet.tools.run_code:build_python",
    "read_file": "motet.tools.read_file:build",
    "recall": "motet.tools.memory:build_recall",
    "remember": "motet.tools.memory:build_remember",
    "search_documents": "motet.tools.search_documents:build",
    "search_files": "motet.tools.files:build_search",
    "shell": "motet.tools.run_code:build_shell",
    "sql": "motet.tools.sql:build",
    "web_fetch": "motet.tools.web_fetch:build",
    "web_search": "motet.tools.web_search:build",
    "write_file": "motet.tools.files:build_write",
}
"""The shipped tools by name."""

USUAL = frozenset({"calculator", "now", "read_file", "search_documents", "web_search"})
"""The shipped tools that agents are given where nobody names any: small models choose badly among many."""

Effect = Literal["pure", "idempotent", "once"]
"""Whether a call may be repeated (`tool.metadata["effect"]`): freely, under one key, never without asking."""


def fails_cleanly(tool: BaseTool) -> bool:
    """Say whether a tool declares that a call which raised did nothing (`metadata={"failure": "clean"}`).

    Such a call may be made again without asking, also where the tool's effect may happen once only.
    """
    return (tool.metadata or {}).get("failure") == "clean"


IDEMPOTENCY_KEY = "motet_idempotency_key"
"""Where a call's key is in a config's `configurable`; read it by `idempotency_key()`."""


def effect_of(tool: BaseTool) -> Effect:
    """Return what a tool declares (`metadata={"effect": …}`); one that declares nothing may be called `once`."""
    declared = (tool.metadata or {}).get("effect")
    return declared if declared in ("pure", "idempotent") else "once"


def idempotency_key() -> str:
    """Return the key of the tool call that is being made; "" outside of a run.

    It is the same when a call is made again after a crash. A tool that hands it on to what it calls, which then does
    its work once however often it is asked, declares itself `idempotent`.
    """
    from langchain_core.runnables.config import ensure_config  # noqa: PLC0415  # the table is read without LangChain

    return str((ensure_config().get("configurable") or {}).get(IDEMPOTENCY_KEY, ""))


def utc_now() -> datetime:
    """Return this machine's time, aware, in UTC."""
    return datetime.now(UTC)


class Delegates(Protocol):
    """Who tasks can be handed on to."""

    def names(self) -> Mapping[str, str]:
        """Return each one's name, and what it is good for in a line."""
        ...

    async def graph(self, name: str) -> Any:
        """Return one's compiled graph, which takes and gives `messages`, without a checkpointer of its own."""
        ...


@dataclass(frozen=True, slots=True)
class ToolContext:
    """What a tool may be built from."""

    settings: ToolSettings
    retriever: Retriever | None = None
    """The knowledge base; None where there is none, and then the tools that need it are left out."""
    clock: Callable[[], datetime] = utc_now
    """Gives aware moments; a test gives its own."""
    egress: Egress | None = None
    """The way out; None where nothing may be called."""
    sandbox: Sandbox | None = None
    """What programs are run in; None where none are."""
    memories: Memories | None = None
    """What is remembered about the user; None forgets everything."""
    delegates: Delegates | None = None
    """Who tasks can be handed on to; None for nobody."""
    functions: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """`[functions]` of the settings."""
    http_apis: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """`[http_api.NAME]` of the settings."""
    searches: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """`[searches.NAME]` of the settings."""
    given: Sequence[Any] = ()
    """Functions and LangChain tools that the app was given in Python."""


def known_tools() -> dict[str, str]:
    """Return every tool's import string by name; other packages' tools first give way to shipped ones."""
    others = {point.name: point.value for point in entry_points(group="motet.tools")}
    return others | TOOLS


def given_name(found: Any) -> str:
    """Return the name that a function or a LangChain tool has as a tool; "" where it says none."""
    declared = getattr(found, "__motet_tool__", None)
    return str(getattr(found, "name", "") or getattr(declared, "name", "") or getattr(found, "__name__", ""))
