"""The examples run as their own words say."""

import os
import subprocess
import sys
from pathlib import Path

EXAMPLES = Path(__file__).parent.parent / "examples"


def run(name: str, *arguments: str, **environment: str) -> str:
    done = subprocess.run(
        [sys.executable, str(EXAMPLES / name), *arguments],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | environment,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_motets_graph_is_a_node_in_somebody_elses_graph() -> None:
    assert run("subgraph.py") == "Twelve quartets have 48 voices.\n— the choir\n"


def test_an_app_answers_inside_a_program(tmp_path: Path) -> None:
    script = tmp_path / "script.yaml"
    script.write_text(
        'rules:\n  - schema: Route\n    reply: {json: {route: direct, personal: false}}\ndefault: "Hi there."\n'
    )
    assert run("embed_in_python.py", "Hello", MOTET_MODEL=f"scripted:{script}") == "Hi there.\n"
