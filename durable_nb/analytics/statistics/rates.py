"""How often runs succeed, and how many there are: success rate, throughput and backlog."""

# ruff: noqa: S608 - SQL is put together from constants and checked column names; values are always bound
from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Literal, Unpack

from durable_nb.analytics.figures import counts, timelines
from durable_nb.analytics.statistics.scope import Filters, Scope, length_of, own_column
from durable_nb.analytics.statistics.statistic import Statistic, asked
from durable_nb.errors import QueryError

if TYPE_CHECKING:
    from durable_nb.analytics.access import Explorer

SUCCESS_NOTE = (
    "success rate: completed of all that completed, failed, timed out or were terminated. Cancelled runs and those "
    "that go on in another run (continued, retried) count on neither side; low and high bound it with 95 % confidence."
)

_SUCCESS = """\
WITH counted AS (
    SELECT {by} AS {alias},
        count(*) AS runs,
        count(*) FILTER (status = 'Running') AS running,
        count(*) FILTER (status = 'Completed') AS completed,
        count(*) FILTER (status = 'Failed' AND continued_to_run_id IS NULL) AS failed,
        count(*) FILTER (status = 'TimedOut' AND continued_to_run_id IS NULL) AS timed_out,
        count(*) FILTER (status = 'Terminated') AS terminated,
        count(*) FILTER (status = 'Canceled') AS canceled,
        count(*) FILTER (status = 'ContinuedAsNew'
            OR status IN ('Failed', 'TimedOut') AND continued_to_run_id IS NOT NULL) AS continued
    FROM runs AS r {where}
    GROUP BY ALL
), decided AS (
    SELECT *, completed + failed + timed_out + terminated AS n, completed / nullif(n, 0) AS success_rate
    FROM counted
)
-- The interval is Wilson's: it stays between 0 and 1 and holds for few runs.
SELECT * EXCLUDE (n),
    (success_rate + 1.9208 / n - 1.96 * sqrt(success_rate * (1 - success_rate) / n + 0.9604 / (n * n)))
        / (1 + 3.8416 / n) AS low_rate,
    (success_rate + 1.9208 / n + 1.96 * sqrt(success_rate * (1 - success_rate) / n + 0.9604 / (n * n)))
        / (1 + 3.8416 / n) AS high_rate
FROM decided ORDER BY {order}"""


def success_rate(
    explorer: Explorer,
    *,
    by: str = "workflow_type",
    **filters: Unpack[Filters],
) -> Statistic:
    """How many runs succeeded, by workflow type or anything else.

    Parameters
    ----------
    by
        A column of ``runs`` (``task_queue``, ``definition_digest``, …), or ``day`` or ``hour`` of the start.
    workflow_type, where, since, until
        Which runs: their type, values by column, and when they were started.

    Returns
    -------
    Statistic
        One row per group: the column ``by``, counts ``runs, running, completed, failed, timed_out, terminated,
        canceled, continued``, and ``success_rate, low_rate, high_rate`` from 0 to 1 (NULL where nothing is decided).

    Raises
    ------
    QueryError
        DNB800: no such column, or a filter that cannot be read.
    """
    scope = Scope.of(**filters)
    params: dict[str, Any] = {}
    is_time = by in ("day", "hour")
    group = f"date_trunc('{by}', r.start_time)" if is_time else f"r.{own_column('runs', by)}"
    sql = _SUCCESS.format(
        by=group,
        alias=by,
        where=scope.clause("runs", "r", "start_time", params),
        order=by if is_time else f"runs DESC, {by}",
    )
    title = scope.titled(f"Success rate by {by.replace('_', ' ')}")
    return asked(explorer, "success_rate", title, sql, params, counts.success_rate, note=SUCCESS_NOTE)


_RUNS_FLOW = """\
SELECT start_time AS began, close_time AS ended, {ended_well} AS completed, {ended_badly} AS failed
    FROM runs AS x {where}"""
_ACTIVITIES_FLOW = """\
SELECT scheduled_at AS began,
        CASE WHEN status = 'Abandoned' THEN (SELECT close_time FROM runs WHERE run_key = x.run_key) ELSE closed_at END
            AS ended, {ended_well} AS completed, {ended_badly} AS failed
    FROM activities AS x {where}"""

_THROUGHPUT = """\
WITH flow AS (
    {flow}
), bounds AS (
    SELECT time_bucket(to_microseconds($step_us), {first}) AS first,
        {last} AS last
    FROM flow
), buckets AS (
    SELECT unnest(generate_series(first, last, to_microseconds($step_us))) AS began_at FROM bounds
    WHERE first IS NOT NULL
), begun AS (
    SELECT time_bucket(to_microseconds($step_us), began) AS began_at, count(*) AS n FROM flow GROUP BY ALL
), over AS (
    SELECT time_bucket(to_microseconds($step_us), ended) AS began_at, count(*) AS n,
        count(*) FILTER (completed) AS completed, count(*) FILTER (failed) AS failed
    FROM flow WHERE ended IS NOT NULL GROUP BY ALL
), already AS (
    SELECT count(*) FILTER (began < first) - count(*) FILTER (ended < first) AS n FROM flow, bounds
)
SELECT b.began_at, coalesce(s.n, 0) AS started, coalesce(c.n, 0) AS closed,
    coalesce(c.completed, 0) AS completed, coalesce(c.failed, 0) AS failed,
    (SELECT n FROM already) + sum(coalesce(s.n, 0) - coalesce(c.n, 0)) OVER (ORDER BY b.began_at) AS backlog
FROM buckets AS b LEFT JOIN begun AS s ON s.began_at = b.began_at LEFT JOIN over AS c ON c.began_at = b.began_at
ORDER BY b.began_at"""

