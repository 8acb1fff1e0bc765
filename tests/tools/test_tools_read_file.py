"""Reading files for an agent: text of any usual encoding, in pieces, from one folder only."""

from pathlib import Path

import pytest

from motet.errors import InvalidInput, SettingInvalid
from motet.settings import ToolSettings
from motet.tools import read_file
from motet.tools.base import ToolContext
from motet.tools.read_file import build, read_text


def _write(folder: Path, name: str, data: bytes | str) -> None:
    (folder / name).write_bytes(data if isinstance(data, bytes) else data.encode())


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030", "utf-16"])
def test_text_is_read_in_its_encoding(tmp_path: Path, encoding: str) -> None:
    text = "经文歌 is a motet: 多声部\n第二行\n"
    _write(tmp_path, "a.txt", text.encode(encoding))
    assert read_text(tmp_path, "a.txt") == text


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "not a text file"),
        (bytes(range(1, 9)) * 40, "not a text file"),
        (b"caf\xe9 au lait", "neither UTF-8 nor GB18030"),
    ],
)
def test_what_is_not_text_is_refused(tmp_path: Path, data: bytes, words: str) -> None:
    _write(tmp_path, "a.bin", data)
    with pytest.raises(InvalidInput, match=words):
        read_text(tmp_path, "a.bin")


def test_a_long_file_is_read_in_pieces_that_join(tmp_path: Path) -> None:
    text = "".join(f"第{number}行 of the text\n" for number in range(1000))
    _write(tmp_path, "long.txt", text)
    pieces: list[str] = []
    while sum(map(len, pieces)) < len(text):
        answer = read_text(tmp_path, "long.txt", offset=sum(map(len, pieces)), limit=3000)
        assert len(answer) <= 3000
        piece, note = answer.rsplit("\n[", 1)
        pieces.append(piece)
        assert f"of {len(text)}" in note
        assert (f"go on with offset {sum(map(len, pieces))}]" in note) or note.endswith("to the end]")
    assert "".join(pieces) == text
    with pytest.raises(InvalidInput, match="ends at character"):
        read_text(tmp_path, "long.txt", offset=len(text))


def test_an_empty_file_says_so(tmp_path: Path) -> None:
    _write(tmp_path, "empty.txt", "")
    assert read_text(tmp_path, "empty.txt") == "'empty.txt' is empty."


def test_a_file_over_the_limit_is_refused_with_its_size(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(read_file, "MAX_BYTES", 10)
    _write(tmp_path, "ten.txt", "x" * 10)
    _write(tmp_path, "eleven.txt", "x" * 11)
    assert read_text(tmp_path, "ten.txt") == "x" * 10
    with pytest.raises(InvalidInput, match="has 11 bytes; at most 10"):
        read_text(tmp_path, "eleven.txt")


def test_a_folder_tells_what_it_holds(tmp_path: Path) -> None:
    (tmp_path / "notes").mkdir()
    _write(tmp_path, "b.md", "b")
    _write(tmp_path / "notes", "今天.md", "c")
    assert read_text(tmp_path, ".") == "'.' is a folder with 2 entries.\nb.md\nnotes/"
    assert read_text(tmp_path, "notes") == "'notes' is a folder with 1 entries.\n今天.md"
    for number in range(60):
        _write(tmp_path / "notes", f"{number}.md", "")
    assert read_text(tmp_path, "notes").endswith("… and 21 more")


async def test_an_escape_comes_back_as_one_line_of_error(tmp_path: Path) -> None:
    tool = build(ToolContext(ToolSettings(files_root=str(tmp_path))))
    assert tool is not None
    for path in ("../x", "/etc/passwd", "a\0b", "missing.txt"):
        call = {"type": "tool_call", "id": "1", "name": "read_file", "args": {"path": path}}
        answer = await tool.ainvoke(call)
        assert answer.status == "error"
        assert "\n" not in str(answer.content)


async def test_wrong_arguments_come_back_as_error_text(tmp_path: Path) -> None:
    tool = build(ToolContext(ToolSettings(files_root=str(tmp_path))))
    assert tool is not None
    call = {"type": "tool_call", "id": "1", "name": "read_file", "args": {"offset": -1}}
    answer = await tool.ainvoke(call)
    assert answer.status == "error"
    assert str(answer.content).startswith("read_file was not called: path: Field required; offset: ")
    assert str(answer.content).endswith("It takes path, offset (may be left out).")


def test_without_a_folder_there_is_no_tool(tmp_path: Path) -> None:
    assert build(ToolContext(ToolSettings())) is None
    with pytest.raises(SettingInvalid, match="MOTET_FILES_ROOT"):
        build(ToolContext(ToolSettings(files_root=str(tmp_path / "none"))))
