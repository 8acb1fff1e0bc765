"""Each format's text, headings, pages and places; the files are made by the formats' own libraries."""

import base64
import datetime as dt
import io
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import docx
import openpyxl
import pptx
import pytest
from poison import CONTAINER, zipped

from motet.errors import DocumentUnreadable
from motet.retrieval.base import LoadedDocument
from motet.retrieval.load import load_document
from motet.retrieval.loaders import library


def loaded(data: bytes, name: str) -> LoadedDocument:
    document = load_document(data, Path(name))
    for section in document.sections:
        assert document.text[section.start : section.start + len(section.text)] == section.text
    return document


def saved(made: Any) -> bytes:
    file = io.BytesIO()
    made.save(file)
    return file.getvalue()


def places(document: LoadedDocument) -> list[tuple[str, int | None]]:
    return [(section.heading, section.page) for section in document.sections]


def test_a_word_file_has_its_headings_lists_and_tables() -> None:
    made: Any = docx.Document()
    made.core_properties.title = "Harbour rules"
    made.add_heading("Boats 船", 1)
    made.add_paragraph("Boats wait here.")
    made.add_heading("Fees", 2)
    made.add_paragraph("Pay first.", style="List Bullet")
    table = made.add_table(rows=2, cols=2)
    for cell, text in zip(
        (c for row in table.rows for c in row.cells), ["Boat", "Fee", "Kayak", "35"], strict=True
    ):
        cell.text = text
    document = loaded(saved(made), "rules.docx")
    assert document.title == "Harbour rules"
    assert [heading for heading, _ in places(document)] == ["Boats 船", "Boats 船 › Fees"]
    assert document.sections[0].text.strip() == "Boats wait here."
    assert document.sections[1].text.split() == [
        "-",
        "Pay",
        "first.",
        "Boat",
        "|",
        "Fee",
        "|",
        "Kayak",
        "|",
        "35",
        "|",
    ]


def test_slides_are_pages_with_their_titles() -> None:
    made: Any = pptx.Presentation()
    for title, text in [("Fares", "An adult pays 64."), ("票价", "成人 64 元。")]:
        slide = made.slides.add_slide(made.slide_layouts[1])
        slide.shapes.title.text = title
        slide.placeholders[1].text = text
    made.slides[1].notes_slide.notes_text_frame.text = "Ask for questions."
    document = loaded(saved(made), "talk.pptx")
    assert document.title == "Fares"
    assert places(document) == [("Fares", 1), ("票价", 2)]
    assert document.sections[1].text == "票价\n成人 64 元。\nAsk for questions."


def test_sheets_are_tables_cut_into_whole_rows_under_their_heads() -> None:
    made: Any = openpyxl.Workbook()
    fares = made.active
    fares.title = "Fares"
    fares.append(["Who", "Fare", "Since"])
    for number in range(60):
        fares.append([f"Group {number}", number / 8, dt.datetime(2026, 5, 1)])  # noqa: DTZ001  # as in a sheet
    made.create_sheet("空").append([1, 2])
    document = loaded(saved(made), "fares.xlsx")
    assert {heading for heading, _ in places(document)} == {"Fares", "空"}
    assert [page for _, page in places(document)] == [1] * (len(document.sections) - 1) + [2]
    assert all(s.text.startswith("| Who | Fare | Since |\n| --- |") for s in document.sections[:-1])
    assert "| Group 7 | 0.875 | 2026-05-01 |" in document.text
    assert max(len(section.text) for section in document.sections) <= 600
    assert document.sections[-1].text == "| 1 | 2 |"


def sheet(rows: list[list[Any]]) -> Any:
    made: Any = openpyxl.Workbook()
    for row in rows:
        made.active.append(row)
    return made


@pytest.mark.parametrize(
    ("top", "heads"),
    [
        (
            [["2026 年冬季票价"], ["线路", "成人", "儿童"]],
            ["2026 年冬季票价", "| 线路 | 成人 | 儿童 |", "| --- | --- | --- |"],
        ),
        ([["Tons", 2024, 2025]], ["| Tons | 2024 | 2025 |", "| --- | --- | --- |"]),
        ([[None, 2024, 2025]], ["|  | 2024 | 2025 |", "| --- | --- | --- |"]),
    ],
    ids=["a caption above", "years", "years, a blank corner"],
)
def test_what_heads_a_sheet_stands_above_each_piece(top: list[list[Any]], heads: list[str]) -> None:
    made = sheet([*top, *([f"Route {number}", 60 + number, 30] for number in range(80))])
    document = loaded(saved(made), "fares.xlsx")
    assert len(document.sections) > 2
    assert all(section.text.splitlines()[: len(heads)] == heads for section in document.sections)


