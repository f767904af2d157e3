"""Runs as bars on a time axis."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Unpack

from durable_nb.analytics.figures import timelines
from durable_nb.analytics.statistics.scope import Filters, Scope
from durable_nb.analytics.statistics.statistic import Statistic, asked

if TYPE_CHECKING:
    from durable_nb.analytics.access import Explorer

_RUNS = """\
SELECT x.workflow_id, x.run_id, x.workflow_type, x.status, x.start_time AS began_at, x.close_time AS ended_at,
    x.duration_us / 1e6 AS duration_s, coalesce(a.attempts, 0) AS attempts, coalesce(a.failures, 0) AS failed_attempts,
    x.root_failure_message AS failure_message
FROM runs AS x LEFT JOIN (
    SELECT run_key, count(*) AS attempts, count(*) FILTER (status NOT IN ('Completed', 'Canceled') AND NOT is_pending)
        AS failures
    FROM attempts GROUP BY run_key
) AS a ON a.run_key = x.run_key
{where}
ORDER BY x.start_time DESC, x.run_key DESC LIMIT $top"""


def run_timeline(
    explorer: Explorer,
    *,
    top: int = 200,
    **filters: Unpack[Filters],
) -> Statistic:
    """Runs side by side in time, newest first.

    Parameters
    ----------
    top
        How many.
    workflow_type, where, since, until
        Which runs; by when they were started.

    Returns
    -------
    Statistic
        One row per run: ``workflow_id, run_id, workflow_type, status, began_at, ended_at`` (NULL while open),
        ``duration_s, attempts, failed_attempts, failure_message``.

    Raises
    ------
    QueryError
        DNB800: a filter that cannot be read.
    """
    scope = Scope.of(**filters)
    params: dict[str, Any] = {"top": top}
    sql = _RUNS.format(where=scope.clause("runs", "x", "start_time", params))
    title = scope.titled("Runs")
    return asked(explorer, "run_timeline", title, sql, params, timelines.runs)
