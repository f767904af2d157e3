"""``%workflow stats``: a dashboard of all runs, or one of the ready statistics."""

from __future__ import annotations

import argparse
import inspect
from collections.abc import Iterable
from functools import partial
from typing import TYPE_CHECKING, Any

from durable_nb.errors import NotebookError
from durable_nb.model.requests import Target
from durable_nb.notebook import patience
from durable_nb.notebook.display import now_us, read_run
from durable_nb.notebook.html import render_html
from durable_nb.notebook.subcommands.arguments import add_input, add_type, completed_by, positive
from durable_nb.notebook.subcommands.subcommand import Subcommand
from durable_nb.notebook.views import run_blocks
from durable_nb.notebook.words import did_you_mean

if TYPE_CHECKING:
    from durable_nb.notebook.session import NotebookSession

NAMES = (
    "success_rate latency latency_distribution throughput retry_storms retry_distribution time_lost_to_retries "
    "failing_activities slowest_activities critical_path critical_path_of_type cost compare_definitions run_timeline"
).split()
"""Of ``durable_nb.stats``, known without importing DuckDB; a test compares them."""

_OPTIONS = {"type": "workflow_type", "since": "since", "until": "until", "by": "by", "of": "of", "every": "every"}
"""Options and the parameters that they are for."""


def _names(session: NotebookSession, options: argparse.Namespace) -> Iterable[str]:
    return NAMES


def configure(parser: argparse.ArgumentParser) -> None:
    name = parser.add_argument("name", nargs="?", default="", help="a ready statistic; a dashboard without one")
    completed_by(name, _names)
    parser.add_argument("argument", nargs="?", default="", help="workflow ID (critical_path) or workflow type")
    add_type(parser, "--type", help="only this workflow type")
    parser.add_argument("--since", default="", help='from when on: "1h", "7d", "2026-11-05"')
    parser.add_argument("--until", default="", help="until when, written like --since")
    parser.add_argument("--by", default="", help="column to group or sort by")
    parser.add_argument("--of", default="", help="runs, activities, attempts or workflow_tasks")
    parser.add_argument("--every", default="", help="length of a stretch of throughput: 1h")
    parser.add_argument("--where", action="append", default=[], metavar="COLUMN=VALUE", help="only these; repeat it")
    parser.add_argument("--top", type=positive, default=None, help="most rows")
    parser.add_argument("--sql", action="store_true", help="show the SQL behind the statistic instead")
    parser.add_argument("--refresh", type=float, default=2.0, help="seconds between two looks of the dashboard")
    add_input(parser)


def run(session: NotebookSession, options: argparse.Namespace) -> Any:
    return _statistic(session, options) if options.name else _dashboard(session, options)


# -- one statistic -------------------------------------------------------------------------------------------------


def _statistic(session: NotebookSession, options: argparse.Namespace) -> Any:
    if options.name not in NAMES:
        raise NotebookError(
            f"there is no statistic {options.name!r}" + did_you_mean(options.name, NAMES),
            fix=f"there are {', '.join(NAMES)}; %workflow stats alone shows the dashboard",
        )
    function = getattr(session.client.stats, options.name)
    parameters = inspect.signature(function).parameters
    given: dict[str, Any] = {}
    for option, parameter in _OPTIONS.items():
        value = getattr(options, option)
        if value:
            given[parameter] = value
    if options.top is not None:
        given["top"] = options.top
    if options.where:
        given["where"] = _where(options.where)
    arguments = [options.argument] if options.argument else []
    if options.inputs:
        arguments += options.inputs
    unknown = [name for name in given if name not in parameters]
    if unknown:
        raise NotebookError(f"{options.name} takes no --{unknown[0].removeprefix('workflow_')}", fix=_usage(parameters))
    try:
        inspect.signature(function).bind(*arguments, **given)
    except TypeError as error:
        raise NotebookError(f"{options.name}: {error}", fix=_usage(parameters)) from None
    found = function(*arguments, **given)
    return _Text(found.show_sql()) if options.sql else found


class _Text(str):
    """A text that shows itself as it is, not as a string literal."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)


def _where(given: list[str]) -> dict[str, str]:
    found = {}
    for text in given:
        column, equals, value = text.partition("=")
        if not equals:
            raise NotebookError(f"--where {text!r} has no value", fix="write --where task_queue=orders")
        found[column.strip()] = value
    return found


def _usage(parameters: Any) -> str:
    needed = [name for name, each in parameters.items() if each.default is each.empty]
    known = [name for name, each in parameters.items() if each.default is not each.empty]
    first = f"it needs {', '.join(needed)}; " if needed else ""
    if "prices" in needed:
        first = "it needs --input {prices}, a dict or frame of prices; "
    return f"{first}it takes {', '.join(known)}; durable_nb.stats has all of it"


# -- the dashboard -------------------------------------------------------------------------------------------------


def _dashboard(session: NotebookSession, options: argparse.Namespace) -> Any:
    # DuckDB, plotly and ipywidgets only for those who look.
    from durable_nb.analytics import open_explorer  # noqa: PLC0415
    from durable_nb.analytics.statistics.scope import length_of  # noqa: PLC0415
    from durable_nb.notebook.dashboard.board import Dashboard  # noqa: PLC0415
    from durable_nb.notebook.dashboard.picture import Choice  # noqa: PLC0415
    from durable_nb.notebook.live.fallback import Fallback  # noqa: PLC0415

    for option in ("until", "by", "of", "every", "where", "top", "inputs"):
        if getattr(options, option):
            raise NotebookError(f"the dashboard takes no --{option}", fix="it takes --type, --since and --refresh")
    window = length_of(options.since) if options.since else Choice.window

    def show_run(workflow_id: str, run_id: str) -> str:
        target = Target(session.client.namespace, workflow_id, run_id)
        found, attempts, events = session.run(read_run(session.engine.frontend, target), patience.DETAILS)
        return render_html(run_blocks(found, attempts, events, now=now_us(), cell_of=session.cell_of))

    explorer = open_explorer(session.engine.store)
    return Dashboard(
        explorer,
        show_run,
        Choice(window, options.type),
        every=max(options.refresh, 0.2),
        stand_in=partial(Fallback, session) if session.has_kernel else None,
    )


COMMAND = Subcommand(
    "stats",
    "how long runs take and how often they fail: a dashboard, or one statistic with figure, table and SQL",
    configure,
    run,
    (
        "%workflow stats",
        "%workflow stats --type OrderWorkflow --since 1h",
        "%workflow stats success_rate --by day --since 7d",
        "%workflow stats latency --of attempts --where activity_type=charge_card",
        "%workflow stats critical_path order-1",
        "%workflow stats retry_storms --sql",
    ),
)
