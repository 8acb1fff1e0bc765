"""The edge of the command line: run it, turn every error into one line and an exit status.

What does not live here: the commands (`root` lists them).
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, NoReturn

from motet.cli import exit_codes
from motet.cli.say import say
from motet.errors import MotetError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from typer import TyperException

    from motet.settings import Settings


def main() -> NoReturn:
    """Run the command that the process was started with, and exit with its status."""
    sys.exit(run(sys.argv[1:]))


def run(arguments: Sequence[str]) -> int:
    """Run one command and return its exit status. What it has to say of errors is on stderr, one line each."""
    import typer

    from motet.cli.root import command

    _tolerate_narrow_encodings()
    try:
        status = command()(arguments)
        sys.stdout.flush()  # here, where a reader that has left is told from a bug; not at the interpreter's end
    except BrokenPipeError:
        return _reader_left()
    except MotetError as error:
        say(error.message)
        return exit_codes.exit_code(error)
    except typer.TyperException as error:
        return _usage(error)
    except typer.Abort:
        say("stopped")
        return exit_codes.INTERRUPTED
    except KeyboardInterrupt:
        return exit_codes.INTERRUPTED
    except Exception as error:  # noqa: BLE001  # the edge: the trace goes to a file, one line to the person
        say(_record(error))
        return exit_codes.FAILED
    return status


def _reader_left() -> int:
    """Give what is still buffered nowhere to go, so that the interpreter's last flush does not fail again."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)
    return exit_codes.PIPE_CLOSED


def _usage(error: TyperException) -> int:
    """Tell of a wrong command line; a group that was called without a command has shown its help already."""
    message = error.format_message()
    if message.lstrip().startswith("Usage:"):
        sys.stderr.write(f"{message.strip()}\n")
    elif message:
        context = getattr(error, "ctx", None)
        path = context.command_path if context is not None else "motet"
        say(f"{message} Try '{path} --help'.")
    return error.exit_code


def _record(error: Exception) -> str:
    """Write an unexpected error's trace to a file, without secrets; return the line that names it."""
    import traceback

    summary, trace = f"{type(error).__name__}: {error}", "".join(traceback.format_exception(error))
    try:
        settings = _settings()
        for secret in settings.secrets():
            summary, trace = summary.replace(secret, "***"), trace.replace(secret, "***")
        path = _write_log(settings.storage.home / "logs", trace)
    except (OSError, MotetError) as second:
        return (
            f"something unexpected happened ({type(error).__name__}), and no log could be written: {second}"
        )
    return f"something unexpected happened ({summary}); its trace is in {path}. Please report it."


def _settings() -> Settings:
    from motet.settings import Settings

    return Settings.load()


def _write_log(folder: Path, trace: str) -> Path:
    import time

    folder.mkdir(parents=True, exist_ok=True)
    path = folder / time.strftime("error-%Y%m%d-%H%M%S.log")
    with path.open("a", encoding="utf-8", errors="backslashreplace") as file:
        file.write(trace)
    return path


def _tolerate_narrow_encodings() -> None:
    """Let a stream that cannot show a character show something else, instead of failing."""
    import io

    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
