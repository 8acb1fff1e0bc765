"""The one gate. Every run, from every door, begins with `Gate.submit`.

What does not live here: dialects (the doors decode) and work (the engine). The gate checks, resolves, merges,
freezes and saves; when it returns, the run is on disk.
"""

from __future__ import annotations

import hashlib
import json
import uuid
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from motet.errors import Conflict, InvalidInput, NotFound, StateCorrupt, did_you_mean
from motet.events import EVENT, Event, MessageCompleted, RunAccepted
from motet.runs.answers import asker, check_answers, expire, options_for, rules_for_settings
from motet.runs.budgets.question import apply as apply_budget_answers
from motet.runs.choice import check_models
from motet.runs.drive import Drive, allowed_configurable
from motet.runs.ending import ask_to_stop
from motet.runs.log import sql as log
from motet.runs.recordings.store import check_replay
from motet.runs.records import lock_active, lock_thread, touch_thread
from motet.runs.repeated import earlier_run
from motet.runs.request import Accepted, Caller, RunJob, RunOptions, RunRequest, check_steps
from motet.runs.scopes import authorize, check_permissions, narrow
from motet.runs.webhooks import rows as webhooks
from motet.storage.clock import db_now
from motet.storage.ready import Ready
from motet.storage.tables import runs, threads
from motet.storage.texts import texts_of
from motet.tools.base import known_tools

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable

    from langchain_core.messages import BaseMessage
    from sqlalchemy.engine import Connection, Row

    from motet.storage.engine import Database

MAX_INPUT_BYTES = 4 * 1024 * 1024
"""Largest input of one run, as JSON."""

TITLE_CHARS = 60


