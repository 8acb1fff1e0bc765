"""A run's newest checkpoint is handed on once, to whoever asks for just that."""

from typing import Any

import pytest
from langgraph.checkpoint.base import CheckpointTuple, empty_checkpoint

from motet.memory.saver.handed import CONFIG_KEY, Handed, handed_in

NEWEST = CheckpointTuple({"configurable": {"thread_id": "t1"}}, empty_checkpoint(), {})


def config(handed: Handed, **named: Any) -> dict[str, Any]:
    return {"configurable": {"thread_id": "t1", "checkpoint_ns": "", **named, CONFIG_KEY: handed}}


@pytest.mark.parametrize("newest", [NEWEST, None], ids=["a checkpoint", "an empty thread"])
def test_it_is_given_out_once(newest: CheckpointTuple | None) -> None:
    handed = Handed("t1", newest)
    found = handed_in(config(handed))
    assert found is not None
    assert found[0] is newest
    assert handed_in(config(handed)) is None


@pytest.mark.parametrize(
    "named",
    [{"thread_id": "t2"}, {"checkpoint_ns": "inner:1"}, {"checkpoint_id": "c1"}],
    ids=["another thread", "a graph within", "one by its id"],
)
def test_nothing_else_is_answered_with_it(named: dict[str, Any]) -> None:
    handed = Handed("t1", NEWEST)
    assert handed_in(config(handed, **named)) is None
    assert handed_in(config(handed)) is not None


def test_without_one_nothing_is_handed_on() -> None:
    assert handed_in({}) is None
    assert handed_in({"configurable": {"thread_id": "t1"}}) is None
