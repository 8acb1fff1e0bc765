"""Things put into words."""

from __future__ import annotations

import pytest
from cli_story import PASSAGE
from rich.cells import cell_len

from motet.cli.render import wording
from motet.events import InterruptRequested


@pytest.mark.parametrize(
    ("seconds", "told"),
    [
        (-1, "0.0 s"),
        (0.44, "0.4 s"),
        (9.94, "9.9 s"),
        (12.4, "12 s"),
        (59.6, "1 min 00 s"),
        (185, "3 min 05 s"),
    ],
)
def test_durations(seconds: float, told: str) -> None:
    assert wording.duration(seconds) == told


@pytest.mark.parametrize(
    ("size_bytes", "told"),
    [(0, "0 B"), (999, "999 B"), (1500, "1.5 kB"), (491_400_064, "491.4 MB"), (1.1173e9, "1.1 GB")],
)
def test_sizes(size_bytes: float, told: str) -> None:
    assert wording.size(size_bytes) == told


@pytest.mark.parametrize(
    ("age_s", "told"),
    [(-5, "just now"), (59, "just now"), (60, "1 min ago"), (3 * 3600, "3 h ago"), (6 * 86400, "6 d ago")],
)
def test_ages(age_s: float, told: str) -> None:
    assert wording.ago(1_700_000_000 - age_s, 1_700_000_000) == told


def test_an_old_age_is_a_date() -> None:
    assert wording.ago(1_700_000_000, 1_800_000_000) == "2023-11-14"


@pytest.mark.parametrize("cells", [2, 3, 7, 10])
def test_a_clipped_text_fits(cells: int) -> None:
    clipped = wording.clip("电池的\n容量 is twelve", cells)
    assert cell_len(clipped) <= cells
    assert clipped.endswith("…")


def test_a_short_text_is_only_made_one_line() -> None:
    assert wording.clip(" a\n b ", 10) == "a b"


def test_calls() -> None:
    assert wording.call("now", {}) == "now()"
    assert wording.call("f", {"a": "中", "b": 1, "c": None}) == 'f(a="中", b=1, c=null)'
    assert len(wording.call("f", {"a": "x" * 1000})) < 60


def test_citations_are_in_order_and_name_their_place() -> None:
    second = PASSAGE.model_copy(update={"number": 2, "title": "", "page": None, "source": "a/notes.txt"})
    assert wording.citations([second, PASSAGE]) == [
        "[1] Battery handbook, p. 3 — docs/battery.md",
        "[2] notes.txt — a/notes.txt",
    ]
    assert wording.place(PASSAGE) == "Battery handbook › 容量, p. 3"
    assert wording.place(second) == "notes.txt › Battery handbook › 容量"


def test_counts() -> None:
    assert wording.count(1, "step") == "1 step"
    assert wording.count(0, "step") == "0 steps"
    assert wording.count(2, "entry", "entries") == "2 entries"


def test_a_list_of_small_objects_is_shown_by_what_is_in_them() -> None:
    figures = [{"what": "tents", "value": "3"}, {"what": "a week", "value": "220"}]
    shown = wording.call("calculator", {"figures": figures, "expression": "3 * 220"})
    assert shown == 'calculator(figures=tents 3; a week 220, expression="3 * 220")'


def test_what_may_be_chosen_stands_with_the_question() -> None:
    value = {"kind": "question", "question": "什么颜色？", "choices": ["red", "蓝"]}
    lines = wording.how_to_answer("0123456789", [InterruptRequested(interrupt_id="i", value=value)])
    assert lines == ["it asks: 什么颜色？ (red, 蓝)", "answer it: motet runs resume 01234567 --answer …"]
