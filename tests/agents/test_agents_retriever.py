import dataclasses
import json

import pytest
from langchain_core.language_models.fake_chat_models import FakeMessagesListChatModel
from langchain_core.messages import AIMessage, BaseMessage
from stage import Library, is_look, stage, with_fast

from motet.agents.base import Assignment, build_agents
from motet.agents.nearest import STATEMENTS
from motet.agents.retriever import (
    SURE,
    fuse,
    in_own_words,
    named_source,
    only_repeats,
    source_of,
    statement_of,
)
from motet.events import Passage


def passage(name: str, text: str = "x") -> Passage:
    return Passage(passage_id=name, text=text, source="s")


GIVEN = Assignment(step_id=1, task="Find the price.", question="q", language="en")


async def test_it_searches_in_the_words_of_the_task_and_of_the_question() -> None:
    library = Library()
    parts, calls = stage(library=library)
    outcome = await build_agents(parts.agents)["retriever"].do(GIVEN)
    assert library.queries == ["Find the price.", "q"]
    assert outcome.text == "A ticket costs 12 euros."
    assert [call.schema_name for call in calls] == ["Facts"]


async def test_a_task_that_is_the_question_is_searched_for_once() -> None:
    library = Library()
    parts, _ = stage({"Facts": {"facts": []}}, library=library)
    await build_agents(parts.agents)["retriever"].do(dataclasses.replace(GIVEN, question=GIVEN.task))
    assert library.queries == ["Find the price.", "Find the price.", "ticket price", "票价"]


async def test_the_model_sees_the_nearest_statements_only_and_the_first_of_their_passage() -> None:
    rows = "\n".join(f"| Item {n}: the price | {n} |" for n in range(30))
    library = Library(
        f"Prices in euros.\n\n| what | euros |\n|---|---|\n{rows}\n| Find the price of a lamp | 70 |"
    )
    parts, calls = stage(library=library)
    await build_agents(parts.agents)["retriever"].do(GIVEN)
    shown = calls[0].user_text
    assert "- Document 1: Prices in euros." in shown
    assert "Find the price of a lamp: euros 70" in shown
    assert shown.count("Item") == STATEMENTS - 1
    assert shown.endswith("Task: Find the price.")


async def test_when_that_says_nothing_it_searches_again_in_both_languages() -> None:
    library = Library()
    parts, _ = stage({"Facts": {"facts": []}}, library=library)
    await build_agents(parts.agents)["retriever"].do(GIVEN)
    assert library.queries[2:] == ["Find the price.", "q", "ticket price", "票价"]


async def test_queries_that_cannot_be_understood_leave_what_was_found() -> None:
    library = Library()
    parts, _ = stage({"Facts": {"facts": []}, "Queries": lambda call: "no"}, library=library)
    outcome = await build_agents(parts.agents)["retriever"].do(GIVEN)
    assert library.queries == ["Find the price.", "q"]
    assert outcome.passages


async def test_only_passages_that_say_something_go_on() -> None:
    parts, _ = stage({"Facts": {"facts": ["Groups pay 10 % less."]}})
    outcome = await build_agents(parts.agents)["retriever"].do(GIVEN)
    assert outcome.text == "Groups pay 10 % less."
    assert [p.text for p in outcome.passages] == ["Groups pay 10 % less."]


async def test_a_figure_that_stands_nowhere_is_dropped_with_its_fact() -> None:
    parts, _ = stage({"Facts": {"facts": ["A ticket costs 240 euros.", "Groups pay 10 % less."]}})
    outcome = await build_agents(parts.agents)["retriever"].do(GIVEN)
    assert outcome.text == "Groups pay 10 % less."


async def test_a_figure_of_the_question_may_be_repeated() -> None:
    parts, _ = stage({"Facts": {"facts": ["For 24 adults a ticket costs 12 euros."]}})
    asked = Assignment(step_id=1, task="Find the price.", question="What do 24 adults pay?", language="en")
    outcome = await build_agents(parts.agents)["retriever"].do(asked)
    assert outcome.text == "For 24 adults a ticket costs 12 euros."


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