MOST_BUCKETS = 5_000


def throughput(
    explorer: Explorer,
    *,
    of: Literal["runs", "activities"] = "runs",
    every: str | timedelta | None = None,
    **filters: Unpack[Filters],
) -> Statistic:
    """What was started and closed in each stretch of time, and what was open at its end.

    Parameters
    ----------
    of
        ``runs`` or ``activities``.
    every
        Length of a stretch (``"1h"``, a timedelta); by default some hundred of them.
    workflow_type, where
        Which runs or activities.
    since, until
        Which part of the time axis; what was open before counts as backlog.

    Returns
    -------
    Statistic
        One row per stretch: ``began_at`` (UTC), ``started``, ``closed``, of these ``completed`` and
        ``failed`` (failed, timed out, terminated), and ``backlog``, open at its end.

    Raises
    ------
    QueryError
        DNB800: a filter that cannot be read, or far too many stretches.
    """
    if of not in ("runs", "activities"):
        raise QueryError(f"throughput is of 'runs' or 'activities', not {of!r}")
    scope = Scope.of(**filters)
    params: dict[str, Any] = {}
    own = ["NOT x.is_inherited"] if of == "activities" else []
    conditions = Scope(scope.workflow_type, scope.where).clause(of, "x", "", params, *own)
    flow = (_RUNS_FLOW if of == "runs" else _ACTIVITIES_FLOW).format(
        where=conditions,
        ended_well="status = 'Completed'",
        ended_badly="status IN ('Failed', 'TimedOut', 'Terminated')",
    )
    bounds = dict(params)
    first, last = "min(began)", "max(coalesce(greatest(began, ended), began))"
    if scope.since is not None:
        bounds["since"] = scope.since
        first = "min(CAST($since AS TIMESTAMPTZ))"
    if scope.until is not None:
        bounds["until"] = scope.until
        last = "max(CAST($until AS TIMESTAMPTZ)) - INTERVAL 1 microsecond"
    step = length_of(every) if every is not None else _step(explorer, flow, params, scope)
    bounds["step_us"] = round(step.total_seconds() * 1e6)
    _refuse_too_many(explorer, flow, bounds, first, last)
    sql = _THROUGHPUT.format(flow=flow, first=first, last=last)
    frame = explorer.frame(sql, bounds, limit=None)
    title = scope.titled(f"Throughput and backlog of {of}, every {_words(step)}")
    return Statistic("throughput", title, frame, sql, bounds, timelines.throughput)


def _span(explorer: Explorer, flow: str, params: Mapping[str, Any], first: str, last: str) -> timedelta:
    used = {key: value for key, value in params.items() if key != "step_us"}
    found = explorer.frame(
        f"WITH flow AS ({flow}) SELECT coalesce(epoch_us({last}) - epoch_us({first}), 0) AS us FROM flow", used
    )
    return timedelta(microseconds=int(found["us"][0]))


def _refuse_too_many(explorer: Explorer, flow: str, params: Mapping[str, Any], first: str, last: str) -> None:
    if "since" in params and "until" in params:
        span: timedelta = params["until"] - params["since"]
    else:
        span = _span(explorer, flow, params, first, last)
    count = span / timedelta(microseconds=params["step_us"])
    if count > MOST_BUCKETS:
        raise QueryError(f"{count:,.0f} stretches are too many to look at", fix="make them longer, or give since=")


_STEPS = [timedelta(seconds=n) for n in (1, 5, 15, 60, 300, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400, 604800)]


def _step(explorer: Explorer, flow: str, params: Mapping[str, Any], scope: Scope) -> timedelta:
    """A round length that makes some hundred stretches."""
    end = scope.until
    if scope.since is not None and end is not None:
        span = end - scope.since
    else:
        extra: dict[str, datetime] = {}
        first, last = "min(began)", "max(coalesce(greatest(began, ended), began))"
        if scope.since is not None:
            extra["since"], first = scope.since, "min(CAST($since AS TIMESTAMPTZ))"
        if end is not None:
            extra["until"], last = end, "max(CAST($until AS TIMESTAMPTZ))"
        span = _span(explorer, flow, {**params, **extra}, first, last)
    return next((step for step in _STEPS if span / step <= 200), _STEPS[-1])


def _words(step: timedelta) -> str:
    seconds = step.total_seconds()
    for unit, size in (("week", 604800), ("day", 86400), ("hour", 3600), ("minute", 60)):
        if seconds % size == 0:
            count = int(seconds // size)
            return unit if count == 1 else f"{count} {unit}s"
    return "second" if seconds == 1 else f"{seconds:g} seconds"
