"""``%workflow history``: the events of one run."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from durable_nb.model.requests import ReadHistory
from durable_nb.notebook.display import View
from durable_nb.notebook.histories import history_blocks
from durable_nb.notebook.subcommands.arguments import add_target, positive
from durable_nb.notebook.subcommands.asking import ask, handle, target
from durable_nb.notebook.subcommands.subcommand import Subcommand

if TYPE_CHECKING:
    from durable_nb.notebook.session import NotebookSession


def configure(parser: argparse.ArgumentParser) -> None:
    add_target(parser)
    parser.add_argument("--limit", type=positive, help="most events to show (default: the setting max_events)")
    parser.add_argument("--json", action="store_true", help="give Temporal's history JSON as a str")


def run(session: NotebookSession, options: argparse.Namespace) -> Any:
    if options.json:
        return ask(session, options.id, handle(session, options).fetch_history()).to_json()
    page = ask(session, options.id, session.ask("read_history", ReadHistory(target(session, options))))
    return View(
        history_blocks(page.events, workflow_id=options.id, limit=options.limit or session.settings.max_events),
        page.events,
    )


COMMAND = Subcommand(
    "history",
    "the events of one run",
    configure,
    run,
    ("%workflow history order-1 --limit 100", "text = %workflow history order-1 --json"),
)
