"""Question sets from documents in Debian packages: each section a document, its title and its first sentence questions.

Run it with `python -m benchmarks.questions`. It downloads two packages with `apt-get download` (nothing is installed,
and nothing of them is kept in the repository), and writes documents and questions into benchmarks/out/questions.

What is relevant is known, since a question was taken out of its document: the document of a section has neither its
title nor its first sentence. Titles are short and say what it is about; first sentences are long and in other words.
The books are debian-reference-en and debian-reference-zh-cn (GPL-2+), the same book in two languages.
"""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from lxml import html

if TYPE_CHECKING:
    from collections.abc import Iterator

OUT = Path("benchmarks/out/questions")
PACKAGES = {"en": "debian-reference-en", "zh": "debian-reference-zh-cn"}
MIN_CHARS = {"en": 240, "zh": 120}
"""A section with less text than this, title and first sentence left out, is no document."""
MIN_SENTENCE = {"en": 40, "zh": 16}
MAX_SENTENCE = 300

_NUMBER = re.compile(r"^(?:[\dA-Z]+\.)+\s*(?:[\d.]+\s*)?|^第\s*\d+\s*章\.?\s*")
_END = re.compile(r"(?<=[。！？])|(?<=[.!?])\s+(?=[A-Z\"'(])")


@dataclass(frozen=True, slots=True)
class Section:
    """One section of a book."""

    name: str
    title: str
    first: str
    text: str


def main() -> None:
    """Write every set and say how large each is."""
    for language in PACKAGES:
        folder, questions = write(language)
        print(
            f"{language}: {len(list(folder.iterdir()))} documents, {len(questions)} questions in {folder.parent}"
        )


def write(language: str) -> tuple[Path, list[dict[str, object]]]:
    """Write one language's documents and questions; return the folder of documents and the questions.

    What is there already is not made again.
    """
    folder = OUT / language / "documents"
    file = OUT / language / "questions.jsonl"
    if not file.exists():
        folder.mkdir(parents=True, exist_ok=True)
        lines: list[str] = []
        for section in sections(book(language), language):
            (folder / section.name).write_text(section.text + "\n", "utf-8")
            for kind, question in (("title", section.title), ("sentence", section.first)):
                asked = {"question": question, "relevant": [section.name], "kind": kind}
                lines.append(json.dumps(asked, ensure_ascii=False))
        file.write_text("\n".join(lines) + "\n", "utf-8")
    return folder, [json.loads(line) for line in file.read_text("utf-8").splitlines()]


def book(language: str) -> list[Path]:
    """Return a book's chapters."""
    return sorted((unpacked(PACKAGES[language]) / "usr/share/debian-reference").glob("ch*.html"))


def unpacked(package: str) -> Path:
    """Return the folder of a Debian package's files, downloaded when it is not there."""
    folder = OUT / "packages"
    into = folder / package
    if not into.exists():
        folder.mkdir(parents=True, exist_ok=True)
        try:
            subprocess.run(
                ["apt-get", "download", "-q", package],  # noqa: S607  # the system's
                cwd=folder,
                check=True,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            (archive,) = folder.glob(f"{package}_*.deb")
            subprocess.run(["dpkg-deb", "-x", archive, into], check=True)  # noqa: S607
        except (OSError, subprocess.CalledProcessError) as error:
            sys.exit(
                f"{package} cannot be had: {error}. It needs apt-get and dpkg-deb, on Debian or a relative."
            )
    return into


def sections(chapters: list[Path], language: str) -> Iterator[Section]:
    """Yield the sections of a book that can be asked about; of equal titles the first alone."""
    seen: set[str] = set()
    for chapter in chapters:
        tree = html.fromstring(chapter.read_bytes())
        for found in tree.xpath('//div[@class="section"]'):
            section = _section(found, language)
            if section is not None and section.title not in seen:
                seen.add(section.title)
                yield section


def _section(found: html.HtmlElement, language: str) -> Section | None:
    titles = found.xpath('./div[@class="titlepage"]//*[@class="title"]')
    own = [part for part in found if part.get("class") not in ("titlepage", "section")]
    blocks = [" ".join(part.text_content().split()) for part in own]
    text = "\n\n".join(block for block in blocks if block)
    if not titles or not text:
        return None
    title = _NUMBER.sub("", " ".join(titles[0].text_content().split()))
    first = _END.split(text, maxsplit=1)[0].strip()
    rest = text[len(first) :].strip()
    usable = MIN_SENTENCE[language] <= len(first) <= MAX_SENTENCE and "\n" not in first
    if not usable or len(rest) < MIN_CHARS[language] or len(title) < 4:
        return None
    name = (
        hashlib.sha256(title.encode()).hexdigest()[:10] + ".txt"
    )  # the title is a question: it stands nowhere
    return Section(name, title, first, rest)


if __name__ == "__main__":
    main()
