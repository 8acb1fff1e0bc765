"""The rules of the house: what must hold for every file, whoever wrote it.

Import directions are held by import-linter (`make check`); here is what it cannot see.
"""

import ast
import importlib
import json
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import distributions, version
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

import motet
from motet.errors import all_errors
from motet.settings import describe
from scripts import sizes, write_docs

ROOT = Path(__file__).resolve().parent.parent
PYTHON_FOLDERS = ("motet", "tests", "scripts", "examples")

TESTED_ELSEWHERE = {
    "motet.__main__": "one line; the wheel and the tests of the command line start it",
    "motet.setting_values": "the tests of the settings read through it",
    "motet.storage.migrations.env": "every test with a database runs it",
    "motet.storage.opening": "the tests of the engine open by it",
    "motet.storage.trouble": "the tests of the engine's trouble read what it says",
    "motet.sandbox.check": "the tests of the box run it",
    "motet.sandbox.recipe": "the tests of the box run what it says",
    "motet.runs.outside": "the tests of the app send on what is not the caller's own",
    "motet.runs.threads.base": "the tests of the threads go through it",
    "motet.runs.threads.copying": "the tests of the threads fork and copy",
    "motet.memory.saver.copying": "the tests of the upkeep copy",
    "motet.memory.saver.sweeping": "the tests of the upkeep delete and prune",
    "motet.runs.schedule_rows": "the tests of the schedules and of encryption read through it",
    "motet.runs.scopes": "the tests of the gate submit with few scopes",
    "motet.cli.mcp_approval": "the tests of MCP approve by it",
    "motet.egress.rules": "the tests of the client call through it",
    "motet.retrieval.base": "ports without behaviour",
    "motet.retrieval.copies": "the tests of the sync go through it",
    "motet.retrieval.places": "the tests of the sync go through it",
    "motet.retrieval.reports": "values without behaviour",
    "motet.retrieval.roots": "the tests of the sync go through it",
    "motet.retrieval.taking": "the tests of the collection and of the sync go through it",
    "motet.runs.log.base": "a port without behaviour",
    "motet.runs.queue.base": "a port without behaviour",
    "motet.cli.render.base": "a port without behaviour",
    "motet.cli.say": "the tests of the entry read what it prints",
    "motet.cli.screen.base": "a port without behaviour",
    "motet.cli.chat.asking": "the tests of the answers ask",
    "motet.cli.chat.command": "the chat is driven through its prompt, in a terminal and by lines",
    "motet.cli.chat.slash.files": "the tests of the slash commands run it",
    "motet.cli.chat.interactive": "the chat is driven through its prompt, in a terminal",
    "motet.cli.chat.prompt": "the chat is driven through its prompt, in a terminal",
    "motet.cli.chat.transcript": "the chat is driven through its prompt, in a terminal and by lines",
    "motet.cli.lists": "the tests of the commands read what it prints",
    "motet.cli.markdown.lines": "the tests of the terminal's screen read what it makes",
    "motet.cli.markdown.themes": "the tests of the slash commands choose them",
    "motet.cli.markdown.paint": "the tests of the terminal's screen read what it paints",
    "motet.models.cassette": "the tests of recordings read and write it",
    "motet.models.halt": "the tests of budgets and recordings raise it",
    "motet.models.replay": "the tests of recordings play through it",
    "motet.app.control": "the tests of budgets and recordings run with it",
    "motet.app.play": "the tests of recordings play through it",
    "motet.tools.ledger.recorded": "the tests of recordings play through it",
    "motet.runs.sync_steps": "the tests of the ledger and of the engine run with it",
    "motet.runs.attend": "the tests of budgets and recordings run with it",
    "motet.runs.model_calls": "the tests of usage and of budgets read what it reads",
    "motet.cli.run_budget": "the tests of the commands run it",
    "motet.cli.models": "the tests of the commands run it",
    "motet.cli.progress": "the tests of the commands run it",
    "motet.cli.runs": "the tests of the commands run it",
    "motet.cli.records": "the tests of the commands run it",
    "motet.cli.render.narrator": "the tests of the notes read what it tells",
    "motet.cli.render.outcome": "the tests of the answers and exit codes read what it gathers",
    "motet.runs.threads.points": "the tests of the threads fork and rewind at every kind of point",
    "motet.runs.threads.values": "the tests of the threads compare what they hold",
    "motet.cli.root": "the tests of the entry build it",
    "motet.runs.threads.importing": "the tests of the thread files import",
    "motet.runs.threads.transfer": "the tests of the thread files read and write every form",
    "motet.cli.screen.prompt": "the chat is driven through its prompt, in a terminal",
    "motet.cli.session": "the tests of the commands run through it",
    "motet.memory.classes": "the tests of the serialiser say which classes it lets through",
    "motet.memory.store_rows": "the tests of the store go through it",
    "motet.memory.store_texts": "the tests of the store go through it",
    "motet.memory.plain": "the tests of the serialiser go through it",
    "motet.models.embedded_check": "the tests of the embedded model run it",
    "motet.models.embedded_child": "the tests of the embedded model start it",
    "motet.models.embedded_server": "the tests of the embedded model start it",
    "motet.models.manifest": "the tests of the weights read it",
    "motet.models.scripted_http": "the tests of the scripted server speak through it",
    "motet.models.scripted_responses": "the conformance suite speaks it",
    "motet.models.stream_watch": "the tests of the chat model break every answer",
    "motet.models.weights_hub": "the tests of the weights fetch through it",
    "motet.models.weights_index": "the tests of the weights fetch through it",
    "motet.models.weights_partial": "the tests of the weights fetch through it",
    "motet.app.limits": "the tests of task files in an app set them",
    "motet.cli.task_asked": "the tests of running task files ask with it",
    "motet.cli.task_options": "the tests of running task files use them",
    "motet.cli.task_plan": "the tests of running task files show one",
    "motet.cli.task_questions": "the tests of running task files answer by option",
    "motet.cli.task_result": "the tests of running task files read it",
    "motet.tasks.actions": "the tests of the compiled graphs do every one",
    "motet.tasks.agent_tools": "the tests of the compiled graphs search by them",
    "motet.tasks.approval": "the tests of the compiled graphs ask",
    "motet.tasks.parts": "the tests of the compiled graphs are made of them",
    "motet.tasks.prices": "the tests of the plan ask for one",
    "motet.tasks.records": "the tests of the compiled graphs keep them",
    "motet.tasks.steps": "the tests of the compiled graphs do them",
    "motet.tools.own": "the tests of functions as tools read its lines",
    "motet.tasks.problems": "the tests of the checks read every kind",
    "motet.tasks.spec": "the tests of the checks and of loading go through it",
    "motet.tasks.starter": "the tests of the commands write it",
    "motet.models.weights_shelf": "the tests of the weights fetch through it",
}
"""Modules without a test file of their own, each with where it is tested or why it need not be."""

