"""What tells a message from itself after somebody changed it, without taking its fingerprint."""

from __future__ import annotations

from typing import Any

import pytest
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage

from motet.memory.saver.bodies import Window
from motet.memory.saver.lists import KnownList
from motet.memory.saver.prints import copies_of, copy_of, is_clean, prints_of, unchanged
from motet.memory.serde import StrictSerializer


class Counting(StrictSerializer):
    """Counts the fingerprints that are taken."""

    taken = 0

    def print_of(self, value: Any) -> int:
        self.taken += 1
        return super().print_of(value)


@pytest.fixture
def serde() -> Counting:
    return Counting()


def message() -> AIMessage:
    return AIMessage(
        "x",
        id="1",
        tool_calls=[{"name": "a", "args": {"q": [1]}, "id": "c"}],
        response_metadata={"model": "m", "usage": {"tokens": 3}},
        extra_field={"z": 1},
    )


CHANGES: dict[str, Any] = {
    "content": lambda m: setattr(m, "content", "y"),
    "id": lambda m: setattr(m, "id", "2"),
    "name": lambda m: setattr(m, "name", "n"),
    "deep": lambda m: m.tool_calls[0]["args"]["q"].append(2),
    "call": lambda m: m.tool_calls.append({"name": "b", "args": {}, "id": "d"}),
    "empty no more": lambda m: m.additional_kwargs.update(k=None),
    "metadata": lambda m: m.response_metadata["usage"].update(tokens=4),
    "extra": lambda m: m.__pydantic_extra__["extra_field"].update(z=2),
    "gone": lambda m: m.response_metadata.clear(),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_change_in_place_is_noticed_wherever_it_is(change: Any) -> None:
    items = [HumanMessage("a"), message()]
    copies = [copy_of(item) for item in items]
    assert unchanged(items, copies)
    change(items[1])
    assert not unchanged(items, copies)


def test_what_is_no_message_is_not_vouched_for() -> None:
    for item in ("text", {"a": 1}, 3, AIMessage("x", additional_kwargs={"o": object()})):
        assert copy_of(item) is None
        assert not unchanged([item], [copy_of(item)])


def known(serde: Counting, items: list[BaseMessage]) -> KnownList:
    prints = prints_of(serde, None, items)
    return KnownList((Window(1, 0, len(items)),), list(items), prints, copies_of(None, items, prints))


def test_only_new_items_have_their_fingerprints_taken(serde: Counting) -> None:
    items: list[BaseMessage] = [HumanMessage(str(n), id=str(n)) for n in range(50)]
    before = known(serde, items)
    serde.taken = 0
    grown = [*items, HumanMessage("new")]
    prints = prints_of(serde, before, grown)
    assert serde.taken == 1
    assert prints == [StrictSerializer().print_of(item) for item in grown]
    copies = copies_of(before, grown, prints)
    assert unchanged(grown, copies)


def test_a_list_with_a_changed_item_is_looked_at_anew(serde: Counting) -> None:
    items: list[BaseMessage] = [HumanMessage(str(n), id=str(n)) for n in range(5)]
    before = known(serde, items)
    items[2].content = "changed"
    prints = prints_of(serde, before, items)
    assert [one == other for one, other in zip(prints, before.prints, strict=True)] == [
        True,
        True,
        False,
        True,
        True,
    ]
    assert unchanged(items, copies_of(before, items, prints))
    assert not is_clean(serde, items, before.prints, before.copies)
    assert is_clean(serde, items, prints, [])  # without copies, by the fingerprints


def test_a_list_that_begins_otherwise_is_looked_at_from_there_on(serde: Counting) -> None:
    items: list[BaseMessage] = [HumanMessage(str(n), id=str(n)) for n in range(5)]
    before = known(serde, items)
    serde.taken = 0
    other = [*items[:3], HumanMessage("x"), *items[4:]]
    assert prints_of(serde, before, other) == [StrictSerializer().print_of(item) for item in other]
    assert serde.taken == 2
