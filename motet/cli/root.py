"""The tree of commands.

What does not live here: what a command does; each has its own file, which imports what it needs when it runs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.completion import completion_init  # pyright: ignore[reportPrivateImportUsage]  # typer has no other way
from typer.core import TyperGroup

from motet.cli import (
    ask,
    completion,
    evals,
    evaluate,
    exit_codes,
    kb,
    keys,
    mcp_approval,
    memory,
    models,
    replay,
    run_budget,
    scripted,
    serve,
    storage,
    surroundings,
    task_files,
    task_run,
    task_tests,
    thread_files,
)
from motet.cli.chat import command as chat
from motet.cli.session import silence_stdout

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


class _Root(TyperGroup):
    def invoke(self, ctx: Any) -> Any:
        """Run the command; a reader that left ends it quietly, as it ends other tools."""
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            silence_stdout()
            raise typer.Exit(exit_codes.PIPE_CLOSED) from None


def command() -> Callable[[Sequence[str]], int]:
    """Build the command; calling it with arguments runs it and returns its exit status."""
    completion_init()  # what `motet completion` printed asks the command itself
    tree = typer.main.get_command(_tree())

    def call(arguments: Sequence[str]) -> int:
        result = tree.main(args=list(arguments), prog_name="motet", standalone_mode=False)
        return result if isinstance(result, int) else exit_codes.OK

    return call


def _tree() -> typer.Typer:
    tree = typer.Typer(
        cls=_Root,
        help="Agents that plan, retrieve, use tools and answer, over any model, one of its own included.",
        no_args_is_help=True,
        add_completion=False,  # `motet completion` prints it
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    tree.callback()(_options)
    tree.command("ask")(ask.ask)
    tree.command("chat")(chat.chat)
    tree.command("serve")(serve.serve)
    tree.command("replay")(replay.replay)
    tree.add_typer(thread_files.threads, name="threads")
    tree.add_typer(run_budget.runs, name="runs")
    tree.command("run")(task_run.run)
    tree.add_typer(task_tests.task, name="task")
    tree.command("trust")(task_files.trust)
    tree.add_typer(kb.kb, name="kb")
    tree.add_typer(memory.memory, name="memory")
    tree.add_typer(models.models, name="models")
    tree.add_typer(keys.keys, name="keys")
    tree.add_typer(surroundings.graphs, name="graphs")
    surroundings.tools.command("approve")(mcp_approval.approve)
    tree.add_typer(surroundings.tools, name="tools")
    tree.add_typer(surroundings.config, name="config")
    tree.add_typer(storage.storage, name="storage")
    tree.command("doctor")(surroundings.doctor)
    tree.command("completion")(completion.print_completion)
    tree.command("scripted")(scripted.scripted)
    evals.evaluate.command("retrieval")(evaluate.evaluate_retrieval)
    tree.add_typer(evals.evaluate, name="eval")
    return tree


def _show_version(wanted: bool) -> None:
    if wanted:
        from motet import __version__

        print(f"motet {__version__}")
        raise typer.Exit


def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version.")
    ] = False,
    profile: Annotated[
        str | None,
        typer.Option("--profile", metavar="NAME", help="Settings to use: [profile.NAME] of a file."),
    ] = None,
) -> None:
    """Agents that plan, retrieve, use tools and answer, over any model, one of its own included."""
    del version
    if profile is not None:
        from motet.settings import choose_profile

        choose_profile(profile)
