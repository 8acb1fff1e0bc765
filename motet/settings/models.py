"""Settings of the models, the embedded one among them."""

from __future__ import annotations

from dataclasses import dataclass

from motet.secret import Secret
from motet.settings.field import setting


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelSettings:
    """Which models answer, and how to reach them."""

    default: str = setting(
        "embedded",
        "MOTET_MODEL",
        "`embedded`, `openai:NAME`, `vllm:NAME`, `PROVIDER:NAME@URL`; those after a comma take over when it fails.",
    )
    fast: str = setting("", "MOTET_MODEL_FAST", "Model of the role `fast`; the default model unless set.")
    deep: str = setting("", "MOTET_MODEL_DEEP", "Model of the role `deep`; the default model unless set.")
    judge: str = setting("", "MOTET_MODEL_JUDGE", "Model of the role `judge`; the default model unless set.")
    agents: str = setting(
        "", "MOTET_MODEL_AGENTS", "Models of single agents: `planner=SPEC; worker=SPEC, SPEC`."
    )
    embed: str = setting(
        "local",
        "MOTET_MODEL_EMBED",
        "Embedding model: `local` needs no network, `none` is BM25 only; or `openai:NAME`, `PROVIDER:NAME@URL`.",
    )
    openai_api_key: Secret = setting(Secret(""), "OPENAI_API_KEY", "Key for `openai:` models.")
    openai_base_url: str = setting(
        "", "OPENAI_BASE_URL", "Base URL for `openai:` models; OpenAI's unless set."
    )
    vllm_base_url: str = setting(
        "", "MOTET_VLLM_BASE_URL", "Base URL for `vllm:` models, `http://host:8000/v1`."
    )
    vllm_api_key: Secret = setting(
        Secret(""), "MOTET_VLLM_API_KEY", "Key for `vllm:` models, where the server asks one."
    )
    wire: str = setting(
        "auto",
        "MOTET_MODEL_WIRE",
        "OpenAI's wire: `chat` completions, `responses`, or `auto`.",
        choices=("auto", "chat", "responses"),
    )
    timeout_s: float = setting(
        120.0,
        "MOTET_MODEL_TIMEOUT_S",
        "Longest silence of a model before the call is given up.",
        positive=True,
    )
    total_timeout_s: float = setting(
        900.0,
        "MOTET_MODEL_TOTAL_TIMEOUT_S",
        "Longest time of one answer of a model behind a URL.",
        positive=True,
    )
    max_retries: int = setting(2, "MOTET_MODEL_MAX_RETRIES", "Retries of a failed model call.")
    retry_pause_s: float = setting(
        0.5, "MOTET_MODEL_RETRY_PAUSE_S", "Pause before the first such retry; it doubles with each."
    )
    circuit_failures: int = setting(
        6, "MOTET_CIRCUIT_FAILURES", "Failed calls in a row after which a server is left alone; 0 never does."
    )
    circuit_cool_s: float = setting(
        10.0, "MOTET_CIRCUIT_COOL_S", "How long it is left alone before one call tries again."
    )
    max_tokens: int = setting(
        1024, "MOTET_MAX_TOKENS", "Longest answer of one model call, in tokens.", positive=True
    )
    temperature: float = setting(0.0, "MOTET_TEMPERATURE", "Sampling temperature.")


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbeddedSettings:
    """The model in the process."""

    name: str = setting(
        "qwen2.5-coder-1.5b", "MOTET_EMBEDDED_NAME", "Which embedded model, a name from `motet models list`."
    )
    weights: str = setting(
        "", "MOTET_WEIGHTS", "Path of a GGUF file to use; its checksum is checked all the same."
    )
    sources: str = setting(
        "path,hub,index", "MOTET_WEIGHTS_SOURCES", "Where to look for weights, in this order."
    )
    hub_url: str = setting("https://huggingface.co", "MOTET_HUB_URL", "Base URL of the model hub.")
    threads: int = setting(
        0, "MOTET_EMBEDDED_THREADS", "Threads of the model; the number of cores unless set."
    )
    slots: int = setting(2, "MOTET_EMBEDDED_SLOTS", "Requests that it works on at once.", positive=True)
    context_tokens: int = setting(
        8192, "MOTET_EMBEDDED_CONTEXT", "Window of each slot, in tokens.", positive=True
    )
    omp_wait_policy: str = setting(
        "passive",
        "MOTET_OMP_WAIT_POLICY",
        "`passive` shares the cores well, `active` is faster alone.",
        choices=("passive", "active"),
    )
    start_timeout_s: float = setting(
        120.0, "MOTET_EMBEDDED_START_TIMEOUT_S", "Longest wait for the model to load.", positive=True
    )
    timeout_s: float = setting(
        600.0,
        "MOTET_EMBEDDED_TIMEOUT_S",
        "Longest silence of the model: long prompts are read slowly.",
        positive=True,
    )