FLOORS = {
    "cryptography": "46.0.7",
    "langchain-core": "1.2.28",
    "langchain-openai": "1.1.14",
    "langgraph": "1.0.10",
    "langgraph-checkpoint": "4.0.0",
    "langgraph-checkpoint-sqlite": "3.0.1",
    "langgraph-sdk": "0.3.15",
    "langsmith": "0.7.31",
    "mcp": "1.28.1",
    "starlette": "1.0.1",
}
"""First versions without a known hole that would reach Motet; what is not installed is not asked for."""


def _modules() -> list[str]:
    """Name every module but the packages' own files and the migrations, which the tests of the schema all run."""
    paths = (path.relative_to(ROOT).with_suffix("") for path in (ROOT / "motet").rglob("*.py"))
    return sorted(
        ".".join(path.parts) for path in paths if path.name != "__init__" and path.parent.name != "versions"
    )


def _sources() -> Iterator[tuple[str, ast.Module]]:
    for folder in PYTHON_FOLDERS:
        for path in sorted((ROOT / folder).rglob("*.py")):
            yield path.relative_to(ROOT).as_posix(), ast.parse(path.read_text("utf-8"))


def _tracked() -> list[Path]:
    """Return what git knows or would add; everything but the usual leftovers where there is no git."""
    done = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard", "-z"], cwd=ROOT, capture_output=True, check=False
    )
    if done.returncode == 0:
        names = [name for name in done.stdout.decode().split("\0") if name]
    else:
        skipped = {".venv", ".git", "dist", "__pycache__", ".demo"}
        names = [str(path.relative_to(ROOT)) for path in ROOT.rglob("*") if not skipped & set(path.parts)]
    return [ROOT / name for name in names if (ROOT / name).is_file()]


