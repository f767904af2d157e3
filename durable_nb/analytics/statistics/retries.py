"""What retries cost: storms of them, and the time that is lost to failed attempts and back-off."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, Unpack

from durable_nb.analytics.figures import counts, timelines
from durable_nb.analytics.statistics.scope import FAILED, Filters, Scope, length_of
from durable_nb.analytics.statistics.statistic import Statistic, asked
from durable_nb.errors import QueryError

if TYPE_CHECKING:
    from durable_nb.analytics.access import Explorer

_STORMS = """\
WITH windows AS (
    SELECT x.activity_type, time_bucket(to_microseconds($window_us), x.ended_at) AS bucket,
        count(*) AS attempts, count(*) FILTER (x.status IN {failed}) AS failures
    FROM attempts AS x
    {where}
    GROUP BY ALL
), bad AS (
    -- Windows that follow one another without a gap are one storm.
    SELECT *, bucket - to_microseconds($window_us) * row_number()
        OVER (PARTITION BY activity_type ORDER BY bucket) AS storm
    FROM windows WHERE failures >= $at_least AND failures >= $share * attempts
), storms AS (
    SELECT activity_type, min(bucket) AS began_at, max(bucket) + to_microseconds($window_us) AS ended_at,
        sum(attempts) AS attempts, sum(failures) AS failures, max(failures) AS worst
    FROM bad GROUP BY activity_type, storm
), failed AS (
    SELECT s.activity_type, s.began_at, x.run_key, coalesce(x.run_us, 0) + coalesce(x.backoff_us, 0) AS lost_us,
        x.root_failure_type, x.root_failure_message
    FROM storms AS s JOIN attempts AS x
        ON x.activity_type = s.activity_type AND x.ended_at >= s.began_at AND x.ended_at < s.ended_at
    {where} AND x.status IN {failed}
), errors AS (
    SELECT activity_type, began_at, root_failure_type AS type, mode(root_failure_message) AS message, count(*) AS n
    FROM failed GROUP BY ALL
), hit AS (
    SELECT activity_type, began_at, count(DISTINCT run_key) AS runs, sum(lost_us) / 1e6 AS lost_s
    FROM failed GROUP BY ALL
), met AS (
    SELECT activity_type, began_at, arg_max({{'type': type, 'message': message}}, (n, type)) AS error
    FROM errors GROUP BY ALL
)
SELECT s.activity_type, s.began_at, s.ended_at, s.attempts, s.failures, s.failures / s.attempts AS failure_rate,
    s.worst / ($window_us / 6e7) AS worst_failures_per_minute, runs, lost_s,
    error.type AS failure_type, error.message AS failure_message
FROM storms AS s JOIN hit USING (activity_type, began_at) JOIN met USING (activity_type, began_at)
ORDER BY s.failures DESC, s.began_at, s.activity_type"""


def retry_storms(
    explorer: Explorer,
    *,
    window: str | timedelta = "30m",
    at_least: int = 10,
    share: float = 0.3,
    **filters: Unpack[Filters],
) -> Statistic:
    """When attempts of an activity failed in crowds: what was down, from when to when, and whom it hit.

    Parameters
    ----------
    window
        Attempts are counted in windows of this length, by their end; neighbouring bad windows are one storm.
    at_least, share
        A window is bad with so many failed attempts, and this share of all its attempts.
    workflow_type, where, since, until
        Which attempts; by when they could start.

    Returns
    -------
    Statistic
        One row per storm, worst first: ``activity_type``, ``began_at``, ``ended_at``, ``attempts``, ``failures``,
        ``failure_rate``, ``worst_failures_per_minute``, ``runs`` hit, ``lost_s`` (running and back-off of the failed
        attempts), and the most common ``failure_type`` with its most common ``failure_message``.

    Raises
    ------
    QueryError
        DNB800: a filter or length that cannot be read.
    """
    if at_least < 1 or not 0 <= share <= 1:
        raise QueryError("at_least is a number from 1, share one from 0 to 1")
    scope = Scope.of(**filters)
    params: dict[str, Any] = {
        "window_us": round(length_of(window).total_seconds() * 1e6),
        "at_least": at_least,
        "share": share,
    }
    picked = scope.clause("attempts", "x", "scheduled_at", params, "NOT x.is_pending")
    sql = _STORMS.format(where=picked, failed=FAILED)
    title = scope.titled("Retry storms")
    return asked(explorer, "retry_storms", title, sql, params, timelines.retry_storms)


_LOST = """\
WITH each AS (
    SELECT x.activity_type, x.run_key, x.scheduled_event_id,
        count(*) FILTER (x.status IN {failed}) AS failures,
        coalesce(sum(x.run_us) FILTER (x.status IN {failed}), 0) AS failed_run_us,
        coalesce(sum(x.backoff_us), 0) AS backoff_us,
        coalesce(sum(x.queue_us) FILTER (x.attempt > 1), 0) AS requeue_us,
        coalesce(sum(x.run_us), 0) + coalesce(sum(x.queue_us), 0) + coalesce(sum(x.backoff_us), 0) AS all_us
    FROM attempts AS x
    {where}
    GROUP BY ALL
)
SELECT activity_type, count(*) AS activities, count(*) FILTER (failures > 0) AS with_failures,
    sum(failures) AS failed_attempts, count(DISTINCT run_key) FILTER (failures > 0) AS runs,
    sum(failed_run_us) / 1e6 AS failed_run_s, sum(backoff_us) / 1e6 AS backoff_s, sum(requeue_us) / 1e6 AS requeue_s,
    sum(failed_run_us + backoff_us + requeue_us) / 1e6 AS lost_s,
    sum(failed_run_us + backoff_us + requeue_us) / nullif(sum(all_us), 0) AS lost_share
FROM each GROUP BY activity_type ORDER BY lost_s DESC, activity_type"""


def time_lost_to_retries(
    explorer: Explorer,
    **filters: Unpack[Filters],
) -> Statistic:
    """Time that went into attempts that did not complete, into back-off, and into waiting for a worker again.

    Parameters
    ----------
    workflow_type, where, since, until
        Which attempts; by when they could start. Only finished attempts count.

    Returns
    -------
    Statistic
        One row per activity type, most lost first: ``activities``, of these ``with_failures``, ``failed_attempts``,
        ``runs`` hit, the seconds ``failed_run_s``, ``backoff_s``, ``requeue_s`` and their sum ``lost_s``, and
        ``lost_share`` of all time that its activities took.

    Raises
    ------
    QueryError
        DNB800: a filter that cannot be read.
    """
    scope = Scope.of(**filters)
    params: dict[str, Any] = {}
    sql = _LOST.format(failed=FAILED, where=scope.clause("attempts", "x", "scheduled_at", params, "NOT x.is_pending"))
    title = scope.titled("Time lost to retries")
    return asked(explorer, "time_lost_to_retries", title, sql, params, counts.time_lost)
