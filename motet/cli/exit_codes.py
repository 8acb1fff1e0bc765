"""What the command's exit status means, and which error gives which: one table.

What does not live here: the words that go with it (each error brings its message).

Source: 124 is GNU timeout's, 130 and 143 are 128 plus the signal's number, 141 likewise for a closed pipe.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from motet.errors import (
    BudgetExceeded,
    ExtraMissing,
    ModelError,
    MotetBug,
    MotetError,
    RunCancelled,
    RunError,
    StorageError,
    UserError,
    WeightsError,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

OK = 0
FAILED = 1
USAGE = 2
MODEL = 3
BUDGET = 4
APPROVAL_NEEDED = 5
BELOW = 6
TIMEOUT = 124
INTERRUPTED = 130
PIPE_CLOSED = 141
TERMINATED = 143

MEANINGS: Mapping[int, str] = {
    OK: "it went well",
    FAILED: "the run failed, or a row of an evaluation, or the database",
    USAGE: "a wrong command, option, name, file or setting",
    MODEL: "a model, its provider or its weights failed",
    BUDGET: "a limit on steps, tokens or money was reached",
    APPROVAL_NEEDED: "the run waits for a person, and none is at the terminal; it can be resumed",
    BELOW: "fewer rows of an evaluation passed than --min asks for",
    TIMEOUT: "the time that --timeout gave was over",
    INTERRUPTED: "stopped by Ctrl-C",
    PIPE_CLOSED: "whoever read the output left",
    TERMINATED: "stopped by SIGTERM",
}
"""Every status that the command exits with."""

EXIT_CODES: Mapping[type[MotetError], int] = {
    MotetError: FAILED,
    UserError: USAGE,
    ExtraMissing: USAGE,
    RunError: FAILED,
    ModelError: MODEL,
    BudgetExceeded: BUDGET,
    RunCancelled: INTERRUPTED,
    StorageError: FAILED,
    WeightsError: MODEL,
    MotetBug: FAILED,
}
"""Status of each error; a class that is not named has its nearest parent's."""


def exit_code(error: MotetError) -> int:
    """Return the exit status that tells of an error."""
    return next(EXIT_CODES[cls] for cls in type(error).__mro__ if cls in EXIT_CODES)