class Gate:
    """Admits runs. `graphs` are the names that exist; `on_accepted` is told after each commit.

    `configurable` names what callers may set in a graph's config; `check_webhook` refuses who may not be told;
    `keep_rule` keeps a rule of an approval in the settings file.
    """

    def __init__(
        self,
        database: Database,
        *,
        graphs: Iterable[str],
        default_graph: str,
        on_accepted: Callable[[RunJob], None],
        interrupt_ttl_s: float = 0,
        configurable: Iterable[str] = (),
        check_webhook: Callable[[str], None] | None = None,
        keep_rule: Callable[[str], None] | None = None,
        own_tools: Collection[str] = (),
    ) -> None:
        self._database = database
        self._graphs = sorted(graphs)
        self._default_graph = default_graph
        self._on_accepted = on_accepted
        self._interrupt_ttl_s = interrupt_ttl_s
        self._configurable = frozenset(configurable)
        self._check_webhook = check_webhook
        self._keep_rule = keep_rule
        self._own_tools = own_tools

    async def submit(self, request: RunRequest) -> Accepted:
        """Admit a run: its row and its whole input are committed before this returns.

        A repeated call with the same idempotency key and the same request gives the first call's run.

        Raises:
            PermissionRefused: The caller may not start runs.
            NotFound: No such graph, thread or tool.
            InvalidInput: The input, the model or the answer has the wrong shape.
            Conflict: The thread is busy and `multitask` is `reject`, or the idempotency key has another body; or
                it waits for no answer.
            InterruptExpired: The answer comes too late.
        """
        job = self.grant(request)
        if request.is_answer:
            ttl_s = self._interrupt_ttl_s
            await self._database.write(lambda c: expire(c, ttl_s, thread_id=job.thread_id))
        accepted = await self._database.jot(lambda c: self.save(c, request, job))
        if accepted.created:
            self.tell(job)
        return accepted

    def tell(self, job: RunJob) -> None:
        """Tell of a run that `save` created, after its transaction was committed."""
        self._on_accepted(job)

    def grant(self, request: RunRequest) -> RunJob:
        """Check a request as far as no database is needed, and freeze it; see `submit` for errors."""
        authorize(request.caller)
        graph = request.graph or self._default_graph
        check_permissions(request.caller, request.options)
        self._check(request.caller, graph, request.options)
        _check_start(request)
        if request.webhook is not None and self._check_webhook is not None:
            self._check_webhook(request.webhook.url)
        return RunJob(
            tenant_id=request.caller.tenant_id,
            owner_id=request.caller.owner_id,
            run_id=str(uuid.uuid4()),
            thread_id=request.thread_id or str(uuid.uuid4()),
            graph=graph,
            input=None if request.input is None else _check_input(request.input),
            answers=_plain(request.answers),
            options=narrow(request.caller, request.options, self._own_tools),
            drive=self._drive(request.drive),
            multitask=request.multitask,
            metadata=_plain(request.metadata),
            traceparent=request.traceparent,
        )

    def _drive(self, drive: Drive) -> Drive:
        """Return what a run may say about how it is driven."""
        allowed = allowed_configurable(drive.configurable, self._configurable)
        return Drive.model_validate(_plain(drive.model_copy(update={"configurable": allowed}).model_dump()))

    def _check(self, caller: Caller, graph: str, options: RunOptions) -> None:
        """Refuse a graph, a model or a tool that is not there, or not for this caller."""
        if graph not in self._graphs:
            raise NotFound(f"Unknown graph '{graph}'.{did_you_mean(graph, self._graphs)}", graph=graph)
        _check_options(options, self._own_tools)
        narrow(caller, options, self._own_tools)

    def check(self, connection: Connection, request: RunRequest, job: RunJob) -> None:
        """Refuse what `save` would refuse now, but for a busy thread and an answer; nothing is stored."""
        _check_thread(request, lock_thread(connection, job.tenant_id, job.thread_id))
        _check_source(connection, job)

    def save(self, connection: Connection, request: RunRequest, job: RunJob) -> Accepted:
        """Store the run, its first events and its messages in one transaction; `job` is what `grant` gave."""
        request_hash = _hash(request)
        thread = lock_thread(connection, job.tenant_id, job.thread_id)
        earlier, key = earlier_run(connection, request, request_hash)
        if earlier is not None:
            return earlier
        _check_thread(request, thread)
        if thread is None:
            _make_thread(connection, job, request.thread_ttl_s)
        if request.is_answer:
            job = self._answer(connection, request, job)
        _make_room(connection, request, job)
        return _store(connection, request, job, (key, request_hash))

    def _answer(self, connection: Connection, request: RunRequest, job: RunJob) -> RunJob:
        """Return the run that brings an answer: as the one that asked, with what it may do looked at again."""
        asked = asker(connection, job.tenant_id, job.thread_id)
        graph = asked.job.graph
        if request.graph not in (None, graph):
            raise Conflict(
                f"The question was asked by graph '{graph}', not by '{request.graph}'.", graph=graph
            )
        if not asked.questions:  # it stopped at a breakpoint: whatever is answered, it goes on
            going_on = job.drive.model_copy(update={"go_on": True})
            return job.model_copy(update={"answers": None, "drive": going_on})
        answers = _plain(check_answers(request, asked))
        changed = apply_budget_answers(connection, request.caller, asked.questions, answers)
        options = options_for(request, asked).model_copy(update=changed)
        self._check(request.caller, graph, options)
        for rule in rules_for_settings(request.caller, asked.questions, answers):
            if self._keep_rule is not None:
                self._keep_rule(rule)
        return job.model_copy(
            update={
                "graph": graph,
                "options": narrow(request.caller, options, self._own_tools),
                "answers": answers,
                "budget_of": asked.job.budget_of or asked.job.run_id,
            }
        )


def _check_start(request: RunRequest) -> None:
    """Refuse a request that says two things to begin with, or nothing."""
    given = [value is not None for value in (request.input, request.resume, request.answers)]
    request.drive.check(has_input=request.input is not None, has_answer=request.is_answer)
    if sum(given) > 1 or not (any(given) or request.drive.needs_no_input):
        raise InvalidInput(
            "A run needs either an input or an answer to an interrupt (resume or answers), and not both."
        )


def _may_use(caller: Caller, thread: Row[Any]) -> bool:
    return bool(caller.scopes & {"*", "admin"}) or thread.owner_id == caller.owner_id


def _check_thread(request: RunRequest, thread: Row[Any] | None) -> None:
    """Refuse a thread that is another's, or that is not there and is not to be made."""
    if thread is None:
        refused = bool(request.thread_id) and not request.create_thread
    else:
        refused = not _may_use(request.caller, thread)
    if refused:
        raise NotFound(
            f"There is no thread '{request.thread_id}'. 'motet threads list' shows them.",
            thread_id=request.thread_id,
        )


