"""Which activities are slow, and which fail."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, Unpack

from durable_nb.analytics.figures import counts
from durable_nb.analytics.statistics.scope import FAILED, Filters, Scope
from durable_nb.analytics.statistics.statistic import Statistic, asked
from durable_nb.errors import QueryError

if TYPE_CHECKING:
    from durable_nb.analytics.access import Explorer

_SORTS = {"total": "duration_us", "run": "run_us", "queue": "queue_us", "backoff": "backoff_us"}

_SLOWEST = """\
SELECT x.activity_type, count(*) AS n,
    avg(x.{us}) / 1e6 AS mean_s, quantile_cont(x.{us}, 0.95) / 1e6 AS p95_s, max(x.{us}) / 1e6 AS max_s,
    sum(x.{us}) / 1e6 AS sum_s, sum(x.{us}) / nullif(sum(sum(x.{us})) OVER (), 0) AS share,
    arg_max(x.workflow_id, x.{us}) AS slowest_workflow_id, arg_max(x.run_id, x.{us}) AS slowest_run_id,
    arg_max(x.activity_id, x.{us}) AS slowest_activity_id
FROM activities AS x
{where}
GROUP BY x.activity_type ORDER BY p95_s DESC NULLS LAST, x.activity_type LIMIT $top"""


def slowest_activities(
    explorer: Explorer,
    *,
    by: Literal["total", "run", "queue", "backoff"] = "total",
    top: int = 20,
    **filters: Unpack[Filters],
) -> Statistic:
    """Activity types by the time they take, with the slowest example of each.

    Parameters
    ----------
    by
        What is measured: ``total`` (scheduled to closed), ``run``, ``queue`` or ``backoff``, over all attempts.
    top
        How many types, slowest 95 % quantile first.
    workflow_type, where, since, until
        Which activities; by when they were scheduled. Only closed ones count.

    Returns
    -------
    Statistic
        One row per activity type: ``n``, ``mean_s``, ``p95_s``, ``max_s``, ``sum_s``, ``share`` of the sum, and
        ``slowest_workflow_id``, ``slowest_run_id``, ``slowest_activity_id``.

    Raises
    ------
    QueryError
        DNB800: an unknown measure or column.
    """
    if by not in _SORTS:
        raise QueryError(f"activities are not sorted by {by!r}", fix=f"choose one of {', '.join(_SORTS)}")
    scope = Scope.of(**filters)
    params: dict[str, Any] = {"top": top}
    us = _SORTS[by]
    over = ("x.closed_at IS NOT NULL", "NOT x.is_local", "NOT x.is_inherited")
    sql = _SLOWEST.format(us=us, where=scope.clause("activities", "x", "scheduled_at", params, *over))
    what = {"total": "in all", "backoff": "back-off"}.get(by, by)
    title = f"Slowest activities ({', '.join(filter(None, [what, scope.words]))})"
    return asked(explorer, "slowest_activities", title, sql, params, counts.slowest)


_FAILING = """\
WITH tried AS (
    SELECT x.activity_type, count(*) AS attempts, count(*) FILTER (x.status IN {failed}) AS failed_attempts,
        count(*) FILTER (x.status = 'TimedOut') AS timed_out, count(*) FILTER (x.status = 'Lost') AS lost,
        count(DISTINCT x.run_key) FILTER (x.status IN {failed}) AS runs,
        max(x.ended_at) FILTER (x.status IN {failed}) AS last_failure_at
    FROM attempts AS x
    {attempts}
    GROUP BY ALL
), errors AS (
    SELECT x.activity_type, x.root_failure_type AS type, mode(x.root_failure_message) AS message, count(*) AS n
    FROM attempts AS x
    {attempts} AND x.status IN {failed}
    GROUP BY ALL
), met AS (
    SELECT activity_type, arg_max({{'type': type, 'message': message}}, (n, type)) AS error FROM errors GROUP BY ALL
), closed AS (
    SELECT x.activity_type, count(*) AS activities, count(*) FILTER (x.status IN ('Failed', 'TimedOut')) AS gave_up
    FROM activities AS x
    {activities}
    GROUP BY ALL
)
SELECT t.activity_type, c.activities, c.gave_up, t.attempts, t.failed_attempts,
    t.failed_attempts / t.attempts AS failure_rate, t.timed_out, t.lost, t.runs, t.last_failure_at,
    m.error.type AS failure_type, m.error.message AS failure_message
FROM tried AS t LEFT JOIN closed AS c ON c.activity_type = t.activity_type
LEFT JOIN met AS m ON m.activity_type = t.activity_type
WHERE t.failed_attempts > 0 ORDER BY t.failed_attempts DESC, t.activity_type LIMIT $top"""


def failing_activities(
    explorer: Explorer,
    *,
    top: int = 20,
    **filters: Unpack[Filters],
) -> Statistic:
    """Activity types by how many of their attempts did not complete, and the error that most of them met.

    Parameters
    ----------
    top
        How many types, most failed attempts first.
    workflow_type, where, since, until
        Which ones; by when they were scheduled (attempts: could start). ``where`` takes columns that ``activities``
        and ``attempts`` share, or those of ``runs``.

    Returns
    -------
    Statistic
        One row per activity type: ``activities``, of these ``gave_up`` (failed or timed out for good), ``attempts``,
        ``failed_attempts`` and ``failure_rate``, of these ``timed_out`` and ``lost``, ``runs`` hit,
        ``last_failure_at``, and the most common ``failure_type`` with its most common ``failure_message``.

    Raises
    ------
    QueryError
        DNB800: a filter that cannot be read.
    """
    scope = Scope.of(**filters)
    params: dict[str, Any] = {"top": top}
    sql = _FAILING.format(
        failed=FAILED,
        attempts=scope.clause("attempts", "x", "scheduled_at", params, "NOT x.is_pending"),
        activities=scope.clause("activities", "x", "scheduled_at", params, "NOT x.is_local", "NOT x.is_inherited"),
    )
    title = scope.titled("Failing activities")
    return asked(explorer, "failing_activities", title, sql, params, counts.failing)
