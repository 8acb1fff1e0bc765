"""Slash commands about the work itself: what the last run did, what it took, and what the next one is asked with."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich.text import Text

from motet.cli.chat.slash.base import row
from motet.cli.render import wording
from motet.cli.render.narrator import Narrator
from motet.errors import InvalidInput, did_you_mean

if TYPE_CHECKING:
    from motet.cli.chat.slash.base import Desk
    from motet.events import Recorded


async def show_trace(desk: Desk, _argument: str) -> None:
    """Show the last run's model calls, tools, searches and steps, each with its second and what it took."""
    run_id = desk.conversation.last.run_id
    if not run_id:
        raise InvalidInput("Nothing was run in this chat yet: say something first.")
    began = 0.0
    narrator = Narrator(whole_plan=True)
    async for recorded in desk.conversation.app.follow(run_id):
        began = began or recorded.at
        for text in _told(recorded, narrator):
            desk.tell(row(f"{recorded.at - began:7.1f} s", text))


def _told(recorded: Recorded, narrator: Narrator) -> list[str]:
    event = recorded.event
    if event.type == "usage":
        cost = f", ${event.cost_usd:.4f}" if event.cost_usd else ""
        tokens = f"{event.input_tokens:,} tokens in, {event.output_tokens:,} out"
        return [f"{event.model}: {tokens}, {wording.duration(event.duration_s)}{cost}"]
    return [line.text.strip() for line in narrator.tell(recorded)]


async def show_cost(desk: Desk, _argument: str) -> None:
    """Show what the last answer cost, and all answers since the chat began."""
    talk = desk.conversation
    for what, cost in (
        ("the last answer", talk.last.spent.cost_usd),
        ("since this chat began", talk.spent.cost_usd),
    ):
        desk.tell(row(what, f"${cost:.4f}" if cost else "nothing: models of your own, or of no known price"))


async def show_context(desk: Desk, _argument: str) -> None:
    """Show the longest call of the last answer beside the model's window."""
    talk = desk.conversation
    model = await talk.app.models.chat("deep", talk.model)
    window = model.capabilities.context_tokens
    taken = talk.last.longest_tokens
    share = f", {100 * taken // window} %" if window else ""
    desk.tell(row("the last answer", f"{taken:,} tokens in its longest call"))
    desk.tell(row(str(model.spec), f"{window:,} tokens fit{share}" if window else "its window is not known"))
    desk.tell(row("this conversation", wording.count(len(await talk.messages(1_000_000)), "message")))


async def compact(desk: Desk, turns: str) -> None:
    """Delete the checkpoints of older turns; one turn stays that can be gone back to, unless more are named.

    Raises:
        InvalidInput: That is no number of turns, or there is no conversation yet.
    """
    if turns and not (turns.isdecimal() and int(turns)):
        raise InvalidInput(f"'{turns}' is no number of turns: /compact keeps one, /compact 5 keeps five.")
    if desk.conversation.thread_id is None:
        raise InvalidInput("There is no conversation yet: say something first.")
    done = await desk.conversation.app.threads.compact(
        [desk.conversation.thread_id], keep_turns=int(turns or 1)
    )
    desk.tell(Text(f"Deleted {wording.count(done.checkpoints, 'checkpoint')}; every word is kept."))


async def list_agents(desk: Desk, _argument: str) -> None:
    """List the agents and the model that each asks."""
    from motet.agents.base import ROLES
    from motet.models.base import agents_models

    talk = desk.conversation
    own = agents_models(talk.app.settings.models.agents)
    for agent, role in ROLES.items():
        spec = talk.model or own.get(agent) or str(talk.app.models.spec(role))
        desk.tell(row(agent.ljust(max(map(len, ROLES))), f"{spec}  ({role})"))


async def set_option(desk: Desk, argument: str) -> None:
    """Show or change what the next messages are asked with; a name without a value goes back to the settings'.

    Raises:
        InvalidInput: There is no such option, or the value does not fit.
    """
    talk = desk.conversation
    name, _, value = argument.partition(" ")
    if name:
        talk.options = _changed(talk.options, name, value.strip())
    for key in OPTIONS:
        shown = talk.options.get(key)
        desk.tell(row(key.ljust(11), "as the settings say" if shown is None else _shown(shown)))


OPTIONS = ("budget", "tools", "collections", "max_steps", "record")
"""Options of a run that a chat can set."""


def _changed(options: dict[str, Any], name: str, value: str) -> dict[str, Any]:
    from motet.runs.budget import Budget
    from motet.runs.request import check_steps

    if name not in OPTIONS:
        raise InvalidInput(f"There is no option '{name}'.{did_you_mean(name, OPTIONS)}")
    rest = {key: old for key, old in options.items() if key != name}
    if not value:
        return rest
    match name:
        case "budget":
            return {**rest, name: Budget.parse(value)}
        case "max_steps" if value.isdecimal():
            check_steps(int(value[:20]))
            return {**rest, name: int(value)}
        case "record" if value in ("on", "off"):
            return {**rest, name: value == "on"}
        case "tools" | "collections":
            return {**rest, name: [one for one in value.replace(",", " ").split() if one]}
        case _:
            raise InvalidInput(
                f"'{value}' does not fit {name}: write a number for max_steps, on or off for record."
            )


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    return ", ".join(value) if isinstance(value, list) else str(value)


async def show_profile(desk: Desk, name: str) -> None:
    """Show the profile that counts, and how to begin with another.

    Raises:
        InvalidInput: Another is asked for: its settings are read when a chat begins.
    """
    if name:
        raise InvalidInput(f"A profile is chosen when a chat begins: motet --profile {name} chat -c")
    settings = desk.conversation.app.settings
    desk.tell(row("profile", settings.profile or "none"))
    desk.tell(row("settings", str(settings.own_file)))


async def doctor(desk: Desk, _argument: str) -> None:
    """Say what is missing, and how to get it."""
    for finding in await desk.conversation.app.doctor():
        desk.tell(Text(f"{'✓' if finding.ok else '✗'} {finding.name}: {finding.detail}"))
        if not finding.ok and finding.fix:
            desk.tell(Text(f"  → {finding.fix}"))
