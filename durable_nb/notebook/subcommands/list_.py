"""``%workflow list``: runs of the store, newest first."""

from __future__ import annotations

import argparse
from datetime import datetime
from typing import TYPE_CHECKING, Any

from durable_nb.analytics.strip import Strip
from durable_nb.errors import NotebookError
from durable_nb.model.enums import WorkflowExecutionStatus
from durable_nb.notebook.blocks import Table
from durable_nb.notebook.display import LiveView, View, now_us
from durable_nb.notebook.strips import read_strips
from durable_nb.notebook.subcommands.arguments import add_type, completed_by, positive
from durable_nb.notebook.subcommands.subcommand import Subcommand
from durable_nb.notebook.subcommands.values import moment, spelled
from durable_nb.notebook.views import list_blocks
from durable_nb.notebook.words import did_you_mean

if TYPE_CHECKING:
    from durable_nb.model.requests import RunDescription
    from durable_nb.notebook.session import NotebookSession

_STATUSES = {spelled(status).lower(): spelled(status) for status in WorkflowExecutionStatus}


def add_filter(parser: argparse.ArgumentParser) -> None:
    """``--query``, ``--type``, ``--status``, ``--since``, ``--until``: which runs; see ``query_of``."""
    parser.add_argument("--query", "-q", default="", help="filter, e.g. \"WorkflowType = 'Order'\"")
    add_type(parser, "--type", help="only this workflow type")
    status = parser.add_argument(
        "--status", action="append", default=[], help="only this status, e.g. Running or Failed; repeat it for several"
    )
    completed_by(status, lambda session, options: _STATUSES.values())
    when = "2h ago (2h, 30m, 3d), yesterday, or a date and time (UTC)"
    parser.add_argument("--since", type=moment, metavar="TIME", help=f"only runs that started since {when}")
    parser.add_argument("--until", type=moment, metavar="TIME", help="only runs that started before")


def query_of(options: argparse.Namespace) -> str:
    """The options of ``add_filter`` in the query language."""
    parts = [options.query] if options.query else []
    if options.type:
        parts.append(f"WorkflowType = {_quoted(options.type)}")
    if options.status:
        parts.append(f"ExecutionStatus IN ({', '.join(_quoted(_status(word)) for word in options.status)})")
    for sign, bound in ((">=", options.since), ("<", options.until)):
        if bound is not None:
            parts.append(f"StartTime {sign} {_quoted(_instant(bound))}")
    return " AND ".join(parts)


def configure(parser: argparse.ArgumentParser) -> None:
    add_filter(parser)
    parser.add_argument("--limit", type=positive, help="most rows to show (default: the setting max_rows)")
    parser.add_argument("--count", action="store_true", help="only count them, by status")


def run(session: NotebookSession, options: argparse.Namespace) -> View:
    query = query_of(options)
    if options.count:
        return _count(session, query)
    limit = options.limit or session.settings.max_rows

    async def collect() -> tuple[list[Any], dict[str, Strip]]:
        found = session.client.list_workflows(query or None, limit=limit)
        executions = [execution async for execution in found]
        runs = [execution.raw_info for execution in executions]
        return executions, await read_strips(session.engine.frontend, runs, now=now_us())

    executions, strips = session.run(collect())
    runs = [found.raw_info for found in executions]

    async def again() -> list[RunDescription]:
        found = session.client.list_workflows(query or None, limit=limit)
        return [execution.raw_info async for execution in found]

    def live() -> dict[str, Any] | None:
        board = session.live_board()
        return board.runs_bundle(runs, again, limit, strips) if board is not None else None

    return LiveView(list_blocks(runs, limit=limit, strips=strips), executions, live)


def _count(session: NotebookSession, query: str) -> View:
    counted = session.run(session.client.count_workflows(f"{query} GROUP BY ExecutionStatus"))
    rows = [[str(group.group_values[0]), f"{group.count:,}"] for group in counted.groups]
    return View([Table("", ["status", "runs"], [*rows, ["all", f"{counted.count:,}"]])], counted)


def _quoted(text: str) -> str:
    """A quoted text of the query language."""
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


def _instant(value: datetime) -> str:
    return value.isoformat()


def _status(word: str) -> str:
    """``TimedOut`` for ``timed_out``, ``timed-out`` or ``TIMEDOUT``."""
    found = _STATUSES.get(word.lower().replace("_", "").replace("-", ""))
    if found is None:
        raise NotebookError(
            f"there is no status {word!r}" + did_you_mean(word, _STATUSES.values()),
            fix=f"it is one of {', '.join(_STATUSES.values())}",
        )
    return found


COMMAND = Subcommand(
    "list",
    "runs of the store, newest first",
    configure,
    run,
    (
        "%workflow list --status Failed --status TimedOut --since 2h",
        "%workflow list --type OrderWorkflow --since 2026-11-25 --limit 200",
        "%workflow list --query \"WorkflowType = 'OrderWorkflow' AND CloseTime > '2026-11-25T08:00'\"",
        "runs = %workflow list --count",
    ),
)
