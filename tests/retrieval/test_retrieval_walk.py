import os
from pathlib import Path

import pytest

from motet.retrieval.walk import find_files


def names(paths: list[Path], root: Path) -> list[str]:
    return [file.path.relative_to(root).as_posix() for file in find_files(paths).files]


def test_a_folder_is_walked_in_the_order_of_names(folder: Path) -> None:
    for name in ("b.md", "a.md", "sub/c.md", "sub/deep/d.txt"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("x")
    assert names([folder], folder) == ["a.md", "b.md", "sub/c.md", "sub/deep/d.txt"]


def test_hidden_files_and_folders_are_passed_over(folder: Path) -> None:
    (folder / ".git").mkdir()
    (folder / ".git" / "config.md").write_text("x")
    (folder / ".hidden.md").write_text("x")
    (folder / "seen.md").write_text("x")
    assert names([folder], folder) == ["seen.md"]


def test_links_that_lead_out_are_not_followed(tmp_path: Path, folder: Path) -> None:
    (tmp_path / "secret.md").write_text("x")
    (tmp_path / "documents-secret").mkdir()
    (tmp_path / "documents-secret" / "also.md").write_text("x")
    (folder / "in.md").write_text("x")
    (folder / "out.md").symlink_to(tmp_path / "secret.md")
    (folder / "out").symlink_to(tmp_path / "documents-secret")
    (folder / "loop").symlink_to(folder)
    (folder / "nowhere.md").symlink_to(folder / "gone.md")
    (folder / "self.md").symlink_to(folder / "self.md")
    (folder / "same.md").symlink_to(folder / "in.md")
    assert names([folder], folder) == ["in.md"]


def test_a_file_that_is_named_is_returned_whatever_it_is(folder: Path) -> None:
    (folder / ".hidden.md").write_text("x")
    found = find_files([folder / ".hidden.md", folder / "missing.md", folder]).files
    assert [(file.path.name, file.named) for file in found] == [(".hidden.md", True), ("missing.md", True)]


def test_each_file_comes_once(folder: Path) -> None:
    (folder / "a.md").write_text("x")
    assert names([folder, folder / "a.md", folder / ".." / folder.name], folder) == ["a.md"]


@pytest.mark.parametrize("call", ["scandir", "stat"])
def test_a_folder_that_cannot_be_looked_into_is_told_and_the_others_are_walked(
    folder: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    """By `scandir` it cannot be listed; by `stat` its names can be listed, and no more."""
    for name in ("a.md", "closed/b.md", "closed/c.md", "open/d.md"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text("x")
    (folder / "broken.md").symlink_to(folder / "nowhere.md")
    before, closed = getattr(os, call), folder / "closed"

    def refuse(path: os.PathLike[str], **options: object) -> object:
        if Path(path) == closed if call == "scandir" else Path(path).parent == closed:
            raise PermissionError(13, "Permission denied")
        return before(path, **options)

    monkeypatch.setattr(os, call, refuse)
    walked = find_files([folder])
    assert [file.path.name for file in walked.files] == ["a.md", "d.md"]
    assert walked.closed == {closed: "Permission denied"}
