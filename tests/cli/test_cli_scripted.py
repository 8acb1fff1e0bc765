"""`motet scripted` in a process of its own: it serves, fails as it is told, and stops on Ctrl-C."""

from __future__ import annotations

import json
import signal
import subprocess
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

from cli_process import Motet


def post(url: str, **body: Any) -> tuple[int, Any]:
    data = json.dumps({"model": "m", **body}).encode()
    request = urllib.request.Request(url, data, {"content-type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=30) as reply:
            return reply.status, json.load(reply)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.load(error)


def test_it_serves_fails_once_and_stops(tmp_path: Path) -> None:
    motet = Motet(tmp_path)
    command = [*motet.command, "scripted", str(tmp_path / "script.yaml"), "--model", "m"]
    command += ["--faults", "http_503;at=1", "--faults", "rate_limit;at=2;retry_after=2"]
    with subprocess.Popen(
        command, env=motet.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as server:
        assert server.stdout is not None
        url = server.stdout.readline().strip()
        asked = {"messages": [{"role": "user", "content": "hi"}]}
        found = [post(f"{url}/chat/completions", **asked) for _ in range(3)]
        assert [status for status, _ in found] == [503, 429, 200]
        assert found[2][1]["choices"][0]["message"]["content"] == "Hello, 你好。"
        status, answer = post(f"{url}/embeddings", input="hi")
        assert status == 200
        assert answer["data"][0]["embedding"]
        server.send_signal(signal.SIGINT)
        _, told = server.communicate(timeout=60)
    assert server.returncode == 0
    assert f"--model test:m@{url}" in told
    assert "Traceback" not in told


def test_faults_are_listed_and_checked(tmp_path: Path) -> None:
    motet = Motet(tmp_path)
    listed = motet.here("scripted", "--list-faults")
    assert {"rate_limit", "gzip_bomb", "half_character"} <= set(listed.stdout.split())
    wrong = motet.here("scripted", "--faults", "rate_limt")
    assert (wrong.returncode, wrong.stdout) == (2, "")
    assert "Unknown fault 'rate_limt'. Did you mean 'rate_limit'?" in wrong.stderr
