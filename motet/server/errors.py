"""From an error to an HTTP answer: the only place that knows both.

What does not live here: the forms of other wires; each has its own, made from the same `Problem`.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from starlette.responses import Response

from motet.errors import (
    Conflict,
    ContextOverflow,
    DatabaseFull,
    DatabaseUnavailable,
    DocumentUnreadable,
    ExtraMissing,
    InterruptExpired,
    InvalidInput,
    ModelError,
    ModelRefused,
    ModelUnavailable,
    MotetError,
    NotFound,
    PermissionRefused,
    RateLimited,
    ServerStopping,
    TooLarge,
    TooSlow,
    Unauthenticated,
    UserError,
)
from motet.server.plain import utf8

if TYPE_CHECKING:
    from collections.abc import Mapping

STATUSES: Mapping[type[MotetError], int] = {
    MotetError: 500,
    UserError: 400,
    InvalidInput: 422,
    TooLarge: 413,
    TooSlow: 408,
    NotFound: 404,
    Conflict: 409,
    Unauthenticated: 401,
    PermissionRefused: 403,
    RateLimited: 429,
    ExtraMissing: 501,
    InterruptExpired: 410,
    ModelError: 502,
    ModelUnavailable: 503,
    ModelRefused: 502,
    ContextOverflow: 422,
    DocumentUnreadable: 422,
    DatabaseUnavailable: 503,
    DatabaseFull: 507,
    ServerStopping: 503,
}
"""Status of each error; a class that is not named has its nearest parent's."""

TITLES: Mapping[int, str] = {
    400: "Bad request",
    401: "Not authenticated",
    403: "Not allowed",
    404: "Not found",
    405: "Method not allowed",
    408: "Too slow",
    409: "Conflict",
    410: "Gone",
    413: "Too large",
    422: "Not understood",
    429: "Too many requests",
    500: "Internal error",
    501: "Not installed",
    502: "The model answered with an error",
    503: "Not available now",
    507: "No space left",
}


@dataclass(frozen=True, slots=True)
class Problem:
    """What went wrong with a request, before a wire puts it into its own words."""

    status: int
    code: str
    """Motet's stable code."""
    message: str
    request_id: str
    fields: Mapping[str, Any] = field(default_factory=dict[str, Any])
    headers: Mapping[str, str] = field(default_factory=dict[str, str])


def status_of(error: MotetError) -> int:
    """Return the HTTP status that tells of an error."""
    return next(STATUSES[cls] for cls in type(error).__mro__ if cls in STATUSES)


def problem_of(error: Exception, request_id: str) -> Problem:
    """Return what a caller may know of an error. Of one that nobody foresaw: where to find it in the log, no more."""
    if not isinstance(error, MotetError) or status_of(error) == 500:
        message = f"Something unexpected happened. The server's log has it under {request_id}."
        return Problem(500, "internal_error", message, request_id)
    status, headers = status_of(error), dict[str, str]()
    if status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    if status == 408:
        headers["Connection"] = "close"  # the rest of it is not waited for
    if status in (429, 503):
        headers["Retry-After"] = str(max(1, round(float(error.fields.get("retry_after_s", 1)))))
    return Problem(status, error.code, error.message, request_id, error.fields, headers)


def problem_response(problem: Problem) -> Response:
    """Return RFC 9457's form: `application/problem+json`."""
    body = {
        "type": f"urn:motet:error:{problem.code}",
        "title": TITLES.get(problem.status, "Error"),
        "status": problem.status,
        "detail": problem.message,
        "code": problem.code,
        "request_id": problem.request_id,
        **({"fields": problem.fields} if problem.fields else {}),
    }
    text = json.dumps(body, ensure_ascii=False, default=str)  # fields may hold anything
    return Response(
        utf8(text),
        problem.status,
        dict(problem.headers),
        media_type="application/problem+json",
    )
