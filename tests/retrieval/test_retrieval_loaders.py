from pathlib import Path

import pytest
from fpdf import FPDF
from PIL import Image
from retrieval_fakes import Knowledge, write_pdf

from motet.cli.kb import outcome_line
from motet.errors import DocumentUnreadable
from motet.retrieval.base import LoadedDocument
from motet.retrieval.load import load_document
from motet.retrieval.loaders import html as html_loader
from motet.retrieval.loaders import pdf as pdf_loader

MARKDOWN = """---
title: "Harbour rules"
---
Before any heading.

# Boats

Boats wait here.

```sh
# this is a comment, no heading
```

~~~
## nor this
```
## nor this
~~~

## Small *boats*, [again](x.md) ##

Row boats go first.

Fees
----

| a | b |
|---|---|
| 1 | 2 |

# 船只

## 大船

大船靠右。

#no heading without a space
"""

PAGE = """<!DOCTYPE html><html><head><title> Group
 travel </title><style>p { color: red }</style></head><body>
<nav><a href="x">Home</a><a href="y">Imprint</a></nav>
<main><h1>Groups</h1><p>Groups of ten or more travellers get 15 % off the standard fare on every single route.</p>
<script>if (a < b) { document.write("<p>never seen</p>") }</script>
<h2>Deposit</h2><p>A deposit of 30 % is due two weeks before the departure of the group.</p>
<table><tr><th>Item</th><th>Fee</th></tr><tr><td>Kayak</td><td>35</td></tr></table></main>
<footer>Copyright and so on</footer></body></html>"""


def loaded(text: str | bytes, name: str) -> LoadedDocument:
    document = load_document(text.encode() if isinstance(text, str) else text, Path(name))
    for section in document.sections:
        assert document.text[section.start : section.start + len(section.text)] == section.text
    return document


def headings(document: LoadedDocument) -> list[str]:
    return [section.heading for section in document.sections]


def test_markdown_sections_have_the_path_of_their_headings() -> None:
    document = loaded(MARKDOWN, "rules.md")
    assert document.title == "Harbour rules"
    assert headings(document) == [
        "",
        "Boats",
        "Boats › Small *boats*, again",
        "Boats › Fees",
        "船只 › 大船",
    ]


def test_a_comment_in_fenced_code_stays_in_its_section() -> None:
    boats = loaded(MARKDOWN, "rules.md").sections[1]
    assert "# this is a comment" in boats.text
    assert boats.text.count("nor this") == 2


def test_markdown_without_front_matter_takes_its_first_heading_as_title() -> None:
    assert loaded("Intro.\n\n# Ferry\n\nText.", "x.md").title == "Ferry"


def test_a_rule_below_a_list_or_a_table_makes_no_heading() -> None:
    document = loaded("# A\n\n- item\n---\n\n| a |\n---\n\n> said\n===\n\ntext\n", "x.md")
    assert headings(document) == ["A"]


def test_front_matter_that_never_ends_is_text() -> None:
    assert "key: value" in loaded("---\nkey: value\n\nText.", "x.md").text


def test_text_is_one_section_titled_by_a_first_line_that_stands_alone() -> None:
    assert loaded("运输条款\n\n退票须提前三天。\n", "terms.txt").title == "运输条款"
    assert loaded("A sentence, and more.\n\nText.", "some notes.txt").title == "some notes"
    assert len(loaded("运输条款\n\n退票须提前三天。\n", "terms.txt").sections) == 1


def test_html_keeps_headings_and_tables_and_leaves_the_rest_of_the_page() -> None:
    document = loaded(PAGE, "groups.html")
    assert document.title == "Group travel"
    assert headings(document) == ["Groups", "Groups › Deposit"]
    assert "Kayak" in document.text
    assert "35" in document.text
    for word in ("never seen", "Imprint", "Copyright", "color"):
        assert word not in document.text


def test_a_short_chinese_page_keeps_its_headings() -> None:
    body = "<h1>团体</h1><p>十人以上八五折。</p><h2>宠物</h2><p>每只十二元。</p>"
    page = f"<html><head><title>规则</title></head><body>{body}"
    assert headings(loaded(page, "a.htm")) == ["团体", "团体 › 宠物"]


def test_html_that_marks_no_main_text_is_judged(monkeypatch: pytest.MonkeyPatch) -> None:
    body = PAGE.replace("<main>", "<div class='menu'><ul><li>Offers</li><li>Login</li></ul></div><div>")
    page = body.replace("</main>", "</div><div class='menu'><ul><li>Ten beaches</li></ul></div>")
    document = loaded(page, "groups.html")
    assert headings(document) == ["Groups", "Groups › Deposit"]
    assert "Kayak | 35 |" in document.text
    for word in ("Login", "Ten beaches", "Copyright"):
        assert word not in document.text
    monkeypatch.setattr(html_loader.trafilatura, "extract", lambda *_args, **_kwargs: None)
    assert "Ten beaches" in loaded(page, "groups.html").text


def test_html_code_keeps_its_lines_and_is_no_heading() -> None:
    page = (
        "<main><h2>Setup</h2><p>Run as\nroot.</p><pre># mount /dev/sda\n  # ls\n</pre><p>换\n行。</p></main>"
    )
    document = loaded(page, "a.html")
    assert headings(document) == ["Setup"]
    assert document.text == "Setup\n\nRun as root.\n\n# mount /dev/sda\n  # ls\n\n换行。"


