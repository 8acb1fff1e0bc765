"""The command line: parse, build the app, submit, print what the log says.

What does not live here: the work. Nothing heavy is imported until a command runs.
"""

from motet.cli.entry import main

__all__ = ["main"]
