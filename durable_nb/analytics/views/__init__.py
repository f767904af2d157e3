"""The documented views over a store: the contract between what is stored and whoever asks.

Each view is a ``View`` with its columns, their meaning and their units; the SQL of a column stands beside its
documentation, so that neither can change alone, and a test compares both with what DuckDB answers. Names without a
version (``runs``) mean the present one (``runs_v1``). Within a version columns are only added at the end of a group.

Conventions: instants are TIMESTAMPTZ in UTC, NULL where unset; durations are BIGINT microseconds and end in ``_us``;
names of states are CamelCase (``TimedOut``); payloads are JSON, with the reason beside them where they are not.
"""

from __future__ import annotations

from difflib import get_close_matches

from durable_nb.analytics.views.activities import ACTIVITIES, ALL_ATTEMPTS, ATTEMPTS
from durable_nb.analytics.views.metrics import METRICS
from durable_nb.analytics.views.runs import EVENTS, RUNS
from durable_nb.analytics.views.view import Column, View
from durable_nb.analytics.views.waits import CHILDREN, SIGNALS, TIMERS, UPDATES
from durable_nb.analytics.views.words import MACROS
from durable_nb.analytics.views.work import DEFINITIONS, SCHEDULES, WORKERS, WORKFLOW_TASKS

__all__ = ["VIEWS", "Column", "View", "describe", "preparations"]

VIEWS: dict[str, View] = {
    view.name: view
    for view in (
        RUNS,
        EVENTS,
        ACTIVITIES,
        ATTEMPTS,
        TIMERS,
        SIGNALS,
        UPDATES,
        CHILDREN,
        WORKFLOW_TASKS,
        WORKERS,
        SCHEDULES,
        DEFINITIONS,
        METRICS,
    )
}
"""By name."""


def preparations() -> list[str]:
    """DDL of what the views have in common, in an order that works; the tables of ``mirror`` must exist.

    After these, the ``ddl`` of each view works in any order.
    """
    return [*(f"CREATE MACRO {macro}" for macro in MACROS), "CREATE SCHEMA internal", ALL_ATTEMPTS]


def describe(name: str = "") -> str:
    """What a view holds, column by column, as text to read; without a name, what views there are.

    Raises
    ------
    ValueError
        There is no view of that name; the message says which one may be meant.
    """
    if not name:
        size = max(map(len, VIEWS))
        return "\n".join(f"{view.name.ljust(size)}  {view.meaning}" for view in VIEWS.values())
    view = VIEWS.get(name) or next((view for view in VIEWS.values() if view.versioned_name == name), None)
    if view is None:
        close = get_close_matches(name, VIEWS, 1)
        meant = f"did you mean {close[0]!r}?" if close else f"there are {', '.join(VIEWS)}"
        raise ValueError(f"there is no view {name!r}: {meant}")
    rows = [(column.name, _short(column.type), column.unit, column.meaning) for column in view.columns]
    widths = [max(len(row[i]) for row in rows) for i in range(3)]
    lines = ["  ".join([*(row[i].ljust(widths[i]) for i in range(3)), row[3]]) for row in rows]
    return f"{view.name} ({view.versioned_name}): {view.meaning}\n\n" + "\n".join(lines)


def _short(kind: str) -> str:
    return "TIMESTAMPTZ" if kind == "TIMESTAMP WITH TIME ZONE" else kind
