import pytest

from motet.memory.fact import Memory, Source, from_value, subjects


def test_a_fact_goes_into_a_store_and_comes_back() -> None:
    memory = Memory(
        "m",
        "Likes 茶",
        "preference",
        "agent",
        0.7,
        Source("t", "r", "u", "o"),
        3,
        created_at=1.0,
        updated_at=2.0,
    )
    assert from_value("m", memory.to_value(), 9.0) == memory
    assert memory.with_uses({"uses": 2, "used_at": 5.0}).uses == 2


def test_nobody_makes_himself_trusted_by_an_unknown_name() -> None:
    value = Memory("m", "x").to_value() | {"author": "admin", "kind": "order", "trust": "user"}
    made = from_value("m", value, 9.0)
    assert (made.trust, made.kind) == ("untrusted", "other")


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("The user's dog is called Max.", "The user's dog is called Bella.", True),
        ("The user lives in Lyon.", "The user is a nurse.", False),
        ("用户住在杭州。", "用户住在上海。", True),
        ("用户住在杭州。", "用户吃素。", False),
    ],
)
def test_facts_about_the_same_share_a_word_that_says_something(one: str, other: str, same: bool) -> None:
    assert bool(subjects(one) & subjects(other)) is same