def _check_options(options: RunOptions, own_tools: Collection[str]) -> None:
    check_models(options)
    check_steps(options.max_steps)
    known = {*known_tools(), *own_tools} if options.tools else set[str]()  # looks at every installed package
    for name in options.tools or ():
        if name not in known and "__" not in name:  # an MCP server's is found when the tools are built
            raise NotFound(f"Unknown tool '{name}'.{did_you_mean(name, sorted(known))}", tool=name)


def _check_input(value: dict[str, Any]) -> dict[str, Any]:
    """Return the input with its messages in one form, each with an id, so that a repeated start adds none twice."""
    if "messages" in value:
        value = value | {"messages": [_dump(message) for message in _read_messages(value["messages"])]}
    return _plain(value)


def _plain(value: Any) -> Any:
    """Return a copy of plain JSON.

    A lone surrogate is no text: no database stores it and no client reads it. It becomes U+FFFD.
    """
    try:
        text = json.dumps(value, ensure_ascii=False)
        # A character is a byte at least: what is too large is not made twice to be counted.
        encoded = text.encode("utf-8", "surrogatepass") if len(text) <= MAX_INPUT_BYTES else b""
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidInput(f"The input is not plain JSON: {error}") from None
    if not 0 < len(encoded) <= MAX_INPUT_BYTES:
        raise InvalidInput(f"The input has more than the {MAX_INPUT_BYTES} bytes that are taken.")
    return json.loads(encoded.decode("utf-8", "replace"))


def _read_messages(raw: Any) -> list[BaseMessage]:
    from langchain_core.messages import convert_to_messages  # noqa: PLC0415  # doors that only list need none

    items: list[Any] = raw if isinstance(raw, list) else [raw]
    if not items:
        raise InvalidInput(
            "The input has no messages: give at least one, like {'role': 'user', 'content': '…'}."
        )
    try:
        return convert_to_messages(items)
    except (ValueError, TypeError, NotImplementedError) as error:
        reason = str(error).splitlines()[0]
        raise InvalidInput(
            f"A message has the wrong shape: {reason}. Write {{'role': 'user', 'content': '…'}}."
        ) from None


def _dump(message: BaseMessage) -> dict[str, Any]:
    if not message.id:
        message.id = str(uuid.uuid4())
    return message.model_dump(mode="json", exclude_defaults=True) | {
        "type": message.type,
        "content": message.content,
    }


def _store(
    connection: Connection, request: RunRequest, job: RunJob, known_by: tuple[str | None, str]
) -> Accepted:
    """Store a run; `known_by` is the form in which its idempotency key is stored, and its request's hash."""
    _check_source(connection, job)
    events = _first_events(job)
    row = {
        "tenant_id": job.tenant_id,
        "run_id": job.run_id,
        "thread_id": job.thread_id,
        "owner_id": job.owner_id,
        "graph": job.graph,
        "job": texts_of(connection).close(job.model_dump_json(), job.tenant_id, "runs", job.run_id, "job"),
        "status": "pending",
        "priority": request.priority,
        "last_seq": len(events),
        "idempotency_key": known_by[0],
        "request_hash": known_by[1],
    }
    due = db_now() + request.delay_s if request.delay_s else None
    if due is None:
        _PUT.do(connection, row)
    else:
        connection.execute(_LATER.values(not_before=due), row)
    log.insert(
        connection, job.tenant_id, job.run_id, 1, [EVENT.dump_json(event).decode() for event in events]
    )
    log.remember(connection, job, events)
    webhooks.keep(connection, job, request.webhook)
    touch_thread(connection, job.tenant_id, job.thread_id, job.graph)
    return Accepted(run_id=job.run_id, thread_id=job.thread_id)


_LATER = sa.insert(runs).values(not_before=0, created_at=db_now())
_PUT = Ready(_LATER)


def _check_source(connection: Connection, job: RunJob) -> None:
    """Refuse a run whose results are to be used again when there is no such run."""
    source = job.options.reuse_results_of
    if source is not None:
        query = sa.select(runs.c.run_id).where(runs.c.tenant_id == job.tenant_id, runs.c.run_id == source)
        if connection.execute(query).first() is None:
            raise NotFound(f"There is no run '{source}'. 'motet runs list' shows them.", run_id=source)
    check_replay(connection, job)


