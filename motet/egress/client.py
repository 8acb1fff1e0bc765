"""The client of every outbound call, and the transport that other libraries' clients are given.

What does not live here: which addresses may be called (`rules`). The environment's proxies, cookies and credentials
play no part, and every redirect is checked as the first address was.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
import zlib
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import certifi

from motet.egress.rules import PORTS, Rules
from motet.errors import EgressRefused, FetchFailed

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence
    from types import ModuleType

    from motet.egress.rules import Target
    from motet.settings import EgressSettings

logger = logging.getLogger(__name__)

MAX_REDIRECTS = 5
MAX_URL_CHARS = 4000
MAX_RATIO = 100
"""A body that unpacks to more than this many times its size, and to more than a megabyte, is not taken."""
_RATIO_FROM_BYTES = 1_000_000
_REDIRECTS = {301, 302, 303, 307, 308}
_OWN_HEADERS = frozenset(
    {"host", "connection", "transfer-encoding", "content-length", "accept-encoding", "te"}
)
_KEPT_ACROSS_HOSTS = frozenset({"accept", "accept-language", "user-agent"})
_SAFE = frozenset({"GET", "HEAD"})


@dataclass(frozen=True, slots=True)
class Fetched:
    """What came back."""

    url: str
    """Where it came from in the end."""
    status: int
    headers: Mapping[str, str]
    """Names in lower case."""
    body: bytes
    """Unpacked."""

    @property
    def content_type(self) -> str:
        """The media type in lower case, without parameters; "" where none was told."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()

    @property
    def charset(self) -> str:
        """The charset that was told, in lower case; "" where none was."""
        _, _, charset = self.headers.get("content-type", "").lower().partition("charset=")
        return charset.split(";")[0].strip(" \"'")

    @property
    def text(self) -> str:
        """The body as text, by the charset that was told; what cannot be read becomes U+FFFD."""
        try:
            return self.body.decode(self.charset or "utf-8", "replace")
        except (LookupError, ValueError):  # no charset, or none that reads what is wrong (idna)
            return self.body.decode("utf-8", "replace")


