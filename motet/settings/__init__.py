"""Settings: read once, frozen, one group a room.

`load` reads the environment and the files; every other file here holds the fields of a room or two.
"""

from __future__ import annotations

from motet.settings.agents import AgentSettings, ToolSettings
from motet.settings.budgets import BudgetSettings
from motet.settings.load import Settings, child_environment, choose_profile, describe
from motet.settings.log import LogSettings
from motet.settings.models import EmbeddedSettings, ModelSettings
from motet.settings.outside import EgressSettings, SandboxSettings
from motet.settings.retrieval import RetrievalSettings
from motet.settings.runs import RunSettings
from motet.settings.server import ServerSettings
from motet.settings.storage import StorageSettings

__all__ = [
    "AgentSettings",
    "BudgetSettings",
    "EgressSettings",
    "EmbeddedSettings",
    "LogSettings",
    "ModelSettings",
    "RetrievalSettings",
    "RunSettings",
    "SandboxSettings",
    "ServerSettings",
    "Settings",
    "StorageSettings",
    "ToolSettings",
    "child_environment",
    "choose_profile",
    "describe",
]
