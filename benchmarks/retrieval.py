"""How well and how fast documents are searched: two question sets, LlamaIndex's default pipeline, 100,000 passages.

Run it with `make bench-retrieval`. The question sets come from Debian packages (`benchmarks.questions`); LlamaIndex
runs in the environment of `make test-stores`, with the same model, and is left out where that is not there. Quality is
scored with vectors that are kept from run to run (`benchmarks.cached`); what is timed is embedded by the model itself.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import shutil
import statistics
import subprocess
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks import questions as sets
from benchmarks.cached import CachedEmbedder, warm
from motet.retrieval.collection import KnowledgeBase
from motet.retrieval.embed import LocalEmbedder
from motet.retrieval.evaluate import Question, rankings, score
from motet.retrieval.search import HybridRetriever
from motet.settings import Settings
from motet.storage.engine import Database
from motet.storage.schema import prepare

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

LLAMA = Path("benchmarks/out/stores/bin/python")
SEED = 7
TIMED = 60
"""Documents of each book that are taken in against the clock."""


class RandomPassages:
    """Random vectors for passages, so that 100,000 of them take no hours; the real model's for queries."""

    dimension = 384
    name = "random passages"

    def __init__(self) -> None:
        self._random = np.random.default_rng(SEED)
        self._real = warm(LocalEmbedder())

    def embed_queries(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """See `Embedder`."""
        return self._real.embed_queries(texts)

    def embed_passages(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """See `Embedder`."""
        rows = self._random.standard_normal((len(texts), self.dimension), dtype=np.float32)
        return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--questions", type=int, default=0, help="of each set, the same each time; all unless given"
    )
    parser.add_argument("--passages", type=int, default=100_000, help="0 leaves the speed out")
    parser.add_argument("--only", choices=("quality", "ingest", "speed"), help="a part; all unless given")
    asked = parser.parse_args()
    for language in sets.PACKAGES:
        if asked.only in (None, "quality"):
            asyncio.run(quality(language, asked.questions))
        if asked.only in (None, "ingest"):
            asyncio.run(ingest(language))
    if asked.passages and asked.only in (None, "speed"):
        asyncio.run(speed(asked.passages))


def opened(home: str) -> tuple[Settings, Database]:
    """Open a fresh database."""
    settings = Settings.load(
        {"storage.home": home}, environ={"MOTET_CONFIG": f"{home}/none.toml"}, cwd=Path(home)
    )
    database = Database(settings.storage)
    prepare(database, settings.storage)
    return settings, database


async def quality(language: str, count: int) -> None:
    """Score Motet's stages and LlamaIndex on one set."""
    folder, asked = sets.write(language)
    if count and count < len(asked):
        asked = random.Random(SEED).sample(asked, count)  # noqa: S311  # the same each time
    with tempfile.TemporaryDirectory() as home:
        settings, database = opened(home)
        base = KnowledgeBase(database, settings.retrieval, CachedEmbedder(), tenant_id="local")
        await base.add([folder])
        stats = await base.stats()
        wanted = [Question(str(one["question"]), tuple(one["relevant"])) for one in asked]  # pyright: ignore[reportArgumentType]
        ranked = [one async for one in rankings(HybridRetriever(base), wanted)]
        print(
            f"\n{language}: {stats.document_count} documents, {stats.passage_count} passages, {len(asked)} questions"
        )
        for stage in score(ranked):
            print(
                f"  {stage.stage:<22} nDCG@10 {stage.ndcg:.3f}  recall {stage.recall:.3f}  MRR {stage.mrr:.3f}"
            )
        for kind in ("title", "sentence"):
            part = [one for one, given in zip(ranked, asked, strict=True) if given["kind"] == kind]
            told = "  ".join(f"{stage.stage} {stage.ndcg:.3f}" for stage in score(part))
            print(f"    of {len(part)} {kind} questions: {told}")
        database.close()
        file = Path(home) / "asked.jsonl"
        file.write_text("\n".join(json.dumps(one, ensure_ascii=False) for one in asked), "utf-8")
        other = llama(str(folder), str(file))
    if other is not None:
        print(f"  {'LlamaIndex, default':<22} nDCG@10 {other['ndcg']:.3f}  ({other['nodes']} nodes)")


async def ingest(language: str) -> None:
    """Compare how long the same documents take: Motet and LlamaIndex in turn, twice, the best of each."""
    folder, _ = sets.write(language)
    ours: list[float] = []
    theirs: list[float] = []
    with tempfile.TemporaryDirectory() as home:
        some = Path(home) / "some"
        some.mkdir()
        for path in sorted(folder.iterdir())[:TIMED]:
            shutil.copy(path, some)
        embedder = warm(LocalEmbedder())
        for turn in range(2):
            settings, database = opened(f"{home}/{turn}")
            base = KnowledgeBase(database, settings.retrieval, embedder, tenant_id="local")
            began = time.perf_counter()
            await base.add([some])
            ours.append(time.perf_counter() - began)
            database.close()
            other = llama(str(some), "--time")
            theirs += [other["ingest_s"]] if other is not None else []
    print(f"\n{language}: {TIMED} documents taken in: {min(ours):.1f} s", end="")
    if theirs:
        print(f", LlamaIndex {min(theirs):.1f} s ({min(ours) / min(theirs):.2f} of it)")
    else:
        print("; LlamaIndex is not here: make test-stores installs it")


def llama(*words: str) -> dict[str, Any] | None:
    """Have LlamaIndex do the same; None where its environment is not there."""
    if not (LLAMA.parent.parent / "ready").exists():
        return None
    command = [str(LLAMA), "-m", "benchmarks.llama_pipeline", *words]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    told: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return told


async def speed(passages: int) -> None:
    """Take in so many passages made of a book's words, and ask 100 of its first sentences and 100 of its titles.

    200 others were asked before: a process that has answered before is measured, not one that has just started.
    """
    folder, asked = sets.write("en")
    words = " ".join(path.read_text("utf-8") for path in sorted(folder.iterdir())).split()
    chance = random.Random(SEED)  # noqa: S311  # text, no secret
    with tempfile.TemporaryDirectory() as home:
        settings, database = opened(home)
        base = KnowledgeBase(database, settings.retrieval, RandomPassages(), tenant_id="local")
        source = Path(home) / "texts"
        source.mkdir()
        for file in range(passages // 500):
            paragraphs = [" ".join(chance.choices(words, k=80)) for _ in range(500)]
            (source / f"{file}.txt").write_text("\n\n".join(paragraphs), "utf-8")
        began = time.perf_counter()
        await base.add([source])
        took_s = time.perf_counter() - began
        stats = await base.stats()
        print(f"\n{stats.passage_count:,} passages, taken in with random vectors in {took_s:.0f} s")
        finder = HybridRetriever(base)
        by_kind = {
            kind: [str(one["question"]) for one in asked if one["kind"] == kind]
            for kind in ("title", "sentence")
        }
        first = await timed(finder, base, by_kind["sentence"][100:200] + by_kind["title"][100:200])
        print(told("while words are asked for the first time", first))
        everything: list[tuple[float, float]] = []
        for kind, questions in by_kind.items():
            took = await timed(finder, base, questions[:100])
            everything += took
            print(told(f"100 {kind}s", took))
        print(told("both", everything))
        database.close()


async def timed(
    finder: HybridRetriever, base: KnowledgeBase, questions: list[str]
) -> list[tuple[float, float]]:
    """Return for each question how long its search took, and how long embedding it takes, in seconds."""
    took: list[tuple[float, float]] = []
    for question in questions:
        began = time.perf_counter()
        await finder.search(question)
        whole = time.perf_counter() - began
        began = time.perf_counter()
        base.embedder.embed_queries([question])  # pyright: ignore[reportOptionalMemberAccess]
        took.append((whole, time.perf_counter() - began))
    return took


def told(name: str, took: list[tuple[float, float]]) -> str:
    """Return a line of the table."""
    whole = sorted(one * 1000 for one, _ in took)
    embedding = statistics.median(one for _, one in took) * 1000
    late = whole[int(len(whole) * 0.95)]
    return (
        f"  {name}: fused search p50 {statistics.median(whole):.1f} ms, p95 {late:.1f} ms; "
        f"the question's embedding {embedding:.1f} ms"
    )


if __name__ == "__main__":
    main()