def test_a_facts_source_is_the_nearest_statements_passage_that_holds_its_figures() -> None:
    found = [
        ("The price is 1,200 euros.", passage("a", "The price is 1,200 euros.")),
        ("每人二十五克朗。", passage("b", "每人二十五克朗。")),
    ]

    def source(fact: str, asked: set[str] | None = None) -> str | None:
        found_in = source_of(fact, found, asked or set())
        return found_in.passage_id if found_in else None

    assert source("It costs 1200 euros.") == "a"
    assert source("每人 25 克朗。") == "b"
    assert source("Ten cost 12000 euros.") is None
    assert source("For 10 it costs 1200 euros.", {"10"}) == "a"
    assert source("It is for 10.", {"10"}) is None
    assert source("The price is high.") == "a"
    assert source("Nothing at all like that") is None


@pytest.mark.parametrize(
    ("fact", "question", "repeats"),
    [
        (
            "Kestrel Light is the chief executive of Corvane Ferries.",
            "Who is the chief executive of Corvane Ferries?",
            True,
        ),
        ("Kestrel Light carries the cars.", "Which ship carries the cars of Corvane Ferries?", False),
        ("The chief executive came in 2009.", "When did the chief executive come?", False),
        ("Ada Lind.", "Who is the chief executive of Corvane Ferries?", False),
        ("Ada Lind is the boss.", "Who is the boss of Corvane Ferries?", False),
        ("首席执行官是红隼之光号。", "首席执行官是谁？", False),
    ],
)
def test_a_fact_that_only_repeats_what_was_asked_is_told(fact: str, question: str, *, repeats: bool) -> None:
    fleet = [
        passage("a", "Corvane Ferries has sailed since 1968."),
        passage("b", "The Kestrel Light takes 48 cars."),
    ]
    assert only_repeats(fact, question, fleet) is repeats
    assert not only_repeats(fact, question, [*fleet, passage("c", "Ada Lind is chief executive.")])


async def test_what_a_small_model_makes_of_the_question_alone_is_not_noted() -> None:
    question = "Who is the chief executive of Corvane Ferries?"
    made_up = {"Facts": {"facts": ["Kestrel Light is the chief executive of Corvane Ferries."]}}
    given = Assignment(step_id=1, task=question, question=question, language="en")
    for small in (True, False):
        parts, _ = stage(
            made_up, library=Library("Corvane Ferries has sailed since 1968.", "Kestrel Light sails.")
        )
        agents = build_agents(with_fast(parts, small=small))
        assert (await agents["retriever"].do(given)).found is not small


@pytest.mark.parametrize(
    ("fact", "question"),
    [
        ("The weight of a scale is 140 euros.", "How much does a scale weigh?"),
        ("A calibration costs 140 francs.", "What does a calibration cost?"),
        ("一台秤重 140 欧元。", "一台秤多重？"),
    ],
)
async def test_another_quantity_or_currency_of_a_small_model_is_not_noted(fact: str, question: str) -> None:
    given = Assignment(step_id=1, task=question, question=question, language="en")
    for small in (True, False):
        library = Library("A calibration of a scale costs 140 euros.", "一台秤校准一次 140 欧元。")
        parts, _ = stage({"Facts": {"facts": [fact]}}, library=library)
        agents = build_agents(with_fast(parts, small=small))
        assert (await agents["retriever"].do(given)).found is not small


