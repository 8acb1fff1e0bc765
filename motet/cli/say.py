"""The one line in which the command speaks of itself, on stderr."""

from __future__ import annotations

import sys

from motet.errors import visible


def say(message: str) -> None:
    """Print `motet: message` on stderr, as one line."""
    sys.stdout.flush()
    sys.stderr.write(f"motet: {visible(' '.join(message.split()))}\n")
    sys.stderr.flush()
