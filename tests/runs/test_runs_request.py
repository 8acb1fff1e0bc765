import sys

import pytest
from pydantic import ValidationError

from motet.runs.request import Caller, RunJob, RunOptions, RunRequest


def test_what_is_asked_and_granted_is_frozen() -> None:
    request = RunRequest(input={"messages": "hi"})
    with pytest.raises(ValidationError):
        request.graph = "other"  # pyright: ignore[reportAttributeAccessIssue]


def test_unknown_fields_are_refused() -> None:
    with pytest.raises(ValidationError):
        RunRequest.model_validate({"input": {}, "checkpoint_ns": "x"})
    with pytest.raises(ValidationError):
        RunOptions.model_validate({"api_key": "x"})


def test_a_job_survives_the_queue() -> None:
    job = RunJob(
        tenant_id="t",
        owner_id="o",
        run_id="r",
        thread_id="th",
        graph="g",
        input={"x": ["茶"]},
        options=RunOptions(),
    )
    assert RunJob.model_validate_json(job.model_dump_json()) == job


def test_the_command_line_is_the_local_owner() -> None:
    assert (Caller().tenant_id, Caller().scopes) == ("local", frozenset({"*"}))


def test_what_a_stored_request_says_is_not_kept_when_it_is_read() -> None:
    lines = [f'{{"graph": "graph {i}", "thread_id": "thread {i}"}}' for i in range(2000)]
    before = sys.getallocatedblocks()
    for line in lines:
        RunRequest.model_validate_json(line)
    assert sys.getallocatedblocks() - before < 500  # two strings a line would be 4,000
