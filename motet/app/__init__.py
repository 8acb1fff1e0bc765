"""The switchboard: the only place that knows every room.

`switchboard` is what callers hold; `rooms` builds the rooms from the settings.
"""

from __future__ import annotations

from motet.app.switchboard import App, build_app

__all__ = ["App", "build_app"]
