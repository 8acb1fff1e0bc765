"""`motet graphs`, `motet tools`, `motet config` and `motet doctor`: what Motet has around it.

What does not live here: models (`models`) and documents (`kb`).
"""

from __future__ import annotations

import dataclasses
import sys
from typing import Annotated, Any

import typer

from motet.cli import exit_codes
from motet.cli.lists import AsJson, print_json, print_table
from motet.cli.session import with_app


def list_graphs(as_json: AsJson = False) -> None:
    """List the graphs that --graph takes."""
    from motet.app import build_app
    from motet.settings import Settings

    settings = Settings.load()
    found = build_app(settings).graph_names()
    default = settings.agents.graph
    if as_json:
        rows = [{"name": n, "description": d, "default": n == default} for n, d in found.items()]
        print_json(rows)
        return
    rows = [[name, description, "default" if name == default else ""] for name, description in found.items()]
    print_table(["name", "what it does", ""], rows, wide=1)


def list_tools(as_json: AsJson = False) -> None:
    """List the tools that agents may call with these settings and documents."""
    found = with_app(lambda app: app.tools())
    if as_json:
        print_json([{"name": t.name, "description": t.description, "arguments": t.args} for t in found])
        return
    rows = [[tool.name, tool.description.partition("\n")[0]] for tool in found]
    print_table(["name", "what it does"], rows, wide=1)


def show_config(
    origin: Annotated[bool, typer.Option("--origin", help="And say where each value comes from.")] = False,
    as_json: AsJson = False,
) -> None:
    """Print each setting with its value. Secrets are hidden."""
    rows = setting_rows()
    if as_json:
        print_json(rows)
        return
    names = ["setting", "value", *(["origin"] if origin else [])]
    print_table(names, [[str(row[name]) for name in names] for row in rows], wide=1)


def setting_rows() -> list[dict[str, Any]]:
    """Return every setting as `{"setting", "value", "origin", "env", "doc"}`; a secret's value is `***` or empty."""
    from motet.secret import Secret, hide_password
    from motet.settings import Settings, describe

    settings = Settings.load()
    rows: list[dict[str, Any]] = []
    for key, env, doc, _ in describe():
        group, name = key.split(".")
        value = getattr(getattr(settings, group), name)
        if isinstance(value, Secret):
            value = "***" if value else ""
        plain = value if isinstance(value, bool | int | float) else hide_password(str(value))
        origin = settings.origins.get(key, "default")
        rows.append({"setting": key, "value": plain, "origin": origin, "env": env, "doc": doc})
    for name, target in settings.graphs.items():
        row = {"setting": f"graphs.{name}", "value": target, "origin": "settings file", "env": "", "doc": ""}
        rows.append(row)
    return rows


def doctor(as_json: AsJson = False) -> None:
    """Say what is missing, and how to get it."""
    import asyncio

    from motet.app import build_app
    from motet.settings import Settings

    # The app is not opened: a database that cannot be is one of the findings.
    found = asyncio.run(build_app(Settings.load()).doctor())
    if as_json:
        print_json([dataclasses.asdict(finding) for finding in found])
    else:
        for finding in found:
            sys.stdout.write(f"{'✓' if finding.ok else '✗'} {finding.name}: {finding.detail}\n")
            if not finding.ok and finding.fix:
                sys.stdout.write(f"  → {finding.fix}\n")
    if not all(finding.ok for finding in found):
        raise typer.Exit(exit_codes.FAILED)
