"""Search terms: the same for an index and a query, in Chinese and English, and safe as FTS5 syntax."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from motet.storage.search import cjk_share, fts_document, fts_query, has_cjk, terms, text_width

quick = settings(deadline=None, max_examples=60)

texts = st.text() | st.text(
    alphabet="ab1 .'’-\"()*:^+{}[]NOTANDRE/\\\x00%;海上灯塔，。「」ＡＢ１２ｶﾅ한글é😀\u200d\u0301", max_size=40
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        ("   \n\t ", []),
        ("?!，。… «»", []),
        ("The Motet sings", ["the", "motet", "sings"]),
        ("sing sing", ["sing", "sing"]),
        ("海", ["海"]),
        ("海上", ["海上"]),
        ("海上灯塔", ["海上", "上灯", "灯塔"]),
        ("海上 灯塔", ["海上", "灯塔"]),
        ("海上，灯塔。", ["海上", "灯塔"]),
        ("用Python写代码", ["用", "python", "写代", "代码"]),
        ("Python3中文", ["python3", "中文"]),
        ("ＡＢＣ１２", ["abc12"]),
        ("ＳＱＬ，数据库", ["sql", "数据", "据库"]),
        ("ｶﾞｲﾄﾞ", ["ガイ", "イド"]),
        ("한국어 검색", ["한국", "국어", "검색"]),
        ("𠀀𠀁𠀂", ["𠀀𠀁", "𠀁𠀂"]),
        ("3.14", ["3", "14", "314"]),
        ("1,024", ["1", "024"]),
        ("state-of-the-art", ["state", "of", "the", "art", "stateoftheart"]),
        ("don't don’t", ["don", "t", "dont", "don", "t", "dont"]),
        ("U.S.A.", ["u", "s", "a", "usa"]),
        ("-dash- 'quoted'", ["dash", "quoted"]),
        ("snake_case", ["snake", "case"]),
        ("Straße STRASSE", ["strasse", "strasse"]),
        ("ΣΊΣΥΦΟΣ σίσυφος", ["σίσυφοσ", "σίσυφοσ"]),
        ("ﬁne ½", ["fine", "1", "2"]),
        ("😀 tea 😀", ["tea"]),
        ("㎏", ["kg"]),
    ],
)
def test_text_is_cut_into_terms(text: str, expected: list[str]) -> None:
    assert terms(text) == expected


@quick
@given(text=texts)
def test_terms_are_never_empty_and_stay_what_they_are(text: str) -> None:
    found = terms(text)
    assert all(term and not term.isspace() for term in found)
    assert fts_document(text).split() == found


@quick
@given(left=texts, right=texts)
def test_texts_with_a_blank_between_them_do_not_mix(left: str, right: str) -> None:
    assert terms(f"{left} \n {right}") == terms(left) + terms(right)


def test_case_and_width_make_no_difference() -> None:
    assert terms("ｍｏｔｅｔ 灯塔") == terms("MOTET 灯塔") == terms("motet　灯塔")


# Queries


@pytest.fixture(scope="module")
def index() -> Iterator[sqlite3.Connection]:
    """A real FTS5 table, with the tokenizer that the indexes have."""
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.execute(
            "CREATE VIRTUAL TABLE found USING fts5(body, tokenize = 'porter unicode61 remove_diacritics 2')"
        )
        yield connection


def matches(index: sqlite3.Connection, document: str, query: str) -> bool:
    index.execute("DELETE FROM found")
    index.execute("INSERT INTO found VALUES (?)", (fts_document(document),))
    wanted = fts_query(query)
    return bool(wanted and index.execute("SELECT 1 FROM found WHERE found MATCH ?", (wanted,)).fetchall())


@quick
@given(document=texts, query=texts)
@example(document="x", query='a" OR b NEAR(')
@example(document="x", query='"; DROP TABLE found; --')
@example(document="x", query="body:x AND (NOT x)* ^x {a b}")
@example(document="x", query="\x00")
def test_no_text_is_read_as_query_syntax(index: sqlite3.Connection, document: str, query: str) -> None:
    shared = set(terms(document)) & set(terms(query))
    found = matches(index, document, query)  # and raises nothing
    if not shared and not any(character.isalnum() for character in query):
        assert not found


@quick
@given(text=texts)
def test_every_text_that_has_a_term_finds_itself(index: sqlite3.Connection, text: str) -> None:
    known = [term for term in terms(text) if all(character.isalnum() for character in term)]
    assert matches(index, text, text) or not known


@pytest.mark.parametrize(
    ("document", "query", "found"),
    [
        ("她在海上看到了灯塔。", "灯塔在哪里", True),
        ("她在海上看到了灯塔。", "上看", True),
        ("她在海上看到了灯塔。", "塔灯", False),
        ("The lighthouse at sea", "LIGHTHOUSES", True),
        ("The lighthouse at sea", "light", False),
        ("用 Python 写代码", "python", True),
        ("version 3.14 is out", "3.14", True),
        ("NOT OR AND NEAR", "near", True),
        ("cafe", "café", True),
        ("anything", "", False),
        ("anything", '"', False),
    ],
)
def test_a_query_finds_what_a_reader_would(
    index: sqlite3.Connection, document: str, query: str, found: bool
) -> None:
    assert matches(index, document, query) is found


def test_a_query_asks_for_each_term_once_and_for_no_more_than_the_limit() -> None:
    assert fts_query("sea sea lights") == '"sea" OR "lights"'
    assert fts_query("") == ""
    assert fts_query(" ".join(f"w{n}" for n in range(100))).count(" OR ") == 47
    assert fts_query("one two three", limit=2) == '"one" OR "two"'


# Scripts and widths


@pytest.mark.parametrize(
    ("text", "share"),
    [("", 0.0), ("123 !", 0.0), ("abc", 0.0), ("海上", 1.0), ("ab海上", 0.5), ("海 3.14", 1.0)],
)
def test_the_share_of_cjk_counts_letters_alone(text: str, share: float) -> None:
    assert cjk_share(text) == share
    assert has_cjk(text) is (share > 0)


@quick
@given(text=texts)
def test_a_share_is_a_share(text: str) -> None:
    assert 0.0 <= cjk_share(text) <= 1.0


@pytest.mark.parametrize(
    ("text", "width"), [("", 0), ("abc", 3), ("海上", 4), ("a海", 3), ("ＡＢ", 4), ("café", 4), ("，", 2)]
)
def test_width_is_in_columns(text: str, width: int) -> None:
    assert text_width(text) == width