def telling(
    *odds: float, stated: bool = True, fact: str = "A ticket costs 12 euros."
) -> FakeMessagesListChatModel:
    """Return a model that notes the price with these odds, and says whether a statement says what is asked."""
    replies: list[BaseMessage] = [
        AIMessage(json.dumps({"facts": [fact]}), response_metadata={"list_odds": value}) for value in odds
    ]
    if odds[0] < SURE:
        replies.insert(1, AIMessage('{"en": "ticket price", "zh": "票价"}'))
    word, other = ("yes", "no") if stated else ("no", "yes")
    likely = [{"token": word, "logprob": -0.1}, {"token": other, "logprob": -3.0}]
    told = {"logprobs": {"content": [{"token": word, "top_logprobs": likely}]}}
    return FakeMessagesListChatModel(responses=[*replies, AIMessage(word, response_metadata=told)])


@pytest.mark.parametrize(
    ("odds", "small", "found"),
    [
        ((SURE + 1,), True, True),
        ((SURE - 1, SURE + 1), True, True),
        ((SURE - 1, SURE - 1), True, False),
        ((SURE - 1,), False, True),
    ],
)
async def test_a_small_model_that_nearly_noted_nothing_found_nothing(
    odds: tuple[float, ...], *, small: bool, found: bool
) -> None:
    library = Library()
    parts, _ = stage(library=library)
    outcome = await build_agents(with_fast(parts, chat=telling(*odds), small=small, logprobs=True))[
        "retriever"
    ].do(GIVEN)
    assert outcome.found is found
    assert bool(outcome.passages) is found, "what it was not sure of is not answered from"
    assert ("ticket price" in library.queries) is (small and odds[0] < SURE)


@pytest.mark.parametrize("stated", [True, False])
async def test_what_its_statement_does_not_say_is_not_found(*, stated: bool) -> None:
    parts, _ = stage()
    outcome = await build_agents(
        with_fast(parts, chat=telling(SURE + 1, stated=stated), small=True, logprobs=True)
    )["retriever"].do(GIVEN)
    assert outcome.found is stated
    assert bool(outcome.passages) is stated


async def test_a_wrong_currency_loses_nothing_that_the_model_was_sure_of() -> None:
    parts, _ = stage()
    chat = telling(SURE + 1, fact="A ticket costs 12 francs.")
    agents = build_agents(with_fast(parts, chat=chat, small=True, logprobs=True))
    outcome = await agents["retriever"].do(GIVEN)
    assert outcome.text == "A ticket costs 12 euros."


def test_the_statement_of_a_fact_has_its_figures_or_what_it_does_not_have_from_the_question() -> None:
    texts = (
        "负责买花苗的事已经定下。",
        "冯立群负责采购苗木。",
        "A lock costs 95 pounds.",
        "A stall is 15 pounds.",
    )
    found = [(text, passage(text, text)) for text in texts]
    assert statement_of("冯立群负责买花苗。", found, "云杉小区谁负责买花苗？").endswith(texts[1])
    assert statement_of("The stall costs 15 pounds.", found, "What costs 15 pounds?").endswith(texts[3])
    assert statement_of("It costs 95.", found, "").endswith(texts[2])
    wordy = [(text, passage(text, text)) for text in ("It costs some euros in all.", "1,200 for one.")]
    assert statement_of("It costs 1200 euros in all.", wordy, "").endswith("1,200 for one.")


def test_a_fact_in_a_currency_that_nobody_spoke_of_is_told_in_the_statements_words() -> None:
    found = [
        ("押金为 200 元，可退。", passage("a", "押金为 200 元，可退。")),
        ("年费 30 元。", passage("b", "年费 30 元。")),
    ]
    deposit = "The deposit is 200 francs."
    assert in_own_words(deposit, found, "How high is the deposit?") == "押金为 200 元，可退。"
    assert in_own_words(deposit, found, "How many francs is the deposit?") == deposit
    assert in_own_words("The deposit is 200 yuan.", found, "") == "The deposit is 200 yuan."
    assert in_own_words("The deposit is 210 francs.", found, "") == "The deposit is 210 francs."
    assert in_own_words("It is paid in francs.", found, "") == "It is paid in francs."


