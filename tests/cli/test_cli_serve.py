"""`motet serve` as a process of its own: where it says it listens, and how it ends."""

import json
import os
import re
import signal
import subprocess
import sys
import urllib.request

import pytest


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_serves_until_a_signal_and_ends_well(number: signal.Signals) -> None:
    command = [sys.executable, "-m", "motet", "serve", "--port", "0"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env={**os.environ}) as process:
        assert process.stderr is not None
        try:
            found = re.search(r"http://127\.0\.0\.1:(\d+)", process.stderr.readline())
            assert found is not None
            with urllib.request.urlopen(f"{found[0]}/ready", timeout=30) as answer:
                assert json.load(answer) == {"status": "ready"}
            process.send_signal(number)
            said = process.stderr.read()
            assert process.wait(30) == 0, said
            assert "Given back to the queue: 0" in said
        finally:
            process.kill()


def test_others_are_not_served_without_being_asked_who_they_are() -> None:
    command = [sys.executable, "-m", "motet", "serve", "--host", "0.0.0.0", "--port", "0"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 2
    assert "motet keys create" in done.stderr
    assert "Traceback" not in done.stderr
