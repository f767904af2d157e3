"""``%workflow terminate``: end a run at once."""

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
    ask(session, options.id, handle(session, options).terminate(reason=options.reason or None))
    return done("terminated", options)


COMMAND = Subcommand(
    "terminate", "end a run at once", configure, run, ('%workflow terminate order-1 --reason "started by mistake"',)
)
