"""From a URL to the addresses that may be connected to, with one resolution between them.

What does not live here: the call (`client`). A URL is parsed once, by the library that sends it, so that no second
reader of the same text can take it another way.
"""

from __future__ import annotations

import asyncio
import ipaddress
import re
import socket
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from motet.egress.addresses import forbidden, is_own, read_networks
from motet.errors import EgressRefused, FetchFailed, SettingInvalid

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from motet.egress.addresses import Address, Network
    from motet.settings import EgressSettings

PORTS = {"http": 80, "https": 443}
_ODD = re.compile(r"[\s\\\x00-\x20\x7f-\x9f\u200b-\u200f\u2028-\u202f\u2060-\u206f\ufeff]")
_NUMBERS_HOST = re.compile(r"(?:0x[0-9a-f]*|[0-9]+)(?:\.(?:0x[0-9a-f]*|[0-9]+))*\.?", re.IGNORECASE)


class Url(Protocol):
    """What is asked of a parsed URL; `httpx.URL` is one."""

    @property
    def scheme(self) -> str:
        """Lower case."""
        ...

    @property
    def host(self) -> str:
        """Without brackets; a name's Unicode form."""
        ...

    @property
    def raw_host(self) -> bytes:
        """As it is sent; a name's IDNA form."""
        ...

    @property
    def port(self) -> int | None:
        """None where it is the scheme's own."""
        ...

    @property
    def userinfo(self) -> bytes:
        """What stands before an `@`."""
        ...


class Resolver(Protocol):
    """Gives every address of a name."""

    def __call__(self, host: str, port: int, /) -> Awaitable[Sequence[str]]:
        """Return the addresses as text; raise OSError where there are none."""
        ...


async def resolve(host: str, port: int) -> Sequence[str]:
    """Ask the system's resolver."""
    loop = asyncio.get_running_loop()
    rows = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(row[4][0]) for row in rows))


@dataclass(frozen=True, slots=True)
class Target:
    """Where a request may go."""

    host: str
    """As it is sent in `Host` and in the TLS handshake."""
    port: int
    addresses: list[str]
    """Checked, in the resolver's order; connect to one of these and to nothing else."""
    is_name: bool


@dataclass(slots=True)
class Rules:
    """What may be called. `own_ports` are those that Motet itself listens on; they are never called on this machine."""

    settings: EgressSettings
    resolve: Resolver = resolve
    is_own: Callable[[Address], bool] = is_own
    own_ports: set[int] = field(default_factory=set[int])
    _ports: frozenset[int] = field(init=False)
    _allowed: list[tuple[str | Network, int | None]] = field(init=False)
    _hosts: list[tuple[str | Network, int | None]] = field(init=False)

    def __post_init__(self) -> None:
        self._ports = _read_ports(self.settings.ports)
        self._allowed = read_networks(self.settings.allow, setting="egress.allow")
        self._hosts = read_networks(self.settings.hosts, setting="egress.hosts")

    async def check(self, url: Url, *, text: str = "") -> Target:
        """Resolve a URL's host once and check every answer.

        Args:
            url: As the client will send it.
            text: As somebody wrote it, where it was written.

        Raises:
            EgressRefused: The scheme, port, host or one of its addresses may not be called.
            FetchFailed: The host has no address.
        """
        host = _host_of(url)
        port = url.port or PORTS.get(url.scheme, 0)
        self.check_form(url, text)
        allowed = listed(self._allowed, host, port)
        if self._hosts and not (allowed or listed(self._hosts, host, port, below=True)):
            raise EgressRefused(f"'{host}' is not among the hosts of MOTET_EGRESS_HOSTS.", host=host)
        literal = _literal(host)
        addresses = [literal] if literal else await self._resolved(host, port)
        for address in addresses:
            self._check_address(host, port, address, allowed=allowed)
        return Target(host, port, [str(address) for address in addresses], is_name=literal is None)

    def check_form(self, url: Url, text: str) -> None:
        """Refuse what is no address of http or https; nothing is resolved.

        Raises:
            EgressRefused: It is none.
        """
        host, problem = _host_of(url), ""
        if url.scheme not in PORTS:
            problem = f"'{url.scheme}' is neither http nor https"
        elif url.userinfo or "@" in text.partition("//")[2].partition("/")[0]:
            problem = "it has a user name before the host"
        elif _ODD.search(text) or not host or "%" in host:
            problem = "it holds characters that no address has"
        elif _NUMBERS_HOST.fullmatch(host) and _literal(host) is None:
            problem = f"'{host}' is a number and no plain IPv4 address"
        if problem:
            raise EgressRefused(f"This address is not called: {problem}. Write https://host/path.", host=host)

    def _check_address(self, host: str, port: int, address: Address, *, allowed: bool) -> None:
        if port in self.own_ports and self.is_own(address):
            raise EgressRefused(f"'{host}:{port}' is Motet itself, which its tools do not call.", host=host)
        if allowed or self._in_network(address, port):
            return
        why = forbidden(address) or ("it is this machine's own" if self.is_own(address) else "")
        if why:
            raise EgressRefused(
                f"'{host}' leads to {address}, which is not called: {why}. An operator can list it in "
                "MOTET_EGRESS_ALLOW.",
                host=host,
                address=str(address),
            )
        if port not in self._ports:
            raise EgressRefused(
                f"Port {port} of '{host}' may not be called. MOTET_EGRESS_PORTS lists those that may.",
                host=host,
            )

    async def _resolved(self, host: str, port: int) -> list[Address]:
        try:
            answers = await self.resolve(host, port)
            found = [ipaddress.ip_address(answer) for answer in answers]
        except (OSError, ValueError, UnicodeError):
            found = []
        if not found:
            raise FetchFailed(f"'{host}' cannot be found: it has no address.", host=host)
        return found

    def _in_network(self, address: Address, port: int) -> bool:
        return any(
            not isinstance(where, str) and allowed in (None, port) and address in where
            for where, allowed in self._allowed
        )


def listed(
    entries: list[tuple[str | Network, int | None]], host: str, port: int, *, below: bool = False
) -> bool:
    """Say whether a host is listed by name; `below` counts names below a listed one, as `*.example.com` does."""
    for where, allowed in entries:
        if allowed not in (None, port):
            continue
        if isinstance(where, str):
            name = where.removeprefix("*.")
            if host.rstrip(".") == name or (
                (below or name != where) and host.rstrip(".").endswith(f".{name}")
            ):
                return True
        elif (literal := _literal(host)) is not None and literal in where:
            return True
    return False


def _host_of(url: Url) -> str:
    return url.raw_host.decode("ascii", "replace").strip("[]").lower()


def _literal(host: str) -> Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def _read_ports(words: str) -> frozenset[int]:
    parts = words.replace(",", " ").split()
    if not all(part.isascii() and part.isdigit() and 0 < int(part) < 65536 for part in parts):
        raise SettingInvalid(
            f"egress.ports is '{words}'. Write ports such as 80,443.", setting="egress.ports"
        )
    return frozenset(map(int, parts))
