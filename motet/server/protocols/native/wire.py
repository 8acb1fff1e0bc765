"""Motet's own wire, put together."""

from __future__ import annotations

from motet.server.protocols.base import Wire
from motet.server.protocols.native import knowledge, records, runs

WIRE = Wire(
    name="motet",
    title="Motet's own",
    routes=(*runs.ROUTES, *records.ROUTES, *knowledge.ROUTES),
    webhook=runs.told,
)
