"""How things are put into words: a tool call, a passage, a duration, a number of tokens.

What does not live here: which of them is said when (`narrator`).
"""

from __future__ import annotations

import json
import time
from pathlib import PurePath
from typing import TYPE_CHECKING, Any, cast

from rich.cells import cell_len, set_cell_size

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from motet.events import InterruptRequested, Passage

MINUTE_S = 60
HOUR_S = 60 * MINUTE_S
DAY_S = 24 * HOUR_S


def clip(text: str, cells: int) -> str:
    """Return a text as one line of at most `cells` (2 or more) terminal cells, an ellipsis where it was cut."""
    line = " ".join(text.split())
    return line if cell_len(line) <= cells else set_cell_size(line, cells - 1).rstrip() + "…"


def call(name: str, arguments: Mapping[str, Any], *, value_cells: int = 48) -> str:
    """Return a tool call as it would be written in code: `name(key=value, …)`."""
    given = (f"{key}={clip(_value(value), value_cells)}" for key, value in arguments.items())
    return f"{name}({', '.join(given)})"


def duration(seconds: float) -> str:
    """Return `0.4 s`, `12 s` or `3 min 05 s`."""
    if seconds < 10:
        return f"{max(seconds, 0.0):.1f} s"
    minutes, rest = divmod(round(seconds), MINUTE_S)
    return f"{minutes} min {rest:02} s" if minutes else f"{rest} s"


def size(size_bytes: float) -> str:
    """Return `512 B`, `1.1 GB` and so on, in powers of 1000."""
    for unit in ("B", "kB", "MB"):
        if size_bytes < 1000:
            return f"{size_bytes:.0f} {unit}" if unit == "B" else f"{size_bytes:.1f} {unit}"
        size_bytes /= 1000
    return f"{size_bytes:.1f} GB"


def ago(at: float, now: float) -> str:
    """Return how long before `now` a moment was; from a week on its local date. Both are unix seconds."""
    seconds = now - at
    if seconds < MINUTE_S:
        return "just now"
    if seconds < HOUR_S:
        return f"{seconds // MINUTE_S:.0f} min ago"
    if seconds < DAY_S:
        return f"{seconds // HOUR_S:.0f} h ago"
    if seconds < 7 * DAY_S:
        return f"{seconds // DAY_S:.0f} d ago"
    return time.strftime("%Y-%m-%d", time.localtime(at))


def question(asked: InterruptRequested) -> str:
    """Return what a run asks, on one line: its text, or its JSON where it has none."""
    value = asked.value
    if isinstance(value, dict):
        mapping: dict[str, Any] = value
        arguments = mapping.get("arguments")
        called = f" {call(str(mapping['tool']), arguments)}" if "tool" in mapping and arguments else ""
        value = f"{mapping['question']}{called}" if isinstance(mapping.get("question"), str) else mapping
    return " ".join((value if isinstance(value, str) else _value(value)).split())


def how_to_answer(run_id: str, questions: Sequence[InterruptRequested]) -> list[str]:
    """Return a line for each question that a run waits with, and the command that answers it; none give none."""
    lines: list[str] = []
    for asked in questions:
        which = f" --interrupt {asked.interrupt_id[:8]}" if len(questions) > 1 else ""
        lines.append(f"it asks: {question(asked)}{_choices(asked.value)}")
        lines += _exact_call(asked.value)
        lines.append(f"answer it: motet runs resume {run_id[:8]}{which} --answer …")
    return lines


def _choices(asked: Any) -> str:
    """Return what an agent's question offers to choose from, in brackets; "" for nothing."""
    offered: Any = asked.get("choices") if isinstance(asked, dict) else None
    return f" ({', '.join(map(str, offered))})" if isinstance(offered, list) and offered else ""


def _exact_call(asked: Any) -> list[str]:
    """Return the lines of an approval's call, nothing left out; [] for other questions."""
    from motet.tools.policy.approval import is_approval

    if not is_approval(asked):
        return []
    from motet.cli.render.approval import call as exact_call

    return exact_call(asked)


def count(number: int, one: str, many: str = "") -> str:
    """Return `1 passage`, `3 passages`."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def place(passage: Passage) -> str:
    """Return where a passage stands: its title, its heading and its page."""
    title = passage.title or PurePath(passage.source).name or passage.source
    parts = [title]
    if passage.heading and passage.heading != title:
        parts.append(f" › {passage.heading.removeprefix(f'{title} › ')}")
    if passage.page is not None:
        parts.append(f", p. {passage.page}")
    return "".join(parts)


def citation(passage: Passage) -> str:
    """Return a passage's line in the list below an answer: `[1] title, p. 3 — path`."""
    title = passage.title or PurePath(passage.source).name or passage.source
    page = f", p. {passage.page}" if passage.page is not None else ""
    return f"[{passage.number}] {title}{page} — {passage.source}"


def citations(passages: Sequence[Passage]) -> list[str]:
    """Return the list below an answer, by number; no citations give none."""
    return [citation(passage) for passage in sorted(passages, key=lambda p: p.number or 0)]


def answer_text(answer: str, passages: Sequence[Passage]) -> str:
    """Return an answer as plain text with its list of citations, ended by one newline; no answer gives nothing."""
    parts = [answer.strip(), "\n".join(citations(passages))]
    text = "\n\n".join(part for part in parts if part)
    return f"{text}\n" if text else ""


def _value(value: Any) -> str:
    """Return a value as JSON; a list of small objects by what is in them: `tents 3; a week 220`."""
    if isinstance(value, list) and value and all(isinstance(item, dict) for item in cast("list[Any]", value)):
        items = cast("list[dict[str, Any]]", value)
        return "; ".join(" ".join(str(part) for part in item.values()) for item in items)
    return json.dumps(value, ensure_ascii=False, default=str)
