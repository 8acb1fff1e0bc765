"""Which addresses may be called, whatever name led there.

What does not live here: names and URLs (`rules`) and the call itself (`client`).
"""

from __future__ import annotations

import ipaddress
import socket
from functools import cache

from motet.errors import SettingInvalid

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_NEVER = (
    "64:ff9b::/96",  # NAT64: holds an IPv4 address, local ones too
    "64:ff9b:1::/48",  # NAT64 of one's own
    "2002::/16",  # 6to4
    "2001::/32",  # Teredo
    "::/96",  # IPv4-compatible
    "::ffff:0:0/96",  # IPv4-mapped: written as IPv4 where it is meant
    "192.0.0.0/24",  # between protocols; parts of it count as global
    "192.88.99.0/24",  # relays of 6to4
    "168.63.129.16/32",  # a cloud's own host, on a public address
    "fec0::/10",
    "5f00::/16",
)
"""Not called though `is_global` may say yes: forms that carry another address, and a metadata server."""


@cache
def _never() -> tuple[Network, ...]:
    return tuple(ipaddress.ip_network(network) for network in _NEVER)


def forbidden(address: Address) -> str:
    """Say why an address is not to be called; "" when it may be.

    Only public unicast addresses may be called; `is_own` tells this machine's own ones. Source: IANA's
    special-purpose registries, as `ipaddress.is_global` has them, and `_NEVER`.
    """
    if isinstance(address, ipaddress.IPv6Address) and address.scope_id:
        return "it names a network interface"
    if any(address in network for network in _never()):
        return "it carries another address, or is a provider's own"
    if not address.is_global or address.is_multicast or address.is_reserved or address.is_unspecified:
        return "it is not a public address"
    return ""


def is_own(address: Address) -> bool:
    """Say whether an address is one of this machine's: then a socket can be bound to it."""
    if address.is_loopback or address.is_unspecified:
        return True
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.bind((str(address), 0))
    except OSError:
        return False
    return True


def read_networks(words: str, *, setting: str) -> list[tuple[str | Network, int | None]]:
    """Read an operator's list of hosts: names, addresses or networks, each with a port or without.

    Args:
        words: `localhost:8080, 10.1.0.0/16, [fd00::1]:443, models.internal`; blank gives [].
        setting: The setting's name, for the error.

    Returns:
        Pairs of a network, or a lower-case name, and a port; None is any port.

    Raises:
        SettingInvalid: A part is none of these.
    """
    found: list[tuple[str | Network, int | None]] = []
    for word in words.replace(",", " ").split():
        host, port = _split(word, setting)
        try:
            found.append((ipaddress.ip_network(host, strict=False), port))
        except ValueError:
            if "/" in host or not host:
                raise SettingInvalid(
                    f"{setting}: '{word}' is neither a host nor a network. Write api.example.com:443 or 10.0.0.0/8.",
                    setting=setting,
                ) from None
            found.append((host.lower().rstrip("."), port))
    return found


def _split(word: str, setting: str) -> tuple[str, int | None]:
    host, colon, port = word.rpartition(":")
    if word.startswith("[") and word.endswith("]"):
        return word[1:-1], None
    if not colon or (":" in host and not host.endswith("]")):
        return word, None
    if not (port.isascii() and port.isdigit() and 0 < int(port) < 65536):
        raise SettingInvalid(f"{setting}: '{word}' has no port that exists.", setting=setting)
    return host.removeprefix("[").removesuffix("]"), int(port)
