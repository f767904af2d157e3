"""``%workflow compare``: two runs side by side, and where they part."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from durable_nb.notebook.subcommands.arguments import completed_by
from durable_nb.notebook.subcommands.asking import ask, workflow_ids
from durable_nb.notebook.subcommands.subcommand import Subcommand

if TYPE_CHECKING:
    from durable_nb.notebook.session import NotebookSession


def configure(parser: argparse.ArgumentParser) -> None:
    for name in ("left", "right"):
        completed_by(parser.add_argument(name, help="workflow ID"), workflow_ids)
        parser.add_argument(f"--{name}-run-id", default="", help=f"one run of the {name} instead of the current one")


def run(session: NotebookSession, options: argparse.Namespace) -> Any:
    left, right = (options.left, options.left_run_id), (options.right, options.right_run_id)
    for ident, run_id in (left, right):
        # Asked one by one, so that "did you mean" is about the one that is wrong.
        ask(session, ident, session.client.get_workflow_handle(ident, run_id=run_id or None).describe())
    return ask(session, options.left, session.client.compare(left, right))


COMMAND = Subcommand(
    "compare",
    "two runs side by side, and where they part",
    configure,
    run,
    ("%workflow compare order-1 order-1-fork-1", "%workflow compare order-1 order-1 --left-run-id 01a2…"),
)
