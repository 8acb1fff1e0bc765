"""A Motet server over the graphs that LangGraph's own server was asked about too."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from motet.settings import Settings

GRAPHS = ("agent", "notes", "ask", "nested", "fail", "slow")


def agent_settings(
    settings: Settings, tmp_path: Path, *, graphs: Sequence[str] = GRAPHS, **changes: Any
) -> Settings:
    """Settings of a server on a free port with the graphs of `agent_graphs`, over a model that is never asked."""
    script = tmp_path / "script.json"
    script.write_text('{"rules": [], "default": "Hello there."}', "utf-8")
    project = tmp_path / "project"
    project.mkdir(exist_ok=True)
    lines = ["[graphs]", *(f'{name} = "agent_graphs:build_{name}"' for name in graphs)]
    (project / "motet.toml").write_text("\n".join(lines), "utf-8")
    overrides: dict[str, Any] = {
        "storage.home": settings.storage.home,
        "models.default": f"scripted:{script}",
        "models.embed": "none",
        "agents.configurable": "level",
        "server.port": 0,
        **{key.replace("__", "."): value for key, value in changes.items()},
    }
    return Settings.load(overrides, cwd=project)