# The front door


def test_the_front_door_is_sorted_and_every_name_opens() -> None:
    assert sorted(motet.__all__) == motet.__all__
    for name in motet.__all__:
        assert getattr(motet, name) is not None


def test_every_list_of_public_names_is_sorted_and_true() -> None:
    for path, tree in _sources():
        for node in tree.body:
            if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
                names: list[str] = ast.literal_eval(node.value)
                assert names == sorted(names), f"{path}: __all__ is not sorted"
                if path.startswith("motet/"):
                    name = path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
                    module = importlib.import_module(name)
                    assert [name for name in names if not hasattr(module, name)] == []


def test_every_import_string_leads_somewhere() -> None:
    """The tables of tools, agents, graphs and models are plain strings: `motet.room.file:name`."""
    found = 0
    for path, tree in _sources():
        if not path.startswith("motet/"):
            continue
        strings = (node.value for node in ast.walk(tree) if isinstance(node, ast.Constant))
        for string in strings:
            if match := re.fullmatch(r"(motet(?:\.\w+)+):(\w+)", string if isinstance(string, str) else ""):
                found += 1
                assert hasattr(importlib.import_module(match[1]), match[2]), f"{path}: {string}"
    assert found >= 5


# Light and silent imports

HEAVY = ("langchain", "langgraph", "openai", "langsmith", "faiss", "trafilatura")


def _run_and_look(code: str, tmp_path: Path) -> dict[str, object]:
    """Run code in a fresh process; return its sockets, its modules and its CPU seconds."""
    probe = (
        "import sys, time, json\n"
        f"sys.path.insert(0, {str(ROOT)!r})\n"
        "sockets = []\n"
        "sys.addaudithook(lambda event, _: sockets.append(event) if event.startswith('socket.') else None)\n"
        "began = time.process_time()\n"
        f"{code}\n"
        "report = {'sockets': sockets, 'cpu_s': time.process_time() - began, 'modules': sorted(sys.modules)}\n"
        "print('\\n' + json.dumps(report))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", probe], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    report: dict[str, object] = json.loads(done.stdout.splitlines()[-1])
    return report


def _loaded(report: dict[str, object], *names: str) -> list[str]:
    modules = report["modules"]
    assert isinstance(modules, list)
    return [str(module) for module in modules if str(module).startswith(names)]


def test_importing_motet_is_light_and_opens_no_socket(tmp_path: Path) -> None:
    report = _run_and_look("import motet", tmp_path)
    assert report["sockets"] == []
    assert _loaded(report, *HEAVY, "sqlalchemy", "pydantic", "numpy", "typer") == []
    assert float(str(report["cpu_s"])) < 0.5


@pytest.mark.parametrize(
    "arguments",
    [
        ["--help"],
        ["--version"],
        ["threads", "list"],
        ["threads", "list", "--json"],
        ["runs", "schedule", "list"],
    ],
    ids=" ".join,
)
def test_a_light_command_loads_no_model_library(arguments: list[str], tmp_path: Path) -> None:
    code = (
        "from motet.cli import main\n"
        f"sys.argv = ['motet', *{arguments!r}]\n"
        "try:\n    main()\n"
        "except SystemExit as end:\n    assert end.code in (0, None), end.code\n"
    )
    report = _run_and_look(code, tmp_path)
    assert _loaded(report, *HEAVY) == []
    assert "socket.connect" not in str(report["sockets"])


# Every module has its tests


def _test_names(module: str) -> set[str]:
    """Return the test files that may stand for a module: of its path, its room and name, its room, or its folder."""
    parts = module.split(".")[1:]
    folders = {"_".join(["test", *parts[:depth]]) for depth in range(1, len(parts))}
    return {"_".join(["test", *parts]), "_".join(["test", parts[0], parts[-1]])} | folders


