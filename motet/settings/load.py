"""All settings in one frozen value, and the one function that reads the environment and the settings files.

What does not live here: the groups' fields (a file a room) and what a room does with its group. Layers, weakest
first: defaults, the user's `config.toml`, the project's `motet.toml`, the chosen profile of either, the environment,
then what the caller passes (`Settings.load(...)`). A key in a file is the group and the field: `[models]`
`default = "vllm:qwen"`; in a profile `[profile.NAME.models]`.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping  # noqa: TC003  # get_type_hints() looks it up
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_type_hints

from motet.errors import SettingInvalid, did_you_mean
from motet.secret import Secret, passwords
from motet.setting_values import parse_value, read_files
from motet.settings.agents import AgentSettings, ToolSettings
from motet.settings.budgets import BudgetSettings
from motet.settings.log import LogSettings
from motet.settings.models import EmbeddedSettings, ModelSettings
from motet.settings.outside import GUARDED, EgressSettings, SandboxSettings, merge_guarded, secrets_of
from motet.settings.retrieval import RetrievalSettings, read_command
from motet.settings.runs import RunSettings
from motet.settings.server import ServerSettings
from motet.settings.storage import StorageSettings

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """All settings, one group a room. Made by `Settings.load()`, or by hand in a test."""

    storage: StorageSettings = field(default_factory=StorageSettings)
    models: ModelSettings = field(default_factory=ModelSettings)
    embedded: EmbeddedSettings = field(default_factory=EmbeddedSettings)
    agents: AgentSettings = field(default_factory=AgentSettings)
    tools: ToolSettings = field(default_factory=ToolSettings)
    egress: EgressSettings = field(default_factory=EgressSettings)
    sandbox: SandboxSettings = field(default_factory=SandboxSettings)
    retrieval: RetrievalSettings = field(default_factory=RetrievalSettings)
    runs: RunSettings = field(default_factory=RunSettings)
    server: ServerSettings = field(default_factory=ServerSettings)
    budgets: BudgetSettings = field(default_factory=BudgetSettings)
    log: LogSettings = field(default_factory=LogSettings)
    graphs: Mapping[str, str] = field(default_factory=dict[str, str])
    """Graphs of the user's own: name to `module:function`; `[graphs]` in a settings file."""
    loaders: Mapping[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])
    """Commands that read documents: ending to arguments; `[loaders]` in the user's own settings file."""
    tasks: Mapping[str, str] = field(default_factory=dict[str, str])
    """Task files that are graphs of their own: name to absolute path; `[tasks]` in a settings file."""
    permissions: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """Rules on tool calls; `[permissions]` in a settings file, read by `tools.policy.table`."""
    mcp: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """MCP servers; `[mcp.NAME]` in the user's own settings file, read by `tools.mcp.servers`."""
    functions: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """Functions that are tools: name to `module:function`; `[functions]` in the user's own settings file."""
    http_api: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """HTTP services by their OpenAPI documents; `[http_api.NAME]` in the user's own settings file."""
    searches: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """More sources of web search; `[searches.NAME]` in the user's own settings file."""
    origins: Mapping[str, str] = field(default_factory=dict[str, str], compare=False)
    """Where each `group.field` that is not a default came from."""
    own_file: Path = field(default=Path("config.toml"), compare=False)
    """The user's own settings file, whether it is there or not."""
    profile: str = field(default="", compare=False)
    """The profile of the settings files that counts; "" for none."""

    @classmethod
    def load(
        cls,
        overrides: Mapping[str, Any] | None = None,
        *,
        environ: Mapping[str, str] | None = None,
        cwd: Path | None = None,
    ) -> Settings:
        """Read every layer and freeze the result.

        Args:
            overrides: `{"group.field": value}`, stronger than everything else; None values are left out.
            environ: The environment; the process's own unless given.
            cwd: Folder whose `motet.toml` counts; the current one unless given.

        Raises:
            SettingInvalid: A file, a key or a value is wrong; the message names it and where it came from.
        """
        env = os.environ if environ is None else environ
        values: dict[str, tuple[Any, str]] = {}
        tables: dict[str, dict[str, Any]] = {name: {} for name in ("graphs", "loaders", "tasks", *GUARDED)}
        own = _user_file(env)
        files = (own, (cwd or Path.cwd()) / "motet.toml")
        for key, value, path, origin in read_files(files, env.get(PROFILE_VARIABLE, "")):
            if key.startswith("graphs."):
                tables["graphs"][key.removeprefix("graphs.")] = parse_value(key, value, str, origin)
            elif key.startswith("tasks."):  # beside the settings file
                named = Path(parse_value(key, value, str, origin)).expanduser()
                tables["tasks"][key.removeprefix("tasks.")] = str(path.parent.absolute() / named)
            elif key.partition(".")[0] in GUARDED:
                group, _, name = key.partition(".")
                before = tables[group].get(name)
                tables[group][name] = merge_guarded(before, key, value, path, own=path == own)
            elif key.startswith("loaders."):
                ending, command = read_command(key, value, path, own=path == own)
                tables["loaders"][ending] = command
            else:
                values[key] = (value, origin)
        for key, setting in _fields().items():
            raw = env.get(setting.metadata["env"], "")
            if raw != "":
                values[key] = (raw, f"environment variable {setting.metadata['env']}")
        for key, value in (overrides or {}).items():
            if value is not None:
                values[key] = (value, "command line")
        return cls._build(values, tables, env)

    @classmethod
    def _build(
        cls, values: Mapping[str, tuple[Any, str]], tables: Mapping[str, Any], env: Mapping[str, str]
    ) -> Settings:
        groups: dict[str, dict[str, Any]] = {}
        known = _fields()
        origins: dict[str, str] = {}
        for key, (raw, origin) in values.items():
            if key not in known:
                raise SettingInvalid(
                    f"Unknown setting '{key}' in {origin}.{did_you_mean(key, known)}", setting=key
                )
            if raw == "" and isinstance(known[key].default, Path):
                continue  # as an empty variable: not the current folder
            group, name = key.split(".")
            groups.setdefault(group, {})[name] = parse_value(key, raw, type(known[key].default), origin)
            origins[key] = origin
        storage = groups.setdefault("storage", {})
        storage["home"] = storage.get("home") or _platform_folder("data", env)
        storage["cache"] = storage.get("cache") or _platform_folder("cache", env)
        storage["database_url"] = storage.get("database_url") or f"sqlite:///{storage['home'] / 'motet.db'}"
        hints = get_type_hints(cls)
        built = {group: hints[group](**fields) for group, fields in groups.items()}
        own, profile = _user_file(env).absolute(), env.get(PROFILE_VARIABLE, "")
        settings = cls(**built, **tables, origins=origins, own_file=own, profile=profile)
        settings.check()
        return settings

    def check(self) -> None:
        """Check invariants between fields.

        Raises:
            SettingInvalid: A number is too small, or two settings disagree; the values are in the message.
        """
        for key, setting in _fields().items():
            group, name = key.split(".")
            _check_value(key, getattr(getattr(self, group), name), setting)
        if self.runs.heartbeat_s * 2 > self.runs.lease_s:
            raise SettingInvalid(
                f"runs.heartbeat_s ({self.runs.heartbeat_s}) must be at most half of runs.lease_s "
                f"({self.runs.lease_s}), or a living worker loses its run."
            )
        if self.retrieval.overlap_chars * 2 > self.retrieval.chunk_chars:
            raise SettingInvalid(
                f"retrieval.overlap_chars ({self.retrieval.overlap_chars}) must be at most half of "
                f"retrieval.chunk_chars ({self.retrieval.chunk_chars})."
            )

    def replace(self, **changes: Any) -> Settings:
        """Return a copy with `group__field=value` changed; for tests and embedding code."""
        groups: dict[str, Any] = {}
        for key, value in changes.items():
            group, _, name = key.partition("__")
            groups[group] = dataclasses.replace(groups.get(group, getattr(self, group)), **{name: value})
        return dataclasses.replace(self, **groups)

    def secrets(self) -> list[str]:
        """Return every secret's value, to be taken out of logs."""
        groups = (getattr(self, f.name) for f in dataclasses.fields(self))
        values = (
            getattr(g, f.name) for g in groups if dataclasses.is_dataclass(g) for f in dataclasses.fields(g)
        )
        keys = [value.reveal() for value in values if isinstance(value, Secret) and value]
        several = [part.strip() for key in keys if "," in key for part in key.split(",") if part.strip()]
        sent = [*secrets_of(self.mcp), *secrets_of(self.http_api), *secrets_of(self.searches)]
        return keys + several + sent + passwords(self.storage.database_url)


