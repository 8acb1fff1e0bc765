"""Motet: many agents, one piece. The front door; heavy rooms open only when a name is used."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from motet.app import App, build_app
    from motet.app.play import play_recording
    from motet.errors import MotetError
    from motet.runs.request import Caller, RunRequest
    from motet.settings import Settings
    from motet.tools.function import tool

__version__ = "0.1.0"

_DOORS = {
    "App": "motet.app",
    "Caller": "motet.runs.request",
    "MotetError": "motet.errors",
    "RunRequest": "motet.runs.request",
    "Settings": "motet.settings",
    "build_app": "motet.app",
    "play_recording": "motet.app.play",
    "tool": "motet.tools.function",
}

__all__ = [
    "App",
    "Caller",
    "MotetError",
    "RunRequest",
    "Settings",
    "__version__",
    "build_app",
    "play_recording",
    "tool",
]


def __getattr__(name: str) -> Any:
    """Import a name's room on first use, so that `import motet` stays light."""
    if name in _DOORS:
        return getattr(import_module(_DOORS[name]), name)
    raise AttributeError(f"module 'motet' has no attribute '{name}'")
