"""``%workflow fork``: a copy of a run that goes on from a point of its history, with another result or input."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from durable_nb.errors import NotebookError
from durable_nb.notebook.subcommands.arguments import add_input, positive
from durable_nb.notebook.subcommands.branching import add_activity, add_branch, run_branch
from durable_nb.notebook.subcommands.subcommand import Subcommand

if TYPE_CHECKING:
    from durable_nb.notebook.session import NotebookSession


def configure(parser: argparse.ArgumentParser) -> None:
    add_branch(parser)
    parser.add_argument("--event-id", "-e", type=positive, help="keep everything through this event")
    add_activity(parser, "instead: run this activity again, or, with --result, take that for its result")
    parser.add_argument(
        "--result", action="append", default=[], metavar="JSON", help="result of --activity, as JSON or {variable}"
    )
    add_input(parser)
    parser.add_argument(
        "--id", "-w", dest="new_id", default="", help="workflow ID of the copy; <id>-fork-<n> by default"
    )
    parser.add_argument("--reapply", action="store_true", help="deliver later signals and updates to the copy, too")


def run(session: NotebookSession, options: argparse.Namespace) -> Any:
    given: dict[str, Any] = {
        "event_id": options.event_id,
        "activity_id": options.activity,
        "id": options.new_id,
        "reapply_signals": options.reapply,
        "reapply_updates": options.reapply,
    }
    if options.inputs:
        given["args"] = options.inputs
    if options.result:
        given["result"] = options.result[-1]
    if not (options.event_id or options.activity or options.inputs):
        raise NotebookError(
            "nothing says where to fork",
            where="%workflow fork",
            fix="give --event-id N, --activity ID (with --result JSON or without), or --input JSON; "
            "%workflow history and %workflow at show the events",
        )
    return run_branch(session, options, "fork", given)


COMMAND = Subcommand(
    "fork",
    "copy a run from a point of its history, with another result or input",
    configure,
    run,
    (
        "%workflow fork order-1 --event-id 17",
        "%workflow fork order-1 --activity 2 --result '{\"price\": 10}'",
        "%workflow fork order-1 --input {order} --id order-1-cheaper",
        "%workflow fork --runs {failed} --event-id 5",
    ),
)
