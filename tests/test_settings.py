import dataclasses
import re
from pathlib import Path
from typing import Any

import pytest

from motet.errors import SettingInvalid
from motet.secret import Secret
from motet.settings import Settings, child_environment, describe

SECRET = "sk-0123456789abcdef"


@pytest.fixture
def env(tmp_path: Path) -> dict[str, str]:
    """An environment with nothing in it but where the user's file is."""
    return {
        "MOTET_CONFIG": str(tmp_path / "user.toml"),
        "XDG_DATA_HOME": str(tmp_path / "data"),
        "XDG_CACHE_HOME": str(tmp_path / "cache"),
    }


@pytest.fixture
def user_file(tmp_path: Path) -> Path:
    return tmp_path / "user.toml"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    folder.mkdir()
    return folder


def fields_of(settings: Settings) -> dict[str, Any]:
    return {
        f"{group.name}.{f.name}": getattr(getattr(settings, group.name), f.name)
        for group in dataclasses.fields(settings)
        if dataclasses.is_dataclass(getattr(settings, group.name))
        for f in dataclasses.fields(getattr(settings, group.name))
    }


# Layers


def test_with_nothing_set_everything_is_a_default_and_data_has_the_platforms_place(
    env: dict[str, str], project: Path, tmp_path: Path
) -> None:
    settings = Settings.load(environ=env, cwd=project)
    assert settings.origins == {}
    assert settings.graphs == {}
    places = {
        "storage.home": tmp_path / "data" / "motet",
        "storage.cache": tmp_path / "cache" / "motet",
        "storage.database_url": f"sqlite:///{tmp_path / 'data' / 'motet' / 'motet.db'}",
    }
    assert fields_of(settings) == {key: default for key, _, _, default in describe()} | places


def test_every_layer_is_stronger_than_the_one_before_and_says_where_it_was(
    env: dict[str, str], user_file: Path, project: Path
) -> None:
    def load(overrides: dict[str, Any] | None = None) -> tuple[str, str]:
        settings = Settings.load(overrides, environ=env, cwd=project)
        return settings.models.default, settings.origins.get("models.default", "")

    assert load() == ("embedded", "")
    user_file.write_text('[models]\ndefault = "openai:user"\nfast = "openai:fast"\n')
    assert load() == ("openai:user", str(user_file))
    (project / "motet.toml").write_text('[models]\ndefault = "openai:project"\n')
    assert load() == ("openai:project", str(project / "motet.toml"))
    env["MOTET_MODEL"] = "openai:environment"
    assert load() == ("openai:environment", "environment variable MOTET_MODEL")
    assert load({"models.default": "openai:given"}) == ("openai:given", "command line")
    assert load({"models.default": None}) == ("openai:environment", "environment variable MOTET_MODEL")
    assert Settings.load(environ=env, cwd=project).models.fast == "openai:fast"  # what nobody overrode stays


def test_a_profile_is_stronger_than_both_files_and_weaker_than_the_environment(
    env: dict[str, str], user_file: Path, project: Path
) -> None:
    user_file.write_text(
        '[profile.work.models]\ndefault = "openai:user"\nfast = "openai:fast"\n[profile.home.runs]\npoll_s = 1\n'
    )
    project_file = project / "motet.toml"
    project_file.write_text(
        '[models]\ndefault = "openai:plain"\n[profile.work.models]\ndefault = "openai:project"\n'
        '[profile.work.graphs]\nmine = "a:b"\n'
    )
    assert Settings.load(environ=env, cwd=project).models.default == "openai:plain"
    env["MOTET_PROFILE"] = "work"
    settings = Settings.load(environ=env, cwd=project)
    assert (settings.models.default, settings.models.fast) == ("openai:project", "openai:fast")
    assert settings.origins["models.default"] == f"{project_file} [profile.work]"
    assert settings.graphs == {"mine": "a:b"}
    env["MOTET_MODEL"] = "openai:environment"
    assert Settings.load(environ=env, cwd=project).models.default == "openai:environment"


