import pytest

from motet.agents.figures import all_figures, figures, figures_in_words, made_up


def test_figures_are_plain_digits() -> None:
    assert figures("1,200 or １２００ or 3.50, and 7.") == {"1200", "3.5", "7"}


@pytest.mark.parametrize(
    ("text", "given"),
    [
        ("三名成人", {"3"}),
        ("每人二十五克朗", {"25"}),
        ("一百二十 两百零五", {"120", "205"}),
        ("二〇二六年", {"2026"}),
        ("三万五千", {"35000"}),
        ("十二个月", {"12"}),
        ("twenty-four adults", {"20", "4", "24"}),
        ("A dozen, or Fifteen", {"12", "15"}),
        ("often, money", set[str]()),
    ],
)
def test_figures_in_words(text: str, given: set[str]) -> None:
    assert figures_in_words(text) == given


def test_both_count_as_given() -> None:
    assert all_figures("三名成人各付 64") == {"3", "64"}


def test_a_calculation_over_known_figures_made_nothing_up() -> None:
    assert made_up("24 * 64 * (1 - 15%) * 0.85 + 64 * 1.15 / 2", {"24", "64", "15"}) == []


def test_nine_tenths_off_is_said_in_chinese_as_nine() -> None:
    assert made_up("60 * 12 * 0.9", {"60", "12", "9"}) == []


def test_units_may_be_changed() -> None:
    assert made_up("27 / 18 * 60", {"27", "18"}) == []


def test_what_nobody_gave_is_named() -> None:
    assert made_up("(1200 - 300) * 15%", {"24", "64"}) == ["15", "300", "1200"]