class Egress:
    """The way out. One a process; `rules.own_ports` is told every port that Motet itself listens on."""

    def __init__(self, settings: EgressSettings, *, rules: Rules | None = None) -> None:
        self.rules = rules or Rules(settings)
        self._settings = settings

    async def fetch(
        self,
        url: str,
        *,
        method: str = "GET",
        headers: Mapping[str, str] | None = None,
        content: bytes | None = None,
        accept: Sequence[str] = (),
        max_bytes: int | None = None,
        timeout_s: float | None = None,
        max_redirects: int | None = None,
    ) -> Fetched:
        """Make one call.

        Args:
            url: http or https.
            method: Redirects are followed for GET and HEAD alone, unless `max_redirects` says more.
            headers: Sent as they are to the first host; another host that redirects lead to is not given those that
                may hold a secret.
            content: The body.
            accept: Media types that are taken, `text/` for all of a kind, `+xml` for all that end so; any unless given.
                An answer with an error status is taken whatever it is.
            max_bytes: Longest body, unpacked; the settings' unless given.
            timeout_s: For everything together; the settings' unless given.
            max_redirects: 5 for GET and HEAD, else 0.

        Raises:
            EgressRefused: The address, or one that it redirects to, may not be called.
            FetchFailed: No answer, or one that is too long, too late, of another type or broken.
        """
        hops = max_redirects if max_redirects is not None else MAX_REDIRECTS if method in _SAFE else 0
        limit_s = timeout_s or self._settings.timeout_s
        call, got = _Call(url, method, dict(headers or {}), content), ("", 0)
        try:
            async with asyncio.timeout(limit_s):
                for left in range(hops, -1, -1):
                    got = await self._once(call, accept, max_bytes or self._settings.max_bytes)
                    if isinstance(got, Fetched):
                        return got
                    if left:
                        call = call.redirected(*got)
        except TimeoutError:
            raise FetchFailed(
                f"'{_shown(url)}' did not answer within {limit_s:g} s.", url=_shown(url)
            ) from None
        how = f"more than {hops} times" if hops else f"to '{_shown(got[0])}', which is not followed"
        raise FetchFailed(f"'{_shown(url)}' redirects {how}.", url=_shown(url))

    def parse(self, text: str) -> Any:
        """Return an address as the client will send it, an `httpx.URL`; nothing is resolved.

        Raises:
            EgressRefused: It is none of http or https.
        """
        import httpx  # noqa: PLC0415  # not needed before the first call

        try:
            url = httpx.URL(text)
        except (httpx.InvalidURL, ValueError, UnicodeError, TypeError):
            raise EgressRefused(f"'{_shown(text)}' is no address. Write https://host/path.") from None
        self.rules.check_form(url, text)
        return url

    def transport(self, library: ModuleType) -> Any:
        """Return a transport for a client of `httpx`, or of a library of its shape, that keeps to the rules.

        Give the client `trust_env=False` and the transport, and no other way out.
        """
        return guarded(library, self.rules)

    async def _once(self, call: _Call, accept: Sequence[str], max_bytes: int) -> Fetched | tuple[str, int]:
        """Make a call; return where it redirects to, and how, where it does."""
        import httpx  # noqa: PLC0415  # not needed before the first call

        if len(call.url) > MAX_URL_CHARS:
            raise EgressRefused(
                f"This address has {len(call.url)} characters; at most {MAX_URL_CHARS} are called."
            )
        try:
            url = httpx.URL(call.url)
            request = httpx.Request(call.method, url, headers=call.sent(), content=call.content)
        except (httpx.InvalidURL, ValueError, UnicodeError, TypeError):
            raise EgressRefused(f"'{_shown(call.url)}' is no address. Write https://host/path.") from None
        request.extensions["motet_text"] = call.url
        timeout = httpx.Timeout(self._settings.timeout_s)
        async with httpx.AsyncClient(
            transport=self.transport(httpx), trust_env=False, timeout=timeout
        ) as client:
            try:
                response = await client.send(request, stream=True, follow_redirects=False)
                try:
                    logger.info(
                        "egress %s %s://%s %d", call.method, url.scheme, url.host, response.status_code
                    )
                    where = response.headers.get("location")
                    if response.status_code in _REDIRECTS and where:
                        return str(url.join(where)), response.status_code
                    _check_type(call.url, response, accept)
                    body = await _read(
                        response.aiter_raw(), response.headers.get("content-encoding", ""), max_bytes
                    )
                finally:
                    await response.aclose()
            except (httpx.HTTPError, httpx.StreamError, httpx.InvalidURL) as error:
                reason = str(error) or type(error).__name__
                raise FetchFailed(
                    f"'{_shown(call.url)}' cannot be reached: {reason[:200]}.", url=_shown(call.url)
                ) from None
        return Fetched(str(url), response.status_code, dict(response.headers), body)


@dataclass(frozen=True, slots=True)
class _Call:
    url: str
    method: str
    headers: dict[str, str]
    content: bytes | None

    def sent(self) -> dict[str, str]:
        """Return the headers that go out; those of the connection are the client's own."""
        own = {name: value for name, value in self.headers.items() if name.lower() not in _OWN_HEADERS}
        agent = {} if any(name.lower() == "user-agent" for name in own) else {"user-agent": "motet"}
        return {**agent, **own, "accept-encoding": "gzip, deflate"}

    def redirected(self, url: str, status: int) -> _Call:
        """Return the next call. Another host is told no more than what is wanted; a body goes where 307 or 308 say."""
        import httpx  # noqa: PLC0415

        old, new = httpx.URL(self.url), httpx.URL(url)
        if old.scheme == "https" and new.scheme != "https":
            raise EgressRefused(
                f"'{_shown(self.url)}' redirects from https to '{new.scheme}', which is not followed."
            )
        same = (old.scheme, old.host, old.port) == (new.scheme, new.host, new.port)
        headers = {n: v for n, v in self.headers.items() if same or n.lower() in _KEPT_ACROSS_HOSTS}
        keeps = status in (307, 308) or self.method in _SAFE
        if not same and self.content is not None and keeps:
            raise EgressRefused(
                f"'{_shown(self.url)}' redirects what was sent to another host, '{new.host}'."
            )
        return _Call(url, self.method if keeps else "GET", headers, self.content if keeps else None)