@pytest.mark.parametrize(
    ("profile", "text", "said"),
    [
        ("wrk", "[profile.work.models]\n", "no profile 'wrk'. Did you mean 'work'?"),
        ("work", "", "no profile 'work'"),
        ("work", "[profile.work.models]\nnonsense = 1\n", "Unknown setting 'models.nonsense'"),
        ("", "[profile]\nwork = 1\n", "'profile.work' must be a table"),
        ("", "[profile.work]\nmodels = 1\n", "'profile.work.models' must be a table"),
    ],
)
def test_a_profile_that_is_not_there_or_broken_is_one_clear_line(
    env: dict[str, str], user_file: Path, project: Path, *, profile: str, text: str, said: str
) -> None:
    user_file.write_text(text)
    with pytest.raises(SettingInvalid, match=re.escape(said)):
        Settings.load(environ=env | {"MOTET_PROFILE": profile}, cwd=project)


def test_an_empty_variable_counts_as_unset(env: dict[str, str], project: Path) -> None:
    settings = Settings.load(environ=env | {"MOTET_MODEL": "", "MOTET_HOME": ""}, cwd=project)
    assert settings.origins == {}


def test_an_empty_folder_in_a_file_counts_as_unset(
    env: dict[str, str], user_file: Path, project: Path, tmp_path: Path
) -> None:
    user_file.write_text('[storage]\nhome = ""\ncache = ""\n')
    storage = Settings.load(environ=env, cwd=project).storage
    assert (storage.home, storage.cache) == (tmp_path / "data" / "motet", tmp_path / "cache" / "motet")


def test_every_setting_can_be_set_by_its_variable_by_a_file_and_by_the_caller(
    env: dict[str, str], project: Path
) -> None:
    others: dict[type, Any] = {
        bool: "no",
        int: 3,
        float: 2.5,
        str: "other",
        Secret: "key",
        Path: "/elsewhere",
    }
    choices = {"storage.synchronous": "full", "agents.language": "zh", "log.level": "debug"}
    choices |= {"log.form": "json"}
    choices |= {
        "embedded.omp_wait_policy": "active",
        "models.wire": "responses",
        "retrieval.chinese": "words",
        "retrieval.parse_sandbox": "require",
        "log.form": "json",
    }
    expected: dict[type, Any] = {bool: False, Secret: Secret("key"), Path: Path("/elsewhere")}
    for key, variable, _, default in describe():
        kind = next(k for k in others if isinstance(default, k))
        raw = choices.get(key, others[kind])
        if key in ("retrieval.chunk_chars", "runs.lease_s"):
            raw = 1000  # beside the defaults of their neighbours
        group, name = key.split(".")
        (project / "motet.toml").write_text(f"[{group}]\n{name} = {raw!r}\n")
        loaded = (
            Settings.load(environ=env | {variable: str(raw)}, cwd=project.parent),
            Settings.load(environ=env, cwd=project),
            Settings.load({key: raw}, environ=env, cwd=project.parent),
        )
        for settings in loaded:
            assert fields_of(settings)[key] == expected.get(kind, raw), key
            assert list(settings.origins) == [key]


def test_the_variables_and_the_keys_are_all_different() -> None:
    described = list(describe())
    assert len({key for key, *_ in described}) == len({variable for _, variable, *_ in described})
    assert all(doc.endswith(".") for _, _, doc, _ in described)


def test_the_processes_own_environment_counts_unless_another_is_given(
    monkeypatch: pytest.MonkeyPatch, env: dict[str, str], project: Path
) -> None:
    monkeypatch.setenv("MOTET_MODEL", "openai:mine")
    monkeypatch.chdir(project)
    (project / "motet.toml").write_text("[models]\nmax_retries = 7\n")
    settings = Settings.load()
    assert (settings.models.default, settings.models.max_retries) == ("openai:mine", 7)
    assert Settings.load(environ=env, cwd=project.parent).models.default == "embedded"


@pytest.mark.parametrize(
    ("word", "value"), [("true", True), ("YES", True), ("1", True), ("Off", False), ("no", False)]
)
def test_switches_take_the_usual_words(env: dict[str, str], project: Path, word: str, value: bool) -> None:
    settings = Settings.load(environ=env | {"MOTET_WEB_SEARCH": word}, cwd=project)
    assert settings.tools.web_search is value


