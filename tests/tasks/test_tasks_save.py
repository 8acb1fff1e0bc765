"""Artifacts: written whole, beneath the task's folder, and nowhere else."""

from pathlib import Path

import pytest

from motet.errors import InvalidInput, PermissionRefused
from motet.tasks.save import save


def test_a_value_is_written_as_text_or_json(tmp_path: Path) -> None:
    assert save(tmp_path, "out/示例.md", "# 示例") == str(tmp_path / "out" / "示例.md")
    assert (tmp_path / "out" / "示例.md").read_text("utf-8") == "# 示例\n"
    save(tmp_path, "./out/a.json", {"名": [1]})
    assert (tmp_path / "out" / "a.json").read_text("utf-8") == '{\n  "名": [\n    1\n  ]\n}\n'
    save(tmp_path, "out/示例.md", "new")
    assert (tmp_path / "out" / "示例.md").read_text("utf-8") == "new\n"
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["a.json", "示例.md"]


@pytest.mark.parametrize(
    "name",
    ["../x", "a/../../x", "/etc/x", "a\\..\\x", ".bashrc", "a/.git/config", "motet.toml", "b.task.yaml"],
)
def test_a_path_that_leads_elsewhere_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(PermissionRefused):
        save(tmp_path, name, "x")


@pytest.mark.parametrize("name", ["", " ", ".", "a/", "a\0b"])
def test_what_is_no_name_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(InvalidInput):
        save(tmp_path, name, "x")


def test_a_link_out_of_the_folder_is_not_followed(tmp_path: Path) -> None:
    folder, elsewhere = tmp_path / "in", tmp_path / "elsewhere"
    folder.mkdir()
    elsewhere.mkdir()
    (elsewhere / "secret").write_text("kept")
    (folder / "link").symlink_to(elsewhere)
    (folder / "file.md").symlink_to(elsewhere / "secret")
    for name in ("link/x", "link/deep/x", "file.md"):
        with pytest.raises(PermissionRefused, match="through a link"):
            save(folder, name, "x")
    assert [path.name for path in elsewhere.iterdir()] == ["secret"]
    assert (elsewhere / "secret").read_text() == "kept"
