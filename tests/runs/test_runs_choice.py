"""Which model an agent has: the run's choice for it, for its role, for all; else what the settings say."""

import pytest

from motet.errors import InvalidInput, SettingInvalid
from motet.runs.choice import check_models, choice_of, read_choice
from motet.runs.request import RunOptions
from motet.settings import ModelSettings

OWN = ModelSettings(agents="planner=openai:plan; writer = openai:write, embedded")


def test_nothing_chosen_leaves_all_to_the_settings() -> None:
    found = choice_of(RunOptions(), ModelSettings())
    assert (found.roles, found.agents) == ({}, {})


def test_the_settings_models_of_single_agents() -> None:
    assert choice_of(RunOptions(), OWN).agents == {
        "planner": "openai:plan",
        "writer": "openai:write, embedded",
    }


def test_a_runs_choice_wins_and_a_single_agents_most() -> None:
    found = choice_of(
        RunOptions(model="openai:all", models={"worker": "openai:work", "deep": "openai:deep"}), OWN
    )
    assert found.roles == {"fast": "openai:all", "deep": "openai:deep", "judge": "openai:all"}
    assert found.agents == {"worker": "openai:work"}


def test_what_cannot_be_read() -> None:
    with pytest.raises(SettingInvalid, match=r"names no agent: 'planer'\. Did you mean 'planner'"):
        choice_of(RunOptions(), ModelSettings(agents="planer=embedded"))
    with pytest.raises(InvalidInput, match="write agent=MODEL"):
        choice_of(RunOptions(), ModelSettings(agents="planner"))
    with pytest.raises(InvalidInput, match="Unknown model 'opnai:x'"):
        choice_of(RunOptions(), ModelSettings(agents="planner=opnai:x"))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (RunOptions(model="opnai:x"), "Unknown model 'opnai:x'"),
        (RunOptions(model=" , "), "A model is missing"),
        (RunOptions(models={"depe": "embedded"}), "called 'depe'. Did you mean 'deep'"),
        (RunOptions(models={"deep": "embedded, vllm:"}), "has no name"),
        (RunOptions(models={"embed": "openai:e"}), "MOTET_MODEL_EMBED"),
    ],
)
def test_a_choice_that_is_refused(options: RunOptions, words: str) -> None:
    with pytest.raises(InvalidInput, match=words):
        check_models(options)
    check_models(RunOptions(model="embedded, openai:x", models={"planner": "openai:y"}))


def test_what_a_person_writes() -> None:
    assert read_choice(None) == {}
    assert read_choice("openai:x@http://h/v1?a=b, embedded") == {
        "model": "openai:x@http://h/v1?a=b, embedded"
    }
    assert read_choice("deep=openai:x, embedded; planner = embedded") == {
        "models": {"deep": "openai:x, embedded", "planner": "embedded"}
    }
    with pytest.raises(InvalidInput, match=r"called 'deap'\. Did you mean 'deep'"):
        read_choice("deap=embedded")
