import pytest

from motet.agents.names import names_nobody, unknown_names

FLEET = (
    "Corvane Ferries has sailed since 1968. The Anna Morrow is a catamaran; Ingrid Solberg's crew is small."
)


@pytest.mark.parametrize(
    ("said", "unknown"),
    [
        ("The chief executive is John Smith.", ["John", "Smith"]),
        ("John Smith is the chief executive.", ["John", "Smith"]),
        ("Captain Solberg is the chief executive.", []),
        ("Its chief executive is Solberg, of the Anna Morrow.", []),
        ("Two Solbergs sail.", []),
        ("They sail in May, and on Mondays with the Anna-Morrow.", []),
        ("Tickets cost 12 euros. Children pay half.", []),
        ("I am told: Nobody knows.", []),
        ("It is paid in EUR by the A team.", []),
        ("总经理是约翰·科凡。", ["约翰·科凡"]),
        ("总经理是 John Smith。", ["John", "Smith"]),
        ("安娜·莫罗号是双体船。", []),
        ("", []),
    ],
)
def test_a_name_that_stands_nowhere_is_told(said: str, unknown: list[str]) -> None:
    assert unknown_names(said, [FLEET, "安娜·莫罗号"], "Who is it?") == unknown


def test_a_beginning_of_a_sentence_is_a_name_only_where_it_was_asked_who() -> None:
    assert unknown_names("Yesterday Solberg sailed.", [FLEET], "When did Solberg sail?") == []


def test_what_was_asked_may_be_named() -> None:
    said = "The documents do not say who Grace Hopper is."
    assert unknown_names(said, [FLEET], "Who is Grace Hopper?") == []
    assert unknown_names(said, [FLEET]) == ["Grace", "Hopper"]


MINUTES = "东门花坛改种月季，由冯立群采购苗木。"


@pytest.mark.parametrize(
    ("said", "asked", "nobody"),
    [
        ("苗木由李明采购。", "谁负责采购苗木？", True),
        ("小区的主任是王小川。", "小区的主任叫什么名字？", True),
        ("苗木由冯立群采购。", "谁负责采购苗木？", False),
        ("苗木由张为采购。", "谁负责采购苗木？", False),
        ("苗木由李明采购。", "什么时候采购苗木？", False),
        ("文档没有说明是谁。", "谁负责采购苗木？", False),
        ("谁负责采购苗木", "谁负责采购苗木？", False),
        ("Li Ming buys them.", "谁负责采购苗木？", False),
    ],
)
def test_where_a_name_is_asked_for_in_chinese_one_of_the_texts_is_given(
    said: str, asked: str, *, nobody: bool
) -> None:
    assert names_nobody(said, [MINUTES], asked) is nobody
