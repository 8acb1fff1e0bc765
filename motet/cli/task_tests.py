"""`motet task test`: the tests that a task file brings, each in a place of its own, and what failed.

What does not live here: the checks (`motet.tasks.expect`).

A test runs through the same gate and engine as any run, in a data folder that is made for it and thrown away. Its
artifacts go there too. With a recorded or scripted model nothing is asked of any other machine.
"""

from __future__ import annotations

import asyncio
import dataclasses
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from motet.cli import exit_codes
from motet.cli.lists import AsJson, print_json
from motet.cli.task_files import File, load
from motet.cli.task_import import task

if TYPE_CHECKING:
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


@task.command("test")
def run_tests(
    file: File,
    only: Annotated[
        str | None, typer.Option("--only", metavar="NAME", help="Only tests whose name has this.")
    ] = None,
    junit: Annotated[
        Path | None, typer.Option("--junit", metavar="FILE", help="Write a JUnit report.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Run the tests of a task file; exit with 1 when one fails."""
    from motet.errors import NotFound
    from motet.settings import Settings

    loaded = load(file)
    chosen = [found for found in loaded.task.tests if only is None or only in found.name]
    if not chosen:
        names = ", ".join(found.name for found in loaded.task.tests) or "none"
        raise NotFound(f"{file} has no such test. Its tests: {names}.")
    settings = Settings.load()
    results: list[Tested] = []
    for found in chosen:
        tested = asyncio.run(run_test(loaded, found, settings))
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


async def run_test(file: TaskFile, found: Test, settings: Settings) -> Tested:
    """Run one test in a folder of its own, and hold what came out against what it asserts."""
    from motet.app import build_app
    from motet.errors import MotetError
    from motet.tasks.trust import is_trusted, trust

    tested = Tested(found.name)
    with tempfile.TemporaryDirectory(prefix="motet-test-") as folder:
        home = Path(folder)
        trusted = is_trusted(settings.storage.home, file.digest)
        own = dataclasses.replace(file, model=_model(file, found), save_to=home / "artifacts")
        if trusted:
            trust(home, own)
        try:
            async with build_app(_settings(settings, home)) as app:
                await _run(app, own, found, tested)
        except MotetError as error:
            tested.faults.append(error.message)
    return tested


async def _run(app: App, file: TaskFile, found: Test, tested: Tested) -> None:
    from motet.cli.task_result import TaskResult
    from motet.cli.task_run import options_of, take_documents
    from motet.runs.request import RunRequest
    from motet.tasks.inputs import complete

    inputs = complete(file.task, found.inputs)
    await take_documents(app, file, inputs)
    request = RunRequest(
        graph="task",
        input={"inputs": inputs, "control": {"approved": list(found.approve)}},
        options=await options_of(app, file),
    )
    result = TaskResult(file.task.name)
    async for recorded in app.stream(request):
        result.show(recorded)
    tested.seconds = round(result.outcome.duration_s, 3)
    if result.outcome.status == "interrupted":
        asked = [question.value for question in result.outcome.questions]
        tested.faults.append(f"it waits for a person: {asked}; name the step under approve")
        return
    if result.outcome.status != "success":
        tested.faults.append(str((result.outcome.error or {}).get("message", result.outcome.status)))
        return
    came = _came(app, inputs, result)
    for check in found.assert_:
        await _check(check, came, app.settings, tested)


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
    from motet.tasks.expect import Came

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
        judge=lambda spec: app.models.chat("judge", spec),
    )


def _model(file: TaskFile, found: Test) -> str | None:
    """Return the test's model; one that is a file lies beside the task file."""
    from motet.models.base import ModelSpec

    if found.model is None:
        return None
    spec = ModelSpec.parse(found.model)
    return f"{spec.provider}:{file.folder / spec.name}" if spec.provider in BESIDE else found.model


def _settings(settings: Settings, home: Path) -> Settings:
    return settings.replace(storage__home=home, storage__database_url=f"sqlite:///{home / 'motet.db'}")


def _print(tested: Tested) -> None:
    case = tested.case()
    print(f"{MARKS[case.status]} {tested.name} ({tested.seconds:.1f} s)")
    for line in tested.faults:
        print(f"    {' '.join(line.split())}")
    for why in tested.skipped:
        print(f"    not checked: {why}")
