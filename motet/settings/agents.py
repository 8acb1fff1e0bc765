"""Settings of the agents and of what tools may do."""

from __future__ import annotations

from dataclasses import dataclass

from motet.secret import Secret
from motet.settings.field import setting


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentSettings:
    """How agents work."""

    graph: str = setting("ensemble", "MOTET_GRAPH", "Graph that is used when none is named.")
    max_plan_steps: int = setting(4, "MOTET_MAX_PLAN_STEPS", "Most steps of a plan.")
    max_replans: int = setting(1, "MOTET_MAX_REPLANS", "How often a plan may be mended in one run.")
    max_tool_turns: int = setting(
        4, "MOTET_MAX_TOOL_TURNS", "How often one agent may call tools in one task."
    )
    max_steps: int = setting(60, "MOTET_MAX_STEPS", "Most graph steps of one run.", positive=True)
    language: str = setting(
        "auto",
        "MOTET_LANGUAGE",
        "Language of the prompts: `auto`, `en` or `zh`.",
        choices=("auto", "en", "zh"),
    )
    history_tokens: int = setting(
        0,
        "MOTET_HISTORY_TOKENS",
        "Tokens of conversation that a model is shown before the older half is summed up; unless set 1,000 for small "
        "models, else a quarter of the window, 8,000 at most.",
    )
    summaries: bool = setting(
        True,
        "MOTET_SUMMARIES",
        "Whether what is no longer shown of a conversation is summed up; otherwise it is left out.",
    )
    prompts: str = setting("", "MOTET_PROMPTS", "Folder whose files replace prompts of the same name.")
    configurable: str = setting(
        "",
        "MOTET_CONFIGURABLE",
        "Names that callers may set in a graph's `configurable`, separated by commas; others are passed over.",
    )

    def configurable_names(self) -> list[str]:
        """Return the names that callers may set in a graph's config."""
        return [name for name in (one.strip() for one in self.configurable.split(",")) if name]


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolSettings:
    """What tools may do."""

    files_root: str = setting("", "MOTET_FILES_ROOT", "Folder that file tools may read; none unless set.")
    files_write: bool = setting(
        False,
        "MOTET_FILES_WRITE",
        "Whether file tools may write in that folder; asked each time, unless a rule allows it.",
    )
    enable: str = setting(
        "",
        "MOTET_TOOLS",
        "Tools that agents are given besides the usual ones: `web_fetch, python, sql, remember, delegate`; `shell` and "
        "`python_full` are there only when they are named here.",
    )
    sql_url: Secret = setting(
        Secret(""),
        "MOTET_SQL_URL",
        "Database that the tool `sql` reads, `sqlite:///path` or `postgresql://…`.",
    )
    web_search: bool = setting(True, "MOTET_WEB_SEARCH", "Whether agents may search the web.")
    search_sources: str = setting(
        "ddgs",
        "MOTET_SEARCH_SOURCES",
        "Where web search asks, one after the other until one answers: `ddgs`, or names of `[searches.NAME]`.",
    )
    calls: str = setting(
        "",
        "MOTET_TOOL_CALLS",
        "Most tool calls of a run, of all tools and of single ones: `100 web_search=10`; no limit unless set.",
    )
    parallel: int = setting(
        8, "MOTET_TOOL_PARALLEL", "Tool calls of a run that may be made at once.", positive=True
    )
    delegate_depth: int = setting(
        2,
        "MOTET_DELEGATE_DEPTH",
        "How deep agents may hand tasks on to others by `delegate`; 0 for not at all.",
    )
    timeout_s: float = setting(30.0, "MOTET_TOOL_TIMEOUT_S", "Longest time of one tool call.", positive=True)
    max_output_chars: int = setting(
        8000,
        "MOTET_TOOL_MAX_OUTPUT",
        "Longest tool result that an agent is given, in characters.",
        positive=True,
    )

    def enabled(self) -> list[str]:
        """Return the names of `enable`."""
        return self.enable.replace(",", " ").split()
