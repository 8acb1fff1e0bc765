"""The examples run as their own words say."""

import os
import re
import subprocess
import sys
from pathlib import Path

import httpx

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


def test_a_fastapi_service_holds_an_app_and_its_doors(tmp_path: Path) -> None:
    script = tmp_path / "script.yaml"
    script.write_text('default: "Hi there."\n')
    more = {"MOTET_MODEL": f"scripted:{script}", "MOTET_MODEL_EMBED": "none", "MOTET_GRAPH": "chat"}
    command = [sys.executable, str(EXAMPLES / "fastapi_service.py"), "--port", "0"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=os.environ | more) as process:
        try:
            assert process.stderr is not None
            lines = iter(process.stderr.readline, "")
            url = next(found[0] for line in lines if (found := re.search(r"http://127\.0\.0\.1:\d+", line)))
            with httpx.Client(base_url=url, timeout=60, trust_env=False) as client:
                assert client.post("/ask", json={"question": "Hello"}).json() == {"answer": "Hi there."}
                models = client.get("/agents/v1/models").json()["data"]
                assert "motet/chat" in [model["id"] for model in models]
                body = {"model": "chat", "messages": [{"role": "user", "content": "Hello"}], "stream": True}
                assert client.post("/agents/v1/chat/completions", json=body).text.endswith("data: [DONE]\n\n")
                assert client.get("/agents/openapi.json").status_code == 200
        finally:
            process.kill()