def test_folders_are_absolute_and_know_the_home_sign(
    env: dict[str, str], project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(project)
    monkeypatch.setenv("HOME", str(project))
    env |= {"MOTET_HOME": "~/here", "MOTET_CACHE": "there"}
    settings = Settings.load(environ=env, cwd=project)
    assert (settings.storage.home, settings.storage.cache) == (project / "here", project / "there")
    assert settings.storage.database_url == f"sqlite:///{project / 'here' / 'motet.db'}"


def test_commands_that_read_documents_come_from_the_users_own_file_alone(
    env: dict[str, str], user_file: Path, project: Path
) -> None:
    user_file.write_text('[loaders]\n".DOC" = ["antiword", "{path}"]\n')
    assert Settings.load(environ=env, cwd=project).loaders == {".doc": ("antiword", "{path}")}
    (project / "motet.toml").write_text('[loaders]\n".doc" = ["rm"]\n')
    with pytest.raises(SettingInvalid, match=r"count only in your own config\.toml"):
        Settings.load(environ=env, cwd=project)


@pytest.mark.parametrize("line", ['".doc" = "antiword"', '".doc" = []', '".doc" = [1]', 'doc = ["antiword"]'])
def test_a_command_of_another_shape_is_refused(
    line: str, env: dict[str, str], user_file: Path, project: Path
) -> None:
    user_file.write_text(f"[loaders]\n{line}\n")
    with pytest.raises(SettingInvalid, match="no command for an ending"):
        Settings.load(environ=env, cwd=project)


def test_graphs_of_the_users_own_come_from_both_files(
    env: dict[str, str], user_file: Path, project: Path
) -> None:
    user_file.write_text('[graphs]\nmine = "pkg:one"\nboth = "pkg:user"\n')
    (project / "motet.toml").write_text('[graphs]\nboth = "pkg:project"\n')
    settings = Settings.load(environ=env, cwd=project)
    assert settings.graphs == {"mine": "pkg:one", "both": "pkg:project"}


# What is wrong is named


def test_an_unknown_setting_is_refused_with_a_guess_and_its_place(
    env: dict[str, str], user_file: Path, project: Path
) -> None:
    user_file.write_text('[models]\ndefalt = "x"\n')
    with pytest.raises(SettingInvalid) as caught:
        Settings.load(environ=env, cwd=project)
    assert "Unknown setting 'models.defalt'" in caught.value.message
    assert "Did you mean 'models.default'?" in caught.value.message
    assert str(user_file) in caught.value.message
    assert caught.value.fields == {"setting": "models.defalt"}
    user_file.unlink()
    with pytest.raises(SettingInvalid, match=r"'agents\.grpah' in command line.*'agents\.graph'"):
        Settings.load({"agents.grpah": "chat"}, environ=env, cwd=project)


@pytest.mark.parametrize(
    ("variable", "raw", "expected"),
    [
        ("MOTET_MAX_STEPS", "many", "a whole number"),
        ("MOTET_MAX_STEPS", "2.5", "a whole number"),
        ("MOTET_LEASE_S", "soon", "a number"),
        ("MOTET_MODEL_TIMEOUT_S", "nan", "a number"),
        ("MOTET_MODEL_TIMEOUT_S", "inf", "a number"),
        ("MOTET_WEB_SEARCH", "perhaps", "true or false"),
        ("MOTET_HOME", "~nobody-of-this-name/motet", "a path"),
    ],
)
def test_a_wrong_variable_is_named_with_its_value_and_what_was_expected(
    env: dict[str, str], project: Path, variable: str, raw: str, expected: str
) -> None:
    with pytest.raises(SettingInvalid) as caught:
        Settings.load(environ=env | {variable: raw}, cwd=project)
    assert f"from environment variable {variable} is '{raw}': expected {expected}." in caught.value.message


@pytest.mark.parametrize(
    "line",
    [
        "[agents]\nmax_steps = 2.5",
        "[agents]\nmax_steps = true",
        "[agents]\nmax_steps = [60]",
        f"[runs]\nlease_s = {10**400}",
        "[runs]\nlease_s = true\nheartbeat_s = 0.1",
        "[models]\ndefault = ['a', 'b']",
        "[models.default]\nname = 'a'",
        "[models]\nopenai_api_key = ['a']",
        "[storage]\nhome = 3",
        "[tools]\nweb_search = 2",
        "[graphs]\nmine = true",
        "[graphs.mine]\nmodule = 'pkg'",
    ],
)
def test_a_value_of_another_type_in_a_file_is_refused_with_its_place(
    env: dict[str, str], user_file: Path, project: Path, line: str
) -> None:
    user_file.write_text(line)
    with pytest.raises(SettingInvalid, match="expected") as caught:
        Settings.load(environ=env, cwd=project)
    assert str(user_file) in caught.value.message


@pytest.mark.parametrize(
    ("text", "says"),
    [(b"[models\n", "line 1"), (b"\xff\xfe", "utf-8"), (b'default = "x"\n', "must be a table")],
    ids=["broken", "not utf-8", "no group"],
)
def test_a_broken_file_is_named(
    env: dict[str, str], user_file: Path, project: Path, text: bytes, says: str
) -> None:
    user_file.write_bytes(text)
    with pytest.raises(SettingInvalid, match=says) as caught:
        Settings.load(environ=env, cwd=project)
    assert str(user_file) in caught.value.message


@pytest.mark.parametrize(
    ("overrides", "named"),
    [
        ({"runs.heartbeat_s": 10, "runs.lease_s": 15}, ("runs.heartbeat_s (10.0)", "runs.lease_s (15.0)")),
        ({"runs.lease_s": 4, "runs.heartbeat_s": 3}, ("runs.heartbeat_s (3.0)", "runs.lease_s (4.0)")),
        (
            {"retrieval.overlap_chars": 500, "retrieval.chunk_chars": 900},
            ("retrieval.overlap_chars (500)", "retrieval.chunk_chars (900)"),
        ),
        ({"storage.synchronous": "of"}, ("storage.synchronous is 'of'", "full, normal")),
        ({"agents.language": "auo"}, ("agents.language is 'auo'", "Did you mean 'auto'?")),
        ({"log.level": "verbose"}, ("log.level is 'verbose'", "debug, error, info, warning")),
        ({"embedded.omp_wait_policy": "x"}, ("embedded.omp_wait_policy is 'x'", "active, passive")),
        ({"runs.concurrency": 0}, ("runs.concurrency (0)", "more than 0")),
        ({"runs.max_attempts": 0}, ("runs.max_attempts (0)", "more than 0")),
        ({"agents.max_steps": 0}, ("agents.max_steps (0)", "more than 0")),
        ({"runs.poll_s": 0}, ("runs.poll_s (0.0)", "more than 0")),
        ({"storage.busy_timeout_s": -1}, ("storage.busy_timeout_s (-1.0)", "negative")),
        ({"models.max_retries": -1}, ("models.max_retries (-1)", "negative")),
    ],
    ids=str,
)
def test_settings_that_cannot_work_are_refused_with_both_values(
    env: dict[str, str], project: Path, overrides: dict[str, Any], named: tuple[str, str]
) -> None:
    with pytest.raises(SettingInvalid) as caught:
        Settings.load(overrides, environ=env, cwd=project)
    assert all(part in caught.value.message for part in named), caught.value.message


def test_the_limits_themselves_are_allowed(env: dict[str, str], project: Path) -> None:
    overrides = {"runs.heartbeat_s": 7.5, "runs.lease_s": 15}
    overrides |= {"retrieval.overlap_chars": 450, "retrieval.chunk_chars": 900}
    Settings.load(overrides, environ=env, cwd=project)
    Settings.load({"runs.concurrency": 1, "models.max_retries": 0}, environ=env, cwd=project)


# Secrets


def test_secrets_show_themselves_nowhere(env: dict[str, str], project: Path) -> None:
    env |= {"OPENAI_API_KEY": SECRET, "MOTET_SECRET_KEY": SECRET, "MOTET_VLLM_API_KEY": SECRET}
    settings = Settings.load(environ=env, cwd=project)
    assert settings.models.openai_api_key.reveal() == SECRET
    assert settings.secrets() == [SECRET] * 3
    shown = [repr(settings), str(settings), repr(settings.origins), str(dataclasses.asdict(settings))]
    shown += [f"{settings.models.openai_api_key}", f"{settings.models.openai_api_key!r:>20}"]
    assert [text for text in shown if SECRET in text] == []


def test_a_wrong_secret_is_not_shown_either(env: dict[str, str], user_file: Path, project: Path) -> None:
    user_file.write_text(f"[models]\nopenai_api_key = ['{SECRET}']\n")
    with pytest.raises(SettingInvalid) as caught:
        Settings.load(environ=env, cwd=project)
    assert "models.openai_api_key" in caught.value.message
    assert SECRET not in str(caught.value.to_dict())


def test_secrets_compare_by_value_and_an_empty_one_is_false() -> None:
    assert Secret("a") == Secret("a")
    assert hash(Secret("a")) == hash(Secret("a"))
    assert Secret("a") != Secret("b")
    assert Secret("a") != "a"
    assert bool(Secret("a"))
    assert not Secret("")
    assert repr(Secret("")) == "Secret('')"
    assert Settings().secrets() == []


def test_a_child_process_gets_the_environment_less_every_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    secrets = {variable for _, variable, _, default in describe() if isinstance(default, Secret)}
    assert secrets >= {"OPENAI_API_KEY", "MOTET_SECRET_KEY"}
    for variable in secrets:
        monkeypatch.setenv(variable, SECRET)
    monkeypatch.setenv("MOTET_MODEL", "embedded")
    monkeypatch.setenv("SOMEBODY_ELSES", "kept")
    child = child_environment(OMP_WAIT_POLICY="passive", MOTET_MODEL="other")
    assert not secrets & child.keys()
    assert (child["OMP_WAIT_POLICY"], child["MOTET_MODEL"]) == ("passive", "other")
    assert child["SOMEBODY_ELSES"] == "kept"
    assert child_environment()["MOTET_MODEL"] == "embedded"  # this process's own is as it was


# Frozen, and side by side


def test_settings_are_frozen() -> None:
    settings = Settings()
    with pytest.raises(dataclasses.FrozenInstanceError):
        settings.models = settings.models  # pyright: ignore[reportAttributeAccessIssue]
    with pytest.raises(dataclasses.FrozenInstanceError):
        settings.models.default = "x"  # pyright: ignore[reportAttributeAccessIssue]


def test_two_settings_live_side_by_side(env: dict[str, str], project: Path, tmp_path: Path) -> None:
    one = Settings.load({"storage.home": tmp_path / "one"}, environ=env, cwd=project)
    two = Settings.load({"storage.home": tmp_path / "two", "agents.graph": "chat"}, environ=env, cwd=project)
    assert (one.agents.graph, two.agents.graph) == ("ensemble", "chat")
    assert one.storage.database_url != two.storage.database_url
    assert one == Settings.load({"storage.home": tmp_path / "one"}, environ=env, cwd=project)


def test_a_changed_copy_leaves_the_first_as_it_was() -> None:
    first = Settings()
    second = first.replace(models__default="vllm:x", models__fast="vllm:y", runs__lease_s=60.0)
    assert (second.models.default, second.models.fast, second.runs.lease_s) == ("vllm:x", "vllm:y", 60.0)
    assert first == Settings()
    with pytest.raises(TypeError):
        first.replace(models__nope=1)


def test_a_file_that_cannot_even_be_looked_for(env: dict[str, str], project: Path) -> None:
    """As one in a folder that is closed to this user, which root cannot try."""
    with pytest.raises(SettingInvalid, match=r"Settings file .*long.* cannot be read: .*File name too long"):
        Settings.load(environ=env | {"MOTET_CONFIG": "long" * 100}, cwd=project)
