"""The child process that serves the embedded model: llama.cpp's own OpenAI-compatible server, on loopback.

What does not live here: anything of Motet's. It is run as a file, imports little, and starts fast. One line
of JSON on stdin says what to serve (so that the key is in no process list), `READY URL` on stdout that it
does. It ends when its stdin ends, and on Linux the kernel kills it when its parent dies.
"""

from __future__ import annotations

import ctypes
import importlib
import json
import os
import signal
import socket
import sys
import threading
from typing import Any

PR_SET_PDEATHSIG = 1
"""From Linux's `sys/prctl.h`."""


def main() -> int:
    """Serve until the parent is gone. Returns 1 when the parent was gone before it began."""
    _die_with_parent()
    parameters = json.loads(sys.stdin.buffer.readline() or b"{}")
    if os.getppid() != parameters.get("parent_pid"):
        return 1
    threading.Thread(target=_end_with_stdin, name="stdin", daemon=True).start()
    engine: Any = importlib.import_module("xllamacpp")  # slow, so only once its end is taken care of
    server = engine.Server(_common_params(engine, parameters))
    sys.stdout.write(f"READY {server.listening_address}\n")
    sys.stdout.flush()
    threading.Event().wait()
    return 0


def _common_params(engine: Any, parameters: dict[str, Any]) -> Any:
    """Translate the parameters into llama.cpp's, everything that is not needed switched off."""
    params = engine.CommonParams()
    params.model.path = parameters["weights"]
    params.model_alias = {parameters["name"]}
    params.hostnames = ["127.0.0.1"]
    params.port = _free_or_any(parameters["port"])
    params.api_keys = [parameters["api_key"]]
    params.n_parallel = parameters["slots"]
    params.n_ctx = parameters["context_tokens"] * parameters["slots"]
    params.cpuparams.n_threads = parameters["threads"]
    params.cpuparams_batch.n_threads = parameters["threads"]
    params.cache_prompt = True
    params.cache_ram_mib = parameters["cache_ram_mib"]
    params.use_jinja = True
    params.verbosity = parameters["verbosity"]
    params.ui = False
    params.cors_origins = ""
    params.endpoint_slots = False
    params.endpoint_props = False
    params.endpoint_metrics = False
    return params


def _free_or_any(port: int) -> int:
    """Return `port` when it can be taken, else 0 (any)."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return 0
    return port


def _die_with_parent() -> None:
    """Ask Linux to kill this process when the thread that started it ends; elsewhere stdin alone tells."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def _end_with_stdin() -> None:
    """End the process at once when the parent's end of stdin is closed."""
    while sys.stdin.buffer.read(1):
        pass
    os._exit(0)


if __name__ == "__main__":
    sys.exit(main())
