"""Writes what counts of a server's answers: `python agent_golden.py ANSWERS GOLDEN`, after `agent_script.py`."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from agent_compare import normal

if __name__ == "__main__":
    answers = json.loads(Path(sys.argv[1]).read_text("utf-8"))
    kept = {name: normal(answer) for name, answer in answers.items()}
    lines = [
        f"{json.dumps(name)}: {json.dumps(kept[name], ensure_ascii=False, sort_keys=True)}" for name in kept
    ]
    Path(sys.argv[2]).write_text("{\n" + ",\n".join(lines) + "\n}\n", "utf-8")
