"""What this wire's answers look like.

What does not live here: where their parts come from.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

from motet.errors import InvalidInput, NotFound
from motet.server.plain import PlainAnswer

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from starlette.responses import Response

    from motet.runs.assistants import AssistantRecord
    from motet.runs.lookup import FoundRun, FoundThread
    from motet.runs.threads.states import Holding
    from motet.server.call import Call
    from motet.server.errors import Problem

Json = dict[str, Any]

RUN_STATUS = {"interrupted": "success", "cancelled": "interrupted"}
"""Where this wire has another word: a run that stopped to ask ended well; its thread is what waits."""


def error(problem: Problem) -> Response:
    """Return an error as this wire's clients read it."""
    return PlainAnswer({"detail": problem.message}, problem.status, dict(problem.headers))


def answer(body: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """Return an answer in JSON."""
    return PlainAnswer(body, status, headers)


def page(found: Sequence[Any], limit: int, offset: int) -> dict[str, str]:
    """Return the headers of a page: where the next one begins, where this one was full."""
    return {"X-Pagination-Next": str(offset + limit)} if len(found) == limit else {}


def identity(call: Call, name: str) -> str:
    """Return an id from the path.

    Raises:
        InvalidInput: It is no UUID.
    """
    raw = str(call.request.path_params[name])
    word = {
        "assistant_id": "assistant ID",
        "thread_id": "thread ID",
        "run_id": "run ID",
        "cron_id": "cron ID",
    }
    try:
        if re.fullmatch(r"[0-9a-fA-F-]{32,36}", raw):
            return str(UUID(raw))
    except ValueError:
        pass
    raise InvalidInput(f"Invalid {word[name]}: must be a UUID")


def time(at: float | None) -> str | None:
    """Return a time as ISO 8601 in UTC."""
    return None if at is None else datetime.fromtimestamp(at, UTC).isoformat(timespec="microseconds")


def assistant(record: AssistantRecord, *, version: bool = False) -> Json:
    """Return an assistant; or one of its versions, which says nothing about when it was changed."""
    shown: Json = {
        "assistant_id": record.assistant_id,
        "graph_id": record.graph,
        "version": record.version,
        "config": record.config,
        "context": record.context,
        "metadata": record.metadata,
        "name": record.name,
        "description": record.description,
        "created_at": time(record.created_at),
    }
    return shown if version else shown | {"updated_at": time(record.updated_at)}


def thread(found: FoundThread, holding: Holding | None) -> Json:
    """Return a thread with what it holds; without, where nobody asked for that."""
    status = found.status
    shown: Json = {
        "thread_id": found.thread_id,
        "created_at": time(found.created_at),
        "updated_at": time(found.updated_at),
        "state_updated_at": time(found.updated_at),
        "metadata": found.metadata,
        "status": status,
        "config": {},
        "values": None,
    }
    if holding is not None and (found.newest is not None or holding.values is not None):
        asks = holding.interrupts if status == "interrupted" else {}
        stopped = {"error": "UserInterrupt", "message": "The run was stopped."}
        error = stopped if found.newest == "cancelled" else failure(found.error)
        shown |= {"values": holding.values, "interrupts": asks, "error": error}
    return shown


def run(found: FoundRun, *, is_new: bool = False) -> Json:
    """Return a run with what it was asked; one that is new as it was accepted."""
    record, job = found.record, found.job
    drive = job.drive
    how = "rollback" if found.undone else "interrupt"
    reason = how if record.status == "cancelled" else None
    return {
        "run_id": record.run_id,
        "thread_id": record.thread_id,
        "assistant_id": job.metadata.get("assistant_id", ""),
        "created_at": time(record.created_at),
        "updated_at": time(record.ended_at or record.started_at or record.created_at),
        "status": "pending" if is_new else RUN_STATUS.get(record.status, record.status),
        "metadata": job.metadata,
        "multitask_strategy": job.multitask,
        **({"cancel_reason": reason} if reason else {}),
        "kwargs": {
            "input": job.input,
            "command": _command(found),
            "config": {"configurable": drive.configurable, "tags": drive.tags},
            "context": drive.context or {},
            "stream_mode": list(drive.record),
            "subgraphs": drive.subgraphs,
            "interrupt_before": drive.interrupt_before or None,
            "interrupt_after": drive.interrupt_after or None,
            "resumable": True,
        },
    }


def _command(found: FoundRun) -> Json | None:
    job = found.job
    told = job.drive.model_dump(mode="json", include={"update", "goto"}, exclude_defaults=True)
    return (told | ({} if job.answers is None else {"resume": job.answers})) or None


def failure(error: Mapping[str, Any] | None) -> Json | None:
    """Return what went wrong with a run, as its class and its words."""
    if error is None:
        return None
    kind = error.get("fields", {}).get("error_type")
    message = str(error["message"])
    if kind:
        return {"error": kind, "message": message.removeprefix(f"{kind}: ")}
    words = "".join(word.capitalize() for word in str(error["code"]).split("_"))
    return {"error": words, "message": message}


def selected(shown: Json, wanted: Sequence[str] | None, known: frozenset[str]) -> Json:
    """Return the fields that were asked for, all where none was.

    Raises:
        InvalidInput: There is no such field.
    """
    if wanted is None:
        return shown
    for name in wanted:
        if name not in known:
            raise InvalidInput(
                f"There is no field '{name[:100]}' to select. Known: {', '.join(sorted(known))}."
            )
    return {name: shown.get(name) for name in wanted if name in shown}


def missing(what: str, name: str) -> NotFound:
    """Return the error for what is not there, or is another's."""
    return NotFound(f"{what} with ID {name} not found")
