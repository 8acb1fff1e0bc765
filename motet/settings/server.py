"""Settings of the server."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass

from motet.secret import Secret
from motet.settings.field import setting


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerSettings:
    """Where the server listens, who may come in, and how much at once."""

    host: str = setting(
        "127.0.0.1",
        "MOTET_HOST",
        "Address to listen at; other than this machine's own needs a key or tokens.",
    )
    port: int = setting(8377, "MOTET_PORT", "Port to listen at; 0 takes any that is free.")
    protocols: str = setting(
        "",
        "MOTET_PROTOCOLS",
        "Protocols that are spoken, with commas between them; all unless set.",
    )
    allowed_hosts: str = setting(
        "",
        "MOTET_ALLOWED_HOSTS",
        "More names that this server has, as the Host header gives them; `*` for any.",
    )
    allowed_origins: str = setting(
        "", "MOTET_ALLOWED_ORIGINS", "Web pages that may ask here, `https://app.example`; `*` for any."
    )
    max_body_mb: float = setting(
        8.0, "MOTET_MAX_BODY_MB", "Largest body of a request, in megabytes.", positive=True
    )
    max_bodies_mb: float = setting(
        24.0,
        "MOTET_MAX_BODIES_MB",
        "Most that bodies which are still being sent may take together, in megabytes; no limit at 0.",
    )
    sending_s: float = setting(
        60.0,
        "MOTET_SENDING_S",
        "Longest that a request may take to arrive, in seconds: its head, and its body; no limit at 0.",
    )
    max_header_kb: int = setting(
        32, "MOTET_MAX_HEADER_KB", "Most that a request's headers may take, in kilobytes.", positive=True
    )
    max_streams: int = setting(
        2000, "MOTET_MAX_STREAMS", "Open streams, of all callers together; no limit at 0."
    )
    max_streams_per_caller: int = setting(
        0, "MOTET_MAX_STREAMS_PER_CALLER", "Open streams of one caller; no limit at 0."
    )
    rate_per_min: int = setting(0, "MOTET_RATE_PER_MIN", "Requests a minute of one caller; no limit at 0.")
    heartbeat_s: float = setting(
        5.0,
        "MOTET_STREAM_HEARTBEAT_S",
        "Longest silence of a stream before it says that it lives.",
        positive=True,
    )
    callback_events: bool = setting(
        False,
        "MOTET_LANGSERVE_CALLBACKS",
        "Whether LangServe's clients get a run's callback events with its answer, for handlers of their own.",
    )
    metrics: bool = setting(False, "MOTET_METRICS", "Whether /metrics tells Prometheus what the server does.")
    docs: bool = setting(True, "MOTET_DOCS", "Whether /docs and /openapi.json tell what the server speaks.")
    key_pepper: Secret = setting(
        Secret(""),
        "MOTET_KEY_PEPPER",
        "Key that API keys are hashed with; the one that seals state unless set.",
    )
    jwt_issuer: str = setting("", "MOTET_JWT_ISSUER", "Issuer whose JSON Web Tokens count; none unless set.")
    jwt_audience: str = setting("", "MOTET_JWT_AUDIENCE", "Audience that such a token must name.")
    jwks_url: str = setting(
        "", "MOTET_JWKS_URL", "Where the issuer's keys are; looked up at the issuer unless set."
    )
    jwks_file: str = setting("", "MOTET_JWKS_FILE", "File with the issuer's keys, instead of an address.")
    jwt_tenant_claim: str = setting(
        "tenant", "MOTET_JWT_TENANT_CLAIM", "Claim that names the caller's tenant."
    )

    def is_loopback(self) -> bool:
        """Say whether nobody but this machine can reach the address."""
        if self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host.strip("[]")).is_loopback
        except ValueError:
            return False

    def names(self, field: str) -> list[str]:
        """Return a setting that is a list, in lower case."""
        return [part.strip().lower() for part in str(getattr(self, field)).split(",") if part.strip()]

    def protocol_names(self) -> list[str]:
        """Return the protocols that are spoken."""
        return self.names("protocols")
