"""Hostile documents and operators' commands in the sandbox, and what is done where there is none."""

import asyncio
import socket
from pathlib import Path

import pytest
from poison import REFUSED, TAKEN

from motet.errors import DocumentUnreadable, SandboxUnavailable
from motet.retrieval.check import check_parser
from motet.retrieval.parse import launch
from motet.retrieval.parse.base import ParseLimits
from motet.retrieval.parse.command import CommandParser
from motet.retrieval.parse.launch import CODE, Launcher, NotStarted
from motet.retrieval.parse.process import ParserProcess, build_launcher, build_parser
from motet.sandbox.box import SYSTEM_PYTHON, Sandbox
from motet.settings import RetrievalSettings, SandboxSettings, Settings

PROBLEM = asyncio.run(Launcher(Sandbox(SandboxSettings())).problem())
needs_box = pytest.mark.skipif(bool(PROBLEM), reason=f"documents are not read in a sandbox here: {PROBLEM}")
needs_python = pytest.mark.skipif(not Path(SYSTEM_PYTHON).exists(), reason=f"There is no {SYSTEM_PYTHON}.")

GOOD = b"# Fares\n\nAn adult pays 64.\n"

TAKEN_OVER = """
from motet.retrieval import load
from motet.retrieval.base import LoadedDocument, Section
def obey(data, path):
    said = []
    exec(data.decode(), {"said": said})
    text = "\\n".join(map(str, said)) or "nothing"
    return LoadedDocument(text, "t", [Section(text, 0)])
load.load_document = obey
"""
"""A loader with the worst of all flaws: it does what the document says."""


def nowhere() -> Sandbox:
    return Sandbox(SandboxSettings(bwrap="/nonexistent/bwrap"))


def trying(*attempts: str) -> str:
    """Return Python's code that makes each attempt, and says how it ended."""
    return "\n".join(
        f"try:\n    said.append({one})\nexcept Exception as error:\n    said.append(type(error).__name__)"
        for one in attempts
    )


@needs_box
async def test_a_document_that_takes_the_parser_over_gets_nowhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_text("s3cret", "utf-8")
    monkeypatch.setenv("OPENAI_API_KEY", "s3cret")
    parser = ParserProcess(launcher=Launcher(Sandbox(SandboxSettings()), code=f"{TAKEN_OVER}\n{CODE}"))
    with socket.create_server(("127.0.0.1", 0)) as host:
        host.setblocking(False)
        port = host.getsockname()[1]
        code = trying(
            "open('/etc/passwd').read()",
            f"open({str(secret)!r}).read()",
            f"__import__('os').listdir({str(tmp_path)!r})",
            f"__import__('socket').create_connection(('127.0.0.1', {port}), 2)",
            "__import__('socket').getaddrinfo('example.com', 80)",
            "open('/written', 'w')",
            "open('/box/written', 'wb', buffering=0).write(b'x')",
            f"open({str(Path(__file__).parent / 'written')!r}, 'w')",
            "__import__('os').environ.get('OPENAI_API_KEY')",
            "len(open('/proc/net/dev').readlines())",
            "__import__('os').kill(1, 0)",
        )
        text = (await parser.parse(code.encode(), Path("a.md"))).text
        with pytest.raises(BlockingIOError):
            host.accept()
    await parser.aclose()
    assert text.split("\n") == [
        *("FileNotFoundError", "FileNotFoundError", "FileNotFoundError"),
        *("ConnectionRefusedError", "gaierror"),
        *("OSError", "OSError", text.split("\n")[7]),
        *("None", "3", text.split("\n")[10]),
    ]
    assert text.split("\n")[7] in {"FileNotFoundError", "OSError"}
    assert text.split("\n")[10] in {"None", "PermissionError"}
    assert not (Path(__file__).parent / "written").exists()


@needs_box
@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("bytearray(2_000_000_000)", "takes too much memory"),
        ("__import__('os').kill(__import__('os').getpid(), 11)", "broke off \\(SIGSEGV\\)"),
        ("__import__('os')._exit(3)", "broke off \\(status 3\\)"),
        ("__import__('time').sleep(600)", "took more than 2 s"),
    ],
)
async def test_what_breaks_in_the_sandbox_is_one_typed_error_and_the_next_is_read(
    code: str, reason: str
) -> None:
    limits = ParseLimits(wall_s=2)
    parser = ParserProcess(limits, Launcher(Sandbox(SandboxSettings()), code=f"{TAKEN_OVER}\n{CODE}"))
    with pytest.raises(DocumentUnreadable, match=reason):
        await parser.parse(code.encode(), Path("a.md"))
    assert (await parser.parse(b"said.append(5)", Path("b.md"))).text == "5"
    await parser.aclose()


@needs_box
async def test_poison_is_refused_and_the_rest_is_read_in_the_sandbox() -> None:
    parser = build_parser(RetrievalSettings(), sandbox=Sandbox(SandboxSettings()))
    for name, make, reason in list(REFUSED.values())[::4]:
        with pytest.raises(DocumentUnreadable, match=reason):
            await parser.parse(make(), Path(name))
    for name, make in TAKEN.values():
        assert (await parser.parse(make(), Path(name))).text.strip()
    assert isinstance(parser, ParserProcess)
    child = parser._child
    assert (await parser.parse(GOOD, Path("票价.md"))).title == "Fares"
    assert parser._child is child is not None
    await parser.aclose()


# Where there is none


