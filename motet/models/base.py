"""The port of the models' room: what a model is, however it is reached.

What does not live here: any provider. A provider is one file and one line in `PROVIDERS`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, Protocol
from urllib.parse import urlsplit

from motet.errors import InvalidInput, did_you_mean
from motet.models.prompt_files import PromptFiles
from motet.secret import hide_password

if TYPE_CHECKING:
    from langchain_core.language_models.chat_models import BaseChatModel

    from motet.models.tokenizer import Tokenizer
    from motet.settings import Settings

ToolMethod = Literal["native", "schema", "prompt"]
"""How a model is made to call tools: its own tool calls, one enforced JSON schema, or a prompt with repair."""

JsonBy = Literal["response_format", "guided_json", "structured_outputs", "tgi", "grammar"]
"""What a server enforces a JSON schema with: OpenAI's field, or one of its own (see `constraint`)."""

REASONING_KEY = "reasoning_content"
"""Key in a message's `additional_kwargs`: what the model thought before it answered, where the server tells."""

Role = Literal["fast", "deep", "judge"]
"""What a model is used for."""

PROVIDERS: dict[str, str] = {
    "embedded": "motet.models.embedded:EmbeddedProvider",
    "openai": "motet.models.openai:OpenAIProvider",
    "vllm": "motet.models.openai:VllmProvider",
    "replay": "motet.models.replay:ReplayProvider",
    "scripted": "motet.models.scripted:ScriptedProvider",
}
"""Known providers. Any other word needs a URL (`PROVIDER:NAME@URL`) and speaks OpenAI's wire."""


@dataclass(frozen=True, slots=True)
class ModelSpec:
    """Which model, from whom, where.

    Written `embedded`, `embedded:NAME`, `openai:NAME`, `vllm:NAME` or `PROVIDER:NAME@URL`.
    """

    provider: str
    name: str = ""
    base_url: str = ""

    @classmethod
    def parse(cls, text: str) -> ModelSpec:
        """Read a spec.

        Raises:
            InvalidInput: The provider is unknown and there is no URL, or a name is missing.
        """
        head, _, base_url = text.strip().partition("@")
        provider, _, name = head.partition(":")
        if provider not in PROVIDERS and not base_url:
            raise InvalidInput(
                f"Unknown model '{text}'.{did_you_mean(provider, PROVIDERS)} "
                "Write embedded, openai:NAME, vllm:NAME, or PROVIDER:NAME@URL.",
                model=text,
            )
        if base_url and (fault := url_fault(base_url)):
            raise InvalidInput(f"Model '{hide_password(text)}': the part after @ {fault}.", model=text)
        if not name and provider != "embedded":
            raise InvalidInput(f"Model '{text}' has no name: write {provider}:NAME.", model=text)
        return cls(provider, name, base_url.rstrip("/"))

    @classmethod
    def parse_list(cls, text: str) -> tuple[ModelSpec, ...]:
        """Read a spec and those that take over when it fails, separated by commas.

        Raises:
            InvalidInput: One of them cannot be read, or there is none.
        """
        parts = [part for part in text.split(",") if part.strip()]
        if not parts:
            raise InvalidInput(
                "A model is missing: write embedded, openai:NAME, or several with commas between."
            )
        return tuple(dict.fromkeys(cls.parse(part) for part in parts))

    def __str__(self) -> str:
        return (
            self.provider
            + (f":{self.name}" if self.name else "")
            + (f"@{self.base_url}" if self.base_url else "")
        )


def url_fault(url: str) -> str:
    """Return what is wrong with a model server's URL, as the end of a sentence about it; "" when nothing is."""
    if not url.startswith(("http://", "https://")):
        return "must be an http(s) URL"
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port  # reading the port checks it
    except ValueError:
        return "is no URL: its host or its port cannot be (ports are 1 to 65535)"
    if not host or port == 0 or any(letter.isspace() for letter in url):
        return "is no URL: write http://HOST:PORT/v1"
    return ""


def agents_models(text: str) -> dict[str, str]:
    """Read `agent=SPEC; agent=SPEC, FALLBACK`: the models of single agents.

    Raises:
        InvalidInput: A part has no `=`, or its models cannot be read.
    """
    found: dict[str, str] = {}
    for part in text.split(";"):
        name, equals, specs = (word.strip() for word in part.partition("="))
        if not (name or specs):
            continue
        if not (name and equals):
            raise InvalidInput(f"'{part.strip()}' names no agent: write agent=MODEL; agent=MODEL.")
        ModelSpec.parse_list(specs)
        found[name] = specs
    return found


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a connected model can do. Found by asking the server where it can be, else by the provider."""

    tool_method: ToolMethod
    json_schema: bool
    """Whether the server enforces a JSON schema, by whatever means."""
    json_by: JsonBy | None = None
    """What the server enforces a JSON schema with; None where nothing is known to."""
    context_tokens: int = 0
    """Its window; 0 when unknown."""
    images: bool | None = None
    """Whether it sees images; None when nobody asked."""
    small: bool = False
    """A model that needs short prompts, few-shot lines and help with citations."""
    logprobs: bool = False
    """Whether it may be asked how likely each of its tokens was, over OpenAI's chat wire."""


@dataclass(frozen=True, slots=True)
class ConnectedModel:
    """A model that is ready to answer.

    `chat` is a LangChain chat model whose `bind_tools` returns ordinary `AIMessage.tool_calls`, whatever method is
    used underneath.
    """

    spec: ModelSpec
    chat: BaseChatModel
    capabilities: Capabilities
    tokenizer: Tokenizer | None = None
    """Its own, where its server lends it; else tokens are guessed."""
    prompts: PromptFiles = field(default_factory=PromptFiles, compare=False)
    """What it is told beside what its caller says: of tools, of JSON."""


class Provider(Protocol):
    """Reaches the models of one kind of server."""

    def __init__(self, settings: Settings) -> None: ...

    async def connect(self, spec: ModelSpec) -> ConnectedModel:
        """Return a ready model. Repeated calls with one spec may share it.

        Raises:
            ModelRefused: No key, a wrong key, or a model that the server does not have.
            ModelUnavailable: The server does not answer.
            WeightsMissing: The embedded model was not fetched, and no source has it.
        """
        ...

    async def aclose(self) -> None:
        """Free what `connect` took. A second call does nothing."""
        ...
