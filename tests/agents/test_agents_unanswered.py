"""When the documents say nothing: decided from what was found, in fixed words, in both languages."""

from typing import Any

import pytest
from stage import Library, calculation, is_look, only, play_through, stage, with_all

from motet.agents.citations import CitationFilter
from motet.agents.unanswered import NOTHING, UNSUPPORTED, may_hold, tells_nothing
from motet.events import MessageCompleted, Passage
from motet.graphs.ensemble import build_ensemble
from motet.models.scripted import Call

LOOK = {"steps": [{"agent": "retriever", "task": "Find it.", "depends_on": []}]}
NOTHING_NOTED: dict[str, Any] = {"Plan": LOOK, "Facts": {"facts": []}, "answer": "It costs 5 euros [1]."}


def said(events: list[Any]) -> str:
    return [e.text for e in only(events, MessageCompleted) if e.role == "assistant"][-1]


def writers(calls: list[Call]) -> int:
    return sum(not call.schema_name for call in calls)


@pytest.mark.parametrize(
    ("question", "language"),
    [("Who painted the ceiling of the chapel?", "en"), ("教堂的天花板是谁画的？", "zh")],
)
async def test_no_model_is_asked_to_answer_from_nothing(question: str, language: Any) -> None:
    texts = ["门票十二元。", "团体九折。"] if language == "zh" else []
    parts, calls = stage(NOTHING_NOTED, library=Library(*texts))
    assert said(await play_through(build_ensemble(parts), question)) == NOTHING[language]
    assert writers(calls) == 0


async def test_passages_that_may_hold_it_are_looked_at_by_the_writer() -> None:
    parts, calls = stage({**NOTHING_NOTED, "answer": "A ticket costs 12 euros [1]."})
    told = said(await play_through(build_ensemble(parts), "What does a ticket cost?"))
    assert told == "A ticket costs 12 euros [1]."
    assert writers(calls) == 1


async def test_what_a_worker_found_is_answered_from() -> None:
    both = {"steps": [*LOOK["steps"], {"agent": "worker", "task": "Calculate.", "depends_on": [1]}]}
    parts, calls = stage({**NOTHING_NOTED, "Plan": both})
    await play_through(build_ensemble(parts), "Who painted the ceiling of the chapel?")
    assert writers(calls) >= 1


async def test_what_a_worker_only_says_is_no_finding() -> None:
    both = {"steps": [*LOOK["steps"], {"agent": "worker", "task": "Say who it was.", "depends_on": []}]}
    made_up = {**NOTHING_NOTED, "Plan": both, "tool": "It was John Corvane.", "answer": "John Corvane."}
    parts, _ = stage(made_up)
    events = await play_through(build_ensemble(parts), "Who painted the ceiling of the chapel?")
    assert said(events) == NOTHING["en"]


async def test_a_figure_that_a_worker_only_says_bears_nothing_out() -> None:
    both = {"steps": [*LOOK["steps"], {"agent": "worker", "task": "Say the price.", "depends_on": []}]}
    made_up = {**NOTHING_NOTED, "Plan": both, "tool": "It is 120 euros.", "answer": "It costs 120 euros [1]."}
    parts, _ = stage(made_up)
    told = said(await play_through(build_ensemble(parts), "What does a ticket cost?"))
    assert told == f"It costs 120 euros [?]. {UNSUPPORTED['en']}"


async def test_a_plan_that_looks_nothing_up_is_answered_from_what_a_worker_says() -> None:
    alone = {"steps": [{"agent": "worker", "task": "Write it.", "depends_on": []}]}
    parts, _ = stage({"Plan": alone, "tool": "Leaves fall.", "answer": "Leaves fall."})
    assert said(await play_through(build_ensemble(parts), "Write a line on autumn.")) == "Leaves fall."


@pytest.mark.parametrize(("question", "language"), [("How is bread made?", "en"), ("烤酸面包怎么做", "zh")])
async def test_named_documents_are_looked_up_whatever_the_models_think(question: str, language: Any) -> None:
    knows = {
        **NOTHING_NOTED,
        "Route": {"route": "direct", "personal": False},
        "Plan": {"steps": [{"agent": "worker", "task": "Say how.", "depends_on": []}]},
        "tool": "Knead it.",
    }
    texts = ["门票十二元。", "团体九折。"] if language == "zh" else []
    library = Library(*texts)
    parts, _ = stage(knows, library=library, documents_named=True)
    assert said(await play_through(build_ensemble(parts), question)) == NOTHING[language]
    assert library.queries[0] == question


def passages(*texts: str) -> list[Passage]:
    return [
        Passage(passage_id=f"p{n}", text=text, source=f"{n}.md", title="") for n, text in enumerate(texts)
    ]


