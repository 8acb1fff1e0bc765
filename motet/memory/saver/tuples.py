"""LangGraph's words for a checkpoint: the config that names it, and the tuple that holds it."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from langgraph.checkpoint.base import CheckpointTuple

if TYPE_CHECKING:
    from langchain_core.runnables import RunnableConfig
    from langgraph.checkpoint.base import Checkpoint, CheckpointMetadata

    from motet.memory.saver.loading import Loaded
    from motet.memory.saver.rows import ScopeName


def config_of(scope: ScopeName, checkpoint_id: str) -> RunnableConfig:
    """Return the config that names a checkpoint."""
    return {
        "configurable": {
            "thread_id": scope.thread_id,
            "checkpoint_ns": scope.checkpoint_ns,
            "checkpoint_id": checkpoint_id,
        }
    }


def tuple_of(loaded: Loaded) -> CheckpointTuple:
    """Return a checkpoint as it was read."""
    body = loaded.body
    checkpoint = {
        "v": body.v,
        "id": loaded.checkpoint_id,
        "ts": body.ts,
        "channel_values": loaded.values,
        "channel_versions": body.versions,
        "versions_seen": body.seen,
        "updated_channels": body.updated,
        **body.more,
    }
    return CheckpointTuple(
        config_of(loaded.scope, loaded.checkpoint_id),
        cast("Checkpoint", checkpoint),
        cast("CheckpointMetadata", body.metadata),
        config_of(loaded.scope, loaded.parent_id) if loaded.parent_id else None,
        loaded.writes,
    )
