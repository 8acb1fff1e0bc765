"""`motet task test`: the tests that a task file brings, each in a place of its own, and what failed.

What does not live here: the checks (`motet.tasks.expect`).

A test runs through the same gate and engine as any run, in a data folder that is made for it and thrown away. Its
artifacts go there too. With a scripted model no other machine is asked for an answer; with a recording (`replay:FILE`)
no model and no tool is called at all. `--record` makes the recordings.
"""

from __future__ import annotations

import asyncio
import dataclasses
import tempfile
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from motet.cli import exit_codes
from motet.cli.lists import AsJson, print_json
from motet.cli.task_files import File, load

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from motet.app import App
    from motet.cli.task_result import TaskResult
    from motet.settings import Settings
    from motet.tasks.expect import Came
    from motet.tasks.junit import Case
    from motet.tasks.load import TaskFile
    from motet.tasks.spec import Check, Test

MARKS = {"done": "✓", "failed": "✗"}
BESIDE = ("replay", "scripted")
"""Providers whose models are files: beside the task file."""


@dataclass(slots=True)
class Tested:
    """What became of one test."""

    name: str
    seconds: float = 0.0
    faults: list[str] = field(default_factory=list[str])
    skipped: list[str] = field(default_factory=list[str])
    """Checks that nobody could make, each with why."""

    def case(self) -> Case:
        """Return it as a test case of a report."""
        from motet.tasks.junit import Case

        told = "\n".join([*self.faults, *(f"not checked: {why}" for why in self.skipped)])
        return Case(self.name, "failed" if self.faults else "done", self.seconds, told)


