"""Every error that Motet raises on purpose, in one tree.

What does not live here: HTTP statuses (the server's table) and exit codes (the command line's table).

::

    MotetError
    ├── UserError                the caller can fix it
    │   ├── InvalidInput         a value is wrong
    │   ├── NotFound             an id or a name is unknown
    │   ├── Conflict             the thing exists, or is in the wrong state
    │   ├── SettingInvalid       a setting is wrong, or two of them disagree
    │   ├── PermissionRefused    not allowed to this caller
    │   │   └── EgressRefused        an address that is not called
    │   ├── Unauthenticated      no credential, or none that counts
    │   ├── RateLimited          too many requests or streams at once
    │   ├── TooLarge             a body, a header or a file has more bytes than are taken
    │   ├── TooSlow              a request takes longer to arrive than is waited for
    │   └── ExtraMissing         an optional part is not installed
    ├── RunError                 this run failed, others go on
    │   ├── ModelError           a model or its provider
    │   │   ├── ModelUnavailable     it does not answer
    │   │   ├── ModelRefused         it answers no (key, quota, unknown model)
    │   │   ├── ContextOverflow      the prompt is longer than its window
    │   │   └── ModelOutputInvalid   what it wrote has not the asked shape, after every repair
    │   ├── ToolFailed           a tool cannot do its work now; its agent is told, and goes on
    │   │   └── SandboxUnavailable   there is no sandbox here, and nothing is run without it
    │   ├── FetchFailed          another machine did not answer, or with what is not taken
    │   ├── BudgetExceeded       a limit on steps, tokens, time or money
    │   ├── RecordingMismatch    a recorded run is played again, and goes another way
    │   ├── RunCancelled         somebody stopped it
    │   ├── InterruptExpired     nobody answered in time
    │   ├── ServerStopping       the server takes no new work; another one does, or this one later
    │   ├── LeaseLost            another worker owns the run now
    │   ├── DocumentUnreadable   one document cannot be taken in; the others are
    │   └── StateCorrupt         a stored value fails its check and is not loaded
    ├── StorageError             the database
    │   ├── DatabaseNewer        written by a newer Motet
    │   ├── DatabaseForeign      not one of Motet's, or not a database at all
    │   ├── DatabaseUnavailable  locked, read-only, unreachable
    │   ├── DatabaseFull         no space left
    │   └── EncryptionMismatch   encrypted with another key, or not as the settings say
    ├── WeightsError             the embedded model's file
    │   ├── WeightsMissing       not fetched yet
    │   └── WeightsCorrupt       its checksum is wrong
    └── MotetBug                 ours: please report it
"""

from __future__ import annotations

import difflib
import unicodedata
from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    from collections.abc import Iterable


class MotetError(Exception):
    """Base of all of Motet's errors.

    `code` is stable and safe to match on; `message` names the value and the next step; `fields` holds plain
    JSON values. An error survives a trip through the queue: `from_dict(error.to_dict())` gives it back.
    """

    code: ClassVar[str] = "error"

    def __init__(self, message: str, /, **fields: Any) -> None:
        super().__init__(message)
        self.message = message
        self.fields = fields

    def __reduce__(self) -> tuple[Any, ...]:
        return (_rebuild, (type(self).code, self.message, self.fields))

    def to_dict(self) -> dict[str, Any]:
        """Return `{"code", "message", "fields"}`, all plain JSON."""
        return {"code": self.code, "message": self.message, "fields": self.fields}

    @staticmethod
    def from_dict(data: dict[str, Any]) -> MotetError:
        """Rebuild an error from `to_dict()`; an unknown code gives a plain `MotetError`."""
        return _rebuild(
            str(data.get("code", "error")), str(data.get("message", "")), data.get("fields") or {}
        )


class UserError(MotetError):
    """The caller can fix this."""

    code = "user_error"


class InvalidInput(UserError):
    """A value is wrong; the message names it and what was expected."""

    code = "invalid_input"


class NotFound(UserError):
    """An id or a name is unknown."""

    code = "not_found"


class Conflict(UserError):
    """The thing exists already, or is in a state that does not allow this."""

    code = "conflict"


class SettingInvalid(UserError):
    """A setting is wrong, or two settings disagree."""

    code = "setting_invalid"


class PermissionRefused(UserError):
    """This caller may not do this."""

    code = "permission_refused"


class EgressRefused(PermissionRefused):
    """An address that is not called: not public, or not among those that an operator allows."""

    code = "egress_refused"


class Unauthenticated(UserError):
    """No credential was given, or none that counts."""

    code = "unauthenticated"


class RateLimited(UserError):
    """Too many requests or streams at once; `fields["retry_after_s"]` says when to come back."""

    code = "rate_limited"


class TooLarge(InvalidInput):
    """A body, a header or a file has more bytes than are taken."""

    code = "too_large"


class TooSlow(UserError):
    """A request takes longer to arrive than is waited for."""

    code = "too_slow"


class ExtraMissing(UserError):
    """An optional part is not installed; the message says how to install it."""

    code = "extra_missing"