PROFILE_VARIABLE = "MOTET_PROFILE"
"""Names the profile whose settings count, of those in the settings files."""


def choose_profile(name: str) -> None:
    """Have this process, and those that it starts, use a profile; for the edge of the command line alone."""
    os.environ[PROFILE_VARIABLE] = name


def describe() -> Iterator[tuple[str, str, str, Any]]:
    """Yield `(group.field, environment variable, what it means, default)` for every setting."""
    for key, setting in _fields().items():
        yield key, setting.metadata["env"], setting.metadata["doc"], setting.default


def child_environment(**changes: str) -> dict[str, str]:
    """Return the environment for a child process: this one's less every secret, plus `changes`."""
    hidden = {s.metadata["env"] for s in _fields().values() if isinstance(s.default, Secret)}
    hidden.add("MOTET_DATABASE_URL")  # it may hold a password
    return {name: value for name, value in os.environ.items() if name not in hidden} | changes


def _fields() -> dict[str, dataclasses.Field[Any]]:
    found: dict[str, dataclasses.Field[Any]] = {}
    for group, cls in get_type_hints(Settings).items():
        if dataclasses.is_dataclass(cls):
            found |= {f"{group}.{f.name}": f for f in dataclasses.fields(cls)}
    return found


def _check_value(key: str, value: Any, setting: dataclasses.Field[Any]) -> None:
    """Refuse a number that is too small, and a word that is not among the choices."""
    positive, choices = setting.metadata["positive"], setting.metadata["choices"]
    if type(setting.default) in (int, float) and value <= 0 and (value < 0 or positive):
        least = "must be more than 0" if positive else "must not be negative"
        raise SettingInvalid(f"{key} ({value}) {least}.", setting=key)
    if choices and value not in choices:
        raise SettingInvalid(f"{key} is '{value}'.{did_you_mean(value, choices)}", setting=key)


def _user_file(env: Mapping[str, str]) -> Path:
    if "MOTET_CONFIG" in env:
        return Path(env["MOTET_CONFIG"])
    return _platform_folder("config", env) / "config.toml"


def _platform_folder(kind: str, env: Mapping[str, str]) -> Path:
    """Return the platform's folder for `data`, `cache` or `config`; XDG variables win on Linux."""
    xdg = {"data": "XDG_DATA_HOME", "cache": "XDG_CACHE_HOME", "config": "XDG_CONFIG_HOME"}[kind]
    if env.get(xdg):
        return Path(env[xdg]) / "motet"
    import platformdirs  # noqa: PLC0415

    return Path(getattr(platformdirs, f"user_{kind}_dir")("motet", appauthor=False))