async def test_without_a_sandbox_documents_are_read_under_limits_and_that_is_said_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    said = list[str]()
    monkeypatch.setattr(launch.logger, "warning", lambda text, *about: said.append(text % about))
    launcher = Launcher(nowhere())
    for _ in range(2):
        parser = ParserProcess(launcher=launcher)
        assert (await parser.parse(GOOD, Path("fares.md"))).title == "Fares"
        await parser.aclose()
    [told] = said
    assert "outside of the sandbox, under limits. The program bwrap is not installed" in told


async def test_where_a_sandbox_is_required_nothing_is_read_without_one() -> None:
    settings = RetrievalSettings(parse_sandbox="require")
    parser = build_parser(settings, {".doc": ["cat"]}, sandbox=nowhere())
    for name in ("a.md", "a.doc"):
        with pytest.raises(SandboxUnavailable, match=r"No document is read: .* bwrap"):
            await parser.parse(GOOD, Path(name))


@needs_box
async def test_once_it_was_there_a_process_is_never_started_outside() -> None:
    launcher = Launcher(Sandbox(SandboxSettings()))
    await (await launcher.start(ParseLimits())).end()
    launcher.code = "print('no such thing'); sys.exit(5)"
    with pytest.raises(NotStarted):
        await launcher.start(ParseLimits())


async def test_a_sandbox_that_does_not_start_this_python_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    launcher = Launcher(Sandbox(SandboxSettings()), is_required=True, code="sys.exit('no library')")
    with pytest.raises(SandboxUnavailable, match="no library" if not PROBLEM else "No document is read"):
        await launcher.start(ParseLimits())


def test_the_setting_says_where_documents_are_read() -> None:
    box = nowhere()
    assert build_launcher(RetrievalSettings(), box) == Launcher(box)
    assert build_launcher(RetrievalSettings(parse_sandbox="require"), box) == Launcher(box, is_required=True)
    assert build_launcher(RetrievalSettings(parse_sandbox="off"), box) == Launcher(None)


def test_the_check_up_says_where_documents_are_read(settings: Settings) -> None:
    none = settings.replace(sandbox__bwrap="/nonexistent/bwrap")
    [outside] = check_parser(none)
    assert (outside.ok, "outside of the sandbox, under limits: The program" in outside.detail) == (True, True)
    [refused] = check_parser(none.replace(retrieval__parse_sandbox="require"))
    assert (refused.ok, "not possible" in refused.detail) == (False, True)
    [off] = check_parser(settings.replace(retrieval__parse_sandbox="off"))
    assert "MOTET_PARSE_SANDBOX is off" in off.detail
    if not PROBLEM:
        assert check_parser(settings)[0].detail == "in the sandbox, under limits"


# Commands of the operator's


def boxed(*command: str, limits: ParseLimits | None = None, folders: tuple[Path, ...] = ()) -> CommandParser:
    launcher = Launcher(Sandbox(SandboxSettings()))
    limits = limits or ParseLimits(wall_s=30)
    inner = ParserProcess(limits, launcher)
    return CommandParser(inner, {".doc": list(command)}, limits, launcher=launcher, folders=folders)


@needs_box
@needs_python
async def test_a_command_sees_its_file_and_nothing_else_of_the_machine(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("s3cret", "utf-8")
    code = (
        "import os, sys; print('# Memo\\n'); print(open(sys.argv[1]).read(), os.path.exists('/etc/passwd'), "
        f"os.path.exists({str(tmp_path)!r}), os.getuid() == 0, os.access(sys.argv[1], os.W_OK)); open('scratch', 'w')"
    )
    parser = boxed(SYSTEM_PYTHON, "-c", code, "{path}")
    document = await parser.parse("亲爱的".encode(), Path("memo.DOC"))
    await parser.aclose()
    assert (document.title, document.sections[0].text.strip()) == ("Memo", "亲爱的 False False False False")


@needs_box
async def test_a_command_is_shown_what_it_names_and_what_the_operator_names(tmp_path: Path) -> None:
    script = tmp_path / "read.sh"
    script.write_text('cat "$2" "$1"\n', "utf-8")
    more = tmp_path / "more"
    more.mkdir()
    (more / "header.md").write_text("# Header\n\n", "utf-8")
    for path in (script, more / "header.md"):
        path.chmod(0o644)
    parser = boxed("/bin/sh", str(script), "{path}", str(more / "header.md"))
    assert (await parser.parse(b"text", Path("a.doc"))).title == "Header"
    await parser.aclose()
    hidden = boxed("/bin/sh", "-c", f"cat {more}/header.md", folders=())
    with pytest.raises(DocumentUnreadable, match=r"failed with status 1.*MOTET_PARSE_FOLDERS"):
        await hidden.parse(b"text", Path("a.doc"))
    shown = boxed("/bin/sh", "-c", f"cat {more}/header.md; echo text", folders=(more,))
    assert (await shown.parse(b"text", Path("a.doc"))).title == "Header"
    await shown.aclose()


@needs_box
@pytest.mark.parametrize(
    ("code", "reason"),
    [("sleep 600", "took more than 1 s"), ("yes", "printed too much"), ("exit 4", "failed with status 4")],
)
async def test_a_command_that_fails_in_the_sandbox_is_one_typed_error(code: str, reason: str) -> None:
    parser = boxed("/bin/sh", "-c", code, limits=ParseLimits(wall_s=1, output_bytes=100_000))
    with pytest.raises(DocumentUnreadable, match=reason):
        await parser.parse(b"x", Path("a.doc"))