def test_every_module_is_mirrored_by_a_test_file() -> None:
    stems = {path.stem for path in (ROOT / "tests").rglob("test_*.py")}
    modules = [module for module in _modules() if module not in TESTED_ELSEWHERE]
    assert [module for module in modules if not _test_names(module) & stems] == []


def test_the_table_of_exceptions_names_only_what_exists() -> None:
    assert sorted(TESTED_ELSEWHERE.keys() - set(_modules())) == []


# Documents say what the code says


@pytest.mark.parametrize("name", ["settings.md", "errors.md"])
def test_generated_documents_are_current(name: str) -> None:
    on_disk = (ROOT / "docs" / name).read_text("utf-8")
    assert on_disk == write_docs.documents()[name], "run: python -m scripts.write_docs"


def test_every_setting_and_every_error_is_documented() -> None:
    settings = (ROOT / "docs" / "settings.md").read_text("utf-8")
    errors = (ROOT / "docs" / "errors.md").read_text("utf-8")
    assert [variable for _, variable, _, _ in describe() if f"`{variable}`" not in settings] == []
    ours = {code for code, cls in all_errors().items() if cls.__module__ == "motet.errors"}
    assert sorted(code for code in ours if f"| `{code}` |" not in errors) == []


# What may not be in the tree


REVIVING_MODULES = (
    "pickle",
    "marshal",
    "shelve",
    "dill",
    "cloudpickle",
    "joblib",
    "langchain_core.load",
    "langchain_core.prompts.loading",
    "langchain_core.prompts.load_prompt",
)
REVIVING_CALLS = {
    "eval",
    "exec",
    "yaml.load",
    "yaml.load_all",
    "yaml.unsafe_load",
    "yaml.full_load",
    "torch.load",
}


def _revivals(tree: ast.Module) -> Iterator[str]:
    """Name what can turn data into code, with its line."""
    for node in ast.walk(tree):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        elif isinstance(node, ast.Call):
            if ast.unparse(node.func) in REVIVING_CALLS:
                yield f"{node.lineno} {ast.unparse(node.func)}()"
            if any(
                word.arg == "allow_pickle" and ast.unparse(word.value) != "False" for word in node.keywords
            ):
                yield f"{node.lineno} allow_pickle"
        for name in names:
            if any(f"{name}.".startswith(f"{m}.") for m in REVIVING_MODULES):
                yield f"{getattr(node, 'lineno', 0)} import {name}"


def test_nothing_revives_code_from_data() -> None:
    assert [f"{path}:{what}" for path, tree in _sources() for what in _revivals(tree)] == []


@pytest.mark.parametrize(
    "source",
    [
        "import pickle",
        "from langchain_core.load import load",
        "from langchain_core import load",
        "from langchain_core.prompts import load_prompt",
        "import yaml\nyaml.load('x')",
        "eval('1')",
        "np.load('x', allow_pickle=True)",
    ],
)
def test_what_revives_code_is_seen(source: str) -> None:
    assert list(_revivals(ast.parse(source))) != []


def test_no_file_names_a_package_registry() -> None:
    hosts = [".".join(parts) for parts in (("pypi", "org"), ("registry", "npmjs"), ("debian", "org"))]
    hosts.append("files." + "pythonhosted")
    found = [
        f"{path.relative_to(ROOT)}: {host}"
        for path in _tracked()
        for host in hosts
        if host.encode() in path.read_bytes()
    ]
    assert found == []


# Sizes only fall


def test_nothing_has_grown() -> None:
    assert sizes.grown(sizes.measure(), sizes.recorded()) == []


def test_the_recorded_sizes_are_sensible() -> None:
    recorded = sizes.recorded()
    assert recorded.keys() == sizes.CAPS.keys()
    assert [name for name, cap in sizes.CAPS.items() if recorded[name] > cap] == []


def test_the_ratchet_sees_a_long_function(tmp_path: Path) -> None:
    (tmp_path / "motet").mkdir()
    (tmp_path / "motet" / "long.py").write_text("def long():\n" + "    pass\n" * 100, "utf-8")
    grown = sizes.grown(
        sizes.measure(tmp_path), {"module_lines": 600, "function_lines": 80, "long_function_share": 1}
    )
    assert grown == ["function_lines is 101, recorded 80", "  motet/long.py:1 long: 101 lines"]


