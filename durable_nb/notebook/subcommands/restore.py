"""``%workflow restore``: run stored source that open runs wait for, on the user's word, after showing it."""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from typing import TYPE_CHECKING

from durable_nb.errors import NotebookError
from durable_nb.model.records import DefinitionRow
from durable_nb.model.requests import Target
from durable_nb.notebook import patience
from durable_nb.notebook.blocks import Block, Listing, Message
from durable_nb.notebook.counting import plural, verb
from durable_nb.notebook.display import View
from durable_nb.notebook.edit_views import source_lines
from durable_nb.notebook.restoring import Wanted
from durable_nb.notebook.subcommands.arguments import completed_by
from durable_nb.notebook.subcommands.asking import recent_ids
from durable_nb.notebook.subcommands.subcommand import Subcommand
from durable_nb.notebook.text import safe_text
from durable_nb.notebook.units import title_of
from durable_nb.notebook.versions import DYNAMIC
from durable_nb.notebook.words import did_you_mean
from durable_nb.service import RPCError, RPCStatusCode

if TYPE_CHECKING:
    from durable_nb.notebook.session import NotebookSession


def _names(session: NotebookSession, options: argparse.Namespace) -> Iterable[str]:
    types = [title_of(wanted.row.name) for wanted in session.definitions.restorer.wanted()]
    return [*dict.fromkeys(types), *recent_ids(session, patience.COMPLETION)]


def configure(parser: argparse.ArgumentParser) -> None:
    completed_by(
        parser.add_argument("what", nargs="?", default="", metavar="TYPE|ID", help="workflow type, or workflow ID"),
        _names,
    )
    parser.add_argument("--run-id", "-r", default="", help="one run of the workflow ID instead of the current one")
    parser.add_argument("--all", "-a", action="store_true", help="everything that open runs wait for")
    parser.add_argument("--yes", "-y", action="store_true", help="run it; without this the source is only shown")


def run(session: NotebookSession, options: argparse.Namespace) -> View:
    restorer = session.definitions.restorer
    wanted = restorer.wanted()
    if options.what:
        chosen = _chosen(session, options, wanted)
    elif options.all or len(wanted) == 1:
        chosen = wanted
    else:
        chosen = []
    if not chosen:
        return View(_overview(wanted), wanted)
    rows = _with_activities(session, [each.row for each in chosen])
    blocks: list[Block] = []
    if not options.yes:
        for row in rows:
            blocks += _shown(session, row)
        word = "it" if len(rows) == 1 else "them"
        text = f"This is code from the store. Write --yes at the end of the line to run {word} in this kernel."
        return View([*blocks, Message(text, "warn")], rows)
    for row in rows:
        restorer.restore(row)
    names = ", ".join(f"{safe_text(title_of(row.name), 80)} (version {row.digest[:8]})" for row in rows)
    count = sum(each.runs for each in chosen)
    told = f"; {plural(count, 'open run')} {verb(count, 'go')} on" if count else ""
    return View([Message(f"restored {names}{told}", "good")], rows)


def _chosen(session: NotebookSession, options: argparse.Namespace, wanted: list[Wanted]) -> list[Wanted]:
    restorer = session.definitions.restorer
    found = [each for each in wanted if title_of(each.row.name) == options.what]
    if found:
        return found
    row = restorer.stored("workflow", DYNAMIC if options.what == title_of(DYNAMIC) else options.what)
    if row is None:
        row = _of_run(session, options)
        of_run = [each for each in wanted if each.row.digest == row.digest]
        if of_run:
            return of_run
    if session.definitions.keeper.holds(row.name, row.digest):
        raise NotebookError(
            f"{title_of(row.name)} (version {row.digest[:8]}) runs here already",
            fix="%workflow definitions shows what runs here",
        )
    return [Wanted(row, 0, restorer.judge(row))]


def _of_run(session: NotebookSession, options: argparse.Namespace) -> DefinitionRow:
    target = Target(session.client.namespace, options.what, options.run_id)
    try:
        described = session.run(session.ask("describe_workflow", target))
    except RPCError as error:
        if error.status is not RPCStatusCode.NOT_FOUND:
            raise
        raise NotebookError(
            f"{options.what!r} is no workflow type whose source is stored, and no run has this ID"
            + did_you_mean(options.what, _names(session, options)),
            fix="%workflow restore shows what open runs wait for",
        ) from error
    row = None
    if described.definition:
        row = session.definitions.restorer.stored("workflow", described.workflow_type, described.definition)
    if row is None:
        raise NotebookError(
            f"no source is stored of the code that workflow {options.what!r} runs on",
            fix=f"run the cell that defines {described.workflow_type}",
        )
    return row


def _with_activities(session: NotebookSession, rows: list[DefinitionRow]) -> list[DefinitionRow]:
    found = {row.digest: row for row in rows}
    for row in rows:
        found |= {each.digest: each for each in session.definitions.restorer.activities_of(row)}
    return list(found.values())


def _shown(session: NotebookSession, row: DefinitionRow) -> list[Block]:
    verdict = session.definitions.restorer.judge(row)
    where = f", from {safe_text(row.origin, 120)}" if row.origin else ""
    title = f"{row.kind} {safe_text(title_of(row.name), 80)}, version {safe_text(row.digest[:8], 20)}{where}"
    tone = "good" if verdict.may_run else "warn" if verdict.may_be_allowed else "bad"
    return [Message(verdict.value, tone, title), Listing(source_lines(row.source))]


def _overview(wanted: list[Wanted]) -> list[Block]:
    if not wanted:
        return [Message("no open run waits for code that is stored; %workflow restore TYPE shows a stored workflow")]
    lines = [
        f"{safe_text(title_of(each.row.name), 80)} (version {each.row.digest[:8]}): {plural(each.runs, 'open run')}, "
        f"{each.verdict.value}"
        for each in wanted
    ]
    text = "\n".join([*lines, "%workflow restore TYPE shows the source, %workflow restore --all that of all"])
    return [Message(text, "warn", "open runs wait for code that is stored but does not run here")]


COMMAND = Subcommand(
    "restore",
    "run stored source that open runs wait for, after showing it",
    configure,
    run,
    (
        "%workflow restore",
        "%workflow restore OrderWorkflow",
        "%workflow restore OrderWorkflow --yes",
        "%workflow restore order-1",
        "%workflow restore --all --yes",
    ),
)
