"""How long things take, split into what they waited for: queue, run, back-off."""

# ruff: noqa: S608 - SQL is put together from constants; values are always bound
from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal, Unpack

from durable_nb.analytics.figures import distributions
from durable_nb.analytics.statistics.scope import Filters, Scope
from durable_nb.analytics.statistics.statistic import Statistic, asked
from durable_nb.errors import QueryError

if TYPE_CHECKING:
    from durable_nb.analytics.access import Explorer

Kind = Literal["activities", "attempts", "workflow_tasks", "runs"]

_PARTS: dict[str, tuple[str, str, dict[str, str]]] = {
    "activities": (
        "activity_type",
        "scheduled_at",
        {"queue": "x.queue_us", "run": "x.run_us", "back-off": "coalesce(x.backoff_us, 0)", "total": "x.duration_us"},
    ),
    "attempts": (
        "activity_type",
        "scheduled_at",
        {"queue": "x.queue_us", "run": "x.run_us", "back-off": "x.backoff_us"},
    ),
    "workflow_tasks": ("workflow_type", "scheduled_at", {"queue": "x.queue_us", "run": "x.run_us"}),
    "runs": ("workflow_type", "start_time", {"total": "x.duration_us"}),
}
"""Group, time and parts of each view."""

_OVER = {
    "activities": ["x.closed_at IS NOT NULL", "NOT x.is_local", "NOT x.is_inherited"],
    "attempts": ["NOT x.is_pending"],
    "workflow_tasks": ["x.closed_at IS NOT NULL", "NOT x.is_inherited"],
    "runs": ["x.close_time IS NOT NULL"],
}
"""What is over, so that its times are known, and counted once: not in each run that was reset or forked after it."""


def latency(
    explorer: Explorer,
    *,
    of: Kind = "activities",
    quantiles: Sequence[float] = (0.5, 0.9, 0.99),
    **filters: Unpack[Filters],
) -> Statistic:
    """Quantiles of how long things took: waiting for a worker, running, waiting for the next attempt, and in all.

    Parameters
    ----------
    of
        ``activities`` (all attempts together), ``attempts`` (each by itself), ``workflow_tasks`` or ``runs`` (total).
    quantiles
        From 0 to 1; interpolated linearly.
    workflow_type, where, since, until
        Which ones; by when they were scheduled (runs: started). Only what is over counts.

    Returns
    -------
    Statistic
        One row per type and part: ``activity_type`` or ``workflow_type``, ``part`` (queue, run, back-off, total),
        ``n``, ``mean_s``, ``p50_s`` and so on, ``max_s``; seconds.

    Raises
    ------
    QueryError
        DNB800: an unknown kind or column, or a quantile out of range.
    """
    if not quantiles or not all(0 <= each <= 1 for each in quantiles):
        raise QueryError("quantiles are numbers from 0 to 1", fix="for instance quantiles=(0.5, 0.99)")
    scope = Scope.of(**filters)
    params: dict[str, Any] = {"quantiles": [float(each) for each in quantiles]}
    group, parts = measured(of, scope, params)
    names = ",\n    ".join(f"q[{n}] / 1e6 AS {_name(each)}" for n, each in enumerate(quantiles, start=1))
    sql = f"""\
WITH parts AS (
    {parts}
), measured AS (
    SELECT {group}, place, part, count(us) AS n, avg(us) / 1e6 AS mean_s,
        quantile_cont(us, $quantiles) AS q, max(us) / 1e6 AS max_s
    FROM parts WHERE us IS NOT NULL GROUP BY ALL
)
SELECT {group}, part, n, mean_s,
    {names},
    max_s
FROM measured ORDER BY sum(mean_s) OVER (PARTITION BY {group}) DESC, {group}, place"""
    title = scope.titled(f"Latency of {of.replace('_', ' ')}")
    return asked(explorer, "latency", title, sql, params, distributions.latency)


def measured(of: Kind, scope: Scope, params: dict[str, Any]) -> tuple[str, str]:
    """The column that groups, and SQL for its times in µs: one row per thing and part, in the order ``place``.

    Raises
    ------
    QueryError
        DNB800: an unknown kind or column.
    """
    if of not in _PARTS:
        raise QueryError(f"there is no latency of {of!r}", fix=f"choose one of {', '.join(_PARTS)}")
    group, time, parts = _PARTS[of]
    picked = scope.clause(of, "x", time, params, *_OVER[of])
    items = ",\n        ".join(f"({number}, '{name}', {sql})" for number, (name, sql) in enumerate(parts.items()))
    return (
        group,
        f"""\
SELECT x.{group}, p.place, p.part, p.us
    FROM {of} AS x, LATERAL (VALUES
        {items}) AS p(place, part, us)
    {picked}""",
    )


def _name(quantile: float) -> str:
    return f"p{quantile * 100:g}_s".replace(".", "_")
