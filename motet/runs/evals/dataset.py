"""A data set for `motet eval run`: a JSON object a line, each a question with what must be true of the answer.

What does not live here: scoring (`scores`) and asking (`motet.app.evals`).
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from motet.errors import InvalidInput, NotFound
from motet.models.structured import validation_text

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

Scorer = Literal["exact", "contains", "numeric", "json_path", "citation", "trajectory", "judge"]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Check(_Frozen):
    """One thing that must be true of an answer."""

    type: Scorer
    value: Any
    """What is right; of a `judge`, the requirement in words."""
    path: str = "$"
    """Of `json_path`: where in the answer's JSON, as `$.items[0].price`."""
    tolerance: float = Field(default=0.0, ge=0)
    """Of `numeric`: how far off a number may be."""
    order: Literal["exact", "in_order", "any_order"] = "in_order"
    """Of `trajectory`: these tool calls and no others; these in this order, others between; these at all."""
    threshold: float = Field(default=0.5, ge=0, le=1)
    """Of `judge`: the least score that passes."""


class Row(_Frozen):
    """One line."""

    id: str = Field(default="", max_length=200)
    """Its own name; the number of its line unless given."""
    input: str | dict[str, Any]
    """What the user says, or the graph's whole input."""
    checks: list[Check] = Field(min_length=1)
    weight: float = Field(default=1.0, gt=0)

    @model_validator(mode="before")
    @classmethod
    def _short_form(cls, value: Any) -> Any:
        """Read `"expected": …, "check": "contains"` as one check."""
        if isinstance(value, dict) and "expected" in value:
            rest: dict[str, Any] = {k: v for k, v in value.items() if k not in ("expected", "check")}
            first = {"type": value.get("check", "contains"), "value": value["expected"]}
            return {**rest, "checks": [first, *rest.get("checks", [])]}
        return value

    @model_validator(mode="after")
    def _fits(self) -> Self:
        for check in self.checks:
            if check.type == "numeric" and not isinstance(check.value, int | float):
                raise ValueError(f"a numeric check needs a number, not {check.value!r}")
            if check.type == "judge" and not isinstance(check.value, str):
                raise ValueError("a judge needs its requirement as a text")
        return self

    @property
    def graph_input(self) -> dict[str, Any]:
        """The input of its run."""
        if isinstance(self.input, str):
            return {"messages": [{"role": "user", "content": self.input}]}
        return self.input

    @property
    def asked(self) -> str:
        """What was asked, on one line."""
        given: Any = self.input
        if isinstance(given, dict):
            messages: list[Any] = given.get("messages") or []
            given = messages[-1].get("content", "") if messages else json.dumps(given, ensure_ascii=False)
        return " ".join(str(given).split())


@dataclass(frozen=True, slots=True)
class Dataset:
    """A data set that was read."""

    name: str
    digest: str
    """SHA-256 of its rows: results of other rows are not mixed with it."""
    rows: Sequence[Row]

    @property
    def needs_judge(self) -> bool:
        """Whether a model has to judge."""
        return any(check.type == "judge" for row in self.rows for check in row.checks)


def load(path: Path) -> Dataset:
    """Read a file, a JSON object a line; blank lines are passed over.

    Raises:
        NotFound: There is no such file.
        InvalidInput: It cannot be read, has no rows, or a line is wrong; the message names the line.
    """
    try:
        lines = path.read_text("utf-8-sig").splitlines()
    except FileNotFoundError:
        raise NotFound(f"There is no data set {path}.", path=str(path)) from None
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInput(f"{path} cannot be read: {error}.", path=str(path)) from None
    rows: list[Row] = []
    known: dict[str, int] = {}
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        row = _row(line, f"{path}, line {number}")
        row = row if row.id else row.model_copy(update={"id": str(number)})
        if row.id in known:
            raise InvalidInput(
                f"{path}, line {number}: the id '{row.id}' is that of line {known[row.id]} too."
            )
        known[row.id] = number
        rows.append(row)
    if not rows:
        raise InvalidInput(f"{path} has no rows: write a JSON object a line, with input and expected.")
    told = "\n".join(row.model_dump_json() for row in rows)
    return Dataset(path.stem, hashlib.sha256(told.encode()).hexdigest(), rows)


def _row(line: str, where: str) -> Row:
    try:
        return Row.model_validate(json.loads(line))
    except ValidationError as error:
        raise InvalidInput(f"{where}: {validation_text(error)}.") from None
    except ValueError as error:
        raise InvalidInput(f"{where}: no JSON: {error}.") from None