def run_tests(
    file: File,
    *,
    only: Annotated[
        str | None, typer.Option("--only", metavar="NAME", help="Only tests whose name has this.")
    ] = None,
    junit: Annotated[
        Path | None, typer.Option("--junit", metavar="FILE", help="Write a JUnit report.")
    ] = None,
    record: Annotated[
        bool,
        typer.Option(
            "--record",
            help="Run tests whose model is replay:FILE with a real model, and write FILE; then play it.",
        ),
    ] = False,
    model: Annotated[
        str | None,
        typer.Option(
            "--model", metavar="SPEC", help="The model that is recorded; the file's own unless given."
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Run the tests of a task file; exit with 1 when one fails."""
    from motet.settings import Settings

    loaded = load(file)
    chosen = _chosen(loaded, only)
    settings = Settings.load()
    results: list[Tested] = []
    for found in chosen:
        fault = asyncio.run(record_test(loaded, found, settings, model)) if record else ""
        tested = (
            Tested(found.name, faults=[fault]) if fault else asyncio.run(run_test(loaded, found, settings))
        )
        results.append(tested)
        if not as_json:
            _print(tested)
    if as_json:
        print_json([dataclasses.asdict(tested) for tested in results])
    if junit is not None:
        from motet.tasks.junit import write_junit

        write_junit(junit, loaded.task.name, [tested.case() for tested in results])
    if any(tested.faults for tested in results):
        raise typer.Exit(exit_codes.FAILED)


def _chosen(file: TaskFile, only: str | None) -> list[Test]:
    """Return the tests whose name has a text; every one unless it is given."""
    from motet.errors import NotFound

    chosen = [found for found in file.task.tests if only is None or only in found.name]
    if not chosen:
        names = ", ".join(found.name for found in file.task.tests) or "none"
        raise NotFound(f"{file.file} has no such test. Its tests: {names}.")
    return chosen


async def run_test(file: TaskFile, found: Test, settings: Settings) -> Tested:
    """Run one test in a folder of its own, and hold what came out against what it asserts."""
    from motet.errors import MotetError

    tested = Tested(found.name)
    inputs: dict[str, Any] = {}
    path = _recording(file, found)
    if path is not None and not path.exists():
        tested.faults.append(f"there is no recording {path}: 'motet task test {file.file} --record' makes it")
        return tested
    try:
        async with _place(file, _model(file, found), settings) as (app, own):
            result = await _run(app, own, found, inputs)
            tested.seconds = round(result.outcome.duration_s, 3)
            fault = _ending(result)
            if fault:
                tested.faults.append(fault)
                return tested
            came = _came(app, inputs, result)
            for check in found.assert_:
                await _check(check, came, app.settings, tested)
    except MotetError as error:
        tested.faults.append(error.message)
    return tested


async def record_test(file: TaskFile, found: Test, settings: Settings, model: str | None) -> str:
    """Run a test with a real model and write its recording; return why there is none, "" where there is one.

    A test whose model is no recording is left as it is.
    """
    from motet.errors import MotetError

    path = _recording(file, found)
    if path is None:
        return ""
    try:
        async with _place(file, model, settings) as (app, own):
            result = await _run(app, own, found, {}, record=True)
            fault = _ending(result)
            if not fault:
                cassette = app.recordings.redacted(
                    await app.recordings.of(app.tenant_id, result.outcome.run_id)
                )
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text("".join(cassette.lines()), "utf-8")
            return f"not recorded: {fault}" if fault else ""
    except MotetError as error:
        return f"not recorded: {error.message}"


@asynccontextmanager
async def _place(
    file: TaskFile, model: str | None, settings: Settings
) -> AsyncGenerator[tuple[App, TaskFile]]:
    """Open an app over a data folder that is thrown away; give it with the file as it runs there."""
    from motet.app import build_app
    from motet.tasks.trust import is_trusted, trust

    with tempfile.TemporaryDirectory(prefix="motet-test-") as folder:
        home = Path(folder)
        own = dataclasses.replace(file, model=model, save_to=home / "artifacts")
        if is_trusted(settings.storage.home, file.digest):
            trust(home, own)
        async with build_app(_settings(settings, home)) as app:
            yield app, own


async def _run(
    app: App, file: TaskFile, found: Test, inputs: dict[str, Any], *, record: bool = False
) -> TaskResult:
    """Run a test's run; its inputs are put into `inputs`, those with a default too."""
    from motet.cli.task_asked import options_of, take_documents
    from motet.cli.task_result import TaskResult
    from motet.runs.request import RunRequest
    from motet.tasks.inputs import complete

    inputs |= complete(file.task, found.inputs)
    await take_documents(app, file, inputs)
    options = (await options_of(app, file)).model_copy(update={"record": record or None})
    if file.model is not None and file.model.startswith("replay:"):  # tools' results are played too
        options = options.model_copy(update={"model": file.model})
    request = RunRequest(
        graph="task",
        input={"inputs": inputs, "control": {"approved": list(found.approve)}},
        options=options,
    )
    result = TaskResult(file.task.name)
    async for recorded in app.stream(request):
        result.show(recorded)
    return result


def _ending(result: TaskResult) -> str:
    """Return why a run has no outcome to look at; "" when it has."""
    outcome = result.outcome
    if outcome.status == "interrupted":
        asked = [question.value for question in outcome.questions]
        return f"it waits for a person: {asked}; name the step under approve"
    if outcome.status != "success":
        return str((outcome.error or {}).get("message", outcome.status))
    return ""


async def _check(check: Check, came: Came, settings: Settings, tested: Tested) -> None:
    from motet.tasks.expect import fault

    if check.type == "rubric" and not (check.model or settings.models.judge):
        tested.skipped.append(
            f"rubric '{check.value}': no judge; name a model in it, or set MOTET_MODEL_JUDGE"
        )
        return
    wrong = await fault(check, came)
    if wrong:
        tested.faults.append(wrong)


def _came(app: App, inputs: dict[str, Any], result: TaskResult) -> Came:
    from motet.agents.judge import Judge
    from motet.agents.prompts import Prompts
    from motet.tasks.expect import Came

    prompts = Prompts.of(app.settings.agents)
    outputs = result.outputs or {}
    done = [name for name, step in result.steps.items() if step["status"] == "done"]
    value = next(iter(outputs.values())) if len(outputs) == 1 else outputs
    return Came(
        value,
        {"inputs": inputs, "outputs": outputs},
        citations=[passage.model_dump(mode="json") for passage in result.outcome.citations],
        steps=done,
        tools=result.tools,
        tokens=result.outcome.input_tokens + result.outcome.output_tokens,
        seconds=result.outcome.duration_s,
        judge=Judge(lambda spec: app.models.chat("judge", spec), prompts),
    )


def _model(file: TaskFile, found: Test) -> str | None:
    """Return the test's model; one that is a file lies beside the task file."""
    from motet.models.base import ModelSpec

    if found.model is None:
        return None
    spec = ModelSpec.parse(found.model)
    return f"{spec.provider}:{file.folder / spec.name}" if spec.provider in BESIDE else found.model


def _recording(file: TaskFile, found: Test) -> Path | None:
    """Return the recording that a test plays; None where its model is another."""
    model = _model(file, found) or ""
    return Path(model.removeprefix("replay:")) if model.startswith("replay:") else None


def _settings(settings: Settings, home: Path) -> Settings:
    return settings.replace(storage__home=home, storage__database_url=f"sqlite:///{home / 'motet.db'}")


def _print(tested: Tested) -> None:
    case = tested.case()
    print(f"{MARKS[case.status]} {tested.name} ({tested.seconds:.1f} s)")
    for line in tested.faults:
        print(f"    {' '.join(line.split())}")
    for why in tested.skipped:
        print(f"    not checked: {why}")
