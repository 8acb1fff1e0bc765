"""What must not be shown: a string that hides itself, and passwords in the URLs of databases.

What does not live here: which settings are secret (`settings`), and taking them out of the log (`telemetry`).
"""

from __future__ import annotations

import re
from urllib.parse import unquote

# A password may hold anything, an unescaped @ too: all up to the last one is hidden.
_IN_URL = re.compile(r"(?P<before>://[^:/@\s]*:)(?P<password>\S*)(?=@)")
_IN_QUERY = re.compile(r"(?P<before>[?&]\w*(?:password|passwd|pwd)=)(?P<password>[^&\s]*)", re.IGNORECASE)


class Secret:
    """A string that does not show itself: `repr`, logs and error messages print `***`."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """Return the secret itself."""
        return self._value

    def __repr__(self) -> str:
        return "Secret('***')" if self._value else "Secret('')"

    __str__ = __repr__

    def __bool__(self) -> bool:
        return bool(self._value)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and self._value == other._value

    def __hash__(self) -> int:
        return hash(self._value)


def hide_password(url: str) -> str:
    """Return a URL with `***` for its password, in front of the host or in the query; other text as it is."""
    for pattern in (_IN_URL, _IN_QUERY):
        url = pattern.sub(lambda found: f"{found['before']}***", url)
    return url


def passwords(url: str) -> list[str]:
    """Return the passwords in a URL, as they are written and as they are meant."""
    found = [match["password"] for pattern in (_IN_URL, _IN_QUERY) for match in pattern.finditer(url)]
    return [text for written in found if written for text in dict.fromkeys((written, unquote(written)))]
