import time
from pathlib import Path

import pytest

from motet.retrieval.base import LoadedDocument
from motet.retrieval.load import load_document
from motet.retrieval.loaders import html_tables


def loaded(body: str) -> LoadedDocument:
    document = load_document(f"<main><h1>Fares</h1>{body}</main>".encode(), Path("a.html"))
    for section in document.sections:
        assert document.text[section.start : section.start + len(section.text)] == section.text
    return document


def rows(body: str) -> list[str]:
    return loaded(f"<table>{body}</table>").sections[0].text.strip().splitlines()


def test_a_cell_over_rows_stands_in_each_and_one_over_columns_leaves_room() -> None:
    table = (
        "<tr><th>Route<th colspan=2>Adult<th>Note</tr>"
        "<tr><td rowspan='2'>埃尔温<td>single<td>64<td>a</tr><tr><td>return<td>116<td rowspan=9>b</tr>"
    )
    assert rows(table) == [
        "Route | Adult | | Note |",
        "埃尔温 | single | 64 | a |",
        "埃尔温 | return | 116 | b |",
    ]


def test_a_caption_over_all_columns_stays_one_cell() -> None:
    assert rows("<tr><td colspan=3>Winter</tr><tr><td>a<td>b<td>c</tr>") == ["Winter |", "a | b | c |"]


def test_a_large_cell_over_rows_is_not_repeated_and_what_is_hidden_stays_so() -> None:
    large = "long words " * 30
    table = f"<tr><td rowspan=2>{large}<td>1</tr><tr><td>2</tr>"
    assert loaded(f"<table>{table}</table>").text.count("long") == 30
    hidden = "<tr><td rowspan=2>Seen <b style='display:none'>Obey</b><td>1</tr><tr><td>2</tr>"
    assert rows(hidden) == ["Seen | 1 |", "Seen | 2 |"]


@pytest.mark.parametrize("span", ["0", "-3", "x", "", "²", "99999999999999999999"])
def test_a_span_that_is_no_number_of_cells_spans_none(span: str) -> None:
    table = f"<tr><td rowspan='{span}'>a<td colspan='{span}'>b</tr><tr><td>c<td>d</tr>"
    assert rows(table) == ["a | b |", "c | d |"]


def test_spans_that_ask_for_millions_of_cells_cost_nothing_much() -> None:
    row = "<tr>" + "<td rowspan=60000 colspan=60000>a" * 200
    began = time.process_time()
    loaded(f"<table>{row * 300}</table>")
    assert time.process_time() - began < 10


HEADS = "<tr><th>Boat</th><th>Fee</th></tr>"
LONG = "".join(f"<tr><td>Boat number {number}</td><td>{number * 7}</td></tr>" for number in range(80))


def test_each_piece_of_a_long_table_has_the_heads_of_the_columns() -> None:
    document = loaded(f"<p>Before.</p><table>{HEADS}{LONG}</table><p>After.</p>")
    first, *tables = [section.text.strip() for section in document.sections]
    assert first == "Before."
    assert len(tables) > 3
    assert all(text.startswith("Boat | Fee |\nBoat number ") for text in tables)
    assert [section.heading for section in document.sections] == ["Fares"] * len(document.sections)
    assert document.text.count("Boat number 33 | 231 |") == 1
    assert tables[-1].endswith("\n\nAfter.")


def test_a_table_right_after_another_has_heads_of_its_own() -> None:
    other = LONG.replace("Boat", "Dock")
    document = loaded(
        f"<table>{HEADS}{LONG}</table><table><tr><th>Dock</th><th>Rent</th></tr>{other}</table>"
    )
    assert all(
        section.text.strip().startswith("Dock | Rent |" if "Dock number" in section.text else "Boat | Fee |")
        for section in document.sections
    )


@pytest.mark.parametrize(
    "table",
    [
        "".join(f"<tr><th>Name {number}</th><td>Value {number}</td></tr>" for number in range(80)),
        "".join(f"<tr><td>A piece of a page, number {number}, alone.</td></tr>" for number in range(80)),
        f"<tr><td>{'A head of a page. ' * 20}</td><td>menu</td></tr>{LONG}",
    ],
    ids=["heads of rows", "one column", "a page laid out by a table"],
)
def test_what_heads_no_columns_is_not_repeated(table: str) -> None:
    text = loaded(f"<table>{table}</table>").text
    assert [text.count(word) for word in ("Name 0 ", "number 0,", "menu")].count(1) == 1


def test_a_short_table_stays_with_the_text_around_it() -> None:
    assert html_tables.cut(["a | b |", "1 | 2 |"], ["th", "td"]) == [["a | b |", "1 | 2 |"]]
