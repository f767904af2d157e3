"""``%workflow retry``: try again now what failed, in an open run or after a closed one."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from durable_nb.notebook.subcommands.branching import add_activity, add_branch, run_branch
from durable_nb.notebook.subcommands.subcommand import Subcommand

if TYPE_CHECKING:
    from durable_nb.notebook.session import NotebookSession


def configure(parser: argparse.ArgumentParser) -> None:
    add_branch(parser)
    add_activity(parser, "only this activity; of a closed run: from before its end")


def run(session: NotebookSession, options: argparse.Namespace) -> Any:
    return run_branch(session, options, "retry", {"activity_id": options.activity})


COMMAND = Subcommand(
    "retry",
    "try again now what failed: a back-off, a workflow task, or a closed run before its failure",
    configure,
    run,
    (
        "%workflow retry order-1",
        "%workflow retry order-1 --activity 2",
        "%workflow retry --runs {failed} --yes",
    ),
)
