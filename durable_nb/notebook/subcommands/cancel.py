"""``%workflow cancel``: ask a run to stop; its code decides how."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from durable_nb.notebook.display import View
from durable_nb.notebook.subcommands.arguments import add_reason, add_target
from durable_nb.notebook.subcommands.asking import ask, done, handle
from durable_nb.notebook.subcommands.subcommand import Subcommand

if TYPE_CHECKING:
    from durable_nb.notebook.session import NotebookSession


def configure(parser: argparse.ArgumentParser) -> None:
    add_target(parser)
    add_reason(parser)


def run(session: NotebookSession, options: argparse.Namespace) -> View:
    ask(session, options.id, handle(session, options).cancel(reason=options.reason))
    return done("cancellation was requested of", options)


COMMAND = Subcommand(
    "cancel",
    "ask a run to stop; its code decides how",
    configure,
    run,
    ('%workflow cancel order-1 --reason "out of stock"',),
)
