"""Models behind OpenAI's wire: OpenAI itself, vLLM, and any server that speaks it.

What does not live here: the chat model (`openai_chat`), and asking a server what it can do (`probe`).
"""

from __future__ import annotations

import asyncio
import dataclasses
from typing import TYPE_CHECKING, Any

import httpx
import openai
from pydantic import SecretStr

from motet.errors import SettingInvalid
from motet.models.base import Capabilities, ConnectedModel, ModelSpec, url_fault
from motet.models.faults import bad_key, missing_key
from motet.models.http_client import guarded_clients
from motet.models.openai_chat import OpenAIChat
from motet.models.patience import Circuit, Patience
from motet.models.plain_chunks import PlainCompletions
from motet.models.probe import context_tokens, find_model, is_small, probe
from motet.models.prompt_files import PromptFiles
from motet.models.schema_tools import SchemaToolChatModel
from motet.models.tokenizer import Tokenizer, ask_server, lends_tokenizer
from motet.secret import hide_password

if TYPE_CHECKING:
    from langchain_core.language_models.chat_models import BaseChatModel

    from motet.secret import Secret
    from motet.settings import Settings

OPENAI_URL = "https://api.openai.com/v1"
NO_KEY = "none"
"""What a server is sent as a key when it has none."""

_CONNECT_TIMEOUT_S = 10.0


