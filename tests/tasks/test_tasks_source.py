"""Reading YAML: values as YAML 1.2 has them, lines, and everything that is refused."""

from pathlib import Path

import pytest

from motet.errors import InvalidInput
from motet.tasks.source import MAX_BYTES, parse_source, read_source


def test_values_are_those_of_yaml_1_2() -> None:
    text = "on: NO\nat: 12:30:45\nday: 2026-01-01\nhalf: 1.5\nnone: ~\nyes: true\noct: 0o17\n7: 中文\n"
    assert parse_source(text, "f").data == {
        "on": "NO",
        "at": "12:30:45",
        "day": "2026-01-01",
        "half": 1.5,
        "none": None,
        "yes": True,
        "oct": 15,
        "7": "中文",
    }


def test_every_value_knows_its_line() -> None:
    source = parse_source("a: 1\nlist:\n  - x\n  - deep: {b: 1,\n      c: 2}\n", "f")
    assert source.line(("list", 1, "deep", "c")) == 5
    assert source.line(("list", 0)) == 3
    assert source.line(("list", 7, "nowhere")) == 2  # the nearest one around it
    assert source.where(("a",)) == "f:1"


@pytest.mark.parametrize(
    ("text", "line", "why"),
    [
        ("a: [1\n", 2, "not YAML"),
        ("a: 1\na: 2", 2, "'a' stands twice"),
        ("a: !foo x", 1, "!foo"),
        ("a: !!python/object:os.system x", 1, "tag"),
        ("a: &x [*x]", 1, "alias"),
        ("<<: {a: 1}", 1, "merge"),
        ("ok: 1\na: *nowhere", 2, "undefined alias"),
        ("", 1, "empty"),
        ("a: 1\n---\nb: 2", 2, "document"),
        ("a: .inf", 1, "number"),
    ],
)
def test_what_is_no_plain_yaml_is_refused_with_its_line(text: str, line: int, why: str) -> None:
    with pytest.raises(InvalidInput, match=why) as caught:
        parse_source(text, "f.yaml")
    assert str(caught.value).startswith(f"f.yaml:{line}: ")


def test_aliases_that_grow_without_end_are_refused() -> None:
    rows = [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 8)]
    with pytest.raises(InvalidInput, match="values"):
        parse_source("\n".join(["a0: &a0 [1]", *rows]), "f")


def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="No such file"):
        read_source(tmp_path / "none.yaml")
    path = tmp_path / "f.yaml"
    path.write_bytes(b"a: 1\nb: \xff\xfe\n")
    with pytest.raises(InvalidInput, match=r"f\.yaml:2: the file is not UTF-8"):
        read_source(path)
    path.write_bytes(b"#" * (MAX_BYTES + 1))
    with pytest.raises(InvalidInput, match="bytes"):
        read_source(path)
