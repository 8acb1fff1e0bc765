"""A check-up of the models that are reached over HTTP: keys and addresses. No request is sent.

What does not live here: showing it (`motet doctor`); whether a server answers (`motet models test`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from motet.errors import InvalidInput
from motet.models.base import ModelSpec, agents_models, url_fault
from motet.telemetry import Finding

if TYPE_CHECKING:
    from motet.settings import ModelSettings, Settings


def check_servers(settings: Settings) -> list[Finding]:
    """Return one finding for each model in use that is not embedded, and one for each spec that cannot be read."""
    group = settings.models
    chosen = (group.default, group.fast, group.deep, group.judge, *agents_models(group.agents).values())
    specs = dict.fromkeys(part.strip() for text in chosen for part in text.split(",") if part.strip())
    return [finding for text in specs if (finding := _check(text, group)) is not None]


def _check(text: str, group: ModelSettings) -> Finding | None:
    try:
        spec = ModelSpec.parse(text)
    except InvalidInput as error:
        return Finding(
            "model", ok=False, detail=error.message, fix="Set MOTET_MODEL to a model that is known."
        )
    name = f"model {text}"
    if spec.provider == "openai" and not group.openai_api_key and not spec.base_url:
        return Finding(name, ok=False, detail="OPENAI_API_KEY is not set", fix="Set OPENAI_API_KEY.")
    if spec.provider == "vllm" and not (group.vllm_base_url or spec.base_url):
        fix = "Set MOTET_VLLM_BASE_URL, like http://127.0.0.1:8000/v1."
        return Finding(name, ok=False, detail="MOTET_VLLM_BASE_URL is not set", fix=fix)
    if spec.provider == "embedded":
        return None
    own = {"openai": ("OPENAI_BASE_URL", group.openai_base_url)}
    own["vllm"] = ("MOTET_VLLM_BASE_URL", group.vllm_base_url)
    setting, url = own.get(spec.provider, ("", ""))
    if url and not spec.base_url and (fault := url_fault(url)):
        return Finding(
            name, ok=False, detail=f"{setting} {fault}", fix=f"Set {setting}, like http://127.0.0.1:8000/v1."
        )
    return Finding(name, ok=True, detail="is set; `motet models test` says whether it answers")
