"""A check-up of the sandbox: a trial run says whether it keeps what it promises here."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from motet.sandbox.box import Sandbox
from motet.telemetry import Finding

if TYPE_CHECKING:
    from motet.settings import Settings


def check_sandbox(settings: Settings) -> list[Finding]:
    """Return one finding. Without a sandbox the tools that need one are refused, and everything else works."""
    problem = asyncio.run(Sandbox(settings.sandbox).problem())
    detail = f"none: {problem} Tools that run programs are refused" if problem else "works"
    return [Finding("sandbox", ok=True, detail=detail)]
