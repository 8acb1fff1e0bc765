"""Evaluations on disk: a file each, `evals/NAME.jsonl` in the data folder, its header first and then a line a row.

What does not live here: making one (`motet.app.evals`). A line is written when its row is done, so an evaluation that
was stopped goes on from there; of two lines of one row the later counts.
"""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from motet.errors import InvalidInput, NotFound, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

VERSION = 1
_NAME = re.compile(r"[\w.@+-]+(?:[\w .@+-]*[\w.@+-])?")


@dataclass(frozen=True, slots=True)
class Header:
    """What was evaluated."""

    name: str
    dataset: str
    digest: str
    """Of the data set's rows."""
    graph: str
    model: str
    rows: int
    started_at: float
    judge: str = ""

    def same_as(self, other: Header) -> bool:
        """Say whether results of the other may stand beside its own."""
        return replace(self, started_at=0.0) == replace(other, started_at=0.0)


@dataclass(frozen=True, slots=True)
class Result:
    """How one row went."""

    id: str
    asked: str
    answer: str
    score: float
    passed: bool
    problems: list[str]
    error: str
    """Why its run failed; "" when it did not."""
    run_id: str
    tokens: int
    duration_s: float
    weight: float = 1.0
    tries: int = 1
    """How many runs were made for it."""


@dataclass(frozen=True, slots=True)
class Evaluation:
    """A file that was read."""

    header: Header
    results: Mapping[str, Result]
    """By the row's id, in the order that they were done."""


@dataclass(frozen=True, slots=True)
class Evaluations:
    """The evaluations of a data folder."""

    folder: Path

    def begin(self, header: Header) -> Evaluation:
        """Return the evaluation of this name, with what is done of it; make it where it is not there.

        Raises:
            InvalidInput: The name is none, or that of an evaluation of something else.
        """
        path = self._path(header.name)
        if path.exists():
            found = self.read(header.name)
            if not found.header.same_as(header):
                raise InvalidInput(
                    f"The evaluation '{header.name}' is of another data set, graph, model or judge. "
                    "Give this one a name of its own: --name NAME.",
                    name=header.name,
                )
            _drop_half_a_line(path)
            return found
        self.folder.mkdir(parents=True, exist_ok=True)
        path.write_text(_line({"evaluation": VERSION, **asdict(header)}), "utf-8")
        return Evaluation(header, {})

    def add(self, name: str, result: Result) -> None:
        """Write a row's result down."""
        with self._path(name).open("a", encoding="utf-8") as file:
            file.write(_line(asdict(result)))

    def read(self, name: str) -> Evaluation:
        """Return an evaluation. Half a line at the end, which a crash left, is passed over.

        Raises:
            NotFound: There is none of this name.
            InvalidInput: Its file is none, or of another version.
        """
        try:
            lines = self._path(name).read_text("utf-8").splitlines()
        except FileNotFoundError:
            known = [one.name for one in self.headers()]
            raise NotFound(
                f"There is no evaluation '{name}'.{did_you_mean(name, known)} See: motet eval list.",
                name=name,
            ) from None
        header = _header(lines[0] if lines else "", name)
        results: dict[str, Result] = {}
        for number, line in enumerate(lines[1:], 2):
            try:
                result = Result(**json.loads(line))
            except (ValueError, TypeError) as error:
                if number == len(lines):
                    break
                raise InvalidInput(f"The evaluation '{name}', line {number}: no result: {error}.") from None
            results[result.id] = result
        return Evaluation(header, results)

    def headers(self) -> list[Header]:
        """Return what was evaluated, the newest first; files that are no evaluations are passed over."""
        found: list[Header] = []
        for path in self.folder.glob("*.jsonl"):
            try:
                with path.open(encoding="utf-8") as file:
                    found.append(_header(file.readline(), path.stem))
            except (InvalidInput, OSError, UnicodeDecodeError):
                continue
        return sorted(found, key=lambda header: -header.started_at)

    def _path(self, name: str) -> Path:
        if not _NAME.fullmatch(name) or name.startswith("."):
            raise InvalidInput(f"'{name}' is no name for an evaluation: letters, digits and . _ - @ + only.")
        return self.folder / f"{name}.jsonl"


def _drop_half_a_line(path: Path) -> None:
    """Take off what a crash left of a line, so that the next one stands by itself."""
    whole = path.read_bytes()
    if not whole.endswith(b"\n"):
        with path.open("r+b") as file:
            file.truncate(whole.rfind(b"\n") + 1)


def name_of(*parts: str) -> str:
    """Return a name of these words, each as a file's name can hold it; empty ones are left out."""
    return (
        "-".join(re.sub(r"[^\w.@+]+", "_", part).strip("_.")[-60:] for part in parts if part) or "evaluation"
    )


def _header(line: str, name: str) -> Header:
    try:
        value: dict[str, Any] = json.loads(line)
        version = value.pop("evaluation")
        if version == VERSION:
            return Header(**value)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise InvalidInput(f"The evaluation '{name}' has no header: {error}.") from None
    raise InvalidInput(
        f"The evaluation '{name}' is of version {version}; this Motet reads version {VERSION}."
    )


def _line(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False) + "\n"
