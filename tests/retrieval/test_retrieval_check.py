import pytest

from motet.retrieval.check import check_embedder
from motet.settings import Settings


@pytest.mark.parametrize(("name", "ok"), [("local", True), ("none", True), ("lokal", False)])
def test_the_embedding_model_is_known_or_it_is_said_which_are(
    settings: Settings, name: str, ok: bool
) -> None:
    [finding] = check_embedder(settings.replace(models__embed=name))
    assert finding.ok is ok
    assert ok or "local, none" in finding.fix
