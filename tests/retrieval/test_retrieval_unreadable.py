import os
from pathlib import Path

import pytest

from motet.errors import DocumentUnreadable
from motet.retrieval.load import read_bytes
from motet.retrieval.unreadable import unreadable


def test_the_message_names_path_reason_and_next_step() -> None:
    error = unreadable(Path("/d/价目.pdf"), "it is empty", "Fill it.")
    assert error.message == "/d/价目.pdf: it is empty. Fill it."
    assert error.fields == {"path": "/d/价目.pdf", "reason": "it is empty"}


def test_a_name_of_odd_characters_is_shown_escaped(folder: Path) -> None:
    with pytest.raises(DocumentUnreadable) as caught:
        read_bytes(folder / "a\nb\x1b[31m.xyz", max_bytes=1000)
    assert caught.value.message.isprintable()
    with pytest.raises(DocumentUnreadable, match="not valid UTF-8"):
        read_bytes(Path(os.fsdecode(b"/tmp/\xff.md")), max_bytes=1000)


def test_a_chinese_name_with_a_wide_blank_stays_as_it_is() -> None:
    assert unreadable("扫描\u3000第一页.pdf", "it is empty", "Fill it.").message.startswith(
        "扫描\u3000第一页.pdf: "
    )
