"""``%workflow result``: wait for the result of a run."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from durable_nb.errors import NotebookError
from durable_nb.notebook.subcommands.arguments import add_target
from durable_nb.notebook.subcommands.asking import ask, handle
from durable_nb.notebook.subcommands.handlers import definition_of
from durable_nb.notebook.subcommands.subcommand import Subcommand
from durable_nb.notebook.subcommands.values import duration

if TYPE_CHECKING:
    from durable_nb.notebook.session import NotebookSession


def configure(parser: argparse.ArgumentParser) -> None:
    add_target(parser)
    parser.add_argument("--timeout", type=duration, metavar="30s", help="wait no longer than this")
    parser.add_argument("--no-follow", action="store_true", help="do not go on to the runs that follow this one")


def run(session: NotebookSession, options: argparse.Namespace) -> Any:
    described = ask(session, options.id, handle(session, options).describe())
    definition = definition_of(session, described.workflow_type, described.raw_info.definition)
    typed = session.client.get_workflow_handle(
        options.id,
        run_id=options.run_id or None,
        result_type=None if definition is None else definition.ret_type,
    )
    limit = options.timeout.total_seconds() if options.timeout is not None else None
    try:
        return session.run(typed.result(follow_runs=not options.no_follow), limit)
    except TimeoutError as error:
        raise NotebookError(
            f"{options.id!r} is not closed after {limit:g} s; it goes on", fix=f"%workflow show {options.id}"
        ) from error


COMMAND = Subcommand(
    "result",
    "wait for the result of a run (interrupt to stop waiting)",
    configure,
    run,
    ("%workflow result order-1", "receipt = %workflow result {handle} --timeout 30s"),
)