def _hash(request: RunRequest) -> str:
    """Return a hash of what was asked, the same for the same request, whatever text it holds."""
    asked = request.model_dump(exclude={"caller", "idempotency_key", "traceparent"})
    for values, name, default in (
        (asked, "answers", None),
        (asked, "priority", 0),
        (asked, "delay_s", 0.0),
        (asked["options"], "models", None),
        (asked["options"], "reuse_results_of", None),
        (asked["options"], "max_retries", None),
        (asked["options"], "permissions", None),
        (asked["options"], "untrusted", None),
        (asked["options"], "budget", None),
        (asked["options"], "record", None),
        (asked, "drive", Drive().model_dump()),
        (asked["options"], "task", None),
        (asked, "thread_ttl_s", None),
        (asked, "webhook", None),
        (asked["options"], "replay", None),
    ):  # younger than the first hashes on disk
        if values[name] == default:
            del values[name]
    encoded = json.dumps(asked, sort_keys=True, default=str)
    return hashlib.sha256(encoded.encode("ascii")).hexdigest()


def _make_thread(connection: Connection, job: RunJob, ttl_s: float | None) -> None:
    row = {
        "tenant_id": job.tenant_id,
        "thread_id": job.thread_id,
        "owner_id": job.owner_id,
        "title": _title(job),
        "graph": job.graph,
        "ttl_s": ttl_s,
    }
    _PUT_THREAD.do(connection, row)


_PUT_THREAD = Ready(sa.insert(threads).values(created_at=db_now(), updated_at=db_now()))


def _make_room(connection: Connection, request: RunRequest, job: RunJob) -> None:
    """Apply the multitask strategy to a busy thread; a run that is to stop is told by its row."""
    busy = lock_active(connection, job.tenant_id, job.thread_id)
    if busy and request.multitask == "reject":
        raise Conflict(f"Thread {job.thread_id} is busy with run {busy[0].run_id}.", thread_id=job.thread_id)
    undo = request.multitask == "rollback"
    for row in busy if undo else ():
        if row.started_at is not None and _answers(connection, row):
            raise Conflict(
                f"Run {row.run_id} answers an interrupt, and that cannot be taken back: use 'interrupt' or 'enqueue'.",
                thread_id=job.thread_id,
            )
    for row in busy if request.multitask in ("interrupt", "rollback") else ():
        ask_to_stop(connection, row, reason=f"another run took its place ({request.multitask})", undo=undo)


def _answers(connection: Connection, row: Row[Any]) -> bool:
    """Say whether a run answers an interrupt; one whose job cannot be read does not."""
    try:
        text = texts_of(connection).open(row.job, row.tenant_id, "runs", row.run_id, "job")
        return json.loads(text).get("answers") is not None or json.loads(text).get("resume") is not None
    except (StateCorrupt, ValueError):
        return False


def _first_events(job: RunJob) -> list[Event]:
    """Return the events that acceptance itself writes: the input, and the user's messages in it."""
    accepted = RunAccepted(graph=job.graph, input=_told_input(job))
    return [accepted, *(_completed(m) for m in _user_messages(job))]


def _told_input(job: RunJob) -> dict[str, Any]:
    """Return the whole of what a run begins with."""
    if job.input is not None:
        return job.input
    command = job.drive.model_dump(
        mode="json", include={"go_on", "update", "goto", "supersteps"}, exclude_defaults=True
    )
    return ({"answers": job.answers} if job.answers is not None else {}) | command


def _completed(message: dict[str, Any]) -> MessageCompleted:
    return MessageCompleted(message_id=message["id"], role="user", text=_text(message["content"]))


def _user_messages(job: RunJob) -> list[dict[str, Any]]:
    found = (job.input or {}).get("messages", [])
    return [message for message in found if message.get("type") == "human"]


def _title(job: RunJob) -> str:
    words = " ".join(_text(m["content"]) for m in _user_messages(job)[:1]).split()
    line = " ".join(words) or " ".join(str(job.metadata.get("title") or "").split())
    return line if len(line) <= TITLE_CHARS else line[: TITLE_CHARS - 1] + "…"


def _text(content: Any) -> str:
    """Return the text of a message's content, which is a string or a list of blocks."""
    if isinstance(content, str):
        return content
    blocks: list[Any] = content
    return "".join(b if isinstance(b, str) else b.get("text", "") for b in blocks)
