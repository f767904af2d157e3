"""``%workflow export``: runs into a file that other tools read."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from durable_nb.errors import NotebookError
from durable_nb.notebook.blocks import Message
from durable_nb.notebook.display import View
from durable_nb.notebook.subcommands.arguments import completed_by, positive
from durable_nb.notebook.subcommands.asking import ask, handle, workflow_ids
from durable_nb.notebook.subcommands.subcommand import Subcommand
from durable_nb.notebook.text import safe_text

if TYPE_CHECKING:
    from durable_nb.notebook.session import NotebookSession


ALL = "*"
"""Stands for all runs where an ID is expected."""


def configure(parser: argparse.ArgumentParser) -> None:
    completed_by(parser.add_argument("id", help="workflow ID, or * for all runs or those of --query"), workflow_ids)
    parser.add_argument("file", help="where to write; its end tells the format")
    parser.add_argument("--run-id", "-r", default="", help="one run of it instead of the current one")
    parser.add_argument("--query", "-q", default="", help="with *: only the runs that a filter selects")
    parser.add_argument("--limit", type=positive, default=None, help="most runs, the newest")
    completed_by(
        parser.add_argument(
            "--format", "-f", default=None, help="json, chrome, otlp, xes, csv, html, capsule, parquet"
        ),
        _formats,
    )
    parser.add_argument("--children", action="store_true", help="with the children, and theirs")
    parser.add_argument(
        "--chain", action="store_true", help="with the runs before and after (continue-as-new, retries)"
    )
    parser.add_argument("--overwrite", action="store_true", help="replace the file if it exists")


def _formats(session: NotebookSession, options: argparse.Namespace) -> list[str]:
    from durable_nb.analytics.exports import FORMATS  # noqa: PLC0415 - only those who export need it

    del session, options
    return list(FORMATS)


def run(session: NotebookSession, options: argparse.Namespace) -> Any:
    chosen: dict[str, Any] = {
        "format": options.format,
        "children": options.children,
        "chain": options.chain,
        "overwrite": options.overwrite,
    }
    if options.id == ALL:
        request = session.client.export(options.file, options.query or None, limit=options.limit, **chosen)
        written = session.run(request)
    elif options.query or options.limit:
        raise NotebookError(
            "--query and --limit select several runs, and an ID names one",
            fix=f'%workflow export {ALL} {options.file} --query "…"',
        )
    else:
        written = ask(session, options.id, handle(session, options).export(options.file, **chosen))
    return View([Message(safe_text(written, 1000))], written)


COMMAND = Subcommand(
    "export",
    "write runs to a file: histories, trace, OpenTelemetry, process mining, report, capsule",
    configure,
    run,
    examples=(
        "%workflow export order-1 order-1.trace.json",
        "%workflow export * runs.xes --query \"WorkflowType = 'Order'\"",
        "%workflow export * histories.zip --limit 1000",
        "%workflow export * failed.parquet --query \"ExecutionStatus = 'Failed'\"",
    ),
)
