"""``%workflow signal``: send a signal."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from durable_nb.notebook.blocks import Message
from durable_nb.notebook.display import View
from durable_nb.notebook.subcommands.arguments import add_input, add_target, completed_by
from durable_nb.notebook.subcommands.asking import ask, done, handle
from durable_nb.notebook.subcommands.handlers import check, handler_names
from durable_nb.notebook.subcommands.subcommand import Subcommand

if TYPE_CHECKING:
    from durable_nb.notebook.session import NotebookSession


def configure(parser: argparse.ArgumentParser) -> None:
    add_target(parser)
    completed_by(parser.add_argument("name", help="name of the signal"), handler_names("signal"))
    add_input(parser)
    parser.add_argument(
        "--anyway", action="store_true", help="send it even if the workflow has no handler of that name"
    )


def run(session: NotebookSession, options: argparse.Namespace) -> View:
    known = options.anyway or check(session, options, "signal")
    ask(session, options.id, handle(session, options).signal(options.name, args=options.inputs))
    view = done(f"signal {options.name} was recorded in", options)
    if not known:
        view.blocks.append(Message("the workflow has no handler of that name now: the signal waits for one", "warn"))
    return view


COMMAND = Subcommand(
    "signal",
    "send a signal",
    configure,
    run,
    (
        "%workflow signal order-1 approve",
        "%workflow signal order-1 approve --input true --input '\"by Ann\"'",
        "%workflow signal {handle} add --input {item}",
    ),
)
