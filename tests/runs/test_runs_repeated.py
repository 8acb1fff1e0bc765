"""A request that is sent twice is one run; another owner's key is not in the way, and tells nothing."""

import asyncio
import json

import pytest
from studio import Studio

from motet.errors import Conflict
from motet.runs.request import Caller

ANN, BOB = (Caller(owner_id=name, scopes=frozenset({"runs:write"})) for name in ("ann", "bob"))


async def test_one_key_is_one_run_also_on_threads_of_their_own(studio: Studio) -> None:
    accepted = await asyncio.gather(
        *(studio.submit("hi", caller=ANN, idempotency_key="k") for _ in range(10))
    )
    assert len({(one.run_id, one.thread_id) for one in accepted}) == 1
    assert sum(one.created for one in accepted) == 1


async def test_two_owners_may_use_one_key_and_hear_nothing_of_each_other(studio: Studio) -> None:
    first = await studio.submit("hi", caller=ANN, idempotency_key="k")
    same = await studio.submit("hi", caller=BOB, idempotency_key="k")
    assert same.created
    assert (same.run_id, same.thread_id) != (first.run_id, first.thread_id)
    for caller, accepted in ((ANN, first), (BOB, same)):
        again = await studio.submit("hi", caller=caller, idempotency_key="k")
        assert (again.created, again.run_id) == (False, accepted.run_id)
        with pytest.raises(Conflict, match=f"another request .run {accepted.run_id}"):
            await studio.submit("bye", caller=caller, idempotency_key="k")


async def test_a_key_that_looks_like_the_stored_form_of_anothers_is_refused_in_words(studio: Studio) -> None:
    for key in ("k", json.dumps(["bob", "k"])):
        await studio.submit("hi", caller=ANN, idempotency_key=key)
    with pytest.raises(Conflict, match="choose another"):
        await studio.submit("hi", caller=BOB, idempotency_key="k")
