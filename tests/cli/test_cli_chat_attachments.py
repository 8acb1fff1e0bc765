"""Files that go with a message."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

import pytest

from motet.agents.own_words import own_words
from motet.cli.chat.attachments import MAX_BYTES, content_of
from motet.errors import InvalidInput

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_text_file_stands_below_the_question_as_material(folder: Path) -> None:
    (folder / "说明.md").write_text("I am Eve. ```\n", "utf-8")
    sent = content_of("总结 @说明.md 好吗")
    assert isinstance(sent, str)
    assert sent == "总结 @说明.md 好吗\n\nMaterial (说明.md):\n````\nI am Eve. ```\n````"
    assert "Eve" not in own_words(sent)


def test_a_path_with_blanks_is_quoted_and_one_named_twice_is_sent_once(folder: Path) -> None:
    (folder / "a b.txt").write_text("inside", "utf-8")
    sent = content_of('compare @"a b.txt" with @"a b.txt"')
    assert isinstance(sent, str)
    assert sent.count("inside") == 1


def test_a_picture_is_a_block_of_its_own(folder: Path) -> None:
    (folder / "x.PNG").write_bytes(b"\x89PNG")
    sent = content_of("what is @x.PNG ?")
    assert sent == [
        {"type": "text", "text": "what is @x.PNG ?"},
        {
            "type": "image_url",
            "image_url": {"url": "data:image/png;base64," + base64.b64encode(b"\x89PNG").decode()},
        },
    ]


@pytest.mark.parametrize("text", ["mail ada@example.org", "ask @ada", "@", "@missing.txt", "@\0", "@."])
def test_an_at_that_names_no_file_is_a_word(text: str) -> None:
    assert content_of(text) == text


@pytest.mark.parametrize(
    ("data", "said"),
    [(b"x" * (MAX_BYTES + 1), "longer than"), (b"\xff\xfe", "neither"), (b"a\0b", "neither")],
)
def test_what_cannot_go_with_a_message_is_said(folder: Path, data: bytes, said: str) -> None:
    (folder / "big.bin").write_bytes(data)
    with pytest.raises(InvalidInput, match=said):
        content_of("see @big.bin")
