"""What is asked: the words on the command line, and what is piped in.

What does not live here: asking (`ask`).
"""

from __future__ import annotations

import os
import re
import stat
import sys

from motet.errors import InvalidInput

MAX_PIPED_BYTES = 4 * 1024 * 1024
"""The gate takes no larger input."""


def read_question(words: str) -> str:
    """Return the question: what is piped in when there are no words, else the words with it as material below.

    Raises:
        InvalidInput: There is nothing to ask, or what is piped in is no text or too much.
    """
    piped = read_piped()
    question = words.strip()
    if question and piped.strip():
        return with_material(question, piped)
    if question or piped.strip():
        return question or piped.strip()
    raise InvalidInput("There is no question. Write it after the command, or pipe it in.")


def with_material(question: str, material: str, *, what: str = "standard input") -> str:
    """Return a question with material below it, in a fence that nothing in the material closes."""
    longest = max((len(run) for run in re.findall(r"`{3,}", material)), default=2)
    fence = "`" * (longest + 1)
    return f"{question}\n\nMaterial ({what}):\n{fence}\n{material.strip()}\n{fence}"


def read_piped() -> str:
    """Return what a pipe, a file or a socket gives on standard input; "" for a terminal and for `/dev/null`.

    Raises:
        InvalidInput: It is not UTF-8 text, or longer than `MAX_PIPED_BYTES`.
    """
    try:
        mode = os.fstat(sys.stdin.fileno()).st_mode
    except (OSError, ValueError, AttributeError):  # closed, or not a real stream
        return ""
    if not (stat.S_ISFIFO(mode) or stat.S_ISREG(mode) or stat.S_ISSOCK(mode)):
        return ""
    data = sys.stdin.buffer.read(MAX_PIPED_BYTES + 1)
    if len(data) > MAX_PIPED_BYTES:
        raise InvalidInput(
            f"Standard input is longer than {MAX_PIPED_BYTES:,} bytes. Take it in as a document: --docs PATH."
        )
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InvalidInput(f"Standard input is not UTF-8 text: byte {error.start} is wrong.") from None
