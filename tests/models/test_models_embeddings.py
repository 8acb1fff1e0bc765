"""Embeddings over the wire have the form that the library asks for. Real sockets."""

import asyncio

import numpy as np
import pytest

from motet.errors import InvalidInput, ModelRefused
from motet.models.embeddings import BATCH_TEXTS, wire_embedder
from motet.models.scripted_faults import FaultPlan
from motet.models.scripted_server import ScriptedServer
from motet.settings import Settings


async def test_vectors_of_length_one_in_order(settings: Settings) -> None:
    async with ScriptedServer([], embedding_dimension=4096) as server:
        embedder = await asyncio.to_thread(wire_embedder, f"x:scripted@{server.base_url}", settings)
        texts = [
            "red apple",
            "green apple",
            "蓝色",
            "",
            "x\ud800",
            *(f"text {n}" for n in range(BATCH_TEXTS)),
        ]
        rows = await asyncio.to_thread(embedder.embed_passages, texts)
        assert rows.shape == (len(texts), embedder.dimension) == (len(texts), 4096)
        assert rows.dtype == np.float32
        lengths = np.linalg.norm(rows, axis=1)
        assert all(abs(length - 1) < 1e-5 or length == 0 for length in lengths)
        near, far = float(rows[0] @ rows[1]), float(rows[0] @ rows[2])
        assert near > far
        assert (await asyncio.to_thread(embedder.embed_queries, [])).shape == (0, 4096)
        embedder.close()
        assert embedder.name == f"x:scripted@{server.base_url}"


async def test_a_server_without_embeddings_is_refused(settings: Settings) -> None:
    async with ScriptedServer([], faults=[FaultPlan.parse("http_500;times=0")]) as server:
        embedder = wire_embedder(f"x:scripted@{server.base_url}", settings)
        with pytest.raises(ModelRefused, match="no embedding model"):
            await asyncio.to_thread(embedder.embed_queries, ["one"])
        embedder.close()


def test_a_spec_that_cannot_be_read(settings: Settings) -> None:
    with pytest.raises(InvalidInput, match="opnai"):
        wire_embedder("opnai:text-embedding-3-small", settings)