async def test_a_name_that_stands_nowhere_is_dropped_with_its_fact() -> None:
    facts = ["A ticket is sold by Grace Hopper.", "Groups pay 10 % less."]
    library = Library("A ticket is sold at the harbour for 12 euros.", "Groups pay 10 % less.")
    parts, _ = stage({"Facts": {"facts": facts}}, library=library)
    outcome = await build_agents(parts.agents)["retriever"].do(GIVEN)
    assert outcome.text == "Groups pay 10 % less."


def test_a_name_may_be_translated_from_a_passage_in_another_language() -> None:
    fleet, minutes = passage("a", "The fleet is led by Ada Lind."), passage("b", "苗木由冯立群采购。")

    def source(fact: str, *passages: Passage, given: str = "") -> Passage | None:
        return named_source(fact, passages[0], passages, given)

    assert source("It is led by Ada Lind.", fleet, minutes) == fleet
    assert source("They are bought by Feng Liqun.", fleet, minutes) == minutes
    assert source("They are bought by Feng Liqun.", fleet) is None
    assert source("They are not bought by Feng Liqun.", fleet, given="Does Feng Liqun buy them?") == fleet
    german = passage("c", "Die Flotte wird von Ada Lind geführt, und das Schiff ist neu.")
    assert source("The fleet is led from Cologne by Ada Lind.", german) == german
    assert source("苗木由李明采购。", minutes, given="谁采购苗木？") is None
    assert source("船队由艾达·林德领导。", minutes, fleet, given="谁领导船队？") == fleet


@pytest.mark.parametrize(
    ("fact", "question", "repeats"),
    [
        ("科文轮渡的总经理是红隼之光号。", "科文轮渡的总经理是谁？", True),
        ("红隼之光号运输货物。", "科文轮渡的总经理是谁？", False),
        ("总经理有 3 位。", "科文轮渡的总经理有几位？", False),
        ("货物由红隼之光号运输。", "科文轮渡的货物由谁运输？", False),
    ],
)
def test_a_fact_that_only_repeats_what_was_asked_is_told_in_chinese(
    fact: str, question: str, *, repeats: bool
) -> None:
    freight = [passage("a", "科文轮渡的货物由红隼之光号运输。"), passage("b", "科文轮渡每年运输货物。")]
    assert only_repeats(fact, question, freight) is repeats
    assert not only_repeats(fact, question, [*freight, passage("c", "Corvane Ferries has three ships.")])


@pytest.mark.parametrize("small", [True, False])
async def test_a_small_models_fact_in_the_questions_own_words_is_none(*, small: bool) -> None:
    question = "泡岚溪云针的水应该多热？"
    parts, _ = stage(
        {"Facts": {"facts": [question.rstrip("？")]}}, library=Library("岚溪云针用水 80 度冲泡。")
    )
    given = Assignment(step_id=1, task=question, question=question, language="zh")
    outcome = await build_agents(with_fast(parts, small=small))["retriever"].do(given)
    assert outcome.found is not small


MADE_UP = {"Facts": {"facts": ["The captain of the Anna Morrow is Ada Lind."]}}


@pytest.mark.parametrize(
    ("stated", "small", "found"), [("no", True, False), ("yes", True, True), ("no", False, True)]
)
async def test_a_small_model_is_asked_whether_a_statement_says_what_it_noted(
    stated: str, *, small: bool, found: bool
) -> None:
    text = "Ada Lind built the Anna Morrow."
    parts, calls = stage({**MADE_UP, "stated": stated}, library=Library(text))
    agents = build_agents(with_fast(parts, small=small))
    outcome = await agents["retriever"].do(
        Assignment(
            step_id=1,
            task="Find the captain.",
            question="Who is the captain of the Anna Morrow?",
            language="en",
        )
    )
    assert (outcome.found, bool(outcome.passages)) == (found, found)
    looks = [call.user_text for call in calls if is_look(call)]
    assert looks == ([f"Text: Document 1: {text}\nQuestion: Find the captain."] if small else [])
