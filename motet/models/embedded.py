"""The provider `embedded`: a small model that comes with Motet and needs no key, no service and no network.

What does not live here: its file (`weights`), its process (`embedded_server`), and how it is made to call
tools (`openai.ready`).
"""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, Any

import openai

from motet.errors import InvalidInput, WeightsMissing
from motet.models import weights
from motet.models.base import Capabilities, ModelSpec
from motet.models.embedded_check import check_embedded
from motet.models.embedded_server import EmbeddedServer
from motet.models.openai import make_chat, ready
from motet.models.patience import Patience
from motet.models.prompt_files import PromptFiles
from motet.models.tokenizer import Tokenizer, ask_server

if TYPE_CHECKING:
    from pathlib import Path

    from motet.models.base import ConnectedModel
    from motet.models.embedded_server import Address
    from motet.models.openai_chat import OpenAIChat
    from motet.models.weights_partial import Progress
    from motet.settings import Settings

__all__ = ["EmbeddedProvider", "check_embedded"]


class _Client(openai.DefaultHttpxClient):
    """Sends to the server wherever it is now, and starts it when it has died. No proxy is between us."""

    def __init__(self, server: EmbeddedServer) -> None:
        super().__init__(trust_env=False)
        self._server = server

    def send(self, request: Any, **options: Any) -> Any:
        request.url = request.url.copy_with(port=self._server.start_sync().port)
        return super().send(request, **options)


class _AsyncClient(openai.DefaultAsyncHttpxClient):
    """The same for event loops."""

    def __init__(self, server: EmbeddedServer) -> None:
        super().__init__(trust_env=False)
        self._server = server

    async def send(self, request: Any, **options: Any) -> Any:
        request.url = request.url.copy_with(port=(await self._server.start()).port)
        return await super().send(request, **options)


class EmbeddedProvider:
    """Serves embedded models, one child process a model, started at the first `connect`.

    One provider may be used by many threads and event loops at once: they share the children.
    """

    def __init__(self, settings: Settings, *, fetch_missing: Progress | None = None) -> None:
        """Keep the settings; nothing is started.

        Args:
            settings: All settings.
            fetch_missing: Weights that are not there are fetched, and this is shown how far it is. Without it
                they are an error: a gigabyte is not downloaded behind somebody's back.
        """
        self._settings = settings
        self._prompts = PromptFiles(settings.agents.prompts)
        self._fetch_missing = fetch_missing
        self._servers: dict[str, EmbeddedServer] = {}

    async def connect(self, spec: ModelSpec) -> ConnectedModel:
        """Return the model, its process running. One that died is started anew, here or by the next call.

        Raises:
            WeightsMissing: Its file was not fetched.
            WeightsCorrupt: Its file has a wrong checksum and was not opened.
            ModelUnavailable: The process does not start.
            InvalidInput: The name is unknown, or there is a URL in the spec.
        """
        if spec.base_url:
            raise InvalidInput(
                f"Model '{spec}': the embedded model has no URL. For a server write PROVIDER:NAME@URL, as in "
                f"vllm:{spec.name or 'NAME'}@{spec.base_url}.",
                model=str(spec),
            )
        name = spec.name or self._settings.embedded.name
        if name not in self._servers:
            await self._check_weights(name)
        locate = partial(self._locate, name)
        server = self._servers.setdefault(name, EmbeddedServer(name, locate, self._settings))
        address = await server.start()
        capabilities = Capabilities(
            tool_method="schema",
            json_schema=True,
            json_by="response_format",
            images=False,
            context_tokens=self._settings.embedded.context_tokens,
            small=True,
            logprobs=True,
        )
        chat = self._chat(name, server, address)
        tokenizer = Tokenizer(lambda text: ask_server(chat, text))
        return ready(ModelSpec("embedded", name), chat, capabilities, tokenizer, self._prompts)

    async def aclose(self) -> None:
        """End every child process. A second call does nothing."""
        while self._servers:
            _, server = self._servers.popitem()
            await asyncio.to_thread(server.stop)

    async def _check_weights(self, name: str) -> None:
        if self._fetch_missing:
            await weights.fetch(name, self._settings, progress=self._fetch_missing)
        else:
            await asyncio.to_thread(self._locate, name)

    def _locate(self, name: str) -> Path:
        """Return the path of the checked weights."""
        path = weights.find(name, self._settings)
        if path is None:
            file = weights.look_up(name, self._settings)
            raise WeightsMissing(
                f"The embedded model {name} was not fetched yet ({file.size_bytes / 1e9:.1f} GB). Run "
                f"`motet models pull {name}`, or set MOTET_WEIGHTS to the path of {file.file}.",
                model=name,
            )
        return path

    def _chat(self, name: str, server: EmbeddedServer, address: Address) -> OpenAIChat:
        models = self._settings.models
        return make_chat(
            spec=ModelSpec("embedded", name, address.base_url),
            api_key=address.api_key,
            timeout_s=self._settings.embedded.timeout_s,
            patience=Patience(models.max_retries, models.retry_pause_s),
            max_tokens=models.max_tokens,
            temperature=models.temperature,
            max_tokens_name="max_tokens",
            # A connection that is kept belongs to one event loop, and a new one costs nothing on loopback.
            default_headers={"Connection": "close"},
            http_client=_Client(server),
            http_async_client=_AsyncClient(server),
        )
