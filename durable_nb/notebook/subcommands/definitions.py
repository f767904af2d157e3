"""``%workflow definitions``: what this notebook runs, in which versions, and what open runs wait for."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from durable_nb.notebook.display import View
from durable_nb.notebook.subcommands.subcommand import Subcommand
from durable_nb.notebook.views import DefinitionLine, definitions_blocks

if TYPE_CHECKING:
    from durable_nb.notebook.session import NotebookSession
    from durable_nb.notebook.versions import Version


def configure(parser: argparse.ArgumentParser) -> None:
    """It takes nothing."""


def run(session: NotebookSession, options: argparse.Namespace) -> View:
    lines = _workflows(session) + _activities(session)
    return View(definitions_blocks(lines), lines)


def _workflows(session: NotebookSession) -> list[DefinitionLine]:
    definitions = session.definitions
    lines = []
    for name, current in sorted(definitions.keeper.current.items()):
        counts = definitions.open_runs.counts_for(name)
        older = [version for version in definitions.keeper.older() if version.name == name]
        for version, state in [(current, "current"), *((each, "pinned") for each in older)]:
            digests = {version.digest, ""} if state == "current" else {version.digest}
            count = sum(number for (_, digest), number in counts.items() if digest in digests)
            lines.append(_line(session, version, state, count))
    for wanted in definitions.restorer.wanted():
        row = wanted.row
        lines.append(
            DefinitionLine("workflow", row.name, row.digest, "not here", wanted.runs, wanted.verdict.value, row.origin)
        )
    return sorted(lines, key=lambda line: line.name)  # stable: versions of a name stay in their order


def _line(session: NotebookSession, version: Version, state: str, runs: int) -> DefinitionLine:
    restorer = session.definitions.restorer
    row = restorer.stored("workflow", version.name, version.digest) if version.digest else None
    trust = restorer.judge(row).value if row is not None else "none"
    captured = session.capture.known.get(("workflow", version.name))
    made_here = captured is not None and captured.digest == version.digest
    origin = captured.origin if made_here and captured is not None else row.origin if row is not None else ""
    return DefinitionLine("workflow", version.name, version.digest, state, runs, trust, origin)


def _activities(session: NotebookSession) -> list[DefinitionLine]:
    found = [
        DefinitionLine("activity", known.name, known.digest, "current", origin=known.origin)
        for known in session.capture.known.values()
        if known.kind == "activity"
    ]
    names = {line.name for line in found}
    restored = [
        row for row in session.definitions.restorer.restored if row.kind == "activity" and row.name not in names
    ]
    found += [DefinitionLine("activity", row.name, row.digest, "restored", origin=row.origin) for row in restored]
    return sorted(found, key=lambda line: line.name)


COMMAND = Subcommand(
    "definitions",
    "workflows and activities that this notebook runs: versions, open runs, where they were defined",
    configure,
    run,
    ("%workflow definitions",),
)