class OpenAICompatibleProvider:
    """Provider of `PROVIDER:NAME@URL`: any server that speaks OpenAI's wire. It is sent no key."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings.models
        self._prompts = PromptFiles(settings.agents.prompts)
        self._found: dict[ModelSpec, Capabilities] = {}
        self._lends_tokenizer: dict[ModelSpec, bool] = {}
        self._chats: list[OpenAIChat] = []
        self._circuits: dict[str, Circuit] = {}

    async def connect(self, spec: ModelSpec) -> ConnectedModel:
        """Return a model that is known to be there, with what it can do.

        Raises:
            SettingInvalid: The server's URL is not set.
            ModelRefused: A missing or wrong key, or a model that the server does not have.
            ModelUnavailable: The server does not answer.
        """
        chat = self.open_chat(spec)
        try:
            capabilities = self._found.get(spec)
            if capabilities is None:
                listed = await find_model(chat)
                capabilities = await self._ask(chat, listed)
                self._lends_tokenizer[spec] = await self._has_tokenizer(chat)
                self._found[spec] = capabilities
        except BaseException:
            await close_chat(chat)
            raise
        self._chats.append(chat)
        tokenizer = Tokenizer(lambda text: ask_server(chat, text)) if self._lends_tokenizer[spec] else None
        return ready(spec, chat, capabilities, tokenizer, self._prompts)

    async def aclose(self) -> None:
        """Close every connection. A second call does nothing."""
        while self._chats:
            await close_chat(self._chats.pop())

    def _base_url(self, spec: ModelSpec) -> str:
        return spec.base_url

    def _key(self, spec: ModelSpec, base_url: str) -> str:  # noqa: ARG002  # providers that have keys look at both
        return NO_KEY

    async def _ask(self, chat: OpenAIChat, listed: dict[str, Any]) -> Capabilities:
        return await probe(chat, listed)

    async def _has_tokenizer(self, chat: OpenAIChat) -> bool:
        return await lends_tokenizer(chat)

    def open_chat(self, spec: ModelSpec) -> OpenAIChat:
        """Return a chat with a server, of which nothing is known yet; close it with `close_chat`.

        Raises:
            SettingInvalid: The server's URL is not set.
            ModelRefused: The key is not set.
        """
        base_url, settings = self._base_url(spec), self._settings
        if base_url not in self._circuits:
            self._circuits[base_url] = Circuit(settings.circuit_failures, settings.circuit_cool_s)
        # None lets the client choose the Responses API, for OpenAI's models that have no other.
        wires = {"auto": None if is_openai(base_url) else False, "chat": False, "responses": True}
        return make_chat(
            spec=dataclasses.replace(spec, base_url=base_url),
            api_key=self._key(spec, base_url),
            timeout_s=settings.timeout_s,
            max_tokens=settings.max_tokens,
            temperature=settings.temperature,
            patience=Patience(settings.max_retries, settings.retry_pause_s, self._circuits[base_url]),
            total_s=settings.total_timeout_s,
            use_responses_api=wires[settings.wire],
        )


class OpenAIProvider(OpenAICompatibleProvider):
    """Provider of `openai:NAME`: OpenAI, or the server that `OPENAI_BASE_URL` names.

    `OPENAI_API_KEY` is sent to that URL and to no other: with `openai:NAME@URL` no key is sent, unless it is the same.
    """

    def _configured_url(self) -> str:
        return _checked((self._settings.openai_base_url or OPENAI_URL).rstrip("/"), "OPENAI_BASE_URL")

    def _base_url(self, spec: ModelSpec) -> str:
        return spec.base_url or self._configured_url()

    def _key(self, spec: ModelSpec, base_url: str) -> str:
        if base_url != self._configured_url():
            return NO_KEY
        key = _usable(self._settings.openai_api_key, spec)
        if not key:
            raise missing_key(dataclasses.replace(spec, base_url=base_url))
        return key

    async def _ask(self, chat: OpenAIChat, listed: dict[str, Any]) -> Capabilities:
        if not is_openai(chat.spec.base_url):  # any server may stand at OPENAI_BASE_URL
            return await super()._ask(chat, listed)
        return Capabilities(
            tool_method="native",
            json_schema=True,
            json_by="response_format",
            context_tokens=context_tokens(listed),
            small=is_small(chat.spec.name),
        )

    async def _has_tokenizer(self, chat: OpenAIChat) -> bool:
        return not is_openai(chat.spec.base_url) and await super()._has_tokenizer(chat)


class VllmProvider(OpenAICompatibleProvider):
    """Provider of `vllm:NAME`: the vLLM server at `MOTET_VLLM_BASE_URL`, or at the URL in the spec.

    `MOTET_VLLM_API_KEY` is sent to the configured URL only.
    """

    def _base_url(self, spec: ModelSpec) -> str:
        url = spec.base_url or self._settings.vllm_base_url.rstrip("/")
        if not url:
            raise SettingInvalid(
                f"MOTET_VLLM_BASE_URL is not set, and '{spec}' needs it. Set it to the server's URL, as in "
                f"http://127.0.0.1:8000/v1, or write vllm:{spec.name}@URL.",
                setting="models.vllm_base_url",
            )
        return url if spec.base_url else _checked(url, "MOTET_VLLM_BASE_URL")

    def _key(self, spec: ModelSpec, base_url: str) -> str:
        own = base_url == self._settings.vllm_base_url.rstrip("/")
        return (own and _usable(self._settings.vllm_api_key, spec)) or NO_KEY


def _checked(url: str, setting: str) -> str:
    """Return the URL of a setting.

    Raises:
        SettingInvalid: It is none.
    """
    if fault := url_fault(url):
        raise SettingInvalid(f"{setting} is '{hide_password(url)}': it {fault}.", setting=setting)
    return url


def _usable(key: Secret, spec: ModelSpec) -> str:
    """Return a key without the blanks and line ends that come along when it is copied; "" when there is none.

    Raises:
        SettingInvalid: It cannot stand in a header.
    """
    text = key.reveal().strip()
    if not (text.isascii() and text.isprintable() and " " not in text):
        raise bad_key(spec)
    return text


def ready(
    spec: ModelSpec,
    chat: BaseChatModel,
    capabilities: Capabilities,
    tokenizer: Tokenizer | None,
    prompts: PromptFiles,
) -> ConnectedModel:
    """Return a connected model whose `bind_tools` works by whatever method the model can do."""
    if isinstance(chat, OpenAIChat):
        chat.json_by, chat.sees_images = capabilities.json_by, capabilities.images
    if capabilities.tool_method != "native":
        chat = SchemaToolChatModel(inner=chat, method=capabilities.tool_method, prompts=prompts)
    return ConnectedModel(spec, chat, capabilities, tokenizer, prompts)


def make_chat(
    *,
    spec: ModelSpec,
    api_key: str,
    timeout_s: float,
    max_tokens: int,
    temperature: float,
    use_responses_api: bool | None = False,
    **options: Any,
) -> OpenAIChat:
    """Return a chat model over OpenAI's wire.

    Args:
        spec: With the URL that is to be called.
        api_key: Sent as the bearer token.
        timeout_s: Longest silence, in seconds; connecting may take ten of them at most.
        max_tokens: Longest answer.
        temperature: Left out for models that take no other than their own.
        use_responses_api: None lets the client choose.
        **options: Fields of `ChatOpenAI` or `OpenAIChat`.
    """
    if not is_openai(spec.base_url):
        options.setdefault("max_tokens_name", "max_tokens")
    options.setdefault("knows_developer", is_openai(spec.base_url))
    if "http_client" not in options:
        options["http_client"], options["http_async_client"] = guarded_clients(
            f"{spec.provider}:{spec.name}", options.get("total_s")
        )
    if not _fixed_temperature(spec.name):
        options["temperature"] = temperature
    chat = OpenAIChat(
        spec=spec,
        model=spec.name,
        base_url=spec.base_url,
        api_key=SecretStr(api_key),
        timeout=openai.Timeout(timeout_s, connect=min(_CONNECT_TIMEOUT_S, timeout_s)),
        max_retries=0,  # `patience` tries again
        max_completion_tokens=max_tokens,
        stream_usage=True,
        stream_chunk_timeout=None,
        silence_s=timeout_s,
        use_responses_api=use_responses_api,
        **options,
    )
    chat.async_client = PlainCompletions(chat.root_async_client)
    if not is_openai(spec.base_url):
        # The client reads these from the environment and would send them to any server.
        for client in (chat.root_client, chat.root_async_client):
            client.organization = client.project = None
    return chat


def is_openai(base_url: str) -> bool:
    """Return whether a URL is OpenAI's own."""
    return httpx.URL(base_url).host == "api.openai.com"


def _fixed_temperature(name: str) -> bool:
    """Return whether a model takes only its own temperature. Source: OpenAI, "reasoning models"."""
    return name.startswith(("o1", "o3", "o4", "gpt-5", "gpt-6"))


async def close_chat(chat: OpenAIChat) -> None:
    """Close a chat's connections."""
    # A timeout that is an object keeps LangChain from sharing the connections between models and event loops.
    await chat.root_async_client.close()
    await asyncio.to_thread(chat.root_client.close)
