import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from motet.errors import InvalidInput
from motet.runs.drive import RESERVED, Drive, StateWrite, allowed_configurable
from motet.runs.request import RunJob, RunOptions, RunRequest
from motet.runs.submit import Gate
from motet.storage.engine import Database


def _told(_job: RunJob) -> None: ...


names = st.sampled_from(
    [*RESERVED, "checkpoint_ns", "checkpoint_id", "__pregel_x", "langgraph_auth_user", "level"]
)


@given(
    st.dictionaries(names | st.text(max_size=5), st.integers(), max_size=6),
    st.frozensets(names | st.just("*")),
)
def test_nobody_sets_what_is_not_on_the_list_and_nothing_of_motets_own(
    given_values: dict[str, int], allowed: frozenset[str]
) -> None:
    taken = allowed_configurable(given_values, allowed)
    assert taken.keys() <= given_values.keys()
    assert all("*" in allowed or name in allowed for name in taken)
    assert not [
        name for name in taken if name in RESERVED or name.startswith(("__", "checkpoint_", "langgraph_"))
    ]


def test_what_is_on_the_list_passes() -> None:
    assert allowed_configurable({"level": 1, "other": 2}, frozenset({"level"})) == {"level": 1}
    assert allowed_configurable({"level": 1, "thread_id": "t"}, frozenset({"*"})) == {"level": 1}


WRITE = [[StateWrite(values={"a": 1})]]


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"input": {"a": 1}, "drive": Drive(go_on=True)}, "takes no command"),
        ({"input": {"a": 1}, "drive": Drive(goto=["b"])}, "takes no command"),
        ({"resume": 1, "drive": Drive(go_on=True)}, "goes on by itself"),
        ({"resume": 1, "drive": Drive(supersteps=WRITE)}, "goes on by itself"),
        ({"drive": Drive(supersteps=WRITE, goto=["b"])}, "no command"),
        ({"drive": Drive(supersteps=[[]])}, "one write or more"),
        ({"drive": Drive(interrupt_before="*")}, "either an input or an answer"),
        ({"input": {"a": 1}, "resume": 1}, "either an input or an answer"),
    ],
)
def test_what_does_not_go_together_is_refused(
    asked: dict[str, object], words: str, database: Database
) -> None:
    gate = Gate(database, graphs=["g"], default_graph="g", on_accepted=_told)
    with pytest.raises(InvalidInput, match=words):
        gate.grant(RunRequest.model_validate(asked))


def test_a_job_of_an_earlier_release_says_nothing_about_how_it_is_driven() -> None:
    old = RunJob(
        tenant_id="t", owner_id="o", run_id="r", thread_id="t", graph="g", input={}, options=RunOptions()
    ).model_dump(mode="json", exclude={"drive"})
    assert RunJob.model_validate_json(json.dumps(old)).drive == Drive()
