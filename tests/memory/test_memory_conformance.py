"""LangGraph's own conformance suite, on SQLite and on PostgreSQL."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from langgraph.checkpoint.conformance import checkpointer_test, validate

from motet.memory.checkpoints import MotetSaver

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

CAPABILITIES = {
    "put",
    "put_writes",
    "get_tuple",
    "list",
    "delete_thread",
    "delete_for_runs",
    "copy_thread",
    "prune",
}


async def _all_pass(url: str) -> None:
    @checkpointer_test(name="MotetSaver")
    async def saver() -> AsyncIterator[MotetSaver]:
        with MotetSaver.from_url(url, secret_key="a key for the tests") as opened:
            yield opened

    report = await validate(saver)
    # passed_all() passes over what it does not detect.
    assert {name for name, result in report.results.items() if result.detected} == CAPABILITIES
    assert {name: result.failures for name, result in report.results.items() if not result.passed} == {}
    assert report.passed_all()


async def test_eight_of_eight_on_sqlite(tmp_path: Path) -> None:
    await _all_pass(f"sqlite:///{tmp_path / 'motet.db'}")


async def test_eight_of_eight_on_postgresql(postgres_url: str) -> None:
    await _all_pass(postgres_url)


def test_a_saver_in_memory_is_refused() -> None:
    from motet.errors import InvalidInput

    with pytest.raises(InvalidInput, match="InMemorySaver"), MotetSaver.from_url("sqlite://"):
        pass
