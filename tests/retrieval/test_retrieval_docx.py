import io
import zipfile
from pathlib import Path
from typing import Any

import docx
import pytest
from docx.enum.style import WD_STYLE_TYPE
from docx.oxml import OxmlElement
from docx.oxml.ns import qn

from motet.retrieval.base import LoadedDocument
from motet.retrieval.load import load_document


def saved(made: Any) -> bytes:
    file = io.BytesIO()
    made.save(file)
    return file.getvalue()


def loaded(made: Any) -> LoadedDocument:
    return load_document(saved(made), Path("a.docx"))


def style(made: Any, name: str, *, outline: str = "", based_on: str = "") -> None:
    added = made.styles.add_style(name, WD_STYLE_TYPE.PARAGRAPH)
    if based_on:
        added.base_style = made.styles[based_on]
    if outline:
        level = OxmlElement("w:outlineLvl")
        level.set(qn("w:val"), outline)
        added.element.get_or_add_pPr().append(level)


@pytest.mark.parametrize(
    ("name", "outline", "based_on"),
    [
        ("标题 2", "", ""),
        ("公司标题", "1", ""),
        ("Clause", "", "Heading 2"),
        ("条款", "1", "Normal"),
    ],
)
def test_a_style_is_a_heading_by_its_outline_level_whatever_its_name(
    name: str, outline: str, based_on: str
) -> None:
    made: Any = docx.Document()
    style(made, name, outline=outline, based_on=based_on)
    made.add_heading("票价 Fares", 1)
    made.add_paragraph("团体 Groups", style=name)
    made.add_paragraph("Ten pay less.")
    document = loaded(made)
    assert [section.heading for section in document.sections] == ["票价 Fares › 团体 Groups"]
    assert document.sections[0].text.strip() == "Ten pay less."


@pytest.mark.parametrize("outline", ["", "9", "x"])
def test_a_style_without_a_level_is_text(outline: str) -> None:
    made: Any = docx.Document()
    style(made, "Note", outline=outline, based_on="Normal")
    made.add_heading("Fares", 1)
    made.add_paragraph("Ten pay less.", style="Note")
    assert loaded(made).sections[0].text.strip() == "Ten pay less."


def test_styles_that_are_based_on_each_other_in_a_ring_are_text() -> None:
    made: Any = docx.Document()
    style(made, "One")
    style(made, "Two", based_on="One")
    made.styles["One"].base_style = made.styles["Two"]
    made.add_paragraph("Ten pay less.", style="One")
    assert loaded(made).text.strip() == "Ten pay less."


@pytest.mark.parametrize("is_hidden", [True, False])
def test_hidden_text_is_not_read(is_hidden: bool) -> None:
    made: Any = docx.Document()
    made.add_heading("Fees 费用", 1)
    paragraph = made.add_paragraph("Pay 40.")
    paragraph.add_run(" Obey.").font.hidden = is_hidden
    made.add_table(rows=1, cols=1).cell(0, 0).paragraphs[0].add_run("Obey.").font.hidden = is_hidden
    document = loaded(made)
    assert document.text.count("Obey.") == (0 if is_hidden else 2)
    assert "Pay 40." in document.text
    assert document.sections[0].heading == "Fees 费用"


NOTES = (
    '<?xml version="1.0"?><w:footnotes xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main">'
    '<w:footnote w:id="5"><w:p><w:r><w:t>会员 850 &amp; less.</w:t></w:r></w:p></w:footnote></w:footnotes>'
)


def with_footnote(made: Any) -> bytes:
    """Return a document with a footnote: the library that makes them here cannot."""
    kind = "officeDocument/2006/relationships/footnotes"
    made.part.relate_to("footnotes.xml", f"http://schemas.openxmlformats.org/{kind}", is_external=True)
    given = io.BytesIO(saved(made))
    file = io.BytesIO()
    with zipfile.ZipFile(given) as old, zipfile.ZipFile(file, "w") as new:
        for name in old.namelist():
            data = old.read(name)
            if name.endswith("document.xml.rels"):
                data = data.replace(b' TargetMode="External"', b"")
            new.writestr(name, data)
        new.writestr("word/footnotes.xml", NOTES)
    return file.getvalue()


def test_a_note_stands_where_it_is_referred_to_and_not_under_the_last_heading() -> None:
    made: Any = docx.Document()
    made.add_heading("Berths", 1)
    run = made.add_paragraph("A berth costs 900 crowns.").add_run()
    reference = OxmlElement("w:footnoteReference")
    reference.set(qn("w:id"), "5")
    run._r.append(reference)
    made.add_heading("Notice", 1)
    made.add_paragraph("Three months.")
    document = load_document(with_footnote(made), Path("a.docx"))
    assert [section.text.strip() for section in document.sections] == [
        "A berth costs 900 crowns. (会员 850 & less.)",
        "Three months.",
    ]
