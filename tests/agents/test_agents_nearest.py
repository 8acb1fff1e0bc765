from stage import Library

from motet.agents.nearest import STATEMENTS, abridged, nearest_statements
from motet.events import Passage


def passage(name: str, text: str) -> Passage:
    return Passage(passage_id=name, text=text, source=f"{name}.md", title=name)


async def test_statements_are_those_nearest_to_any_query_and_the_first_of_each_of_their_passages() -> None:
    many = " ".join(f"Number {n} is of no use." for n in range(20))
    hire = passage("Hire", f"Prices in francs. {many} A lamp is twelve. A tent is forty.")
    hours = passage("Hours", "The shop opens at nine.")
    found = await nearest_statements(Library(), ["lamp twelve", "tent forty", "number"], [hire, hours])
    said = [text for text, _ in found]
    assert said[0] == "Prices in francs."
    assert said[-2:] == ["A lamp is twelve.", "A tent is forty."]
    assert len(found) == STATEMENTS + 1, "the first is one more"
    assert {passage.title for _, passage in found} == {"Hire"}, "no word of the other is near"
    assert abridged(found).startswith("- Hire: Prices in francs. Number 0 ")


async def test_statements_of_one_passage_are_told_in_one_line() -> None:
    one, other = passage("One", "Ann came. Bob left."), passage("Two", "一盏灯十二元。")
    found = await nearest_statements(Library(), ["ann bob"], [one, other])
    assert abridged(found) == "- One: Ann came. Bob left.\n- Two: 一盏灯十二元。"
    assert await nearest_statements(Library(), ["ann"], []) == []
