"""Writes docs/settings.md and docs/errors.md from the code, so that they cannot say anything else.

`python -m scripts.write_docs` writes them; `--check` fails where one is not what would be written.
"""

from __future__ import annotations

import sys
from pathlib import Path

from motet.cli.exit_codes import MEANINGS, exit_code
from motet.errors import MotetError
from motet.secret import Secret
from motet.settings import Settings, describe

DOCS = Path(__file__).resolve().parent.parent / "docs"

SETTINGS_HEAD = """\
# Settings

Everything works without a setting. What you set is read once, when a command starts, and does not change while it
runs.

## Where a setting can be made

From the weakest to the strongest; a stronger place wins, setting by setting:

1. **The default**, in the tables below.
2. **Your own file**, `config.toml` in your configuration folder (`~/.config/motet/` on Linux, or
   `$XDG_CONFIG_HOME/motet/`; `MOTET_CONFIG` names another file).
3. **The project's file**, `motet.toml` in the folder where the command is run.
4. **A profile** of either file, where one is chosen by `motet --profile NAME …` or `MOTET_PROFILE`.
5. **The environment**, by the variable in the table. A variable that is empty counts as not set.
6. **The command line**, where a command has an option for it, such as `--model`; in Python, what is passed to
   `Settings.load({"models.default": "vllm:qwen"})`.

In a file, the group is a table and the setting a key of it:

```toml
[models]
default = "openai:gpt-4.1-mini"

[tools]
files_root = "~/notes"
web_search = false

[profile.work.models]
default = "vllm:qwen"
```

`motet config show --origin` prints every setting with the place that its value came from.

Yes and no are `true` and `false` (in the environment also `1`, `0`, `yes`, `no`, `on`, `off`). A path may begin
with `~`. A key that does not exist, a value of the wrong kind, or two settings that disagree stop the command with
one line that names the setting, the value and where it came from.

A secret is never shown: not in messages, not in logs, not to a child process. Put keys into the environment rather
than into a file that others may read.
"""

SETTINGS_TAIL = """\
## `[graphs]`: graphs of your own

Each key is a graph's name, each value says where it is made: `"module:function"`. The function returns a compiled
LangGraph graph. There is no environment variable for it. The module is one that Motet's Python can import: install it,
or name its folder in `PYTHONPATH`. The folder where a command runs is not looked through.

```toml
[graphs]
triage = "my_package.graphs:build_triage"
```

## `[loaders]`: commands that read documents

Each key is an ending, each value the command that turns such a file into text, as a list of its words; see
[knowledge.md](knowledge.md). It counts in your own `config.toml` only, never in a project's `motet.toml`.

```toml
[loaders]
".doc" = ["antiword", "-m", "UTF-8", "{path}"]
```

## `[functions]`, `[http_api.NAME]`, `[searches.NAME]`: tools of your own

Functions, HTTP services and sources of web search that agents are given; see [tools.md](tools.md). They count in your
own `config.toml` only, as `[mcp.NAME]` does.
"""

ERRORS_HEAD = """\
# Errors

Every error that Motet raises on purpose has a stable code. It is in the `run.failed` event, in a run's record, and
in Python on the class (`error.code`); match on the code, not on the message. The message names the value that is
wrong and the next step. `motet` prints it as one line on stderr and exits with the status in the table.

An error is one of three kinds, by whose turn it is: you can fix a `UserError`; a `RunError` ended one run and
leaves the others alone; a `MotetBug` is ours. Problems with the database and with the embedded model's file have
branches of their own.
"""

