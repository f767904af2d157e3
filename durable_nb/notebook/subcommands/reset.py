"""``%workflow reset``: a new run that goes on from an earlier workflow task, whose code runs anew."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from durable_nb.errors import NotebookError
from durable_nb.notebook.subcommands.arguments import positive
from durable_nb.notebook.subcommands.branching import add_activity, add_branch, run_branch
from durable_nb.notebook.subcommands.subcommand import Subcommand

if TYPE_CHECKING:
    from durable_nb.notebook.session import NotebookSession


def configure(parser: argparse.ArgumentParser) -> None:
    add_branch(parser)
    parser.add_argument("--event-id", "-e", type=positive, help="id of the WorkflowTaskCompleted event to go back to")
    add_activity(parser, "instead: the workflow task that scheduled this activity")
    parser.add_argument("--first-task", action="store_true", help="instead: the first workflow task")
    parser.add_argument("--last-task", action="store_true", help="instead: the last workflow task")
    parser.add_argument("--diverging", action="store_true", help="instead: where the code of now does something else")
    parser.add_argument(
        "--bad-definition", default="", metavar="DIGEST", help="instead: as --diverging, of runs of this code"
    )
    parser.add_argument("--no-signals", action="store_true", help="do not deliver later signals again")
    parser.add_argument("--no-updates", action="store_true", help="do not ask later updates again")


def run(session: NotebookSession, options: argparse.Namespace) -> Any:
    given = {
        "event_id": options.event_id,
        "activity_id": options.activity,
        "first_task": options.first_task,
        "last_task": options.last_task,
        "diverging": options.diverging,
        "bad_definition": options.bad_definition,
        "reapply_signals": not options.no_signals,
        "reapply_updates": not options.no_updates,
    }
    points = ("event_id", "activity", "first_task", "last_task", "diverging", "bad_definition")
    if sum(bool(getattr(options, point)) for point in points) != 1:
        raise NotebookError(
            "exactly one option says where to reset to",
            where="%workflow reset",
            fix="give one of " + ", ".join(f"--{point.replace('_', '-')}" for point in points),
        )
    return run_branch(session, options, "reset", given)


COMMAND = Subcommand(
    "reset",
    "start a new run from an earlier point of a history",
    configure,
    run,
    (
        "%workflow reset order-1 --event-id 10 --reason 'bad rate'",
        "%workflow reset order-1 --activity 3 --dry-run",
        "%workflow reset order-1 --diverging",
        "%workflow reset --runs {broken} --bad-definition 3f9c21",
    ),
)
