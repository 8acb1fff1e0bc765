"""Task files in an app: as graphs of their own, locked, with documents."""

import json
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from motet import RunRequest, Settings, build_app
from motet.errors import InvalidInput, NotFound, PermissionRefused
from motet.events import RunCompleted, RunFailed
from motet.runs.budget import Budget
from motet.runs.request import RunOptions
from motet.storage.clock import db_now
from motet.storage.tables import schedules

TASK = """schema: motet.task/v1
name: echo
inputs: {text: {type: string}}
agents: {w: {system: Repeat.}}
steps:
  - {id: a, agent: w, prompt: "say ${{ inputs.text }}"}
"""


@pytest.fixture
def with_task(tmp_path: Path) -> Settings:
    (tmp_path / "echo.task.yaml").write_text(TASK, "utf-8")
    (tmp_path / "script.json").write_text(json.dumps({"default": "said"}))
    (tmp_path / "motet.toml").write_text('[tasks]\necho = "echo.task.yaml"\n')
    overrides = {"storage.home": tmp_path / "home", "models.default": f"scripted:{tmp_path / 'script.json'}"}
    return Settings.load({**overrides, "models.embed": "none"}, cwd=tmp_path)


async def begin_tick(app: Any) -> None:
    """Make the schedules due, and have their runs begun."""
    change = sa.update(schedules).values(next_at=db_now() - 1)
    await app._rooms.database.write(lambda c: c.execute(change))
    await app.schedules.tick()


async def play(app: Any, graph: str, given: dict[str, Any], **more: Any) -> Any:
    request = RunRequest.model_validate({"graph": graph, "input": given, **more})
    return [recorded async for recorded in app.stream(request)][-1].event


async def test_a_task_file_is_a_graph_of_its_own(with_task: Settings, tmp_path: Path) -> None:
    async with build_app(with_task) as app:
        assert app.graph_names()["echo"] == str(tmp_path / "echo.task.yaml")
        ended = await play(app, "echo", {"inputs": {"text": "x"}})
        assert isinstance(ended, RunCompleted)
        assert ended.output["outputs"] == {"a": "said"}
        said = await play(app, "echo", {"messages": [{"role": "user", "content": "hi"}]})
        assert said.output["messages"][-1]["content"] == "said"
        wrong = await play(app, "echo", {"inputs": {"txt": "x"}})
        assert isinstance(wrong, RunFailed)
        assert wrong.error["code"] == "invalid_input"


async def test_a_run_names_the_models_of_a_files_steps_and_who_judges_them(
    with_task: Settings, tmp_path: Path
) -> None:
    judged = TASK.rstrip().removesuffix("}") + ", expect: [{type: rubric, value: is polite}]}\n"
    (tmp_path / "echo.task.yaml").write_text(judged, "utf-8")
    for name, score in (("kind", 1), ("strict", 0)):
        verdict = {"json": {"reason": "so it is", "score": score}}
        (tmp_path / f"{name}.json").write_text(json.dumps({"default": verdict}))
    (tmp_path / "other.json").write_text(json.dumps({"default": "other"}))
    strict, kind, other = (f"scripted:{tmp_path / name}.json" for name in ("strict", "kind", "other"))
    async with build_app(with_task.replace(models__judge=strict)) as app:
        given = {"inputs": {"text": "x"}}
        refused = await play(app, "echo", given, options={"max_retries": 0})
        assert isinstance(refused, RunFailed)
        assert "so it is" in refused.error["message"]
        models = {"judge": kind, "deep": other}
        passed = await play(app, "echo", given, options={"models": models})
        assert isinstance(passed, RunCompleted)
        assert passed.output["outputs"] == {"a": "other"}


async def test_a_scheduled_run_goes_by_the_file_as_it_was_at_its_tick(
    with_task: Settings, tmp_path: Path
) -> None:
    """It is locked like any other: the file's budget counts, and what changes afterwards does not."""
    limited = TASK.replace("agents:", "budget: {model_calls: 3}\nagents:")
    request = RunRequest(graph="echo", input={"inputs": {"text": "x"}})
    async with build_app(with_task) as app:
        (tmp_path / "echo.task.yaml").write_text(TASK + "nonsense: 1\n", "utf-8")
        with pytest.raises(InvalidInput, match="nonsense"):
            await app.schedules.add("0 0 1 1 *", request, name="s")
        (tmp_path / "echo.task.yaml").write_text(TASK, "utf-8")
        await app.schedules.add("0 0 1 1 *", request, name="s")
        (tmp_path / "echo.task.yaml").write_text(limited, "utf-8")
        await begin_tick(app)
        (tmp_path / "echo.task.yaml").write_text(TASK.replace("id: a", "id: changed"), "utf-8")
        record = await app.schedules.get("s")
        assert record.error is None
        run = await app.records.job(record.last_run_id or "")
        assert run.options.task is not None
        assert run.options.budget == Budget(max_model_calls=3, at_limit="fail")
        await app.start_worker(every_thread=True)
        ended = [recorded async for recorded in app.follow(run.run_id)][-1].event
        assert isinstance(ended, RunCompleted)
        assert list(ended.output["outputs"]) == ["a"]
        (tmp_path / "echo.task.yaml").write_text("nonsense", "utf-8")
        await begin_tick(app)
        assert (await app.schedules.get("s")).paused


