"""``%workflow timeline``: where the time of a run went."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from durable_nb.notebook.display import View, now_us, read_run
from durable_nb.notebook.subcommands.arguments import add_target, positive
from durable_nb.notebook.subcommands.asking import ask, handle, target
from durable_nb.notebook.subcommands.subcommand import Subcommand
from durable_nb.notebook.views import timeline_block

if TYPE_CHECKING:
    from durable_nb.notebook.session import NotebookSession


def configure(parser: argparse.ArgumentParser) -> None:
    add_target(parser)
    parser.add_argument("--height", type=positive, default=420, help="pixels before the rows scroll (default 420)")
    parser.add_argument("--once", action="store_true", help="as it is now, without following the run")
    parser.add_argument("--text", action="store_true", help="as text and a plain table instead of a widget")


def run(session: NotebookSession, options: argparse.Namespace) -> Any:
    # Asked first: it tells of IDs that look like one that does not exist.
    found = ask(session, options.id, session.ask("describe_workflow", target(session, options)))
    if options.text:
        _, attempts, events = session.run(read_run(session.engine.frontend, target(session, options)))
        return View([timeline_block(found, attempts, events, now=now_us())], found)
    return handle(session, options).timeline(max_height=options.height, live=not options.once)


COMMAND = Subcommand(
    "timeline",
    "where the time of a run went: a bar for each attempt, with zoom, search and details",
    configure,
    run,
    ("%workflow timeline order-1", "%workflow timeline order-1 --height 700", "%workflow timeline {handle} --text"),
)