def guarded(library: ModuleType, rules: Rules) -> Any:
    """Make a transport class's instance for `httpx`, or a library of its shape, that connects to checked addresses.

    The request's URL is given the address, its `Host` header and its TLS name stay the host's. No connection is kept:
    one that was checked for a host must not serve another that has the same address.
    """
    base: Any = library.AsyncBaseTransport

    class Guarded(base):
        def __init__(self) -> None:
            limits = library.Limits(max_connections=20, max_keepalive_connections=0)
            self._inner = library.AsyncHTTPTransport(verify=_tls(), limits=limits, trust_env=False, retries=0)

        async def handle_async_request(self, request: Any) -> Any:
            target = await rules.check(request.url, text=request.extensions.get("motet_text", ""))
            problem: Exception | None = None
            for address in target.addresses:
                try:
                    return await self._inner.handle_async_request(_pinned(library, request, target, address))
                except library.ConnectError as error:
                    problem = error
            raise problem or library.ConnectError("no address")

        async def aclose(self) -> None:
            await self._inner.aclose()

    return Guarded()


@cache
def _tls() -> ssl.SSLContext:
    """Return what certificates are checked with: the same for every call, and slow to read."""
    return ssl.create_default_context(cafile=certifi.where())


def _pinned(library: ModuleType, request: Any, target: Target, address: str) -> Any:
    standard = PORTS[request.url.scheme] == target.port
    name = f"[{target.host}]" if ":" in target.host else target.host
    headers = request.headers.copy()
    headers["host"] = name if standard else f"{name}:{target.port}"
    extensions = {key: value for key, value in request.extensions.items() if key != "motet_text"}
    if target.is_name and request.url.scheme == "https":
        extensions["sni_hostname"] = target.host
    return library.Request(
        request.method,
        request.url.copy_with(host=address),
        headers=headers,
        stream=request.stream,
        extensions=extensions,
    )


def _check_type(url: str, response: Any, accept: Sequence[str]) -> None:
    told = response.headers.get("content-type", "").partition(";")[0].strip().lower()
    if (
        not accept
        or response.status_code >= 400
        or any(
            told == t or (t.endswith("/") and told.startswith(t)) or (t[0] == "+" and told.endswith(t))
            for t in accept
        )
    ):
        return
    raise FetchFailed(
        f"'{_shown(url)}' is '{told or 'of no known type'}', which is not read.",
        url=_shown(url),
        content_type=told,
    )


async def _read(pieces: AsyncIterator[bytes], encoding: str, max_bytes: int) -> bytes:
    """Read a body, unpacked piece by piece and never further than it may be long."""
    names = [name.strip().lower() for name in encoding.split(",") if name.strip() not in ("", "identity")]
    if len(names) > 1 or (names and names[0] not in ("gzip", "x-gzip", "deflate")):
        raise FetchFailed(f"The answer is packed as '{encoding[:60]}', which was not asked for.")
    body, packed_bytes, unpack = bytearray(), 0, _Unpacker(names[0] if names else "")
    async for piece in pieces:
        packed_bytes += len(piece)
        rest = piece
        while True:
            out, rest = unpack.some(rest)
            body += out
            if len(body) > max_bytes:
                raise FetchFailed(f"The answer has more than {max_bytes:,} bytes.", max_bytes=max_bytes)
            if len(body) > _RATIO_FROM_BYTES and len(body) > MAX_RATIO * packed_bytes:
                raise FetchFailed(f"The answer unpacks to more than {MAX_RATIO} times its size.")
            if not rest:
                break
    return bytes(body)


class _Unpacker:
    """Unpacks gzip or deflate, at most 64 KiB at once."""

    STEP_BYTES = 65536

    def __init__(self, encoding: str) -> None:
        # 47: gzip or zlib, told by the first bytes; some servers send deflate without zlib's header
        self._inner: Any = zlib.decompressobj(47) if encoding else None
        self._bare = encoding == "deflate"

    def some(self, data: bytes) -> tuple[bytes, bytes]:
        """Return what the data unpacks to, and what of it is left for the next call."""
        if self._inner is None:
            return data, b""
        if self._inner.eof:
            return b"", b""
        try:
            out = self._inner.decompress(data, self.STEP_BYTES)
        except zlib.error as error:
            if not self._bare:
                raise FetchFailed(f"The answer cannot be unpacked: {error}.") from None
            self._inner, self._bare = zlib.decompressobj(-15), False
            return self.some(data)
        self._bare = False
        return out, self._inner.unconsumed_tail


def _shown(url: str) -> str:
    """Return an address as it may be shown: without its query, which may hold a secret, and not too long."""
    return "".join(c for c in url.partition("?")[0] if c.isprintable())[:200]
