"""What comes before every route: a request id, a Host that is ours, an Origin that may, an access log.

Why the Host counts though it proves nothing: a page of a stranger's can have its own name resolve to this machine
and so read what a browser here may read. Such a request bears the stranger's name. (CVE-2025-66416 and others.)
"""

from __future__ import annotations

import ipaddress
import logging
import re
import socket
import time
import uuid
from typing import TYPE_CHECKING, Any

from motet.server.errors import Problem, problem_response

if TYPE_CHECKING:
    from starlette.datastructures import Headers
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from motet.server.office import Office

access = logging.getLogger("motet.server.access")

HOST = re.compile(r"(?P<name>[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::(?P<port>[0-9]{1,5}))?")
TAKEN_HEADERS = b"authorization, content-type, x-api-key, last-event-id, idempotency-key"
TOLD_HEADERS = b"location, content-location, x-request-id, x-pagination-next"
REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")

TRACEPARENT = re.compile(r"00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")
"""W3C Trace Context, version 00: the trace, the caller's span, and whether it is sampled."""


def traceparent_of(headers: Headers) -> str | None:
    """Return the caller's span; None where there is none, or none that the standard knows."""
    given = headers.get("traceparent", "").strip()
    return given if TRACEPARENT.fullmatch(given) else None


def request_id_of(scope: Scope) -> str:
    """Return the id of the request that is being answered."""
    return str(scope.get("motet.request_id", ""))


class Surroundings:
    """Wraps the application. Works on `scope` alone, never on a URL that was put together from headers."""

    def __init__(self, app: ASGIApp, office: Office) -> None:
        self.app = app
        self._office = office
        settings = office.settings
        names = {"localhost", settings.host.strip("[]").lower(), *settings.names("allowed_hosts")}
        if not settings.is_loopback():
            names |= {socket.gethostname().lower(), socket.getfqdn().lower()}
        self._hosts = names - {""}
        self._origins = set(settings.names("allowed_origins"))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = [
            (name.decode("latin-1").lower(), value.decode("latin-1")) for name, value in scope["headers"]
        ]
        given = dict(headers).get("x-request-id", "")
        scope["motet.request_id"] = given if REQUEST_ID.fullmatch(given) else uuid.uuid4().hex
        answered = _Answered(scope, send, self._cors(headers))
        began = time.perf_counter()
        try:
            problem = self._refusal(scope, headers)
            if problem is not None:
                await problem_response(problem)(scope, receive, answered.send)
            elif scope["method"] == "OPTIONS" and answered.extra:
                await answered.send({"type": "http.response.start", "status": 204, "headers": []})
                await answered.send({"type": "http.response.body", "body": b""})
            else:
                await self.app(scope, receive, answered.send)
        finally:
            self._log(scope, answered.status, time.perf_counter() - began)

    def _refusal(self, scope: Scope, headers: list[tuple[str, str]]) -> Problem | None:
        request_id = request_id_of(scope)
        hosts = [value for name, value in headers if name == "host"]
        host = HOST.fullmatch(hosts[0]) if len(hosts) == 1 else None
        if host is None:
            return Problem(400, "bad_request", "The request needs one Host header.", request_id)
        if not self._knows(host["name"]):
            message = f"This server is not called {host['name']!r}. MOTET_ALLOWED_HOSTS lists the names that it has."
            return Problem(403, "host_refused", message, request_id)
        size = sum(len(name) + len(value) for name, value in headers)
        if size > self._office.settings.max_header_kb * 1024 or len(headers) > 200:
            return Problem(431, "too_large", "The request's headers are larger than are taken.", request_id)
        for origin in [value for name, value in headers if name == "origin"]:
            if not self._lets(origin, hosts[0], scope):
                message = (
                    f"Pages of {origin[:200]!r} may not ask here. MOTET_ALLOWED_ORIGINS lists those that may."
                )
                return Problem(403, "origin_refused", message, request_id)
        return None

    def _knows(self, name: str) -> bool:
        """Say whether a Host names this server. An address cannot be made to point here by a stranger's name."""
        bare = name.strip("[]").lower().rstrip(".")
        if bare in self._hosts or "*" in self._hosts:
            return True
        try:
            ipaddress.ip_address(bare)
        except ValueError:
            return False
        return True

    def _lets(self, origin: str, host: str, scope: Scope) -> bool:
        same = f"{scope.get('scheme', 'http')}://{host}".lower()
        return origin.lower() == same or origin in self._origins or "*" in self._origins

    def _cors(self, headers: list[tuple[str, str]]) -> list[tuple[bytes, bytes]]:
        """Return the headers that let a page of an allowed origin read the answer."""
        origin = dict(headers).get("origin", "")
        if not origin or not (origin in self._origins or "*" in self._origins):
            return []
        return [
            (b"access-control-allow-origin", origin.encode("latin-1")),
            (b"vary", b"Origin"),
            (b"access-control-allow-methods", b"GET, POST, PUT, PATCH, DELETE"),
            (b"access-control-allow-headers", TAKEN_HEADERS),
            (b"access-control-expose-headers", TOLD_HEADERS),
            (b"access-control-max-age", b"600"),
        ]

    def _log(self, scope: Scope, status: int, took_s: float) -> None:
        if self._office.metrics is not None:
            self._office.metrics.count(str(scope.get("motet.operation", "none")), status, took_s)
        if access.isEnabledFor(logging.INFO):
            caller = scope.get("motet.caller")
            said: dict[str, Any] = {
                "request_id": request_id_of(scope),
                "method": scope["method"],
                "path": scope["path"],
                "status": status,
                "duration_s": round(took_s, 4),
                "tenant": getattr(caller, "tenant_id", None),
                **_run_of(scope),
            }
            access.info("%(method)s %(path)s %(status)s %(duration_s)s s", said, extra={"fields": said})


def _run_of(scope: Scope) -> dict[str, str]:
    """Return the ids of the run and the thread that a request began or names; none where there are none."""
    began = getattr(scope.get("motet.desk"), "accepted", None)
    if began is not None:
        return {"run_id": began.run_id, "thread_id": began.thread_id}
    named = scope.get("path_params", {})
    return {name: str(named[name]) for name in ("run_id", "thread_id") if name in named}


class _Answered:
    """Sends an answer with the headers that every one has."""

    def __init__(self, scope: Scope, send: Send, extra: list[tuple[bytes, bytes]]) -> None:
        self.status = 0
        self.extra = extra
        self._send = send
        self._own = [
            (b"x-request-id", request_id_of(scope).encode("ascii")),
            (b"x-content-type-options", b"nosniff"),
        ]

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            message = {**message, "headers": [*message.get("headers", []), *self._own, *self.extra]}
        await self._send(message)
