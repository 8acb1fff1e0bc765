import pytest

from motet.memory.fact import Memory
from motet.memory.ranking import DAY_S, fit, rank

NOW = 1_800_000_000.0


def fact(text: str, *, days: float = 0, importance: float = 0.5, **more: object) -> Memory:
    return Memory(text, text, importance=importance, updated_at=NOW - days * DAY_S, **more)  # pyright: ignore[reportArgumentType]


def order(query: str, *facts: Memory, near: tuple[float | None, ...] = ()) -> list[str]:
    return [
        m.text for m, _ in rank(query, list(zip(facts, near or (None,) * len(facts), strict=True)), now=NOW)
    ]


def test_the_score_is_the_product_of_its_three_parts() -> None:
    [(_, score)] = rank("tea", [(fact("tea", days=30, importance=0.5), None)], now=NOW)
    assert score == pytest.approx(1.0 * 0.75 * 0.75)
    [(_, score)] = rank("tea", [(fact("cat", days=30, importance=0.0), None)], now=NOW)
    assert score == pytest.approx(0.1 * 0.75 * 0.5)
    [(_, score)] = rank("tea", [(fact("tea", importance=1.0, author="tool"), None)], now=NOW)
    assert score == pytest.approx(0.5)


def test_relevance_beats_recency_beats_nothing() -> None:
    assert order("my dog", fact("cat"), fact("dog", days=400)) == ["dog", "cat"]
    assert order("hello", fact("old", days=60), fact("new")) == ["new", "old"]
    assert order("hello", fact("minor"), fact("major", importance=1.0)) == ["major", "minor"]
    assert order("", fact("old", days=60), fact("new")) == ["new", "old"]


def test_a_use_renews_a_fact() -> None:
    assert order("hello", fact("old", days=60, used_at=NOW), fact("newer", days=20)) == ["old", "newer"]


def test_rare_words_count_more_than_those_that_every_fact_has() -> None:
    facts = [fact(f"the user has a {pet}") for pet in ("dog", "cat", "fish")]
    assert order("does the user or the other user have a fish", *facts)[0] == "the user has a fish"
    assert order("用户的鱼叫什么", fact("用户的狗叫小黑"), fact("用户的鱼叫小红"))[0] == "用户的鱼叫小红"


def test_nearness_in_meaning_counts_where_no_word_is_shared() -> None:
    facts = fact("vegetarian"), fact("lives in Oslo")
    assert order("what shall I cook?", *facts, near=(0.80, 0.72)) == ["vegetarian", "lives in Oslo"]
    assert order("what shall I cook?", *facts, near=(0.72, 0.80)) == ["lives in Oslo", "vegetarian"]
    assert order("Oslo", *facts, near=(0.801, 0.8)) == ["lives in Oslo", "vegetarian"], "no real difference"
    assert order("what shall I cook?", *facts, near=(0.801, 0.8)) == ["vegetarian", "lives in Oslo"], (
        "but some"
    )


def test_what_fits_is_kept_in_order_and_one_that_is_too_wide_is_left_out() -> None:
    facts = [fact("1234"), fact("字" * 10), fact("5678"), fact("9")]
    assert [m.text for m in fit(facts, limit=9, max_width=8)] == ["1234", "5678"]
    assert [m.text for m in fit(facts, limit=1, max_width=80)] == ["1234"]
    assert fit(facts, limit=3, max_width=0) == []
