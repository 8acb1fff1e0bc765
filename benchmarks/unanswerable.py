"""Questions that the documents do not answer: which cosine tells them from the others, and how well.

Run it with `python -m benchmarks.unanswerable`. Half of the sections of each book (`benchmarks.questions`) are taken
in. Their questions have an answer there; those of the other half have none, though much around them is about the same
("near"); sayings from the Debian packages `fortunes` and `fortunes-zh` have none and are about something else ("far").
The threshold is chosen on half of all questions, and judged on the other half.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from benchmarks import questions as sets
from benchmarks.cached import CachedEmbedder
from benchmarks.retrieval import opened
from motet.retrieval.collection import KnowledgeBase
from motet.retrieval.search import HELD_TERMS, HybridRetriever, covered
from motet.storage.content_words import content_words

if TYPE_CHECKING:
    from collections.abc import Iterable

SAYINGS = {"en": "fortunes", "zh": "fortunes-zh"}
FAR = 100
_COLOURS = re.compile(r"\x1b\[[\d;]*m")


class Asked(NamedTuple):
    """A question with what decides whether anything is found."""

    question: str
    kind: str
    """`there`, `near` or `far`."""
    cosine: float
    """Of the nearest passage."""
    held: float
    """The largest share of the question's words that a passage holds."""

    @property
    def is_train(self) -> bool:
        """Say whether it is of the half that the threshold is chosen on."""
        return _half(f"train {self.question}")


def main() -> None:
    """Measure and print."""
    for language in sets.PACKAGES:
        asked = asyncio.run(ask(language))
        train = [one for one in asked if one.is_train]
        chosen = max(sorted({one.cosine for one in train}), key=lambda least: balanced(train, least))
        told = ", ".join(
            f"{sum(one.kind == kind for one in asked)} {kind}" for kind in ("there", "near", "far")
        )
        print(f"\n{language}: questions: {told}; threshold chosen on {len(train)}: {chosen:.3f}")
        for least in (0.0, chosen):
            report([one for one in asked if not one.is_train], least)


async def ask(language: str) -> list[Asked]:
    """Take half of a book in and ask everything."""
    folder, given = sets.write(language)
    with tempfile.TemporaryDirectory() as home:
        settings, database = opened(home)
        half = Path(home) / "half"
        half.mkdir()
        for path in folder.iterdir():
            if _half(path.name):
                shutil.copy(path, half)
        base = KnowledgeBase(database, settings.retrieval, CachedEmbedder(), tenant_id="local")
        await base.add([half])
        finder = HybridRetriever(base)
        wanted: list[tuple[str, str]] = []
        for one in given:
            relevant: Any = one["relevant"]
            wanted.append(("there" if _half(relevant[0]) else "near", str(one["question"])))
        wanted += [("far", text) for text in sayings(language)]
        asked = [await _ask(finder, kind, question) for kind, question in wanted]
        database.close()
    return asked


async def _ask(finder: HybridRetriever, kind: str, question: str) -> Asked:
    found = (await finder.explain(question, limit=12)).found
    words = content_words(question)
    held = (covered(words, f"{one.passage.title} {one.passage.heading} {one.passage.text}") for one in found)
    return Asked(
        question, kind, max((one.cosine or 0.0 for one in found), default=0.0), max(held, default=0.0)
    )


def finds(one: Asked, least: float) -> bool:
    """Say whether a search with this threshold finds anything; see `MOTET_SEARCH_MIN_COSINE`."""
    return one.cosine >= least or one.held >= HELD_TERMS


def balanced(asked: Iterable[Asked], least: float) -> float:
    """Return the mean of two shares: of questions with an answer, what finds; of the others, what does not."""
    right: dict[bool, list[bool]] = {True: [], False: []}
    for one in asked:
        right[one.kind == "there"].append(finds(one, least) == (one.kind == "there"))
    return sum(sum(all_) / len(all_) for all_ in right.values()) / 2


def report(asked: list[Asked], least: float) -> None:
    """Print how well "nothing was found" tells that there is no answer."""
    none = [one for one in asked if not finds(one, least)]
    shares: dict[str, Any] = {}
    for kind in ("there", "near", "far"):
        of = [one for one in asked if one.kind == kind]
        shares[kind] = sum(not finds(one, least) for one in of) / len(of)
    precision = sum(one.kind != "there" for one in none) / len(none) if none else float("nan")
    print(
        f"  {least:.3f} on the other {len(asked)}: nothing found for {shares['there']:.3f} of those with an answer, "
        f"{shares['near']:.3f} of near, {shares['far']:.3f} of far ones; precision {precision:.3f}"
    )


def sayings(language: str) -> list[str]:
    """Return sayings of one paragraph, the same each time."""
    package = SAYINGS[language]
    unpacked = sets.unpacked(package)
    files = [
        path
        for path in (unpacked / "usr/share/games/fortunes").rglob("*")
        if path.is_file() and not path.suffix
    ]
    found: set[str] = set()
    for path in sorted(files):
        for part in path.read_text("utf-8", "replace").split("\n%\n"):
            text = " ".join(_COLOURS.sub("", part).split())
            if 20 <= len(text) <= 200:
                found.add(text)
    return sorted(found, key=lambda text: hashlib.sha256(text.encode()).digest())[:FAR]


def _half(text: str) -> bool:
    return hashlib.sha256(text.encode()).digest()[0] < 128


if __name__ == "__main__":
    main()
