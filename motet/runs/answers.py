"""Answers to interrupts: what a thread waits for, which answers fit, and until when one may be given.

What does not live here: admitting the run that brings an answer (`submit`). What is asked stands in the log of the
run that asked; a thread waits as long as that run is its newest one.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from motet.errors import Conflict, InterruptExpired, InvalidInput, NotFound, PermissionRefused
from motet.events import EVENT, InterruptRequested, RunFailed
from motet.runs.log import sql as log
from motet.runs.request import RunJob, RunOptions
from motet.storage.clock import db_now
from motet.storage.tables import events, runs, threads
from motet.storage.texts import texts_of
from motet.tools.policy.approval import is_approval, rule_for_settings

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from sqlalchemy.engine import Connection, Row

    from motet.runs.request import Caller, RunRequest


@dataclass(frozen=True, slots=True)
class Asker:
    """The run that waits, and what it asks."""

    job: RunJob
    questions: Mapping[str, InterruptRequested]
    """By interrupt id, in the order they were asked."""


def asker(connection: Connection, tenant_id: str, thread_id: str) -> Asker:
    """Return the run of a thread that waits for a person.

    Raises:
        InterruptExpired: It waited too long.
        Conflict: The thread waits for nothing: no run of it does, or a newer one took its place.
    """
    row = _newest(connection, tenant_id, thread_id)
    if row is None or row.status != "interrupted":
        raise _waits_for_nothing(connection, thread_id, row)
    job = RunJob.model_validate_json(texts_of(connection).open(row.job, tenant_id, "runs", row.run_id, "job"))
    return Asker(job, questions_of(connection, tenant_id, row.run_id))


def questions_of(connection: Connection, tenant_id: str, run_id: str) -> dict[str, InterruptRequested]:
    """Return what a run asked, by interrupt id; {} when nothing."""
    query = (
        sa.select(events.c.seq, events.c.event)
        .where(events.c.tenant_id == tenant_id, events.c.run_id == run_id)
        .order_by(events.c.seq)
    )
    texts, found = texts_of(connection), dict[str, InterruptRequested]()
    for seq, stored in connection.execute(query):
        event = EVENT.validate_json(texts.open(stored, tenant_id, "events", run_id, seq))
        if isinstance(event, InterruptRequested):
            found[event.interrupt_id] = event
    return found


def check_answers(request: RunRequest, asked: Asker) -> dict[str, Any]:
    """Return the answers of a request by interrupt id.

    Raises:
        InvalidInput: An answer does not fit its question's schema, or it is not said which question it answers.
        NotFound: No such question is open.
    """
    from motet.models.json_text import schema_problem  # noqa: PLC0415  # light commands read no schema

    questions = asked.questions
    answers = request.answers
    if answers is None:
        if len(questions) != 1:
            raise InvalidInput(
                f"Run {asked.job.run_id} asks {len(questions)} things at once: answer by id ({_ids(questions)})."
            )
        answers = {next(iter(questions)): request.resume}
    if not answers:
        raise InvalidInput(f"No answer was given. Run {asked.job.run_id} asks: {_ids(questions)}.")
    for interrupt_id, answer in answers.items():
        if interrupt_id not in questions:
            raise NotFound(
                f"Run {asked.job.run_id} has no open question '{interrupt_id}'. Open: {_ids(questions)}.",
                interrupt_id=interrupt_id,
            )
        schema = questions[interrupt_id].response_schema
        problem = schema_problem(answer, schema) if schema else ""
        if problem.endswith(_ANY) and schema:
            problem = f"{problem.removesuffix(_ANY)} is none of {', '.join(_forms(schema))}"
        if problem:
            raise InvalidInput(
                f"The answer to '{interrupt_id}' does not fit: {problem}. The run still waits.",
                interrupt_id=interrupt_id,
            )
    return answers


_ANY = " is not valid under any of the given schemas"


def _forms(schema: Mapping[str, Any]) -> Iterator[str]:
    """Yield what fits a schema of several, as a person writes it."""
    for one in schema.get("anyOf", ()):
        yield from (json.dumps(word, ensure_ascii=False) for word in one.get("enum", ()))
        if one.get("required"):
            yield "{" + ", ".join(f'"{name}": …' for name in one["required"]) + "}"


def rules_for_settings(
    caller: Caller, questions: Mapping[str, InterruptRequested], answers: Mapping[str, Any]
) -> list[str]:
    """Return the rules that answers to approvals put into the settings file.

    Raises:
        InvalidInput: A rule cannot be read, or is not about the call that was asked for.
        PermissionRefused: The caller is not one who may do everything: the file is everybody's.
    """
    asked = [(questions[name].value, answer) for name, answer in answers.items()]
    found = [rule for v, answer in asked if is_approval(v) and (rule := rule_for_settings(v, answer))]
    if found and "*" not in caller.scopes:
        raise PermissionRefused(
            "This caller may not change the settings file: the scope * is needed. "
            "'always' keeps the rule in this conversation."
        )
    return found


def options_for(request: RunRequest, asked: Asker) -> RunOptions:
    """Return the options that the asking run had, with those that the request names changed."""
    named = {name: getattr(request.options, name) for name in request.options.model_fields_set}
    return asked.job.options.model_copy(update=named)


def expire(connection: Connection, ttl_s: float, *, thread_id: str | None = None) -> int:
    """End runs that have waited for a person longer than `ttl_s`, with a typed error; return how many.

    A `ttl_s` of 0 ends none. A run whose answer came, or whose thread went on without it, is left as it is.
    """
    if not ttl_s:
        return 0
    later = runs.alias()
    newer = sa.exists().where(
        later.c.tenant_id == runs.c.tenant_id,
        later.c.thread_id == runs.c.thread_id,
        later.c.position > runs.c.position,
    )
    query = sa.select(runs).where(runs.c.status == "interrupted", runs.c.ended_at + ttl_s < db_now(), ~newer)
    if thread_id is not None:
        query = query.where(runs.c.thread_id == thread_id)
    found = connection.execute(query.with_for_update(of=runs, skip_locked=True)).all()
    for row in found:
        _end(connection, row, ttl_s)
    return len(found)


def _end(connection: Connection, row: Row[Any], ttl_s: float) -> None:
    error = InterruptExpired(
        f"Nobody answered within {ttl_s:g} s (MOTET_INTERRUPT_TTL_S): the question of run {row.run_id} has expired.",
        run_id=row.run_id,
    ).to_dict()
    texts = texts_of(connection)
    said = texts.close(json.dumps(error, ensure_ascii=False), row.tenant_id, "runs", row.run_id, "error")
    one = runs.c.position == row.position
    connection.execute(
        sa.update(runs).where(one).values(status="error", error=said, last_seq=row.last_seq + 1)
    )
    encoded = [EVENT.dump_json(RunFailed(error=error)).decode()]
    log.insert(connection, row.tenant_id, row.run_id, row.last_seq + 1, encoded)
    mine = sa.and_(threads.c.tenant_id == row.tenant_id, threads.c.thread_id == row.thread_id)
    connection.execute(sa.update(threads).where(mine).values(updated_at=db_now()))


def _newest(connection: Connection, tenant_id: str, thread_id: str) -> Row[Any] | None:
    mine = sa.and_(runs.c.tenant_id == tenant_id, runs.c.thread_id == thread_id)
    return connection.execute(sa.select(runs).where(mine).order_by(runs.c.position.desc()).limit(1)).first()


def _waits_for_nothing(
    connection: Connection, thread_id: str, row: Row[Any] | None
) -> Conflict | InterruptExpired:
    if row is None:
        return Conflict(f"Thread {thread_id} waits for no answer: it has no run.", thread_id=thread_id)
    if row.status in ("pending", "running"):
        return Conflict(
            f"Thread {thread_id} waits for no answer: its run {row.run_id} has not ended. "
            f"'motet runs show {row.run_id[:8]}' shows what it does.",
            run_id=row.run_id,
        )
    if row.error:
        error = json.loads(texts_of(connection).open(row.error, row.tenant_id, "runs", row.run_id, "error"))
        if error["code"] == InterruptExpired.code:
            return InterruptExpired(f"{error['message']} Ask again.", run_id=row.run_id)
    return Conflict(
        f"Thread {thread_id} waits for no answer: its newest run, {row.run_id}, ended with '{row.status}'.",
        run_id=row.run_id,
    )


def _ids(questions: Mapping[str, InterruptRequested]) -> str:
    shown: Sequence[str] = list(questions)
    return ", ".join(shown) or "nothing"
