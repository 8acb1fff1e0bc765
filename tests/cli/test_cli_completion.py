"""`motet completion`: real shells complete the command's words with what it prints."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from cli_process import Motet


def complete(motet: Motet, shell: str, script: str) -> str:
    """Run a script in a shell that has been told of the command, which is on its PATH; return what it prints."""
    (motet.folder / "bin").mkdir()
    command = motet.folder / "bin" / "motet"
    command.write_text(f'#!/bin/sh\nexec {" ".join(motet.command)} "$@"\n', "utf-8")
    command.chmod(0o755)
    path = f"{command.parent}:{motet.environment['PATH']}"
    done = subprocess.run(
        [shell, "-c", f"{script}\n"],
        env=motet.environment | {"PATH": path},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    return done.stdout + done.stderr


@pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash here")
def test_bash_completes_commands(tmp_path: Path) -> None:
    script = (
        'eval "$(motet completion bash)"; COMP_WORDS=(motet threads s); COMP_CWORD=2; '
        '_motet_completion motet; echo "${COMPREPLY[@]}"'
    )
    assert complete(Motet(tmp_path), "bash", script).split() == ["show", "search"]


@pytest.mark.skipif(shutil.which("fish") is None, reason="there is no fish here")
def test_fish_completes_commands(tmp_path: Path) -> None:
    script = "motet completion fish | source; complete --do-complete 'motet threads s'"
    assert {line.split("\t")[0] for line in complete(Motet(tmp_path), "fish", script).splitlines()} == {
        "show",
        "search",
    }


ZSH = r"""
zmodload zsh/zpty
zpty -w shell x 2>/dev/null
zpty shell zsh -f -i
zpty -w shell 'PS1= ; autoload -Uz compinit && compinit -u -D; eval "$(motet completion zsh)"; echo rea""dy'
zpty -r -m shell line '*ready*'
zpty -w -n shell $'motet threads sea\t\001echo [\005]\n'
zpty -r -m shell line '*search*'
print -r -- "$line"
zpty -d shell
"""
"""A terminal in which zsh completes at Tab, and the line is printed."""


@pytest.mark.skipif(shutil.which("zsh") is None, reason="there is no zsh here")
def test_zsh_completes_commands(tmp_path: Path) -> None:
    assert "search" in complete(Motet(tmp_path), "zsh", ZSH)


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_every_shell_has_its_words(tmp_path: Path, shell: str) -> None:
    assert "_MOTET_COMPLETE" in Motet(tmp_path).here("completion", shell).stdout
