"""What a step left behind, as plain JSON in a graph's state, and how expressions see it.

What does not live here: doing a step (`steps`).
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

from motet.tasks.expressions import text_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from motet.tasks.spec import Step

Record = dict[str, Any]
"""`status` (`done`, `failed`, `skipped`; `looping` between two rounds, `fanned` while its items are done), `key`,
`turn`, and what there is of `output`, `artifact`, `artifacts`, `citations`, `error`, `why`, `items`, `iteration`,
`seconds`, `blocked`, `tolerated`, `kept`."""


def channel(step_id: str) -> str:
    """Return the name of a step's record in the state."""
    return f"step_{step_id}"


def items_channel(step_id: str) -> str:
    """Return the name of the records of a step's items in the state."""
    return f"items_{step_id}"


def view(record: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return what an expression reads of a step; a step that was not done has no output."""
    record = record or {}
    outputs = outputs_of(record)
    output = record.get("output") if outputs is None else outputs
    return {
        "output": output,
        "outputs": outputs,
        "text": text_of(output) if outputs is None else "\n\n".join(map(text_of, outputs)),
        "artifact": record.get("artifact"),
        "artifacts": record.get("artifacts"),
        "citations": record.get("citations") or [],
        "status": record.get("status", "pending"),
        "error": (record.get("error") or {}).get("message"),
    }


def outputs_of(record: Mapping[str, Any]) -> list[Any] | None:
    """Return the outputs of a step's items, null for those that failed; None for a step without items."""
    if "items" in record:
        return [item.get("output") for item in record["items"]]
    return record.get("outputs")


def trimmed(record: Record | None, *, whole: bool) -> Record:
    """Return what the work on an item needs of another step's record: its outputs, or only that it was done."""
    record = record or {}
    names = ("key", "status", "blocked", "tolerated")
    kept = {name: record[name] for name in names if name in record}
    if whole:
        for name in ("output", "artifact", "artifacts", "citations", "error"):
            if name in record:
                kept[name] = record[name]
        outputs = outputs_of(record)
        return kept if outputs is None else {**kept, "outputs": outputs}
    return kept


def gathered(items: Sequence[Record], *, key: str, turn: str, continue_on_error: bool) -> Record:
    """Return the record of a step from those of its items, in their order; a failed item's output is null."""
    failed = [item for item in items if item["status"] == "failed"]
    ended = "failed" if failed and not continue_on_error else "done"
    record: Record = {"status": ended, "key": key, "turn": turn, "items": list(items)}
    record["artifacts"] = [item["artifact"] for item in items if item.get("artifact")]
    record["citations"] = [passage for item in items for passage in item.get("citations") or ()]
    record["seconds"] = sum(item.get("seconds", 0.0) for item in items)
    if failed:
        record["error"] = failed[0]["error"]
        record["why"] = f"{len(failed)} of {len(items)} items failed"
    return record


def key_of(step: Step, resolved: Any, more: Iterable[Any]) -> str:
    """Return a hash of everything that goes into a step; the same again means that it need not be done again."""
    definition = step.model_dump(mode="json", by_alias=True, exclude_unset=True)
    for name in (
        "description",
        "needs",
        "retry",
        "timeout",
        "max_parallel",
        "continue_on_error",
        "cache",
        "if",
    ):
        definition.pop(name, None)
    text = json.dumps([definition, resolved, list(more)], sort_keys=True, ensure_ascii=False, default=str)
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:32]


def merge_items(left: dict[str, Any] | None, right: dict[str, Any]) -> dict[str, Any]:
    """Merge records of items that were done side by side; those of another turn give way."""
    if left is None or left.get("turn") != right.get("turn"):
        return right
    return {**left, **right}
