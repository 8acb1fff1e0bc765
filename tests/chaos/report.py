"""The table: a line for each promise and database."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass
class Row:
    """What one experiment showed on one database."""

    promise: str
    """Its names, `R-01`."""
    what: str
    database: str
    trials: str
    """How often what was done: `100 kills`."""
    lost: int | None = None
    """None where the experiment does not look for it."""
    repeated: int | None = None
    counts: dict[str, object] = field(default_factory=dict[str, object])
    """Whatever else was counted or measured."""
    seconds: float = 0.0
    passed: bool | None = True
    """None: could not be run here, and `reason` says why; or a comparison that cannot fail."""
    reason: str = ""
    details: list[str] = field(default_factory=list[str])
    """What went wrong, a line each."""

    @property
    def verdict(self) -> str:
        if self.passed is None:
            return "skipped" if self.reason else "-"
        return "pass" if self.passed else "FAIL"


def render(rows: Sequence[Row]) -> str:
    """Lay the rows out as a table in plain text, failures' details below it."""
    head = ("promise", "what", "database", "trials", "lost", "repeated", "seconds", "", "counts")
    body = [
        (
            row.promise,
            row.what,
            row.database,
            row.trials,
            "" if row.lost is None else str(row.lost),
            "" if row.repeated is None else str(row.repeated),
            f"{row.seconds:.0f}",
            row.verdict,
            row.reason or ", ".join(f"{name} {value}" for name, value in row.counts.items()),
        )
        for row in rows
    ]
    widths = [max(len(line[i]) for line in (head, *body)) for i in range(len(head))]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in (head, *body)
    ]
    lines.insert(1, "  ".join("-" * width for width in widths[:-1]) + "  ------")
    for row in rows:
        if row.details:
            lines += ["", f"{row.promise} on {row.database}:", *(f"  {line}" for line in row.details[:20])]
            if len(row.details) > 20:
                lines.append(f"  … and {len(row.details) - 20} more")
    return "\n".join(lines)
