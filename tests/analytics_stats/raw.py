"""The second computation: pandas over the rows of the store as SQLite has them, by other means than the views.

Nothing here is taken from ``durable_nb.analytics``. Runs, activities, timers and children are rebuilt from the events;
only attempts that no event tells of come from the table of attempts.
"""

from __future__ import annotations

import json
import sqlite3
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import pandas as pd

from durable_nb.model.enums import EventType as E

CLOSING = {
    E.WORKFLOW_EXECUTION_COMPLETED: "Completed",
    E.WORKFLOW_EXECUTION_FAILED: "Failed",
    E.WORKFLOW_EXECUTION_TIMED_OUT: "TimedOut",
    E.WORKFLOW_EXECUTION_CANCELED: "Canceled",
    E.WORKFLOW_EXECUTION_TERMINATED: "Terminated",
    E.WORKFLOW_EXECUTION_CONTINUED_AS_NEW: "ContinuedAsNew",
}
ACTIVITY_CLOSED = {
    E.ACTIVITY_TASK_COMPLETED: "Completed",
    E.ACTIVITY_TASK_FAILED: "Failed",
    E.ACTIVITY_TASK_TIMED_OUT: "TimedOut",
    E.ACTIVITY_TASK_CANCELED: "Canceled",
}
BAD = ["failed", "timed_out", "lost"]
"""Outcomes of attempts that are failures, as stored."""


@dataclass
class Event:
    event_id: int
    kind: int
    time: int
    attributes: dict[str, Any]


class Raw:
    """Rows of one store."""

    def __init__(self, path: str) -> None:
        connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
        self._events = pd.read_sql("SELECT * FROM events ORDER BY run_key, event_id", connection)
        self._attempts = pd.read_sql("SELECT * FROM activity_attempts ORDER BY seq", connection)
        self._rows = pd.read_sql("SELECT run_key, workflow_id, run_id, definition FROM runs", connection)
        self.sources = pd.read_sql("SELECT * FROM definitions ORDER BY seq", connection)
        connection.close()

    @cached_property
    def histories(self) -> dict[int, list[Event]]:
        """Events of each run, with attributes read."""
        found: dict[int, list[Event]] = {}
        for row in self._events.itertuples():
            event = Event(int(row.event_id), int(row.event_type), int(row.event_time), json.loads(row.attributes))
            found.setdefault(int(row.run_key), []).append(event)
        return found

    @cached_property
    def runs(self) -> pd.DataFrame:
        """One row per run, from its first and last event."""
        rows = []
        for row in self._rows.itertuples():
            history = self.histories[row.run_key]
            first, last = history[0], history[-1]
            closed = last.kind in CLOSING
            rows.append(
                {
                    "run_key": row.run_key,
                    "workflow_id": row.workflow_id,
                    "run_id": row.run_id,
                    "definition": row.definition,
                    "workflow_type": first.attributes["workflowType"],
                    "task_queue": first.attributes["taskQueue"],
                    "status": CLOSING.get(last.kind, "Running"),
                    "goes_on": bool(last.attributes.get("newExecutionRunId")) and closed,
                    "start": first.time,
                    "begin": first.time + first.attributes.get("firstWorkflowTaskBackoff", 0),
                    "close": last.time if closed else None,
                    "length": len(history),
                }
            )
        frame = pd.DataFrame(rows)
        frame["close"] = frame["close"].astype("Int64")
        return frame

    @cached_property
    def activities(self) -> pd.DataFrame:
        """One row per activity, from its scheduled and closing events and its attempts."""
        rows = []
        for run_key, history in self.histories.items():
            closes = {e.attributes.get("scheduledEventId"): e for e in history if e.kind in ACTIVITY_CLOSED}
            for event in history:
                if event.kind == E.ACTIVITY_TASK_SCHEDULED:
                    close = closes.get(event.event_id)
                    rows.append(
                        {
                            "run_key": run_key,
                            "scheduled_event_id": event.event_id,
                            "activity_type": event.attributes["activityType"],
                            "task_queue": event.attributes["taskQueue"],
                            "scheduled": event.time,
                            "closed": close.time if close else None,
                            "status": ACTIVITY_CLOSED[E(close.kind)] if close else None,
                        }
                    )
        frame = pd.DataFrame(rows)
        frame["closed"] = frame["closed"].astype("Int64")
        sums = self.attempts.groupby(["run_key", "scheduled_event_id"])[["queue", "run", "backoff"]].sum(min_count=1)
        frame = frame.merge(sums, how="left", left_on=["run_key", "scheduled_event_id"], right_index=True)
        frame["total"] = frame["closed"] - frame["scheduled"]
        return frame.merge(self.runs[["run_key", "workflow_type", "workflow_id", "run_id", "close"]], on="run_key")

    @cached_property
    def attempts(self) -> pd.DataFrame:
        """One row per finished attempt, with the three times in microseconds (missing where there is none)."""
        frame = self._attempts.copy()
        started = frame["started_at"].where(frame["started_at"] > 0)
        frame["queue"] = started - frame["scheduled_at"]
        frame["run"] = frame["ended_at"] - started
        frame["backoff"] = (frame["next_attempt_at"] - frame["ended_at"]).where(frame["next_attempt_at"] > 0)
        frame["bad"] = frame["outcome"].isin(BAD)
        found = frame["failure"].map(lambda text: json.loads(text) if isinstance(text, str) else None)
        roots = found.map(_root)
        frame["failure_message"] = roots.map(lambda root: str(root.get("message", "")), na_action="ignore")
        frame["failure_type"] = roots.map(_type, na_action="ignore")
        return frame.merge(self.runs[["run_key", "workflow_type", "definition"]], on="run_key")


def _root(failure: Any) -> dict[str, Any] | None:
    if not isinstance(failure, dict):
        return None
    while isinstance(failure.get("cause"), dict):
        failure = failure["cause"]
    return failure


TIMEOUTS = {1: "StartToClose", 2: "ScheduleToStart", 3: "ScheduleToClose", 4: "Heartbeat"}


def _type(failure: dict[str, Any]) -> str:
    """As users say it: the application's own, or which timeout it was."""
    if "timeoutFailureInfo" in failure:
        return TIMEOUTS[failure["timeoutFailureInfo"].get("timeoutType", 1)] + "Timeout"
    return str(failure.get("applicationFailureInfo", {}).get("type", ""))
