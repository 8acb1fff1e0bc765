from stage import Library, stage

from motet.agents.base import Assignment, build_agents
from motet.agents.retriever import fuse, grounded
from motet.events import Passage


def passage(name: str, text: str = "x") -> Passage:
    return Passage(passage_id=name, text=text, source="s")


GIVEN = Assignment(step_id=1, task="Find the price.", question="q", language="en")


async def test_it_searches_in_the_tasks_own_words() -> None:
    library = Library()
    parts, calls = stage(library=library)
    outcome = await build_agents(parts.agents)["retriever"].do(GIVEN)
    assert library.queries == ["Find the price."]
    assert outcome.text == "A ticket costs 12 euros."
    assert [call.schema_name for call in calls] == ["Facts"]


async def test_when_that_says_nothing_it_searches_again_in_both_languages() -> None:
    library = Library()
    parts, _ = stage({"Facts": {"facts": []}}, library=library)
    await build_agents(parts.agents)["retriever"].do(GIVEN)
    assert library.queries[1:] == ["Find the price.", "ticket price", "票价"]


async def test_queries_that_cannot_be_understood_leave_what_was_found() -> None:
    library = Library()
    parts, _ = stage({"Facts": {"facts": []}, "Queries": lambda call: "no"}, library=library)
    outcome = await build_agents(parts.agents)["retriever"].do(GIVEN)
    assert library.queries == ["Find the price."]
    assert outcome.passages


async def test_only_passages_that_say_something_go_on() -> None:
    parts, _ = stage({"Facts": {"facts": [{"passage": 2, "fact": "Groups pay 10 % less."}]}})
    outcome = await build_agents(parts.agents)["retriever"].do(GIVEN)
    assert outcome.text == "Groups pay 10 % less."
    assert [p.text for p in outcome.passages] == ["Groups pay 10 % less."]


async def test_a_fact_that_names_the_wrong_passage_is_put_where_its_figures_stand() -> None:
    parts, _ = stage({"Facts": {"facts": [{"passage": 1, "fact": "Groups pay 10 % less."}]}})
    outcome = await build_agents(parts.agents)["retriever"].do(GIVEN)
    assert [p.text for p in outcome.passages] == ["Groups pay 10 % less."]


async def test_when_nothing_is_said_the_best_passages_go_on_and_the_finding_says_so() -> None:
    parts, _ = stage({"Facts": {"facts": []}})
    outcome = await build_agents(parts.agents)["retriever"].do(GIVEN)
    assert outcome.ok
    assert outcome.text == "the passages do not say it"
    assert len(outcome.passages) == 2


async def test_nothing_found_is_an_outcome() -> None:
    class Empty(Library):
        async def search(self, query: str, *, limit: int = 4) -> list[Passage]:
            return []

    parts, _ = stage(library=Empty())
    outcome = await build_agents(parts.agents)["retriever"].do(GIVEN)
    assert (outcome.ok, outcome.passages) == (True, [])


def test_rankings_are_fused_by_reciprocal_rank() -> None:
    fused = fuse([[passage("a"), passage("b")], [passage("b"), passage("c")], []], limit=2)
    assert [p.passage_id for p in fused] == ["b", "a"]
    assert fused[0].score == round(1 / 62 + 1 / 61, 6)
    assert fuse([], limit=3) == []


def test_a_fact_is_grounded_when_its_figures_stand_in_the_passage() -> None:
    assert grounded("It costs 1200 euros.", passage("a", "The price is 1,200 euros."))
    assert not grounded("Ten cost 12000 euros.", passage("a", "The price is 1,200 euros."))
