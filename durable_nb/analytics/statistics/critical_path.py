"""The critical path: what a run waited for, from its end back to its start, and so what would make it faster.

Workflow code runs in workflow tasks. The task that ended the run was woken by something (an activity that closed, a
timer, a child, a signal); that was asked for by an earlier task, which in turn was woken by something. Followed back
to the start these waits and tasks follow one another without a gap: their times add up to the run's duration. What ran
beside them did not decide how long the run took.

Where a child was waited for, the path goes through the child: its steps stand in place of the wait, for they are what
would have to be faster.
"""

# ruff: noqa: S608 - SQL is put together from constants; values are always bound
from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from durable_nb.analytics.figures import paths
from durable_nb.analytics.statistics.critical_path_sql import (
    CHOSEN_ALONE,
    CHOSEN_AND_CHILDREN,
    OF_RUN,
    OF_TYPE,
    SEGMENTS,
)
from durable_nb.analytics.statistics.scope import Moment, Scope
from durable_nb.analytics.statistics.statistic import Statistic, asked
from durable_nb.errors import QueryError

if TYPE_CHECKING:
    from durable_nb.analytics.access import Explorer


def critical_path(
    explorer: Explorer, workflow_id: Any, *, run_id: str | None = None, children: bool = True
) -> Statistic:
    """What one run waited for, step by step; the steps follow one another and add up to its duration.

    Parameters
    ----------
    workflow_id
        Workflow ID, or a handle.
    run_id
        One run of it; the latest where None.
    children
        Whether to go through the children that were waited for; otherwise each is one step (kind Child).

    Returns
    -------
    Statistic
        One row per step, first to last: ``step``, ``level`` (0 for the run, 1 for its children, …), ``workflow_id`` and
        ``workflow_type`` of the run that the step is of, ``kind`` (Activity, Timer, Signal, Update, Workflow task, …;
        Child start and Child end stand around the steps of a child), ``name``, ``began_at``, ``ended_at``,
        ``duration_s``, ``share`` of the whole, and for activities ``queue_s``, ``run_s``, ``backoff_s`` over all
        attempts. Of an open run, the path so far.

    Raises
    ------
    QueryError
        DNB800: there is no such run.
    """
    ident = str(getattr(workflow_id, "id", workflow_id))
    params: dict[str, Any] = {"workflow_id": ident, "run_id": run_id}
    chosen = (
        "SELECT run_key, root_run_id FROM runs\n"
        "    WHERE workflow_id = $workflow_id AND ($run_id IS NULL OR run_id = $run_id)\n"
        "    ORDER BY start_time DESC, run_key DESC LIMIT 1"
    )
    sql = _segments(chosen, children) + OF_RUN
    frame = explorer.frame(sql, params, limit=None).drop(columns="us")
    if not len(frame):
        known = explorer.frame(
            "SELECT run_id FROM runs WHERE workflow_id = $id ORDER BY start_time, run_key", {"id": ident}
        )["run_id"].tolist()
        if not known:
            raise QueryError(f"there is no workflow {ident!r}", fix="SELECT workflow_id FROM runs tells the IDs")
        if run_id is not None and run_id not in known:
            raise QueryError(f"workflow {ident!r} has no run {run_id!r}", fix=f"its last run is {known[-1]}")
    title = f"Critical path of {ident}"
    return Statistic("critical_path", title, frame, sql, params, paths.of_run)


def critical_path_of_type(
    explorer: Explorer,
    workflow_type: str,
    *,
    where: Mapping[str, Any] | None = None,
    since: Moment | None = None,
    until: Moment | None = None,
    children: bool = True,
) -> Statistic:
    """What runs of a type wait for on their critical paths: where an improvement would be felt.

    Parameters
    ----------
    workflow_type
        The type.
    where, since, until
        Which of its closed runs; by when they were started.
    children
        Whether to go through the children that were waited for; otherwise each is one step (kind Child).

    Returns
    -------
    Statistic
        One row per step, most time first: ``workflow_type`` in which it is (the type's own or that of a child),
        ``kind``, ``name``, ``runs`` that waited for it, ``times_per_run`` among these, ``mean_s`` per run of the type,
        ``p90_s`` and ``max_s`` among the runs that waited for it, ``share`` of all time, and for activities
        ``mean_queue_s``, ``mean_run_s``, ``mean_backoff_s`` per run.

    Raises
    ------
    QueryError
        DNB800: a filter that cannot be read.
    """
    scope = Scope.of(workflow_type, where, since, until)
    params: dict[str, Any] = {}
    picked = scope.clause("runs", "x", "start_time", params, "x.close_time IS NOT NULL")
    chosen = f"SELECT x.run_key, x.root_run_id FROM runs AS x\n    {picked}"
    # WITH … , sums AS (…): the aggregation goes on where the segments end.
    sql = _segments(chosen, children).rstrip() + OF_TYPE
    return asked(explorer, "critical_path_of_type", f"Critical path of {scope.words}", sql, params, paths.of_type)


def _segments(chosen: str, children: bool) -> str:
    return SEGMENTS.format(chosen=chosen, family=CHOSEN_AND_CHILDREN if children else CHOSEN_ALONE)