def test_another_language_cannot_be_told_by_its_words() -> None:
    assert not may_hold("What does a return ticket cost?", passages("Dogs sleep on deck."))
    assert may_hold("What does a return ticket cost?", passages("A return ticket costs 12 euros."))
    assert may_hold("往返票多少钱？", passages("Dogs sleep on deck."))
    assert not may_hold("往返票多少钱？", passages("狗睡在甲板上。"))
    assert not may_hold("anything", [])


def test_a_passage_with_nothing_but_the_names_of_a_question_does_not_hold_its_answer() -> None:
    fleet = passages("Corvane Ferries has sailed since 1968.")
    assert not may_hold("Who is the chief executive of Corvane Ferries?", fleet)
    assert may_hold(
        "Who is the chief executive of Corvane Ferries?", [*fleet, *passages("科文轮渡有三艘船。")]
    )
    assert may_hold("Who owns Corvane Ferries?", fleet)
    freight = passages("科文轮渡股份公司的货物在埃尔温港交货。")
    assert not may_hold("科文轮渡股份公司的总经理是谁？", freight)
    assert may_hold("科文轮渡的货物在哪里交货？", freight)
    assert may_hold("科文轮渡的货物在哪里交给谁？", freight)
    assert may_hold("Since when has Corvane Ferries carried people, who sails?", fleet)


@pytest.mark.parametrize(
    ("answer", "note"),
    [
        ("A ticket costs 99 euros [1].", UNSUPPORTED["en"]),
        ("一张票要九百九十九元，即999元[1]。", UNSUPPORTED["zh"]),
        ("A ticket costs 12 euros [1].", ""),
        ("A ticket costs 12 euros [1], and a dog 99 euros [1].", ""),
    ],
)
def test_an_answer_of_which_nothing_is_borne_out_says_so(answer: str, note: str) -> None:
    stream = CitationFilter(passages("A ticket costs 12 euros. 一张票12元。"))
    shown = stream.feed(answer) + stream.finish()
    assert shown.endswith(note) if note else UNSUPPORTED["en"] not in shown


@pytest.mark.parametrize(
    ("claim", "nothing"),
    [
        ("The documents do not say who sewed the tents", True),
        ("The passages don't mention a captain", True),
        ("A captain is not mentioned in the passages", True),
        ("The weight of a scale is not specified in the given information", True),
        ("文档里没有说明帐篷是谁缝制的", True),
        ("段落中未提到船长", True),
        ("The fare does not include meals", False),
        ("The documents do not say who, but they say when", False),
        ("行李里没有液体", False),
        ("文档没有说明是谁，但说明了价格", False),
        ("", False),
    ],
)
def test_a_sentence_may_say_only_that_nothing_is_said(claim: str, *, nothing: bool) -> None:
    assert tells_nothing(claim) is nothing


@pytest.mark.parametrize(
    ("answer", "shown"),
    [
        (
            "The documents do not say what a ticket costs [1].",
            "The documents do not say what a ticket costs.",
        ),
        ("The documents do not say what a ticket costs.", "The documents do not say what a ticket costs."),
        ("文档里没有说明一张票是否12元[1]。", "文档里没有说明一张票是否12元。"),
    ],
)
def test_that_nothing_is_said_has_no_source(answer: str, shown: str) -> None:
    stream = CitationFilter(passages("A ticket costs 12 euros. 一张票12元。"))
    assert stream.feed(answer) + stream.finish() == shown


@pytest.mark.parametrize(
    ("said", "small", "worked", "note", "looked"),
    [
        (False, True, False, f" {UNSUPPORTED['en']}", 1),
        (True, True, False, "", 1),
        (False, False, False, "", 0),
        (False, True, True, "", 0),
    ],
)
async def test_what_a_small_model_finds_unsaid_when_asked_for_that_alone_is_noted(
    said: Any, small: Any, worked: Any, note: str, looked: int
) -> None:
    steps = [*LOOK["steps"]]
    if worked:
        steps.append({"agent": "worker", "task": "Calculate.", "depends_on": [1]})
    looks = iter(["yes", "yes" if said else "no"])  # the retriever's, and that over all passages
    script: dict[str, Any] = {
        "Plan": {"steps": steps},
        "Facts": {"facts": ["Ada Lind built the Anna Morrow."]},
        "stated": lambda _: next(looks),
        "tool": calculation("2 * 3"),
        "answer": "The captain is Ada Lind [1].",
    }
    parts, calls = stage(script, library=Library("Ada Lind built the Anna Morrow."))
    parts = with_all(parts, small=small)
    # Nothing is worked out where one thing is asked.
    asked = "Who are the 2 captains" if worked else "Who is the captain"
    events = await play_through(build_ensemble(parts), f"{asked} of the Anna Morrow?")
    answer = [e.text for e in only(events, MessageCompleted) if e.role == "assistant"][-1]
    assert answer == f"The captain is Ada Lind [1].{note}"
    assert len([call for call in calls if is_look(call)]) == small + looked
