"""``%workflow update``: send an update and wait for its answer."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from durable_nb.notebook.subcommands.arguments import add_input, add_target, completed_by
from durable_nb.notebook.subcommands.asking import ask, handle
from durable_nb.notebook.subcommands.handlers import check, handler_names
from durable_nb.notebook.subcommands.subcommand import Subcommand

if TYPE_CHECKING:
    from durable_nb.notebook.session import NotebookSession


def configure(parser: argparse.ArgumentParser) -> None:
    add_target(parser)
    completed_by(parser.add_argument("name", help="name of the update"), handler_names("update"))
    add_input(parser)
    parser.add_argument("--update-id", default="", help="its ID: an update that is sent twice with one ID is done once")


def run(session: NotebookSession, options: argparse.Namespace) -> Any:
    check(session, options, "update")
    ident = options.update_id or None
    return ask(
        session, options.id, handle(session, options).execute_update(options.name, args=options.inputs, id=ident)
    )


COMMAND = Subcommand(
    "update",
    "send an update and wait for its answer",
    configure,
    run,
    (
        "%workflow update cart-ann add --input '\"book\"'",
        "%workflow update cart-ann add --input {item} --update-id add-17",
    ),
)
