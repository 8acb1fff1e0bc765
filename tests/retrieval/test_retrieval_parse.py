import asyncio
import contextlib
import signal
import sys
from pathlib import Path

import pytest
from poison import REFUSED, TAKEN, pdf_of_points, picture_bomb

from motet.errors import DocumentUnreadable
from motet.retrieval.base import LoadedDocument, Section
from motet.retrieval.load import read_bytes
from motet.retrieval.parse.base import ParseLimits
from motet.retrieval.parse.command import CommandParser
from motet.retrieval.parse.launch import Launcher
from motet.retrieval.parse.process import ParserProcess, build_parser
from motet.retrieval.parse.wire import (
    BrokenAnswer,
    decode_head,
    document_frame,
    encode,
    to_document,
)
from motet.sandbox.box import Sandbox
from motet.settings import RetrievalSettings

GOOD = b"# Fares\n\nAn adult pays 64.\n"
LIMITS = ParseLimits(wall_s=30)


async def refusal(parser: ParserProcess | CommandParser, data: bytes, name: str) -> str:
    with pytest.raises(DocumentUnreadable) as caught:
        await parser.parse(data, Path(name))
    return caught.value.message


async def test_a_document_comes_back_whole_and_the_process_serves_the_next() -> None:
    parser = ParserProcess()
    first = await parser.parse(GOOD, Path("fares.md"))
    assert first == LoadedDocument(GOOD.decode(), "Fares", [Section("\nAn adult pays 64.\n", 8, "Fares")])
    child = parser._child
    assert (await parser.parse("# 票价\n\n成人 64 元".encode(), Path("票价.md"))).title == "票价"
    assert parser._child is child
    await parser.aclose()
    await parser.aclose()
    assert (await parser.parse(GOOD, Path("fares.md"))).title == "Fares"
    await parser.aclose()


@pytest.mark.skipif(sys.platform != "linux", reason="what it guards is Linux's")
async def test_a_large_process_does_not_make_its_parser_look_large() -> None:
    ballast = b"x" * (160 * 1024 * 1024)
    parser = ParserProcess(ParseLimits(memory_bytes=256 * 1024 * 1024))
    await parser.parse(GOOD, Path("fares.md"))
    child = parser._child
    await parser.parse(GOOD, Path("fares.md"))
    assert parser._child is child is not None
    await parser.aclose()
    del ballast


async def test_every_poison_is_one_typed_error_or_a_document_and_the_parser_lives_on() -> None:
    parser = ParserProcess(LIMITS)
    for case, (name, make, reason) in REFUSED.items():
        with pytest.raises(DocumentUnreadable, match=reason) as caught:
            await parser.parse(make(), Path(name))
        assert "_clean" not in caught.value.fields, case
        assert caught.value.message.startswith(f"{name}: "), case
    for case, (name, make) in TAKEN.items():
        assert (await parser.parse(make(), Path(name))).text.strip(), case
    assert (await parser.parse(GOOD, Path("fares.md"))).title == "Fares"
    await parser.aclose()


