"""``%workflow query``: ask a query."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from durable_nb.client import WorkflowQueryFailedError
from durable_nb.common import QueryRejectCondition
from durable_nb.notebook import patience
from durable_nb.notebook.subcommands.arguments import add_input, add_target, completed_by
from durable_nb.notebook.subcommands.asking import ask, handle
from durable_nb.notebook.subcommands.handlers import handler_names, handlers, unknown_name
from durable_nb.notebook.subcommands.inputs import check_message
from durable_nb.notebook.subcommands.subcommand import Subcommand
from durable_nb.notebook.subcommands.values import one_of

if TYPE_CHECKING:
    from durable_nb.notebook.session import NotebookSession

BUILT_IN = ("__stack_trace", "__enhanced_stack_trace", "__temporal_workflow_metadata")


def configure(parser: argparse.ArgumentParser) -> None:
    add_target(parser)
    completed_by(parser.add_argument("name", help="name of the query"), _names)
    add_input(parser)
    read, spellings = one_of(QueryRejectCondition)
    condition = parser.add_argument(
        "--reject-condition", type=read, metavar="CONDITION", help=f"refuse to ask: {', '.join(spellings)}"
    )
    completed_by(condition, lambda session, options: spellings)


def run(session: NotebookSession, options: argparse.Namespace) -> Any:
    known = handlers(session, options, patience.SLIP)
    check_message(session, known, "query", options.name, options.inputs)
    asked = handle(session, options)
    condition = {"reject_condition": options.reject_condition} if options.reject_condition else {}
    try:
        return ask(session, options.id, asked.query(options.name, args=options.inputs, **condition))
    except WorkflowQueryFailedError as error:
        names = known.names["query"] if known is not None else []
        if known is None or options.name in (*names, *BUILT_IN) or "query" in known.dynamic:
            raise  # there is such a query, and it raised
        raise unknown_name("query", options, names) from error


def _names(session: NotebookSession, options: argparse.Namespace) -> list[str]:
    return [*handler_names("query")(session, options), *BUILT_IN]


COMMAND = Subcommand(
    "query",
    "ask a query",
    configure,
    run,
    (
        "%workflow query order-1 status",
        "total = %workflow query cart-ann total --input '\"EUR\"'",
        "%workflow query order-1 __stack_trace",
    ),
)