@pytest.mark.parametrize(
    "first", [["Ann", 1998, "Elwin"], ["Kayak", 35, "Elwin"]], ids=["a year among years", "a number"]
)
def test_a_row_of_values_heads_nothing(first: list[Any]) -> None:
    document = loaded(saved(sheet([first, ["Bob", 2001, "Brenna"]])), "a.xlsx")
    assert "---" not in document.text


def test_what_is_merged_over_rows_stands_in_each_of_them() -> None:
    made = sheet(
        [["Route", "Class", "Fare"], ["Elwin", "first", 120], [None, "second", 64], ["Brenna", "second", 51]]
    )
    made.active.merge_cells("A2:A3")
    assert loaded(saved(made), "a.xlsx").text.splitlines()[2:] == [
        "| Elwin | first | 120 |",
        "| Elwin | second | 64 |",
        "| Brenna | second | 51 |",
    ]


def test_a_share_is_shown_as_the_sheet_shows_it() -> None:
    made = sheet([["Route", "Share"], ["Elwin", 0.155], ["Brenna", 0.5]])
    made.active["B2"].number_format = "0.0%"
    assert loaded(saved(made), "a.xlsx").text.splitlines()[2:] == ["| Elwin | 15.5% |", "| Brenna | 0.5 |"]


def test_a_stray_cell_at_a_sheets_end_costs_no_other_row() -> None:
    made = sheet([["Route", "Fare"], ["Elwin", 64]])
    made.active["A1048576"] = "end"
    made.create_sheet("far")["XFD1048576"] = "far"
    assert loaded(saved(made), "a.xlsx").text.splitlines()[2:] == ["| Elwin | 64 |", "| end |"]


def test_formulas_that_were_never_worked_out_say_what_to_do() -> None:
    with pytest.raises(
        DocumentUnreadable, match=r"formulas without their results\. Open it in an office program"
    ):
        loaded(saved(sheet([["=3*7"]])), "a.xlsx")


@pytest.mark.parametrize(
    ("text", "row"),
    [
        ("Who,Fare\nAdult,64\n", "| Adult | 64 |"),
        ("Who;Fare\nAdult;6,4\n", "| Adult | 6,4 |"),
        ("Who\tFare\nAdult\t64\n", "| Adult | 64 |"),
        ('Who,Fare\n"Adult, one",64\n', "| Adult, one | 64 |"),
        ('Who,Fare\n"Adult; one; two",64\n', "| Adult; one; two | 64 |"),
        ("Who;Fare\nAdult, senior;64,50\n", "| Adult, senior | 64,50 |"),
    ],
)
def test_a_table_of_text_has_heads(text: str, row: str) -> None:
    assert loaded(text.encode(), "fares.csv").text.splitlines() == ["| Who | Fare |", "| --- | --- |", row]


def test_a_delimiter_inside_of_quotes_delimits_nothing() -> None:
    text = 'Who;Fare;Note\n"Adult; one";6,4;"a, b, c"\nChild;3,2;"d, e, f"\n'
    assert loaded(text.encode(), "fares.csv").text.splitlines()[2:] == [
        "| Adult; one | 6,4 | a, b, c |",
        "| Child | 3,2 | d, e, f |",
    ]


def test_the_chapters_of_a_book_come_in_their_order() -> None:
    package = (
        '<package xmlns:dc="http://purl.org/dc/elements/1.1/"><metadata><dc:title>The Harbour</dc:title></metadata>'
        '<manifest><item id="b" href="b.xhtml" media-type="application/xhtml+xml"/>'
        '<item id="a" href="t/a%20b.xhtml" media-type="application/xhtml+xml"/></manifest>'
        '<spine><itemref idref="a"/><itemref idref="b"/><itemref idref="gone"/></spine></package>'
    )
    book = zipped(
        {
            "META-INF/container.xml": CONTAINER,
            "o.opf": package,
            "t/a b.xhtml": "<!DOCTYPE html><html><head><title>Part</title></head><body><p>At first.</p></body></html>",
            "b.xhtml": "<html><body><h1>第二章</h1><p>After it.</p></body></html>",
        }
    )
    document = loaded(book, "book.epub")
    assert document.title == "The Harbour"
    assert [heading for heading, _ in places(document)] == ["Part", "第二章"]
    assert document.sections[1].text.strip() == "After it."


