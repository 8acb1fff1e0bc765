from typing import Any

import pytest
from retrieval_servers import serving

from motet.errors import ModelError, ModelUnavailable
from motet.retrieval.rerank import HttpReranker

RESULTS = {"results": [{"index": 1, "relevance_score": 0.9}, {"index": 0, "relevance_score": 0.2}]}


async def test_scores_come_in_the_order_of_the_texts() -> None:
    asked: list[tuple[str, dict[str, Any], str]] = []

    def reply(path: str, body: dict[str, Any], key: str) -> tuple[int, Any]:
        asked.append((path, body, key))
        return 200, RESULTS

    with serving(reply) as base:
        reranker = HttpReranker(f"{base}/v1/rerank", model="bge-reranker", api_key="k")
        assert await reranker.scores("渡轮?", ["a", "b"]) == [0.2, 0.9]
    body = {"query": "渡轮?", "documents": ["a", "b"], "top_n": 2, "model": "bge-reranker"}
    assert asked == [("/v1/rerank", body, "Bearer k")]


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        ((503, {}), ModelUnavailable),
        ((200, b"<html>"), ModelError),
        ((200, {"results": []}), ModelError),
        ((200, {"results": [{"index": 0}]}), ModelError),
        ((200, []), ModelError),
    ],
)
async def test_what_is_answered_wrong_is_one_typed_error(
    answer: tuple[int, Any], error: type[ModelError]
) -> None:
    with serving(lambda *_: answer) as base, pytest.raises(error, match="the reranker at"):
        await HttpReranker(f"{base}/rerank").scores("q", ["a", "b"])


async def test_a_server_that_is_not_there_is_named() -> None:
    with pytest.raises(ModelUnavailable, match=r"127\.0\.0\.1:1"):
        await HttpReranker("http://127.0.0.1:1/rerank").scores("q", ["a", "b"])
