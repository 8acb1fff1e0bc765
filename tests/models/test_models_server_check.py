import pytest

from motet.models.server_check import check_servers
from motet.secret import Secret
from motet.settings import Settings


@pytest.mark.parametrize(
    ("model", "ok", "fix"),
    [
        ("openai:gpt-5-mini", False, "OPENAI_API_KEY"),
        ("vllm:qwen", False, "MOTET_VLLM_BASE_URL"),
        ("opnai:x", False, "MOTET_MODEL"),
        ("other:x@http://127.0.0.1:1/v1", True, ""),
    ],
)
def test_what_a_model_lacks_is_said_with_what_to_set(
    settings: Settings, model: str, ok: bool, fix: str
) -> None:
    [finding] = check_servers(settings.replace(models__default=model))
    assert finding.ok is ok
    assert fix in finding.fix


def test_a_url_that_is_none_is_found(settings: Settings) -> None:
    [finding] = check_servers(
        settings.replace(models__default="vllm:x", models__vllm_base_url="http://h:99999/v1")
    )
    assert not finding.ok
    assert "65535" in finding.detail


def test_a_key_is_enough_and_is_not_shown(settings: Settings) -> None:
    keyed = settings.replace(models__default="openai:x", models__openai_api_key=Secret("sk-very-secret"))
    [finding] = check_servers(keyed)
    assert finding.ok
    assert "very" not in str(finding)


def test_the_embedded_model_is_somebody_elses_to_check(settings: Settings) -> None:
    assert check_servers(settings) == []
