import os
from pathlib import Path

import pytest
from retrieval_fakes import write_pdf

from motet.errors import DocumentUnreadable
from motet.retrieval import load
from motet.retrieval.load import load_document, read_bytes, unknown_ending
from motet.retrieval.loaders import html as html_loader


def hostile() -> dict[str, tuple[str, bytes, str]]:
    whole = write_pdf("Some text.")
    return {
        "encrypted": ("a.pdf", write_pdf("Secret.", password="user"), "encrypted"),
        "pdf cut in half": ("a.pdf", whole[: len(whole) // 2], "not a PDF that can be opened"),
        "pdf of garbage": ("a.pdf", b"%PDF-1.7\n" + bytes(range(256)) * 50, "not a PDF that can be opened"),
        "text that says it is a pdf": ("a.pdf", b"hello", "not a PDF"),
        "pdf without text": ("a.pdf", write_pdf(""), "no page holds text"),
        "pdf that says it is text": ("a.md", whole, "it is a PDF"),
        "word file with a password": (
            "a.docx",
            b"\xd0\xcf\x11\xe0" + bytes(500) + "EncryptedPackage".encode("utf-16-le") + bytes(500),
            "it is encrypted. Save a copy without a password",
        ),
        "old sheet that says it is a new one": (
            "a.xlsx",
            b"\xd0\xcf\x11\xe0" + bytes(1000),
            r"it is an old office document\. Save it as \.xlsx",
        ),
        "zip": ("a.txt", b"PK\x03\x04" + b"x" * 50, "zip file"),
        "html nested deep": ("a.html", b"<div>" * 100_000 + b"x", "nested too deeply"),
        "html of attributes": (
            "a.html",
            b"<p " + b" ".join(b"a%d=1" % i for i in range(50_000)) + b">",
            "attributes",
        ),
        "html of a script": ("a.html", b"<html><script>alert(1)</script></html>", "no text"),
        "html that is empty": ("a.html", b"<!-- nothing -->", "not HTML"),
        "html too large": ("a.html", b"<p>" + b"x" * html_loader.MAX_HTML_BYTES, "too many for HTML"),
        "markdown of headings": ("a.md", b"# " * 10 + b"\n## b\n", "no text"),
        "nothing but spaces": ("a.txt", "\u3000\u200b\n".encode(), "no text"),
    }


@pytest.mark.parametrize("case", list(hostile()))
def test_a_hostile_file_is_one_typed_error(case: str) -> None:
    name, data, reason = hostile()[case]
    with pytest.raises(DocumentUnreadable, match=reason) as caught:
        load_document(data, Path(name))
    assert caught.value.message.startswith(f"{name}: ")
    assert caught.value.fields["path"] == name


def test_too_much_text_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(load, "MAX_TEXT_CHARS", 10)
    with pytest.raises(DocumentUnreadable, match="11 characters"):
        load_document(b"x" * 11, Path("a.txt"))


def test_reading_stops_at_the_size_limit(folder: Path) -> None:
    path = folder / "large.txt"
    path.write_bytes(b"x" * 1001)
    with pytest.raises(DocumentUnreadable, match="MOTET_MAX_FILE_MB"):
        read_bytes(path, max_bytes=1000)
    path.write_bytes(b"x" * 1000)
    assert len(read_bytes(path, max_bytes=1000).data) == 1000


def test_a_file_that_is_not_there_says_so(folder: Path) -> None:
    with pytest.raises(DocumentUnreadable, match="cannot be opened"):
        read_bytes(folder / "missing.md", max_bytes=1000)


@pytest.mark.parametrize(
    ("name", "reason"), [("photo.jpeg", "'.jpeg' is unknown. Known are: .bash"), ("README", "no ending")]
)
def test_a_file_that_nothing_reads_says_why(name: str, reason: str) -> None:
    assert reason in unknown_ending(Path(name)).message


def test_an_empty_file_a_folder_and_a_pipe_are_refused(folder: Path) -> None:
    (folder / "empty.md").write_text(" \n")
    (folder / "folder.md").mkdir()
    os.mkfifo(folder / "pipe.md")
    for name, reason in {
        "empty.md": "empty",
        "folder.md": "opened|regular",
        "pipe.md": "not a regular file",
    }.items():
        with pytest.raises(DocumentUnreadable, match=reason):
            read_bytes(folder / name, max_bytes=1000)
