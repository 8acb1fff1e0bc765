"""Decides each tool call of a run, whoever wrote the graph: what the rules say, and what strangers' words may not do.

What does not live here: who asks it (`ledger.keep`), and the rows (`trust`).

A run that has read what strangers wrote (documents, web pages, MCP, results of tools that say nothing of themselves)
is tainted. In it a call that writes, speaks to the outside or runs code needs arguments that stand in the user's own
words, or a person's approval. No model takes part in this.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from langchain_core.messages import ToolMessage
from langchain_core.runnables.config import ensure_config

from motet.tools.limits import CallLimits
from motet.tools.policy import approval, offers
from motet.tools.policy.origins import Origin, Texts, trace
from motet.tools.policy.rules import DEFAULTS, Access, Action, Asked, Permissions, Rule, decide, find

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from langchain_core.tools import BaseTool

    from motet.tools.policy.trust import Trusted, TrustRows

CONFIG_KEY = "motet_guard"
"""Where the guard is in a config's `configurable`."""

TRUSTED = "trusted"
"""`tool.metadata["trust"]` of a tool whose results hold nothing of strangers'."""

_GUARDED: frozenset[Access] = frozenset({"write", "egress", "exec", "unknown"})
_MAX_READ_CHARS = 20_000


@dataclass(frozen=True, slots=True)
class Verdict:
    """What becomes of a call."""

    action: Action
    reasons: list[str] = field(default_factory=list[str])
    origins: list[Origin] = field(default_factory=list[Origin])
    access: Access = "read"
    agent: str = ""
    is_tainted: bool = False
    left_out: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """What the tool takes for the arguments that the call does not say."""

    def question(self, tool: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """Return what a person is asked."""
        rule = offers.for_conversation(tool, arguments, is_tainted=self.is_tainted, left_out=self.left_out)
        always = {approval.CONVERSATION: rule}
        if not self.is_tainted:
            always[approval.SETTINGS] = offers.for_settings(tool, self.access, arguments, self.left_out)
        return approval.question(
            tool,
            self.access,
            arguments,
            reasons=self.reasons,
            origins=self.origins,
            agent=self.agent,
            always=always,
        )

    def schema(self, tool: BaseTool) -> dict[str, Any]:
        """Return the JSON Schema of the answers that fit."""
        from langchain_core.utils.function_calling import convert_to_openai_tool  # noqa: PLC0415

        arguments = convert_to_openai_tool(tool)["function"].get("parameters", {})
        return approval.schema(arguments, is_tainted=self.is_tainted)


class Guard:
    """Decides the calls of one attempt of one run."""

    def __init__(
        self,
        rows: TrustRows,
        layers: Sequence[Permissions] = (),
        *,
        agents: Mapping[str, Permissions] | None = None,
        classes: Mapping[str, Access] | None = None,
        graph: str = "",
        limits: CallLimits = CallLimits(),  # noqa: B008  # frozen
    ) -> None:
        self._rows = rows
        self._layers = list(layers)
        self._agents = agents or {}
        self._classes = classes or {}
        self._graph = graph
        self.limits = limits
        self._trusted: Trusted | None = None
        self._said: list[str] | None = None

    async def judge(
        self, tool: BaseTool, arguments: Mapping[str, Any], place: str, messages: Sequence[Any] = ()
    ) -> Verdict:
        """Decide a call.

        Args:
            tool: Its metadata says its class, and which arguments are a search's or a link.
            arguments: As the model wrote them.
            place: The calling task's path, `checkpoint_ns`: the agents' names are in it.
            messages: The conversation that the caller sees, to tell where arguments were read.
        """
        access = self._class_of(tool)
        left_out = _left_out(tool, arguments)
        asked = Asked(tool.name, access, {**arguments, **{k: v for k, v in left_out.items() if v != ""}})
        names = [self._graph, *(part.partition(":")[0] for part in place.split("|"))]
        agent = next((name for name in reversed(names) if name not in ("", "tools")), "")
        layers = [*self._layers, *(self._agents[name] for name in names if name in self._agents)]
        declared = (tool.metadata or {}).get("default")
        default: Action = declared if declared in ("allow", "ask") else DEFAULTS[access]
        action, rule = decide(layers, asked, default)
        verdict = Verdict(action, [_because(action, rule, access)], access=access, agent=agent)
        if action == "deny":
            return verdict
        trusted = await self._load()
        granted = find(trusted.grants, asked, strictly=True)
        if granted and action == "ask":
            action = "allow"
        permitted = find((r for layer in layers for r in layer.allow_tainted), asked, strictly=True) or (
            granted if granted and Rule.read(granted).arguments else ""
        )
        tainted = None if permitted else await self._taints(asked, tool, trusted, messages)
        if tainted is not None:
            reasons = [*(verdict.reasons if action == "ask" else []), *tainted[0]]
            return Verdict("ask", reasons, tainted[1], access, agent, is_tainted=True, left_out=left_out)
        if action == "ask":
            origins = trace(arguments, await self._texts(trusted, messages))
            return Verdict("ask", verdict.reasons, origins, access, agent, left_out=left_out)
        return Verdict(action, [], access=access)

    async def _taints(
        self, asked: Asked, tool: BaseTool, trusted: Trusted, messages: Sequence[Any]
    ) -> tuple[list[str], list[Origin]] | None:
        """Return why a tainted run may not make a call by itself; None when it may."""
        if asked.access not in _GUARDED or not trusted.read:
            return None
        about = tool.metadata or {}
        origins = trace(
            asked.arguments,
            await self._texts(trusted, messages),
            loose=about.get("loose", ()),
            offered=about.get("offered", ()),
            defaults=_defaults(tool),
        )
        foreign = [origin for origin in origins if not origin.is_trusted]
        if not foreign and (origins or asked.access == "egress"):
            return None
        told = f"This run has read what others wrote: {', '.join(trusted.read[:5])}."
        named = ", ".join(f"{origin.argument} ({origin.origin})" for origin in foreign[:8])
        why = (
            f"Not in your own words: {named}."
            if foreign
            else "It takes no arguments that you could have named."
        )
        return [told, why], origins

    async def note_result(self, tool: BaseTool, result: Any) -> None:
        """Store what a call's result means for those after it, before anybody reads the result."""
        if (tool.metadata or {}).get("trust") != TRUSTED:
            asked = Asked(tool.name, self._class_of(tool), {})
            if not find((r for layer in self._layers for r in layer.trusted), asked, strictly=False):
                await self.note_read(f"tool {tool.name}")
        artifact = result.artifact if isinstance(result, ToolMessage) else None
        if isinstance(artifact, dict) and artifact.get("offers") and (tool.metadata or {}).get("offers"):
            import json  # noqa: PLC0415

            await self._rows.add("offer", json.dumps(artifact["offers"]))
            self._trusted = None

    async def note_read(self, where: str) -> None:
        """Store that strangers' words were read; the same place a second time costs nothing."""
        if where not in (await self._load()).read:
            await self._rows.add("read", where)
            self._trusted = None

    async def note_outside(self, message_id: str) -> None:
        """Store that a message is not the user's own words."""
        await self._rows.add("outside", message_id)
        self._said = None

    async def is_users_own(self, text: str) -> bool:
        """Say whether a text stands in the user's own words, whole."""
        (origin,) = trace({"text": text}, await self._texts(await self._load(), ())) or (None,)
        return origin is not None and origin.is_trusted

    async def texts(self) -> Texts:
        """Return the user's own words and the links that searches offered."""
        return await self._texts(await self._load(), ())

    async def read(self) -> list[str]:
        """Return where this conversation has read strangers' words, first come first."""
        return (await self._load()).read

    async def grant(
        self, tool: BaseTool, arguments: Mapping[str, Any], always: str, *, is_tainted: bool
    ) -> None:
        """Store what a person allows from now on in this thread."""
        rule = always
        if always == "*":
            rule = offers.for_conversation(
                tool.name, arguments, is_tainted=is_tainted, left_out=_left_out(tool, arguments)
            )
        Rule.read(rule)
        await self._rows.add("grant", rule)
        self._trusted = None

    def _class_of(self, tool: BaseTool) -> Access:
        found = self._classes.get(tool.name) or (tool.metadata or {}).get("class")
        return found if found in DEFAULTS else "unknown"

    async def _load(self) -> Trusted:
        if self._trusted is None:
            self._trusted = await self._rows.load()
        return self._trusted

    async def _texts(self, trusted: Trusted, messages: Sequence[Any]) -> Texts:
        if self._said is None:
            self._said = await self._rows.said()
        read = [
            (f"result of {message.name or 'a tool'}", str(message.text)[:_MAX_READ_CHARS])
            for message in messages
            if isinstance(message, ToolMessage)
        ]
        return Texts(self._said, trusted.offered, read)


def current_guard() -> Guard | None:
    """Return the guard of the run that a node or a tool is part of; None outside of one."""
    return (ensure_config().get("configurable") or {}).get(CONFIG_KEY)


async def note_read(where: str) -> None:
    """Have the run that this is part of know that it has read what strangers wrote; nothing outside of a run.

    Args:
        where: What a person is told: `documents`, `a memory of handbook.pdf`.
    """
    guard = current_guard()
    if guard is not None:
        await guard.note_read(where)


def told_no(tool: str, answer: approval.Answer) -> ToolMessage:
    """Return what an agent is told of a call that a person refused."""
    why = f" The reason: {answer.reason}" if answer.reason else ""
    return refusal(tool, f"A person refused this call of {tool}.{why} Do not try it again another way.")


def told_denied(tool: str, verdict: Verdict) -> ToolMessage:
    """Return what an agent is told of a call that the rules deny."""
    return refusal(
        tool, f"{tool} may not be called with these arguments. {' '.join(verdict.reasons)} Go on without it."
    )


def refusal(tool: str, text: str) -> ToolMessage:
    """Return what an agent is told of a call that was not made, or not to its end."""
    return ToolMessage(text, name=tool, tool_call_id="", status="error")


def _because(action: Action, rule: str, access: Access) -> str:
    if rule:
        return f"The rule '{rule}' says {action}."
    words: dict[Access, Literal["reads", "writes", "calls out", "runs code", "is of no known class"]] = {
        "read": "reads",
        "write": "writes",
        "egress": "calls out",
        "exec": "runs code",
        "unknown": "is of no known class",
    }
    return f"It {words[access]}."


def _defaults(tool: BaseTool) -> dict[str, Any]:
    return {name: shape["default"] for name, shape in tool.args.items() if "default" in shape}


def _left_out(tool: BaseTool, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the arguments are that a call does not say: as they are where they have a default, else ""."""
    return {name: shape.get("default", "") for name, shape in tool.args.items() if name not in arguments}
