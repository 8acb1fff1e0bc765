"""Settings of what reaches outside (the way out) and of what is kept inside (the sandbox)."""

from __future__ import annotations

from dataclasses import dataclass

from motet.settings.field import setting


@dataclass(frozen=True, slots=True, kw_only=True)
class EgressSettings:
    """What may be called on other machines, by tools, webhooks and MCP."""

    allow: str = setting(
        "",
        "MOTET_EGRESS_ALLOW",
        "Hosts and networks that may be called though they are not public: `10.1.0.0/16, wiki.internal:8080`.",
    )
    hosts: str = setting(
        "",
        "MOTET_EGRESS_HOSTS",
        "Public hosts that may be called, those below them too; every one unless set.",
    )
    ports: str = setting("80,443", "MOTET_EGRESS_PORTS", "Ports of public hosts that may be called.")
    timeout_s: float = setting(
        30.0, "MOTET_EGRESS_TIMEOUT_S", "Longest time of one call, redirects included.", positive=True
    )
    max_bytes: int = setting(
        5_000_000, "MOTET_EGRESS_MAX_BYTES", "Longest answer, unpacked, in bytes.", positive=True
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxSettings:
    """The box that untrusted code runs in."""

    bwrap: str = setting(
        "", "MOTET_BWRAP", "Path of bubblewrap's program; the system's or motet[sandbox]'s unless set."
    )
    uid: int = setting(
        60_000,
        "MOTET_SANDBOX_UID",
        "First of 64 user ids that the box runs as where Motet is root.",
        positive=True,
    )
