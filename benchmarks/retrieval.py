"""How well and how fast documents are searched: two question sets, LlamaIndex's default pipeline, 100,000 passages.

Run it with `make bench-retrieval`. The question sets come from Debian packages (`benchmarks.questions`); LlamaIndex
runs in the environment of `make test-stores`, with the same model, and is left out where that is not there.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import statistics
import subprocess
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks import questions as sets
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


class RandomPassages:
    """Random vectors for passages, so that 100,000 of them take no hours; the real model's for queries."""

    dimension = 384
    name = "random passages"

    def __init__(self) -> None:
        self._random = np.random.default_rng(SEED)
        self._real = LocalEmbedder()

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
    parser.add_argument("--only-speed", action="store_true")
    asked = parser.parse_args()
    if not asked.only_speed:
        for language in sets.PACKAGES:
            asyncio.run(quality(language, asked.questions))
    if asked.passages:
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
    """Score Motet's stages and LlamaIndex on one set, and compare how long the documents took."""
    folder, asked = sets.write(language)
    if count and count < len(asked):
        asked = random.Random(SEED).sample(asked, count)  # noqa: S311  # the same each time
    with tempfile.TemporaryDirectory() as home:
        settings, database = opened(home)
        embedder = LocalEmbedder()
        embedder.embed_queries(["warm"])
        base = KnowledgeBase(database, settings.retrieval, embedder, tenant_id="local")
        began = time.perf_counter()
        await base.add([folder])
        took_s = time.perf_counter() - began
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
        other = llama(folder, asked, Path(home))
    if other is not None:
        print(f"  {'LlamaIndex, default':<22} nDCG@10 {other['ndcg']:.3f}")
        share = took_s / other["ingest_s"]
        print(f"  taking in: {took_s:.1f} s, LlamaIndex {other['ingest_s']:.1f} s ({share:.2f} of it)")
    else:
        print(f"  taking in: {took_s:.1f} s; LlamaIndex is not here: make test-stores installs it")


def llama(folder: Path, asked: list[dict[str, Any]], home: Path) -> dict[str, Any] | None:
    """Have LlamaIndex do the same; None where its environment is not there."""
    if not (LLAMA.parent.parent / "ready").exists():
        return None
    file = home / "asked.jsonl"
    file.write_text("\n".join(json.dumps(one, ensure_ascii=False) for one in asked), "utf-8")
    words = [str(LLAMA), "-m", "benchmarks.llama_pipeline", str(folder), str(file)]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    told: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return told


async def speed(passages: int) -> None:
    """Take in so many passages made of a book's words, and ask its first sentences."""
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
        finder = HybridRetriever(base)
        ask = [str(one["question"]) for one in asked if one["kind"] == "sentence"][:100]
        await finder.search(ask[0])
        embed, whole = [], []
        for question in ask:
            began = time.perf_counter()
            base.embedder.embed_queries([question])  # pyright: ignore[reportOptionalMemberAccess]
            embed.append(time.perf_counter() - began)
            began = time.perf_counter()
            await finder.search(question)
            whole.append(time.perf_counter() - began)
        database.close()
    middle, own = statistics.median(whole), statistics.median(embed)
    print(f"\n{stats.passage_count:,} passages, taken in with random vectors in {took_s:.0f} s")
    print(f"  fused search p50 {middle * 1000:.1f} ms, of it {own * 1000:.1f} ms the question's embedding;")
    print(f"  p95 {sorted(whole)[int(len(whole) * 0.95)] * 1000:.1f} ms")


if __name__ == "__main__":
    main()