# Dependencies


def _pins(name: str) -> dict[str, set[str]]:
    pins: dict[str, set[str]] = {}
    for line in (ROOT / "requirements" / f"{name}.txt").read_text("utf-8").splitlines():
        if match := re.match(r"([a-z0-9.-]+)(?:\[[a-z,]+\])?==(\S+)", line):
            pins.setdefault(match[1], set()).add(match[2])
    return pins


def test_the_list_for_development_holds_the_one_for_running() -> None:
    run, dev = _pins("run"), _pins("dev")
    assert {name: pins for name, pins in run.items() if dev.get(name) != pins} == {}


def test_every_dependency_is_locked_within_its_range() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    groups = project["dependency-groups"]
    wanted = {"run": [*project["project"]["dependencies"], *groups["build"]], "dev": groups["dev"]}
    for name, lines in wanted.items():
        pins = _pins(name)
        for line in lines:
            if isinstance(line, str):
                requirement = Requirement(line)
                locked = pins.get(requirement.name.lower(), set())
                assert locked, f"{requirement.name} is not in requirements/{name}.txt. Run: make lock"
                assert all(pin in requirement.specifier for pin in locked), (
                    f"{line}: {locked}. Run: make lock"
                )


def test_nothing_installed_is_older_than_its_last_known_hole() -> None:
    installed = {distribution.name.lower() for distribution in distributions()}
    old = [
        f"{name} {version(name)} < {floor}"
        for name, floor in FLOORS.items()
        if name in installed and Version(version(name)) < Version(floor)
    ]
    assert old == []
    assert {"langgraph", "langchain-core", "langgraph-checkpoint"} <= installed


# One way out


OTHER_CLIENTS = {
    "motet/app/tracing.py": "sends spans to the collector that the operator named",
    "motet/egress/client.py": "the way out itself",
    "motet/tools/mcp/client.py": "gives a client of another library the way out's transport",
    "motet/models/faults.py": "names a client's errors, makes none",
    "motet/models/http_client.py": "what a model's server sends is held to limits; it opens nothing by itself",
    "motet/models/openai.py": "calls the model's server that the operator named",
    "motet/models/tokenizer.py": "asks the model's server that the operator named, by the client that calls it",
    "motet/models/weights_hub.py": "fetches weights from the hub that the operator named",
    "motet/retrieval/rerank.py": "calls the reranker that the operator named",
    "motet/tools/search_sources.py": "ddgs has a client of its own, for its own fixed list of search engines",
}
"""The only modules that may use a client of their own."""

_CLIENTS = re.compile(
    r"(?:httpx2?|requests|aiohttp|urllib3|pycurl|ddgs|primp|websockets|http\.client|ftplib|smtplib|telnetlib"
    r"|urllib\.request|xmlrpc)(?:\.|$)"
)
_CALLS = {"socket.create_connection", "asyncio.open_connection", "loop.create_connection"}


def _clients(tree: ast.Module) -> Iterator[str]:
    """Name what could call another machine, with its line."""
    for node in ast.walk(tree):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        elif isinstance(node, ast.Call) and ast.unparse(node.func) in _CALLS:
            yield f"{node.lineno} {ast.unparse(node.func)}()"
        if any(_CLIENTS.match(name) for name in names):
            yield f"{getattr(node, 'lineno', 0)} {names[0]}"


def test_nothing_calls_another_machine_but_the_way_out() -> None:
    found = [
        f"{path}:{what}"
        for path, tree in _sources()
        if path.startswith("motet/") and path not in OTHER_CLIENTS
        for what in _clients(tree)
    ]
    assert found == []
    assert [path for path in OTHER_CLIENTS if not (ROOT / path).is_file()] == []


@pytest.mark.parametrize(
    "source",
    [
        "import httpx",
        "import httpx2",
        "from urllib.request import urlopen",
        "from urllib import request",
        "import http.client",
        "asyncio.open_connection('x', 1)",
    ],
)
def test_another_client_is_seen(source: str) -> None:
    assert list(_clients(ast.parse(source))) != []
