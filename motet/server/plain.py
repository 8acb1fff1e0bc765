"""JSON as it crosses the door: RFC 8259 and UTF-8, whatever a client sent or a graph left.

What does not live here: what the JSON says (`protocols`), and how a body is received (`call`).

Python's own `json` writes NaN and Infinity, which no browser reads, and strings that have no UTF-8: half of a surrogate
pair is what is left where a program cut a text by UTF-16's units.
"""

from __future__ import annotations

import json
import math
import re
from typing import TYPE_CHECKING, Any, cast

from starlette.responses import Response

if TYPE_CHECKING:
    from collections.abc import Mapping

_HALF_ESCAPED = re.compile(
    r"\\u[dD][89abAB][0-9a-fA-F]{2}(?!\\u[dD][c-fC-F])|(?<!\\u[dD][89abAB][0-9a-fA-F]{2})\\u[dD][c-fC-F]"
)
_HALF = re.compile("[\ud800-\udfff]")


def json_value(text: str) -> Any:
    """Parse JSON; half of a surrogate pair becomes U+FFFD, since no database stores it and no client reads it.

    Raises:
        ValueError: It is no JSON, or has NaN or Infinity.
        RecursionError: It is nested too deeply.
    """
    value = json.loads(text, parse_constant=_refuse)
    return _whole(value) if _HALF_ESCAPED.search(text) else value


def json_text(value: Any, *, compact: bool = False) -> str:
    """Return JSON; NaN and Infinity as null, as LangGraph's own server writes them. `compact` leaves out spaces."""
    separators = (",", ":") if compact else None
    try:
        return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=separators)
    except ValueError:
        return json.dumps(_finite(value), ensure_ascii=False, allow_nan=False, separators=separators)


def utf8(text: str) -> bytes:
    """Return text as UTF-8; half of a surrogate pair becomes U+FFFD."""
    try:
        return text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace").encode()


class PlainAnswer(Response):
    """An answer in JSON that any client can read."""

    media_type = "application/json"

    def __init__(
        self, content: Any, status_code: int = 200, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(content, status_code, headers)

    def render(self, content: Any) -> bytes:
        """Return the body."""
        return utf8(json_text(content, compact=True))


def _refuse(name: str) -> Any:
    raise ValueError(f"{name} is no number in JSON")


def _whole(value: Any) -> Any:
    if isinstance(value, str):
        return _HALF.sub("\ufffd", value)
    if isinstance(value, list):
        return [_whole(item) for item in cast("list[Any]", value)]
    if isinstance(value, dict):
        return {_whole(key): _whole(item) for key, item in cast("dict[str, Any]", value).items()}
    return value


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, (list, tuple)):
        return [_finite(item) for item in cast("list[Any]", value)]
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in cast("dict[Any, Any]", value).items()}
    return value