def message(**parts: str) -> bytes:
    made = EmailMessage()
    made["Subject"], made["From"], made["To"] = "船票 fares", "a@example.org", "b@example.org"
    made.set_content(parts.get("plain", "An adult pays 64."))
    if "html" in parts:
        made.add_alternative(parts["html"], subtype="html")
    made.add_attachment(b"%PDF-", maintype="application", subtype="pdf", filename="价.pdf")
    return made.as_bytes()


def test_a_mail_says_who_wrote_and_what() -> None:
    document = loaded(message(html="<p>never read</p>"), "mail.eml")
    assert document.title == "船票 fares"
    assert "From: a@example.org" in document.text
    assert "Attachment: 价.pdf" in document.text
    assert document.sections[-1].text == "An adult pays 64."
    assert "never read" not in document.text


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("", "本季度有一万二千名旅客。".encode("gbk")),
        ("Content-Type: text/plain; charset=gb2312\r\n", "朱镕基说：一万二千名旅客。".encode("gbk")),
        ("Content-Type: text/plain; charset=x-unknown\r\n", "一万二千名旅客。".encode()),
    ],
)
def test_a_mail_is_read_in_the_encoding_that_it_is_in(content_type: str, body: bytes) -> None:
    """Chinese programs declare GB2312 and write GBK, or declare nothing; what is declared may be unknown."""
    head = f"From: 王小明 <w@example.org>\r\nSubject: 季度报告\r\n{content_type}\r\n".encode("gbk")
    document = loaded(head + body, "mail.eml")
    assert document.title == "季度报告"
    assert "From: 王小明 <w@example.org>" in document.text
    assert "一万二千名旅客。" in document.sections[-1].text
    assert "镕" in document.text or "镕".encode("gbk") not in body


def test_a_mail_whose_words_in_headers_are_gbk_though_they_say_gb2312() -> None:
    word = base64.b64encode("朱镕基".encode("gbk")).decode()
    assert loaded(f"Subject: =?GB2312?B?{word}?=\r\n\r\nHello.".encode(), "mail.eml").title == "朱镕基"


def test_a_mail_of_html_alone_is_read_as_seen() -> None:
    made = EmailMessage()
    made["Subject"] = "s"
    made.set_content("<style>p{}</style><p>An adult pays 64.</p>", subtype="html")
    assert loaded(made.as_bytes(), "mail.eml").sections[-1].text == "An adult pays 64."


PYTHON = '''"""Boats."""
import os

@cache
def fee(boat):
    return 35

class Boat:
    """A boat."""

    def sail(self):
        pass

LAST = 1
'''


def test_definitions_of_a_program_are_sections() -> None:
    document = loaded(PYTHON.encode(), "boats.py")
    assert document.title == "boats.py"
    assert [heading for heading, _ in places(document)] == ["", "fee", "Boat", "Boat › sail", ""]
    assert document.sections[1].text.startswith("@cache\ndef fee")
    assert "".join(section.text for section in document.sections).replace("\n", "") == PYTHON.replace(
        "\n", ""
    )


@pytest.mark.parametrize(
    ("name", "text", "names"),
    [
        (
            "a.rs",
            "use x;\n\npub fn sail(b: Boat) -> u8 {\n    1\n}\n\nimpl Boat {\n}\n",
            ["", "sail", "Boat"],
        ),
        ("a.go", "package main\n\nfunc (b *Boat) Sail() int {\n}\n", ["main", "Sail"]),
        ("a.ts", "export class Boat {\n}\nexport const x = 1\n", ["Boat", "x"]),
        ("a.sql", "CREATE TABLE boats (\n id int\n);\n", ["boats"]),
        ("a.c", "static int sail(struct boat *b)\n{\n  return 1;\n}\n", ["sail"]),
        ("a.py", "def broken(:\n", [""]),
        ("a.yaml", "a: 1\nb: 2\n", [""]),
    ],
)
def test_definitions_of_other_languages(name: str, text: str, names: list[str]) -> None:
    assert [heading for heading, _ in places(loaded(text.encode(), name))] == names


def test_a_library_that_is_not_installed_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> None:
        raise ImportError(name)

    made: Any = docx.Document()
    monkeypatch.setattr(library, "import_module", missing)
    with pytest.raises(DocumentUnreadable, match=r'need mammoth\. Install it: pip install "motet\[docs\]"'):
        loaded(saved(made), "a.docx")
