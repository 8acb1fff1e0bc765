from motet.events import Passage
from motet.retrieval.render import place_of, render_passages


def passage(**fields: object) -> Passage:
    return Passage.model_validate({"passage_id": "p", "text": "Text.", "source": "/d/a.md"} | fields)


def test_passages_are_numbered_by_place_or_by_their_own_number() -> None:
    shown = render_passages([passage(title="Fares"), passage(title="Groups", heading="Deposit", number=7)])
    assert shown == "[1] Fares: Text.\n\n[7] Groups › Deposit: Text."
    assert render_passages([]) == ""


def test_a_place_names_title_heading_and_page() -> None:
    assert place_of(passage(title="Fares", heading="Dogs", page=3)) == "Fares › Dogs (p. 3)"
    assert place_of(passage(title="Fares", heading="Fares › Dogs")) == "Fares › Dogs"
    assert place_of(passage()) == "/d/a.md"