async def test_a_run_goes_by_the_file_as_it_was_when_it_was_accepted(
    with_task: Settings, tmp_path: Path
) -> None:
    async with build_app(with_task) as app:
        accepted = await app.submit(RunRequest(graph="echo", input={"inputs": {"text": "x"}}))
        (tmp_path / "echo.task.yaml").write_text(TASK.replace("id: a", "id: changed"), "utf-8")
        await app.start_worker()
        ended = [recorded async for recorded in app.follow(accepted.run_id)][-1].event
        assert isinstance(ended, RunCompleted)
        assert list(ended.output["outputs"]) == ["a"]
        after = await play(app, "echo", {"inputs": {"text": "x"}})
        assert list(after.output["outputs"]) == ["changed"]


async def test_the_graph_of_task_files_needs_one(with_task: Settings) -> None:
    async with build_app(with_task) as app:
        with pytest.raises(NotFound):
            await app.submit(RunRequest(graph="nothing", input={}))
        ended = await play(app, "task", {"inputs": {}})
        assert isinstance(ended, RunFailed)
        assert ended.error["code"] == "not_found"


async def test_documents_outside_of_the_tasks_folder_are_not_read_for_others(
    with_task: Settings, tmp_path: Path
) -> None:
    folder, secret = tmp_path / "task", tmp_path / "secret"
    (folder / "docs").mkdir(parents=True)
    secret.mkdir()
    (folder / "docs" / "fare.md").write_text("A ticket costs 12 euros.")
    (secret / "plan.md").write_text("The plan is secret.")
    (folder / "docs" / "link").symlink_to(secret)
    async with build_app(with_task) as app:
        retriever, revision = await app.tasks.documents([folder / "docs" / "fare.md"], folder)
        assert [passage.text for passage in await retriever.search("ticket")] == ["A ticket costs 12 euros."]
        for path in (secret, folder / ".." / "secret", folder / "docs" / "link"):
            with pytest.raises(PermissionRefused, match="is not in the task's folder"):
                await app.tasks.documents([path], folder)
        (folder / "docs" / "fare.md").write_text("A ticket costs 13 euros.")
        _, changed = await app.tasks.documents([folder / "docs" / "fare.md"], folder)
        assert changed != revision
        await app.tasks.documents([secret], None)  # whoever sits at the machine took it in
        retriever, _ = await app.tasks.documents([secret], folder)
        assert len(await retriever.search("plan")) == 1


async def test_a_files_limits_hold_beside_the_callers(with_task: Settings, tmp_path: Path) -> None:
    budget = "budget: {tokens: 900, wall: 1m, tool_calls: 3}\n"
    (tmp_path / "echo.task.yaml").write_text(TASK + budget, "utf-8")
    async with build_app(with_task) as app:
        asked = RunOptions(budget=Budget(max_tokens=500, max_model_calls=2))
        given = {"inputs": {"text": "x"}}
        accepted = await app.submit(RunRequest(graph="echo", input=given, options=asked))
        granted = (await app.records.options(accepted.run_id)).budget
        assert granted == Budget(
            max_tokens=500, max_time_s=60, max_model_calls=2, max_tool_calls=3, at_limit="fail"
        )
        accepted = await app.submit(RunRequest(graph="echo", input=given))
        assert (await app.records.options(accepted.run_id)).budget == Budget(
            max_tokens=900, max_time_s=60, max_tool_calls=3, at_limit="fail"
        )


async def test_permissions_are_kept_to_or_refused(with_task: Settings, tmp_path: Path) -> None:
    (tmp_path / "echo.task.yaml").write_text(TASK + "permissions: {deny: [web_search]}\n", "utf-8")
    async with build_app(with_task) as app:
        request = RunRequest(graph="echo", input={"inputs": {"text": "x"}})
        if "permissions" in RunOptions.model_fields:
            options = await app.records.options((await app.submit(request)).run_id)
            assert options.model_dump()["permissions"]["deny"] == ["web_search"]
        else:
            with pytest.raises(InvalidInput, match="permissions are not kept to"):
                await app.submit(request)
