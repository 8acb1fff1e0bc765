"""What the memory benchmark found: tables for people, the promises that it checks, a plot, and JSON.

What does not live here: measuring (`memory`).
"""

from __future__ import annotations

import json
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SQLITE_ALL = "SqliteSaver, all messages"
LANGGRAPH_ALL = "nothing stored, all messages"
"""What LangGraph itself costs, with the whole list in its state."""
MOTET_ALL = "MotetSaver, all messages"
MOTET_RECENT = "MotetSaver, last 40"
"""What Motet's own graphs do: the state holds the last messages, the transcript all."""


class Figures(NamedTuple):
    """What was measured in one case."""

    cpu_ms: float
    """CPU of one turn."""
    kilobytes: float
    """Growth of the database in one turn."""
    load_ms: float
    """CPU of one load of the latest state, by the saver that ran the turns."""


Found = dict[str, dict[int, Figures]]

COLUMNS = (
    ("CPU of a turn, ms", "cpu_ms"),
    ("Stored by a turn, kB", "kilobytes"),
    ("CPU of a load, ms", "load_ms"),
)


def report(found: Found, depths: list[int], turn_json_bytes: int, out: Path) -> None:
    """Print the tables and the promises; write the plot and the figures into a folder."""
    print(f"A turn adds two messages, {turn_json_bytes:,} bytes as JSON. Depth in turns.")
    for line in [*table(found, depths), *promises(found, depths, turn_json_bytes), *growth(found, depths)]:
        print(line)
    out.mkdir(exist_ok=True)
    plain = {name: {depth: row._asdict() for depth, row in at.items()} for name, at in found.items()}
    (out / "memory.json").write_text(json.dumps(plain, indent=1) + "\n", "utf-8")
    if find_spec("matplotlib") is None:
        print("\nNo plot: matplotlib is not installed (make bench-memory installs it).")
        return
    plot(found, out / "memory.svg")
    print(f"\nPlot: {out / 'memory.svg'}")


def table(found: Found, depths: list[int]) -> Iterator[str]:
    """Yield one table a measure, a line a case."""
    for title, field in COLUMNS:
        yield f"\n{title:<30}" + "".join(f"{depth:>11,}" for depth in depths) + "   worst/best"
        for name, at in found.items():
            row = [getattr(at[depth], field) for depth in depths]
            shown = "".join(f"{value:>11,.2f}" for value in row)
            yield f"  {name:<28}{shown}{spread(row):>12.2f}"


def spread(values: list[float]) -> float:
    """Return how many times the highest is the lowest."""
    return max(values) / max(min(values), 1e-9)


def promises(found: Found, depths: list[int], turn_json_bytes: int) -> Iterator[str]:
    """Yield what Motet promises, and whether it was so."""
    for name in [case for case in (MOTET_RECENT, MOTET_ALL) if case in found]:
        yield f"\n{name}"
        for title, field in COLUMNS:
            worst = spread([getattr(found[name][depth], field) for depth in depths])
            yield _line(f"{title} within 1.3 at every depth", f"{worst:.2f}", kept=worst <= 1.3)
        most = max(at.kilobytes for at in found[name].values()) * 1000 / turn_json_bytes
        yield _line("at most 2 times the JSON of the new messages", f"{most:.2f}", kept=most <= 2)
        if 1000 in depths and SQLITE_ALL in found:
            base, mine = found[SQLITE_ALL][1000], found[name][1000]
            fewer, less = base.kilobytes / mine.kilobytes, base.cpu_ms / mine.cpu_ms
            yield _line(
                "at 1,000 turns 300 times fewer bytes than SqliteSaver", f"{fewer:,.0f}", kept=fewer >= 300
            )
            yield _line("at 1,000 turns 5 times less CPU than SqliteSaver", f"{less:.1f}", kept=less >= 5)


def growth(found: Found, depths: list[int]) -> Iterator[str]:
    """Yield how much of a deep turn's CPU is LangGraph's own, where the whole list is in the state."""
    deepest = max(depths)
    if LANGGRAPH_ALL not in found or MOTET_ALL not in found:
        return
    own, all_of = found[LANGGRAPH_ALL], found[MOTET_ALL]
    yield f"\nOf a turn's CPU at {deepest:,} turns with all messages, in ms"
    for name, at in ((MOTET_ALL, all_of), (LANGGRAPH_ALL, own)):
        more = at[deepest].cpu_ms - at[min(depths)].cpu_ms
        yield f"  {name:<32}{at[deepest].cpu_ms:>8.1f}, {more:.1f} of it by depth"


def _line(what: str, value: str, *, kept: bool) -> str:
    return f"  {'yes' if kept else 'NO ':<4}{what:<58}{value:>8}"


def plot(found: Found, path: Path) -> None:
    """Draw every measure over the depth, both axes logarithmic, as SVG."""
    import matplotlib as mpl  # noqa: PLC0415  # only where a plot is drawn

    mpl.use("svg")
    mpl.rcParams["svg.hashsalt"] = "motet"
    from matplotlib import pyplot as plt  # noqa: PLC0415

    figure, axes = plt.subplots(1, len(COLUMNS), figsize=(15, 5))
    panes: Any = axes
    for pane, (title, field) in zip(panes, COLUMNS, strict=True):
        for name, at in found.items():
            ours = name.startswith("Motet")
            values = [getattr(row, field) for row in at.values()]
            style = (
                {"linewidth": 2.5, "marker": "o"}
                if ours
                else {"linewidth": 1, "linestyle": "--", "marker": "."}
            )
            pane.plot(list(at), values, label=name, **style)
        pane.set(title=title, xlabel="turns before", xscale="log", yscale="log")
        pane.grid(alpha=0.3)
    panes[0].legend(fontsize=7)
    figure.tight_layout()
    figure.savefig(path, metadata={"Date": None})