def test_html_lists_and_lines_stand_below_each_other() -> None:
    page = (
        "<main><p>Fares:<br>one 64<br/>two 116</p><ul><li>dogs <b>12</b></li><li><p>cars</p></li></ul> tail"
    )
    assert loaded(page, "a.html").text == "Fares:\none 64\ntwo 116\n- dogs 12\n- cars\n\ntail"


def test_hidden_html_is_not_read() -> None:
    hidden = '<p hidden>Obey.</p><div style="display: none">Obey.</div><span aria-hidden="true">Obey.</span>'
    assert loaded(f"<main><p>Seen {hidden} and seen.</p></main>", "a.html").text.split() == [
        "Seen",
        "and",
        "seen.",
    ]


def test_html_in_a_declared_encoding() -> None:
    head = '<head><meta http-equiv="Content-Type" content="text/html; charset=gb2312"></head>'
    page = f"<html>{head}<body><p>渡轮票价四十元</p>"
    assert "渡轮票价四十元" in loaded(page.encode("gbk"), "a.html").text


def test_html_reads_no_file_through_an_entity(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("a well kept secret")
    page = f'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY e SYSTEM "{secret.as_uri()}">]><html><body><p>See &e; here</p>'
    assert "well kept" not in loaded(page, "a.xhtml").text


def test_pdf_sections_know_their_page() -> None:
    document = loaded(write_pdf("First page text.", "Second page text.", title="A tariff"), "a.pdf")
    assert document.title == "A tariff"
    assert [(section.page, section.text.strip()) for section in document.sections] == [
        (1, "First page text."),
        (2, "Second page text."),
    ]


def test_pdf_is_cut_at_its_bookmarks() -> None:
    first = "Above.\n# Fares\nAn adult pays 64.\n## Children\nA child pays 32."
    document = loaded(
        write_pdf(first, "Still about children.\n# Dogs\nA dog pays 12.", sections=True), "a.pdf"
    )
    found = [(section.heading, section.page, section.text.split()[-1]) for section in document.sections]
    assert found == [
        ("", 1, "Above."),
        ("Fares", 1, "64."),
        ("Fares › Children", 1, "32."),
        ("Fares › Children", 2, "children."),
        ("Dogs", 2, "12."),
    ]


def test_the_sample_tariffs_are_read_in_both_languages() -> None:
    samples = Path(__file__).parents[2] / "examples" / "documents"
    english = loaded((samples / "fares.en.pdf").read_bytes(), "fares.en.pdf")
    chinese = loaded((samples / "fares.zh.pdf").read_bytes(), "fares.zh.pdf")
    assert "Port Elwin to Brenna: adult single 64, adult return 116" in english.text
    assert "埃尔温港至布伦纳岛：成人单程 64，成人往返 116" in chinese.text
    assert headings(chinese) == ["旅客票价", "次票与月票", "车辆与动物", "船上服务"]


def test_wrapped_lines_of_chinese_are_joined_and_others_are_not() -> None:
    join = pdf_loader._join_wrapped
    assert join(["票价表", "价格单位为克朗，按每人计算。本票价自三月一", "日起执行。"]) == (
        "票价表\n价格单位为克朗，按每人计算。本票价自三月一日起执行。"
    )
    assert join(["one line of words", "another line"]) == "one line of words\nanother line"


def scanned(*pages: str) -> bytes:
    """Return a PDF; a page `picture` shows one, a page "" is empty."""
    made = FPDF()
    made.set_font("helvetica")
    for page in pages:
        made.add_page()
        if page == "picture":
            made.image(Image.new("L", (40, 40), 90), w=100)
        elif page:
            made.write(text=page)
    return bytes(made.output())


@pytest.mark.parametrize(
    ("pages", "missing"),
    [
        (["Text.", "picture", "Text."], "page 2 is a picture without text"),
        (["picture", "Text.", "", "picture", "picture"], "pages 1 and 4 to 5 are pictures without text"),
        (["picture", "Text."] * 12, "pages 1, 3, 5, 7, 9, 11, 13, 15, 17, 19 and others are pictures"),
        (["Text.", "", "Text."], ""),
    ],
)
def test_pages_of_a_pdf_that_are_pictures_are_told(pages: list[str], missing: str) -> None:
    assert (loaded(scanned(*pages), "a.pdf").missing or "").startswith(missing)
    assert bool(loaded(scanned(*pages), "a.pdf").missing) is bool(missing)


async def test_what_of_a_document_is_missing_is_told_when_it_is_taken_in(
    knowledge: Knowledge, folder: Path
) -> None:
    (folder / "a.pdf").write_bytes(scanned("An adult pays 64 crowns.", "picture"))
    (folder / "b.pdf").write_bytes(scanned("An adult pays 64 crowns."))
    report = await knowledge().add([folder])
    assert [file["missing"][:20] for file in report.to_dict()["files"]] == ["page 2 is a picture ", ""]
    assert outcome_line(report.files[0]).endswith(f"a.pdf (1 passage): {report.files[0].missing}")


def test_a_pdf_of_too_many_pages_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pdf_loader, "MAX_PAGES", 1)
    with pytest.raises(DocumentUnreadable, match="2 pages are too many"):
        load_document(write_pdf("One.", "Two."), Path("a.pdf"))


def test_a_pdf_that_takes_too_long_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pdf_loader, "MAX_SECONDS", -1.0)
    with pytest.raises(DocumentUnreadable, match="took more than"):
        load_document(write_pdf("One."), Path("a.pdf"))
