"""Loading: what a lock holds, and what its digest depends on."""

import json
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator
from task_rig import KNOWN, load, write

from motet.errors import InvalidInput
from motet.tasks.load import TaskFile, load_task
from motet.tasks.source import read_source
from motet.tasks.spec import json_schema

TEXT = """
defaults: {timeout: 2m}
agents: {w: {system: "file:prompts/w.md"}}
steps:
  - {id: a, agent: w, prompt: "file:prompts/a.md", if: "true", retry: {initial: 500ms}}
  - {id: b, task: sub/child.task.yaml, with: {topic: "${{ steps.a.text }}"}}
"""
CHILD = "schema: motet.task/v1\nname: c\ninputs: {topic: {type: string}}\nsteps:\n  - {id: a, set: {x: 1}}\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "prompts").mkdir()
    (tmp_path / "prompts" / "w.md").write_text("You write.\n")
    (tmp_path / "prompts" / "a.md").write_text("写一首诗。")
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "child.task.yaml").write_text(CHILD)
    return tmp_path


def test_a_lock_holds_everything_and_gives_the_file_back(folder: Path) -> None:
    loaded = load(folder, TEXT)
    assert loaded.task.agents["w"].system == "You write."
    assert loaded.task.steps[0].prompt == "写一首诗。"
    assert loaded.task.defaults.timeout == 120
    again = TaskFile.from_lock(json.loads(json.dumps(loaded.lock())))
    assert again == loaded
    assert again.digest == loaded.digest
    assert again.children["sub/child.task.yaml"].folder == folder / "sub"


def test_the_digest_changes_with_every_file_that_is_used(folder: Path) -> None:
    digests = {load(folder, TEXT).digest}
    for name in ("prompts/w.md", "prompts/a.md"):
        (folder / name).write_text("Changed.")
        digests.add(load(folder, TEXT).digest)
    (folder / "sub" / "child.task.yaml").write_text(CHILD.replace("x: 1", "x: 2"))
    digests.add(load(folder, TEXT).digest)
    assert len(digests) == 4
    assert load_task(folder / "demo.task.yaml", KNOWN, model="scripted:x").digest in digests


def test_a_file_that_is_wrong_is_refused_with_its_first_problem(folder: Path) -> None:
    path = write(folder, "stepps: []\n")
    with pytest.raises(InvalidInput, match="And 1 more: 'motet task validate") as caught:
        load_task(path, KNOWN)
    assert len(caught.value.fields["problems"]) == 2


def test_a_url_is_refused() -> None:
    with pytest.raises(InvalidInput, match="is a URL"):
        load_task(Path("https://example.org/x.task.yaml"), KNOWN)


def test_what_is_no_lock_is_refused() -> None:
    with pytest.raises(InvalidInput, match="no locked task file"):
        TaskFile.from_lock({"task": {}})


def test_the_schema_for_editors_agrees_with_the_reader(folder: Path) -> None:
    schema = json_schema()
    Draft202012Validator.check_schema(schema)
    checker = Draft202012Validator(schema)
    assert list(checker.iter_errors(read_source(write(folder, TEXT)).data)) == []
    for wrong in ("steps:\n  - {id: a}\n", "steps:\n  - {id: a, run: [x], set: {}}\n", TEXT + "extra: 1\n"):
        assert list(checker.iter_errors(read_source(write(folder, wrong)).data)) != []
