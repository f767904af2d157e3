"""Ready statistics over all histories: each gives a frame, a figure and the SQL behind it.

Public as ``durable_nb.stats`` (the current store) and ``client.stats``; here each function takes the explorer of a
store first. All read the documented views only, in SQL; tests check each against a second computation in pandas.

Common filters: ``workflow_type`` (one or several), ``where`` (values by column of the view or of ``runs``, also
``memo.x`` and ``search_attributes.x``), ``since`` and ``until`` (``"1h"``, ``"2026-11-05"``, datetime, timedelta).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from durable_nb.analytics.statistics.activities import failing_activities, slowest_activities
from durable_nb.analytics.statistics.cost import cost
from durable_nb.analytics.statistics.critical_path import critical_path, critical_path_of_type
from durable_nb.analytics.statistics.definitions import Comparison, compare_definitions
from durable_nb.analytics.statistics.distributions import latency_distribution, retry_distribution
from durable_nb.analytics.statistics.latency import latency
from durable_nb.analytics.statistics.overview import run_timeline
from durable_nb.analytics.statistics.rates import success_rate, throughput
from durable_nb.analytics.statistics.retries import retry_storms, time_lost_to_retries
from durable_nb.analytics.statistics.scope import Moment, Scope
from durable_nb.analytics.statistics.statistic import Statistic

__all__ = [
    "STATISTICS",
    "Comparison",
    "Moment",
    "Scope",
    "Statistic",
    "compare_definitions",
    "cost",
    "critical_path",
    "critical_path_of_type",
    "failing_activities",
    "latency",
    "latency_distribution",
    "retry_distribution",
    "retry_storms",
    "run_timeline",
    "slowest_activities",
    "success_rate",
    "throughput",
    "time_lost_to_retries",
]

STATISTICS: Mapping[str, Callable[..., Statistic]] = MappingProxyType(
    {
        each.__name__: each
        for each in (
            success_rate,
            latency,
            latency_distribution,
            throughput,
            retry_storms,
            retry_distribution,
            time_lost_to_retries,
            failing_activities,
            slowest_activities,
            critical_path,
            critical_path_of_type,
            cost,
            compare_definitions,
            run_timeline,
        )
    }
)
"""By name, in the order in which they are listed."""
