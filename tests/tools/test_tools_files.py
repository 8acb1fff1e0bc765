"""Writing, editing, listing and searching inside the allowed folder, and nowhere else."""

import os
from pathlib import Path

import pytest
from langchain_core.tools import BaseTool

from motet.errors import MotetError
from motet.settings import ToolSettings
from motet.tools.base import ToolContext
from motet.tools.files import write_text
from motet.tools.making import build_tools


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "allowed"
    (folder / "notes").mkdir(parents=True)
    (folder / "notes" / "a.md").write_text("One\n第二行\nThree\n", "utf-8")
    (folder / ".hidden").write_text("secret", "utf-8")
    (tmp_path / "outside.txt").write_text("outside", "utf-8")
    (folder / "link").symlink_to(tmp_path / "outside.txt")
    (folder / "out").symlink_to(tmp_path)
    return folder


def tools(root: Path, *, writes: bool = True) -> dict[str, BaseTool]:
    context = ToolContext(ToolSettings(files_root=str(root), files_write=writes))
    names = ["write_file", "edit_file", "list_files", "search_files", "read_file"]
    return {tool.name: tool for tool in build_tools(context, names)}


async def test_a_file_is_written_whole_and_folders_are_made(root: Path) -> None:
    write = tools(root)["write_file"]
    assert "is written" in await write.ainvoke({"path": "新/深/b.md", "content": "内容"})
    assert (root / "新" / "深" / "b.md").read_text("utf-8") == "内容"
    await write.ainvoke({"path": "notes/a.md", "content": "new"})
    assert (root / "notes" / "a.md").read_text("utf-8") == "new"
    assert [path.name for path in (root / "notes").iterdir()] == ["a.md"]


@pytest.mark.parametrize(
    "path",
    [
        "../x",
        "/tmp/x",
        "notes/../../x",
        "link",
        "out/x",
        "out/outside.txt",
        "notes",
        "",
        "notes/",
        "a\0b",
        "x\ny",
        ".",
    ],
)
async def test_nothing_is_written_outside(root: Path, path: str) -> None:
    before = {p: p.read_bytes() for p in root.parent.rglob("*") if p.is_file()}
    with pytest.raises(MotetError):
        write_text(root, path, "owned")
    assert {p: p.read_bytes() for p in root.parent.rglob("*") if p.is_file()} == before


async def test_a_file_with_another_name_elsewhere_is_not_written(root: Path) -> None:
    os.link(root.parent / "outside.txt", root / "same")
    assert "not written" in await tools(root)["write_file"].ainvoke({"path": "same", "content": "owned"})
    assert (root.parent / "outside.txt").read_text("utf-8") == "outside"


async def test_one_piece_is_replaced(root: Path) -> None:
    edit = tools(root)["edit_file"]
    assert "is changed" in await edit.ainvoke({"path": "notes/a.md", "old": "第二行", "new": "second"})
    assert (root / "notes" / "a.md").read_text("utf-8") == "One\nsecond\nThree\n"
    assert "not in it" in await edit.ainvoke({"path": "notes/a.md", "old": "Four", "new": "x"})
    assert "2 times" in await edit.ainvoke({"path": "notes/a.md", "old": "e\n", "new": "x"})


async def test_files_are_listed_and_searched(root: Path) -> None:
    made = tools(root)
    assert await made["list_files"].ainvoke({}) == "notes/a.md"
    assert "No file" in await made["list_files"].ainvoke({"pattern": "*.txt"})
    assert await made["search_files"].ainvoke({"text": "第二"}) == "notes/a.md:2: 第二行"
    assert "in no file" in await made["search_files"].ainvoke({"text": "outside"})
    assert "leads out" in await made["list_files"].ainvoke({"path": "../"})


def test_without_leave_nothing_writes(root: Path) -> None:
    assert sorted(tools(root, writes=False)) == ["list_files", "read_file", "search_files"]
    assert build_tools(ToolContext(ToolSettings()), ["write_file", "list_files"]) == []
    assert {
        t.name for t in build_tools(ToolContext(ToolSettings(files_root=str(root), files_write=True)))
    } == {
        "calculator",
        "now",
        "read_file",
        "web_search",
    }


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b"a\r\nb\r\nc\r\n", b"a\r\nB\r\nnew\r\nc\r\n"),
        (b"\xef\xbb\xbfa\nb\nc", b"\xef\xbb\xbfa\nB\nnew\nc"),
        ("价格三元，今天天气很好\nb\n".encode("gbk"), "价格三元，今天天气很好\nB\nnew\n".encode("gbk")),
        ("a\nb\n茶".encode("utf-16"), "a\nB\nnew\n茶".encode("utf-16")),
        (b"\xfe\xff" + "a\nb".encode("utf-16-be"), b"\xfe\xff" + "a\nB\nnew".encode("utf-16-be")),
        ("a\u200b\nb\u2028c\x0cd".encode(), "a\u200b\nB\nnew\u2028c\x0cd".encode()),
    ],
)
async def test_an_edit_changes_nothing_but_its_piece(root: Path, before: bytes, after: bytes) -> None:
    file = root / "file.txt"
    file.write_bytes(before)
    file.chmod(0o750)
    said = await tools(root)["edit_file"].ainvoke({"path": "file.txt", "old": "b", "new": "B\nnew"})
    assert said == "'file.txt' is changed."
    assert file.read_bytes() == after
    assert file.stat().st_mode & 0o777 == 0o750


async def test_a_file_that_is_replaced_keeps_its_rights(root: Path) -> None:
    secret = root / "secret.txt"
    secret.write_text("mine", "utf-8")
    secret.chmod(0o600)
    await tools(root)["write_file"].ainvoke({"path": "secret.txt", "content": "mine too"})
    assert secret.stat().st_mode & 0o777 == 0o600


async def test_a_piece_of_several_lines_is_found_whatever_they_end_in(root: Path) -> None:
    (root / "dos.txt").write_bytes(b"one\r\ntwo\r\nthree")
    await tools(root)["edit_file"].ainvoke({"path": "dos.txt", "old": "one\ntwo", "new": "1\n2"})
    assert (root / "dos.txt").read_bytes() == b"1\r\n2\r\nthree"