async def test_what_is_cut_off_anywhere_is_one_typed_error_or_a_document(tmp_path: Path) -> None:
    parser = ParserProcess(LIMITS)
    whole = {
        "a.docx": picture_bomb(),
        "a.pdf": pdf_of_points(),
        "a.csv": b"a,b\n" * 5000,
        "a.json": b"[1," * 5000,
    }
    for name, data in whole.items():
        for length in range(1, len(data), max(4096, len(data) // 8)):
            with contextlib.suppress(DocumentUnreadable):
                await parser.parse(data[:length], Path(name))
    assert (await parser.parse(GOOD, Path("fares.md"))).title == "Fares"
    await parser.aclose()


async def test_a_file_that_is_too_large_is_not_read(tmp_path: Path) -> None:
    """Its size is looked at, not its bytes: it has a hole of 100 MB."""
    path = tmp_path / "a.pdf"
    with path.open("wb") as file:
        file.write(b"%PDF-1.7\n")
        file.truncate(100_000_000)
    with pytest.raises(DocumentUnreadable, match="50"):
        read_bytes(path, max_bytes=50_000_000)


PROGRAM = """
import os
from motet.retrieval import load
from motet.retrieval.parse import child
def bad(data, path):
    {code}
load.load_document = bad
sys.exit(child.main())
"""


def breaking(code: str, limits: ParseLimits = LIMITS, sandbox: Sandbox | None = None) -> ParserProcess:
    """Return a parser whose loader does something bad to its process."""
    return ParserProcess(limits, Launcher(sandbox, code=PROGRAM.format(code=code)))


SHOWN = """
    import json
    from motet.retrieval.base import LoadedDocument, Section
    text = json.dumps(dict(os.environ))
    return LoadedDocument(text, "t", [Section(text, 0)])
"""

BAD = {
    "too much memory": ("return bytearray(2_000_000_000)", "takes too much memory"),
    "an exception": ("raise KeyError('x' * 9999)", "its loader failed \\(KeyError"),
    "a crash": (f"os.kill(os.getpid(), {int(signal.SIGSEGV)})", "broke off \\(SIGSEGV\\)"),
    "an end": ("os._exit(3)", "broke off \\(status 3\\)"),
    "no document": ("return 5", "its loader failed"),
    "a file": ("open('written', 'wb', buffering=0).write(b'x')", "its loader failed \\(OSError|broke off"),
}


@pytest.mark.skipif(sys.platform != "linux", reason="the limits are Linux's")
@pytest.mark.parametrize("case", list(BAD))
async def test_what_a_loader_does_to_its_process_is_one_typed_error(
    case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code, reason = BAD[case]
    monkeypatch.chdir(tmp_path)
    parser = breaking(code)
    with pytest.raises(DocumentUnreadable, match=reason) as caught:
        await parser.parse(GOOD, Path("fares.md"))
    assert len(caught.value.message) < 700
    assert parser._child is None or parser._child.has_ended
    await parser.aclose()


@pytest.mark.skipif(sys.platform != "linux", reason="the limits are Linux's")
async def test_a_document_that_takes_too_long_is_given_up() -> None:
    waits = breaking("import time; time.sleep(600)", ParseLimits(wall_s=0.5))
    assert "took more than 0.5 s" in await refusal(waits, GOOD, "a.md")
    works = breaking("\n    while True: pass", ParseLimits(wall_s=1))
    assert "took more than 1 s" in await refusal(works, GOOD, "a.md")


async def test_an_answer_that_is_too_long_is_refused() -> None:
    parser = ParserProcess(ParseLimits(output_bytes=10))
    assert "answered nonsense" in await refusal(parser, GOOD, "a.md")


@pytest.mark.skipif(sys.platform != "linux", reason="the limits are Linux's")
async def test_the_process_is_given_no_variable_of_its_parents(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")
    parser = breaking(SHOWN)
    try:
        text = (await parser.parse(GOOD, Path("a.md"))).text
    finally:
        await parser.aclose()
    assert "sk-secret" not in text
    assert "HOME" not in text


async def test_a_cancelled_parse_ends_its_process() -> None:
    parser = breaking("import time; time.sleep(600)")
    task = asyncio.create_task(parser.parse(GOOD, Path("a.md")))
    while (child := parser._child) is None:  # noqa: ASYNC110  # nobody tells
        await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await child.wait() == -signal.SIGKILL


# The frames


def test_a_document_survives_its_frame() -> None:
    document = LoadedDocument("ab票价", "T", [Section("b票", 1, "H", 2)])
    frame = document_frame(document, tired=True)
    head = decode_head(frame[12 : 12 + int.from_bytes(frame[:4])])
    assert head["tired"] is True
    assert to_document(head, document.text.encode()) == document


@pytest.mark.parametrize(
    "head",
    [
        {"sections": [[0, 99, "", None]]},
        {"sections": [[2, 1, "", None]]},
        {"sections": [[0, 1]]},
        {"sections": 5},
        {},
        {"sections": [["a", "b", "", None]]},
    ],
)
def test_an_answer_of_another_shape_is_refused(head: dict[str, object]) -> None:
    with pytest.raises(BrokenAnswer):
        to_document(head, b"abc")


@pytest.mark.parametrize("head", [b"[]", b"{", b"[" * 100_000, b"\xff"])
def test_a_head_that_is_no_object_is_refused(head: bytes) -> None:
    with pytest.raises(BrokenAnswer):
        decode_head(head)


def test_a_frame_says_how_long_it_is() -> None:
    frame = encode({"a": 1}, b"body")
    assert int.from_bytes(frame[:4]) == len(b'{"a": 1}')
    assert frame.endswith(b"body")


# Commands of the operator's


def commands(*command: str, limits: ParseLimits = LIMITS) -> CommandParser:
    return CommandParser(ParserProcess(limits), {".doc": [sys.executable, *command]}, limits)


async def test_a_command_reads_its_ending_and_the_others_stay() -> None:
    parser = commands("-c", "import sys; print('# Memo\\n\\n' + open(sys.argv[1]).read().upper())", "{path}")
    assert parser.reads(Path("a.DOC"))
    assert parser.reads(Path("a.md"))
    assert not parser.reads(Path("a.xyz"))
    document = await parser.parse(b"dear all", Path("memo.doc"))
    assert (document.title, document.sections[0].text.strip()) == ("Memo", "DEAR ALL")
    assert (await parser.parse(GOOD, Path("fares.md"))).title == "Fares"
    await parser.aclose()


async def test_form_feeds_of_a_command_end_pages() -> None:
    parser = commands("-c", "print('one\\ftwo')")
    assert [section.page for section in (await parser.parse(b"x", Path("a.doc"))).sections] == [1, 2]
    await parser.aclose()


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("raise SystemExit(4)", "failed with status 4"),
        ("pass", "printed no text"),
        ("import time; time.sleep(600)", "took more than"),
        ("print('x' * 5_000_000)", "printed too much"),
    ],
)
async def test_a_command_that_fails_is_one_typed_error(code: str, reason: str) -> None:
    parser = commands("-c", code, limits=ParseLimits(wall_s=3, output_bytes=1_000_000))
    assert reason in await refusal(parser, b"x", "a.doc")
    await parser.aclose()


async def test_a_command_that_is_not_there_is_one_typed_error(tmp_path: Path) -> None:
    parser = build_parser(RetrievalSettings(), {".doc": [str(tmp_path / "no-such-program")]})
    assert isinstance(parser, CommandParser)
    assert "is not there" in await refusal(parser, b"x", "a.doc")
