"""The tree of commands.

What does not live here: what a command does; each has its own file, which is imported when it is called (`lazy`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.completion import completion_init  # pyright: ignore[reportPrivateImportUsage]  # typer has no other way

from motet.cli import exit_codes
from motet.cli.lazy import Branch, LazyGroup, Leaf, eased, lazy

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

THREADS: Mapping[str, Leaf] = {
    "list": Leaf("motet.cli.records:list_threads", "List conversations, the one used last first."),
    "show": Leaf("motet.cli.records:show_thread", "Print a conversation."),
    "search": Leaf("motet.cli.records:search_threads", "Search all conversations."),
    "rename": Leaf("motet.cli.records:rename_thread", "Give a conversation another title."),
    "rm": Leaf("motet.cli.records:delete_threads", "Delete conversations, with their runs."),
    "fork": Leaf("motet.cli.threads:fork_thread", "Begin a new one with what this one held at a point."),
    "copy": Leaf("motet.cli.threads:copy_thread", "Copy a conversation with its state."),
    "rewind": Leaf("motet.cli.threads:rewind_thread", "Go back to an earlier turn."),
    "diff": Leaf("motet.cli.threads:diff_threads", "Show what differs between two conversations or points."),
    "tag": Leaf(
        "motet.cli.threads:tag_thread",
        "Tag a conversation: tag THREAD +work -draft.",
        {"ignore_unknown_options": True},
    ),
    "pin": Leaf("motet.cli.threads:pin_turn", "Have models keep in mind what was said in a turn."),
    "ttl": Leaf("motet.cli.threads:set_ttl", "Say how long after its last use it is deleted."),
    "prune": Leaf("motet.cli.threads:prune_threads", "Delete those whose time is over."),
    "compact": Leaf("motet.cli.threads:compact_threads", "Delete old checkpoints; transcripts stay."),
    "export": Leaf("motet.cli.thread_files:export_threads", "Write conversations into a file."),
    "import": Leaf("motet.cli.thread_files:import_threads", "Take conversations in from a file."),
}

RUNS: Mapping[str, Leaf] = {
    "list": Leaf("motet.cli.runs:list_runs", "List runs, the newest first."),
    "show": Leaf("motet.cli.runs:show_run", "Print what a run did: plan, steps, tool calls, answer."),
    "resume": Leaf("motet.cli.runs:resume_run", "Answer what a run waits for, and go on with it."),
    "cancel": Leaf("motet.cli.runs:cancel_run", "Stop a run, whichever process works on it."),
    "work": Leaf("motet.cli.runs:work_on_runs", "Work on the runs of every conversation until Ctrl-C."),
    "diff": Leaf("motet.cli.run_diff:diff_runs", "Show what two runs did differently."),
    "budget": Leaf("motet.cli.run_budget:show_budget", "Show a run's limits, and what was spent of them."),
    "record": Leaf("motet.cli.replay:write_recording", "Write a run's recording to a file."),
    "export-test": Leaf("motet.cli.replay:export_test", "Write a test that plays a run again."),
    "schedule": Leaf("motet.cli.schedule:schedule", "Runs that begin by the clock."),
}

TASK: Mapping[str, Leaf] = {
    "validate": Leaf("motet.cli.task_files:validate", "Check task files; nothing is run."),
    "schema": Leaf("motet.cli.task_files:schema", "Print the JSON Schema of task files, for editors."),
    "graph": Leaf("motet.cli.task_files:graph", "Show a file's steps, and what each waits for."),
    "init": Leaf("motet.cli.task_files:init", "Write a small task file to begin with."),
    "import": Leaf("motet.cli.task_import:import_files", "Make a task file of CrewAI's files."),
    "test": Leaf("motet.cli.task_tests:run_tests", "Run the tests of a task file."),
}

GRAPHS = {"list": Leaf("motet.cli.surroundings:list_graphs", "List the graphs that --graph takes.")}

TOOLS = {
    "list": Leaf("motet.cli.surroundings:list_tools", "List the tools that agents may call here."),
    "approve": Leaf("motet.cli.mcp_approval:approve", "Show what an MCP server offers, and approve it."),
}

CONFIG = {"show": Leaf("motet.cli.surroundings:show_config", "Print each setting with its value.")}

EVAL: Mapping[str, Leaf] = {
    "skills": Leaf("motet.cli.skills:skills", "How well a model does what agents ask of it."),
    "run": Leaf("motet.cli.evals:run", "Score a graph on a data set."),
    "list": Leaf("motet.cli.evals:list_evaluations", "List what was evaluated, the newest first."),
    "show": Leaf("motet.cli.evals:show", "Show an evaluation, and how it compares with another."),
    "retrieval": Leaf("motet.cli.evaluate:evaluate_retrieval", "Score the search of a collection."),
}

COMMANDS: Mapping[str, Leaf | Branch] = {
    "ask": Leaf("motet.cli.ask:ask", "Ask one question, and print the answer."),
    "chat": Leaf("motet.cli.chat.command:chat", "Talk with agents."),
    "serve": Leaf("motet.cli.serve:serve", "Serve every graph over HTTP."),
    "replay": Leaf("motet.cli.replay:replay", "Play a recorded run again, with no model and no tool."),
    "run": Leaf("motet.cli.task_run:run", "Run a task file, or go on with it where it broke off."),
    "trust": Leaf("motet.cli.task_files:trust", "Let a task file run programs, as it is now."),
    "doctor": Leaf("motet.cli.surroundings:doctor", "Say what is missing, and how to get it."),
    "completion": Leaf("motet.cli.completion:print_completion", "Print what a shell needs for Tab."),
    "scripted": Leaf("motet.cli.scripted:scripted", "Serve a script as a model over OpenAI's wire."),
    "threads": Branch("Conversations: list, search, fork, rewind, export, delete.", THREADS),
    "runs": Branch("Runs: list, show, answer one that waits, cancel, compare.", RUNS),
    "task": Branch("Task files: check, show, begin, test and import them.", TASK),
    "kb": Leaf("motet.cli.kb:kb", "Documents that agents search."),
    "memory": Leaf("motet.cli.memory:memory", "What agents remember beyond a conversation."),
    "models": Leaf("motet.cli.models:models", "Models: list, fetch, test."),
    "keys": Leaf("motet.cli.keys:keys", "Keys for callers of the server."),
    "graphs": Branch("Graphs: how agents play together.", GRAPHS),
    "tools": Branch("Tools that agents may call.", TOOLS),
    "config": Branch("Settings, and where each comes from.", CONFIG),
    "storage": Leaf("motet.cli.storage:storage", "What takes the space, and encryption."),
    "eval": Branch("Evaluate: how well models do agents' work.", EVAL),
}


class _Root(LazyGroup):
    def invoke(self, ctx: Any) -> Any:
        """Run the command; a reader that left ends it quietly, as it ends other tools."""
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            from motet.cli.session import silence_stdout

            silence_stdout()
            raise typer.Exit(exit_codes.PIPE_CLOSED) from None


def command() -> Callable[[Sequence[str]], int]:
    """Build the command; calling it with arguments runs it and returns its exit status."""
    completion_init()  # what `motet completion` printed asks the command itself
    tree = eased(typer.main.get_command(_tree()))

    def call(arguments: Sequence[str]) -> int:
        result = tree.main(args=list(arguments), prog_name="motet", standalone_mode=False)
        return result if isinstance(result, int) else exit_codes.OK

    return call


def _tree() -> typer.Typer:
    tree = typer.Typer(
        cls=lazy(COMMANDS, _Root),
        help="Agents that plan, retrieve, use tools and answer, over any model, one of its own included.",
        no_args_is_help=True,
        add_completion=False,  # `motet completion` prints it
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    tree.callback()(_options)
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