NEXT_STEPS = {
    "error": "Read the message; it names the next step.",
    "user_error": "Change what the message names, and try again.",
    "invalid_input": "Correct the value that the message names.",
    "not_found": "Check the spelling; the message lists near names, and the `list` commands show all.",
    "conflict": "Wait until the other run has ended, or choose another name.",
    "setting_invalid": "Correct the setting, in the place that the message names; see [settings](settings.md).",
    "permission_refused": "Ask for what is allowed, or change what is allowed.",
    "extra_missing": "Run the install command in the message.",
    "run_error": "Ask again; `motet runs show` tells how far the run came.",
    "model_error": "Ask again, or choose another model with `--model`.",
    "model_unavailable": "Check that the server runs and that its address is right; `motet doctor` tries it.",
    "model_refused": "Check the key, the quota and the model's name.",
    "context_overflow": "Ask for less at once, start a new conversation, or use a model with a longer window.",
    "model_output_invalid": "Ask again, or use a more able model.",
    "tool_failed": "Nothing, as a rule: the agent went on without the tool. The message says what it lacks.",
    "recording_mismatch": "Record it anew, or let it go on live: `motet replay RUN --live`.",
    "budget_exceeded": "Ask for less, or raise the limit that the message names.",
    "run_cancelled": "Nothing; the conversation is as it was, and can go on.",
    "lease_lost": "Nothing; another worker has the run. If it happens often, raise `MOTET_LEASE_S`.",
    "document_unreadable": "Open the file with its own program; save it anew, or convert it to text.",
    "corrupt_state": "Start a new conversation; restore the data folder if many are affected.",
    "storage_error": "Check the disk and the database; `motet doctor` tries them.",
    "database_newer": "Use the newer Motet, or another data folder (`MOTET_HOME`).",
    "database_foreign": "Set `MOTET_HOME` or `MOTET_DATABASE_URL` to another place. The file was not changed.",
    "database_unavailable": "Close the other program, mend the permissions, or start the database server.",
    "database_full": "Free some space; nothing that was accepted is lost.",
    "weights_error": "Run `motet models pull`.",
    "weights_missing": "Run `motet models pull`, or name a file with `MOTET_WEIGHTS`.",
    "weights_corrupt": "Run `motet models pull`; a fetched file that was wrong is removed.",
    "bug": "Please report it, with the message and the command.",
}
"""What to do, by code; an error that is not named here has its parent's."""


def main(arguments: list[str]) -> int:
    """Write both documents, or compare them; return the exit status."""
    stale = [name for name, text in documents().items() if _on_disk(name) != text]
    if "--check" not in arguments:
        for name in stale:
            (DOCS / name).write_text(documents()[name], "utf-8")
            print(f"docs/{name} was written")
        return 0
    for name in stale:
        print(f"docs/{name} is not what the code says. Run: python -m scripts.write_docs")
    return 1 if stale else 0


def documents() -> dict[str, str]:
    """Return each document's text by its name in docs/."""
    return {"settings.md": settings_document(), "errors.md": errors_document()}


def settings_document() -> str:
    """Describe every setting, a table for each group."""
    groups: dict[str, list[str]] = {}
    for key, variable, meaning, default in describe():
        group, name = key.split(".")
        row = f"| `{name}` | `{variable}` | {_shown_default(default)} | {meaning} |"
        groups.setdefault(group, []).append(row)
    parts = [SETTINGS_HEAD]
    for group, rows in groups.items():
        purpose = _first_words(type(getattr(Settings(), group)))
        head = ["| setting | environment variable | default | meaning |", "|---|---|---|---|"]
        parts.append("\n".join([f"## `[{group}]`\n\n{purpose}\n", *head, *rows, ""]))
    return "\n".join([*parts, SETTINGS_TAIL])


def errors_document() -> str:
    """Describe every error in the order of the tree, parents before children, and every exit status."""
    rows = ["| code | class | meaning | what to do | exit |", "|---|---|---|---|---|"]
    for depth, cls in _tree(MotetError):
        name = f"{'· ' * depth}`{cls.__name__}`"
        rows.append(
            f"| `{cls.code}` | {name} | {_first_words(cls)} | {_next_step(cls)} | {exit_code(cls(''))} |"
        )
    statuses = [f"| {status} | {meaning} |" for status, meaning in MEANINGS.items()]
    head = ["", "## Exit statuses", "", "| status | meaning |", "|---|---|"]
    return "\n".join([ERRORS_HEAD, *rows, *head, *statuses, ""])


def _on_disk(name: str) -> str:
    path = DOCS / name
    return path.read_text("utf-8") if path.exists() else ""


def _shown_default(default: object) -> str:
    if isinstance(default, Secret) or default in ("", Path()):
        return "not set"
    return f"`{str(default).lower() if isinstance(default, bool) else default}`"


def _tree(cls: type[MotetError], depth: int = 0) -> list[tuple[int, type[MotetError]]]:
    children = [child for child in cls.__subclasses__() if child.__module__ == MotetError.__module__]
    below = [row for child in children for row in _tree(child, depth + 1)]
    return [(depth, cls), *below]


def _first_words(cls: type) -> str:
    """Return the first paragraph of a class's docstring, on one line."""
    return " ".join((cls.__doc__ or "").split("\n\n")[0].split())


def _next_step(cls: type[MotetError]) -> str:
    codes = (parent.code for parent in cls.__mro__ if issubclass(parent, MotetError))
    return next(NEXT_STEPS[code] for code in codes if code in NEXT_STEPS)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
