"""Only the checkpoints of a run's own graph carry what the run has to tell."""

from typing import Any

import pytest

from motet.storage.along import CONFIG_KEY, Along, carry_of


async def carry(store: Any) -> Any:
    return await store(None)


@pytest.mark.parametrize(
    ("named", "carries"),
    [
        ({"thread_id": "t1"}, True),
        ({"thread_id": "t1", "checkpoint_ns": ""}, True),
        ({"thread_id": "t1", "checkpoint_ns": "inner:1"}, False),
        ({"thread_id": "t2"}, False),
    ],
    ids=["its own", "the root", "a graph within", "another thread"],
)
def test_a_checkpoint_carries_where_it_ends_a_superstep_of_the_run(
    named: dict[str, Any], *, carries: bool
) -> None:
    config = {"configurable": {**named, CONFIG_KEY: Along("t1", carry)}}
    assert (carry_of(config) is carry) == carries


@pytest.mark.parametrize("config", [{}, {"configurable": {"thread_id": "t1"}}])
def test_without_a_run_nothing_is_carried(config: dict[str, Any]) -> None:
    assert carry_of(config) is None
