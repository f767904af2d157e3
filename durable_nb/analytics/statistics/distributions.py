"""How times and attempts are spread: what a quantile hides, two humps or a long tail, is seen here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Unpack

from durable_nb.analytics.figures import distributions
from durable_nb.analytics.statistics.latency import Kind, measured
from durable_nb.analytics.statistics.scope import Filters, Scope
from durable_nb.analytics.statistics.statistic import Statistic, asked
from durable_nb.errors import QueryError

if TYPE_CHECKING:
    from durable_nb.analytics.access import Explorer

_SPREAD = """\
WITH parts AS (
    {parts}
), binned AS (
    SELECT {group}, place, part, us,
        -- Bins of equal width on a logarithmic axis; what took no time at all has one of its own.
        CASE WHEN us > 0 THEN CAST(floor(log10(us) * $per_decade) AS INTEGER) END AS bin
    FROM parts WHERE us IS NOT NULL
)
SELECT {group}, part, coalesce(pow(10, bin / $per_decade), 0) / 1e6 AS from_s,
    coalesce(pow(10, (bin + 1) / $per_decade), 1) / 1e6 AS to_s, count(*) AS n,
    count(*) / sum(count(*)) OVER (PARTITION BY {group}, part) AS share
FROM binned GROUP BY {group}, place, part, bin ORDER BY {group}, place, bin NULLS FIRST"""


def latency_distribution(
    explorer: Explorer,
    *,
    of: Kind = "activities",
    per_decade: int = 5,
    **filters: Unpack[Filters],
) -> Statistic:
    """How many things took how long: a histogram of waiting, running, back-off and total for each type.

    Parameters
    ----------
    of
        As for ``latency``: ``activities``, ``attempts``, ``workflow_tasks`` or ``runs``.
    per_decade
        Bins from one second to ten, from ten to a hundred, and so on.
    workflow_type, where, since, until
        Which ones; by when they were scheduled (runs: started). Only what is over counts.

    Returns
    -------
    Statistic
        One row per type, part and bin that is not empty: ``activity_type`` or ``workflow_type``, ``part`` (queue, run,
        back-off, total), ``from_s`` (inclusive), ``to_s``, ``n``, and ``share`` of the type's part.

    Raises
    ------
    QueryError
        DNB800: an unknown kind or column, or no bins.
    """
    if not 1 <= per_decade <= 50:
        raise QueryError("per_decade is a number from 1 to 50")
    scope = Scope.of(**filters)
    params: dict[str, Any] = {"per_decade": float(per_decade)}
    group, parts = measured(of, scope, params)
    sql = _SPREAD.format(group=group, parts=parts)
    title = scope.titled(f"How long {of.replace('_', ' ')} took")
    return asked(explorer, "latency_distribution", title, sql, params, distributions.latency_distribution)


_ATTEMPTS = """\
SELECT x.activity_type, x.attempts, count(*) AS activities, count(*) FILTER (x.status = 'Completed') AS completed,
    count(*) FILTER (x.status IN ('Failed', 'TimedOut')) AS gave_up,
    count(*) / sum(count(*)) OVER (PARTITION BY x.activity_type) AS share
FROM activities AS x
{where}
GROUP BY x.activity_type, x.attempts ORDER BY x.activity_type, x.attempts"""


def retry_distribution(
    explorer: Explorer,
    **filters: Unpack[Filters],
) -> Statistic:
    """How many activities needed one attempt, two, three, and so on.

    Parameters
    ----------
    workflow_type, where, since, until
        Which activities; by when they were scheduled. Only closed ones count.

    Returns
    -------
    Statistic
        One row per activity type and number of ``attempts`` (0: closed before any worker took it): ``activities``, of
        these ``completed`` and ``gave_up`` (failed or timed out for good), and ``share`` of the type's activities.

    Raises
    ------
    QueryError
        DNB800: a filter that cannot be read.
    """
    scope = Scope.of(**filters)
    params: dict[str, Any] = {}
    over = ("x.closed_at IS NOT NULL", "NOT x.is_local", "NOT x.is_inherited")
    sql = _ATTEMPTS.format(where=scope.clause("activities", "x", "scheduled_at", params, *over))
    title = scope.titled("Attempts of an activity")
    return asked(explorer, "retry_distribution", title, sql, params, distributions.retry_distribution)
