"""``%workflow delete``: remove closed runs with their histories, after showing which."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from durable_nb.errors import NotebookError
from durable_nb.model.enums import WorkflowExecutionStatus
from durable_nb.notebook.blocks import Block, Message
from durable_nb.notebook.counting import plural, verb
from durable_nb.notebook.display import View
from durable_nb.notebook.subcommands.arguments import completed_by
from durable_nb.notebook.subcommands.asking import ask, handle, workflow_ids
from durable_nb.notebook.subcommands.list_ import add_filter, query_of
from durable_nb.notebook.subcommands.subcommand import Subcommand
from durable_nb.notebook.text import safe_text
from durable_nb.notebook.views import list_blocks
from durable_nb.service import RPCError, RPCStatusCode

if TYPE_CHECKING:
    from durable_nb.notebook.session import NotebookSession


def configure(parser: argparse.ArgumentParser) -> None:
    completed_by(
        parser.add_argument("id", nargs="?", default="", help="workflow ID, or none with a filter"), workflow_ids
    )
    parser.add_argument("--run-id", "-r", default="", help="one run of it instead of the latest")
    add_filter(parser)
    parser.add_argument("--yes", "-y", action="store_true", help="do it; without this they are only shown")


def run(session: NotebookSession, options: argparse.Namespace) -> View:
    chosen = _chosen(session, options)
    closed = [found for found in chosen if found.status != WorkflowExecutionStatus.RUNNING]
    count = len(chosen) - len(closed)
    opened: list[Block] = []
    if count:
        runs = safe_text(chosen[0].id) if len(chosen) == 1 else plural(count, "run")
        it = "it" if count == 1 else "them"
        opened.append(Message(f"{runs} {verb(count, 'stay')}, still running: terminate {it} first", "warn"))
    if not closed:
        return View(opened or [Message("no workflow runs match")], [])
    if not options.yes:
        ask_again = Message(
            f"{len(closed):,} would be deleted for good. Write --yes at the end of the line to do it.", "warn"
        )
        limit = session.settings.max_rows
        return View(
            [*list_blocks([found.raw_info for found in closed[:limit]], limit=limit), *opened, ask_again], closed
        )
    gone = session.run(_delete(session, closed))
    names = safe_text(closed[0].id) if len(closed) == 1 else plural(len(gone), "run")
    return View([Message(f"deleted {names}", "good"), *opened], gone)


def _chosen(session: NotebookSession, options: argparse.Namespace) -> list[Any]:
    query = query_of(options)
    if options.id and query:
        raise NotebookError("both an ID and a filter say what to delete", fix="give one of them")
    if options.id:
        return [ask(session, options.id, handle(session, options).describe())]
    if not query:
        raise NotebookError(
            "nothing says what to delete", fix="give a workflow ID, or a filter such as --status Failed --until 30d"
        )

    async def collect() -> list[Any]:
        return [found async for found in session.client.list_workflows(query)]

    return session.run(collect())


async def _delete(session: NotebookSession, runs: list[Any]) -> list[Any]:
    gone = []
    for found in runs:
        try:
            await session.client.get_workflow_handle(found.id, run_id=found.run_id).delete()
            gone.append(found)
        except RPCError as error:
            if error.status is not RPCStatusCode.NOT_FOUND:  # somebody else was faster
                raise
    return gone


COMMAND = Subcommand(
    "delete",
    "remove closed runs with their histories",
    configure,
    run,
    (
        "%workflow delete order-1 --yes",
        "%workflow delete --status Completed --until 30d",
        "%workflow delete --type Trial --yes",
    ),
)
