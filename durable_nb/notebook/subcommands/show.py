"""``%workflow show``: everything about one run."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from durable_nb.client._output import ActivityOutput
from durable_nb.notebook.display import LiveView, View, now_us, read_run
from durable_nb.notebook.subcommands.arguments import add_target
from durable_nb.notebook.subcommands.asking import ask, target
from durable_nb.notebook.subcommands.subcommand import Subcommand
from durable_nb.notebook.views import output_blocks, run_blocks

if TYPE_CHECKING:
    from durable_nb.notebook.session import NotebookSession


def configure(parser: argparse.ArgumentParser) -> None:
    add_target(parser)
    parser.add_argument("--output", "-o", action="store_true", help="what its activities printed and logged")


def run(session: NotebookSession, options: argparse.Namespace) -> View:
    if options.output:
        outputs = ask(session, options.id, session.ask("read_outputs", target(session, options)))
        return View(output_blocks(outputs, options.id), [ActivityOutput.of(raw) for raw in outputs])
    found, attempts, events = ask(session, options.id, read_run(session.engine.frontend, target(session, options)))
    task = found.pending_workflow_task
    missing = task is not None and task.waits_for_definition
    note = session.definition_note(found.workflow_type, found.definition) if missing else ""
    blocks = run_blocks(found, attempts, events, now=now_us(), definition_note=note, cell_of=session.cell_of)
    wanted = target(session, options)

    def live() -> dict[str, Any] | None:
        board = session.live_board()
        return board.run_bundle(wanted, follows_chain=not wanted.run_id) if board is not None else None

    return LiveView(blocks, found, live)


COMMAND = Subcommand(
    "show",
    "one run: status, what it waits for, result, timeline",
    configure,
    run,
    ("%workflow show order-1", "%workflow show order-1 --output", "%workflow show {handle}"),
)