class RunError(MotetError):
    """This run failed; others go on."""

    code = "run_error"


class ModelError(RunError):
    """A model or its provider failed."""

    code = "model_error"


class ModelUnavailable(ModelError):
    """The model's server does not answer, or answered too late."""

    code = "model_unavailable"


class ModelRefused(ModelError):
    """The model's server says no: a missing or wrong key, a quota, an unknown model."""

    code = "model_refused"


class ContextOverflow(ModelError):
    """The prompt is longer than the model's window."""

    code = "context_overflow"


class ModelOutputInvalid(ModelError):
    """What the model wrote has not the asked shape, after every repair."""

    code = "model_output_invalid"


class ToolFailed(RunError):
    """A tool cannot do its work now; its agent is told, and goes on without it."""

    code = "tool_failed"


class SandboxUnavailable(ToolFailed):
    """There is no sandbox on this machine, and nothing is run without one."""

    code = "sandbox_unavailable"


class FetchFailed(RunError):
    """Another machine did not answer, or with something too long, too late or of another kind than asked."""

    code = "fetch_failed"


class BudgetExceeded(RunError):
    """A limit on steps, tokens, time or money was reached."""

    code = "budget_exceeded"


class RecordingMismatch(RunError):
    """A recorded run is played again and makes a call that the recording does not have."""

    code = "recording_mismatch"


class RunCancelled(RunError):
    """Somebody stopped the run."""

    code = "run_cancelled"


class InterruptExpired(RunError):
    """The run waited for a person, and nobody answered in time."""

    code = "interrupt_expired"


class LeaseLost(RunError):
    """Another worker owns the run now; this one must stop without a trace."""

    code = "lease_lost"


class DocumentUnreadable(RunError):
    """One document cannot be taken in; the others are."""

    code = "document_unreadable"


class StateCorrupt(RunError):
    """A stored value fails its check and is not loaded."""

    code = "corrupt_state"


class ServerStopping(RunError):
    """The server is about to stop and takes no new work; what it accepted is kept."""

    code = "server_stopping"


class StorageError(MotetError):
    """The database failed."""

    code = "storage_error"


class DatabaseNewer(StorageError):
    """The database was written by a newer Motet."""

    code = "database_newer"


class DatabaseForeign(StorageError):
    """The file is not one of Motet's databases, or not a database at all."""

    code = "database_foreign"


class DatabaseUnavailable(StorageError):
    """The database, or the vector store, is locked, read-only or unreachable."""

    code = "database_unavailable"


class DatabaseFull(StorageError):
    """No space is left for the database."""

    code = "database_full"


class EncryptionMismatch(StorageError):
    """The database is encrypted and its key is missing or another one, or a key is set and it is not encrypted."""

    code = "encryption_mismatch"


class WeightsError(MotetError):
    """The embedded model's file."""

    code = "weights_error"


class WeightsMissing(WeightsError):
    """The embedded model's file was not fetched yet."""

    code = "weights_missing"


class WeightsCorrupt(WeightsError):
    """The embedded model's file has a wrong checksum and was not opened."""

    code = "weights_corrupt"


class MotetBug(MotetError):
    """Something that cannot happen did: please report it."""

    code = "bug"


def all_errors() -> dict[str, type[MotetError]]:
    """Return every error class by its code; a subclass without a code of its own is not in it."""
    found: dict[str, type[MotetError]] = {}
    todo: list[type[MotetError]] = [MotetError]
    while todo:
        cls = todo.pop()
        found.setdefault(cls.code, cls)  # a parent comes before its subclasses
        todo.extend(cls.__subclasses__())
    return found


MAX_KNOWN = 20
"""Of so many known words a message names all; of more only some."""


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return `" Did you mean 'x'? Known: x, y."`, or only the known words when none is near.

    Of many words only the first are named: `Known: a, b, … and 300 more.`
    """
    names = sorted(known)
    near = difflib.get_close_matches(word, names, n=1, cutoff=0.6)
    guess = f" Did you mean '{near[0]}'?" if near else ""
    more = f", … and {len(names) - MAX_KNOWN:,} more" if len(names) > MAX_KNOWN else ""
    return f"{guess} Known: {', '.join(names[:MAX_KNOWN])}{more}." if names else guess


def visible(text: str) -> str:
    r"""Return text in which what nobody sees is written out, as `\x1b`: controls, directions, half characters.

    Blanks of all widths stay, and so do the joiners of emoji and of scripts. For names that others gave.
    """
    if text.isprintable():
        return text
    return "".join(
        ascii(c)[1:-1] if c not in _JOINERS and unicodedata.category(c) in _UNSEEN else c for c in text
    )


_JOINERS = "\u200c\u200d"
_UNSEEN = frozenset({"Cc", "Cf", "Cn", "Cs", "Zl", "Zp"})


def _rebuild(code: str, message: str, fields: dict[str, Any]) -> MotetError:
    return all_errors().get(code, MotetError)(message, **fields)
