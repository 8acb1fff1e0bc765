"""`motet completion`: what a shell needs to complete the command's words at Tab."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

VARIABLE = "_MOTET_COMPLETE"
"""Set by the shell's function when it asks the command what could come next."""


class Shell(StrEnum):
    """A shell that can be told."""

    BASH = "bash"
    ZSH = "zsh"
    FISH = "fish"


def print_completion(
    shell: Annotated[Shell, typer.Argument(help="Which shell it is for.", metavar="bash|zsh|fish")],
) -> None:
    """Print what completes the command at Tab: put `eval "$(motet completion bash)"` into ~/.bashrc."""
    from typer.completion import get_completion_script  # pyright: ignore[reportPrivateImportUsage]

    print(get_completion_script(prog_name="motet", complete_var=VARIABLE, shell=shell.value))
