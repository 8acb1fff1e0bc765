import pytest
from hypothesis import given
from hypothesis import strategies as st

from motet.agents.citations import CitationFilter, cited, keep_valid, supporting
from motet.events import Passage


def passages(*texts: str) -> list[Passage]:
    return [Passage(passage_id=str(i), text=text, source="s") for i, text in enumerate(texts)]


TWO = passages("A lamp costs 12 euros.", "Groups pay 10 % less.")


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("A lamp costs 12 [1].", "A lamp costs 12 [1]."),
        ("A lamp costs 12 [3].", "A lamp costs 12."),
        ("Both [1, 2] and [2,7].", "Both [1][2] and [2]."),
        ("一盏灯 12 欧元［1］，团体【9】打折。", "一盏灯 12 欧元[1]，团体打折。"),
        ("a list[0] and a [link](x) and [1](y)", "a list and a [link](x) and [1](y)"),
        ("[12345] is no citation", "[12345] is no citation"),
        ("", ""),
    ],
)
def test_citations_of_nothing_are_removed_and_others_take_one_form(text: str, kept: str) -> None:
    assert keep_valid(text, 2) == kept


def test_numbers_are_told_in_order_each_once() -> None:
    assert cited("x [2] y [1] z [2] [8]", 2) == [2, 1]


@given(
    st.lists(
        st.sampled_from(["a ", "[1]", "[2", "]", " [9]", "[1, 2]", "(", "。", " ", "[x]", "【2】"]),
        max_size=12,
    ),
    st.data(),
)
def test_a_text_in_pieces_is_filtered_like_the_whole(parts: list[str], data: st.DataObject) -> None:
    text = "".join(parts)
    filter_ = CitationFilter(TWO)
    shown = ""
    rest = text
    while rest:
        cut = data.draw(st.integers(1, len(rest)))
        shown += filter_.feed(rest[:cut])
        rest = rest[cut:]
    shown += filter_.finish()
    whole = keep_valid(text, 2)
    assert shown.startswith(whole)
    assert shown == whole or not cited(whole, 2)


def test_text_is_shown_as_it_comes_but_for_a_beginning_citation() -> None:
    filter_ = CitationFilter(TWO)
    assert filter_.feed("A lamp") == "A lamp"
    assert filter_.feed(" costs 12 [") == " costs 12"
    assert filter_.feed("1]") == ""
    assert filter_.feed(".") == " [1]."
    assert filter_.finish() == ""


def test_an_answer_without_citations_gets_the_passages_it_was_plainly_taken_from() -> None:
    filter_ = CitationFilter(TWO)
    said = filter_.feed("A lamp costs 12 euros.") + filter_.finish()
    assert said == "A lamp costs 12 euros. [1]"


def test_a_result_rests_on_the_passages_that_hold_its_noted_figures() -> None:
    noted = "A lamp costs 12 euros. calculator: 5 * 12 = 60"
    filter_ = CitationFilter(TWO, noted)
    assert filter_.feed("Five of them are 60 euros.") + filter_.finish() == "Five of them are 60 euros. [1]"
    assert supporting("I do not know.", TWO, noted) == []


def test_an_answer_that_nothing_supports_gets_none() -> None:
    assert supporting("The documents do not say when the shop opens.", TWO) == []
    assert supporting("文档里没有说明。", TWO) == []
    assert supporting("", TWO) == []


def test_an_answer_that_tells_what_was_noted_rests_on_the_passages_that_it_was_noted_from() -> None:
    board = passages("学生会员年费 320 元。", "理事会每届三年。财务理事何建平负责账目和押金。")
    answer = "羽毛球俱乐部里管钱的人，也就是大家交费时要找的，是财务理事何建平。"
    sources = {"财务理事何建平。": [2]}
    assert supporting(answer, board, sources=sources) == [2]
    assert supporting(answer, board) == []
    assert supporting(answer, board, sources={"财务理事王小明负责账目。": [2]}) == []
    assert supporting("大家都不知道。", board, sources=sources) == []
    orders = CitationFilter(TWO, sources={"A wedding cake is ordered six weeks in advance.": [1]})
    told = "A customer must order it: a wedding cake is ordered six weeks in advance."
    assert orders.feed(told) + orders.finish() == f"{told} [1]"


def test_a_figure_that_stands_nowhere_is_told_though_nothing_is_cited() -> None:
    def told(answer: str, *texts: str, noted: str = "", names_sources: bool = True) -> str:
        citing = CitationFilter(
            passages(*texts), noted, asked="冠军有多少奖金？", names_sources=names_sources
        )
        return citing.feed(answer) + citing.finish()

    rule, made_up = "冠军保管奖杯一年。", "奖金是 100000 法郎，由大家共同承担。"
    assert told(made_up, rule).endswith("（文档中没有依据。）")
    assert told(made_up, rule, noted="一共 100000。") == made_up
    assert told(made_up) == made_up
    assert told(made_up, rule, names_sources=False) == made_up
    assert told("大家都很高兴。", rule) == "大家都很高兴。"
