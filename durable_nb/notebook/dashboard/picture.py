"""What a dashboard shows, at one moment: counters, types, runs, and two statistics. Asked in SQL, over the views."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from durable_nb.analytics.statistics import failing_activities, latency, throughput
from durable_nb.analytics.statistics.scope import Scope

if TYPE_CHECKING:
    import pandas as pd

    from durable_nb.analytics import Explorer
    from durable_nb.analytics.statistics import Statistic

LISTED_RUNS = 50

_STATE = """\
SELECT * FROM (SELECT sum(history_length) AS events, count(*) AS runs, max(run_key) AS newest FROM runs) AS r,
    (SELECT count(*) FILTER (NOT is_pending) AS done, count(*) FILTER (status = 'Started') AS started,
        count(*) FILTER (status = 'BackingOff') AS backing_off FROM attempts) AS a"""

_TYPES = """\
SELECT workflow_type, count(*) AS runs, count(*) FILTER (status = 'Running') AS running,
    count(*) FILTER (status = 'Completed') AS completed,
    count(*) FILTER (status IN ('Failed', 'TimedOut') AND continued_to_run_id IS NULL OR status = 'Terminated')
        AS failed,
    count(*) FILTER (status = 'Canceled') AS canceled,
    count(*) FILTER (close_time >= $recent) AS closed_recently
FROM runs AS x {where} GROUP BY ALL ORDER BY failed DESC, runs DESC, workflow_type"""

_ACTIVITIES = """\
SELECT count(*) FILTER (status = 'Started') AS started, count(*) FILTER (status = 'Scheduled') AS waiting,
    count(*) FILTER (status = 'BackingOff') AS backing_off
FROM attempts AS x {where}"""

_STUCK = """\
SELECT count(DISTINCT run_key) AS n FROM workflow_tasks AS x {where}"""

_RUNS = """\
SELECT workflow_id, run_id, workflow_type, status, start_time, close_time, duration_us / 1e6 AS duration_s,
    root_failure_type, root_failure_message
FROM runs AS x {where} ORDER BY start_time DESC, run_key DESC LIMIT $top"""


@dataclass(frozen=True)
class Choice:
    """What is looked at: a stretch of time up to now, a type, and which runs come first."""

    window: timedelta | None = timedelta(hours=1)
    """None for everything."""
    workflow_type: str = ""
    """"" for all."""
    order: str = "newest"
    """``newest``, ``failed`` (these only) or ``open``."""


@dataclass(frozen=True)
class Picture:
    """One look."""

    choice: Choice
    taken_at: datetime
    types: pd.DataFrame
    """Per workflow type: runs, running, completed, failed, canceled, closed_recently."""
    counters: dict[str, int]
    """Sums of ``types``, and of activities: started, waiting, backing_off; and runs whose code fails: stuck."""
    per_minute: float
    """Runs closed per minute, over the last five."""
    runs: pd.DataFrame
    throughput: Statistic
    latency: Statistic
    failing: Statistic


def state_of(explorer: Explorer) -> tuple[Any, ...]:
    """Changes whenever something happened that a picture shows; cheap to ask."""
    return tuple(explorer.frame(_STATE).iloc[0].fillna(0).tolist())


def take(explorer: Explorer, choice: Choice, *, now: datetime | None = None) -> Picture:
    """Ask the store; some hundred milliseconds on a big one.

    Raises
    ------
    QueryError, StoreError
        The store cannot answer.
    """
    now = now or datetime.now(UTC)
    since = now - choice.window if choice.window else None
    kind = choice.workflow_type or None
    everything = Scope(since=None)
    started = Scope(since=since)
    params: dict[str, Any] = {"recent": now - timedelta(minutes=5)}
    # What was started, or is still open, or was closed in the stretch.
    clause = ""
    if since is not None:
        params["since"] = since
        clause = "WHERE start_time >= $since OR close_time >= $since OR status = 'Running'"
    types = explorer.frame(_TYPES.format(where=clause), params, limit=None)
    shown = types if kind is None else types[types["workflow_type"] == kind]
    counters = {name: int(shown[name].sum()) for name in types.columns[1:]}
    pending: dict[str, Any] = {}
    of_type = Scope(kind).clause("attempts", "x", "scheduled_at", pending, "x.is_pending")
    row = explorer.frame(_ACTIVITIES.format(where=of_type), pending).iloc[0]
    counters |= {name: int(row[name]) for name in ("started", "waiting", "backing_off")}
    failing_tasks: dict[str, Any] = {}
    of_type = Scope(kind).clause("workflow_tasks", "x", "scheduled_at", failing_tasks, "x.status = 'BackingOff'")
    counters["stuck"] = int(explorer.frame(_STUCK.format(where=of_type), failing_tasks)["n"][0])
    when: dict[str, Any] = {"workflow_type": kind, "since": since}
    return Picture(
        choice,
        now,
        types,
        counters,
        counters["closed_recently"] / 5,
        _runs(explorer, choice, started if choice.order != "open" else everything),
        throughput(explorer, **when, until=now),
        latency(explorer, **when),
        failing_activities(explorer, top=8, **when),
    )


def _runs(explorer: Explorer, choice: Choice, scope: Scope) -> pd.DataFrame:
    params: dict[str, Any] = {"top": LISTED_RUNS}
    more = {
        "failed": ["x.status IN ('Failed', 'TimedOut', 'Terminated')"],
        "open": ["x.status = 'Running'"],
    }.get(choice.order, [])
    chosen = Scope(choice.workflow_type or None, scope.where, scope.since)
    where = chosen.clause("runs", "x", "start_time", params, *more)
    return explorer.frame(_RUNS.format(where=where), params, limit=None)
