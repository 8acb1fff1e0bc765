"""What a tenant's rooms say of budgets and recordings.

What does not live here: the rooms themselves (`rooms`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from motet.agents.base import AgentParts
    from motet.app.rooms import Rooms
    from motet.graphs.base import GraphParts
    from motet.memory.recall import Memories
    from motet.models.base import ConnectedModel
    from motet.runs.budgets.service import Budgets
    from motet.runs.log.base import EventLog
    from motet.runs.request import RunJob
    from motet.settings import Settings
    from motet.storage.engine import Database


def build_budgets(database: Database, log: EventLog, settings: Settings) -> Budgets:
    """Return the budgets of a database.

    Raises:
        InvalidInput: A setting of a budget or a price cannot be read.
    """
    from motet.models.prices import Prices  # noqa: PLC0415
    from motet.runs.budgets.limits import Defaults  # noqa: PLC0415
    from motet.runs.budgets.service import Budgets  # noqa: PLC0415

    return Budgets(
        database,
        log,
        Defaults.of(settings.budgets),
        Prices.parse(settings.budgets.prices),
        max_output_tokens=settings.models.max_tokens,
        cheaper_model=settings.budgets.cheaper_model,
    )


def graph_parts(agents: AgentParts, memories: Memories, database: Database, tenant_id: str) -> GraphParts:
    """Return what a graph is built from: memories and transcripts go by the run's tape."""
    from motet.graphs.base import GraphParts  # noqa: PLC0415
    from motet.runs.recordings.taps import TappedHistory, TappedMemories  # noqa: PLC0415

    return GraphParts(agents, TappedMemories(memories), TappedHistory(database, tenant_id))


async def surroundings(rooms: Rooms, job: RunJob, own: dict[str, str]) -> dict[str, Any]:
    """Say what a job works with, for its recording; `own` are the user's own graphs."""
    tools = await rooms.of(job.tenant_id).tools(job.options)
    played = job.options.played()
    if played is not None:
        models = (await rooms.recordings.played(job.tenant_id, played)).header.get("models", {})
    else:
        connected = await rooms.connected(job.options)
        models = {"fast": described(connected.fast), "deep": described(connected.deep)}
    target = {"graph_target": own[job.graph]} if job.graph in own else {}
    return {"tools": [tool.name for tool in tools], "models": models, **target}


def described(model: ConnectedModel) -> dict[str, Any]:
    """Return what a recording says of a model: what it can do decides how it is asked."""
    can = model.capabilities
    return {
        "spec": str(model.spec),
        "json_schema": can.json_schema,
        "small": can.small,
        "logprobs": can.logprobs,
        "context_tokens": can.context_tokens,
        "tokenizer": model.tokenizer is not None,
    }
