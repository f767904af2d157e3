"""A big store made fast: rows as the engine writes them, straight into SQLite. For measuring readers, not writers."""

from __future__ import annotations

import json
import sqlite3
from base64 import b64encode
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from random import Random
from typing import Any

from durable_nb.store import open_store

EVENTS_PER_RUN = 41
"""Of a run with six sequential activities."""

_STEPS = 6
_TYPES = ("OrderWorkflow", "RefundWorkflow", "NightlyReport")
_ACTIVITIES = ("charge_card", "reserve_stock", "send_mail", "render_report", "upload", "notify")
_START = 1_790_000_000_000_000
_INSERT_EVENTS = (
    "INSERT INTO events (run_key, event_id, event_type, event_time, attributes, user_metadata) "
    "VALUES (?, ?, ?, ?, ?, ?)"
)
_INSERT_ATTEMPTS = (
    "INSERT INTO activity_attempts (run_key, scheduled_event_id, attempt, activity_id, activity_type, scheduled_at, "
    "started_at, ended_at, outcome, worker_identity, failure, heartbeat_details, next_attempt_at) "
    "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
_INSERT_RUNS = (
    "INSERT INTO runs (run_key, namespace, workflow_id, run_id, workflow_type, task_queue, status, version, "
    "next_event_id, history_size, first_execution_run_id, start_time, execution_time, close_time, wake_at, "
    "parent_workflow_id, parent_run_id, parent_initiated_event_id, root_workflow_id, root_run_id, memo, "
    "search_attributes, transient, definition) VALUES (?, 'default', ?, ?, ?, 'durable-nb', 2, ?, ?, ?, ?, ?, ?, ?, 0, "
    "'', '', 0, ?, ?, NULL, NULL, NULL, '')"
)

_FAILURE = json.dumps(
    {
        "message": "the gateway did not answer",
        "source": "PythonSDK",
        "stackTrace": '  File "notebook", line 7, in charge\n' * 4,
        "applicationFailureInfo": {"type": "GatewayError"},
    }
)


def _payload(value: object) -> list[dict[str, Any]]:
    data = json.dumps(value, separators=(",", ":")).encode()
    return [{"metadata": {"encoding": b64encode(b"json/plain").decode()}, "data": b64encode(data).decode()}]


class BigStore:
    """A store of closed runs.

    Parameters
    ----------
    path
        The file; made when it does not exist.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.url = f"sqlite:///{path}"
        open_store(self.url).close()
        self._random = Random(7)
        self._key = 0

    @classmethod
    def again(cls, path: Path) -> BigStore:
        """The same store in another process, to add more."""
        store = cls(path)
        connection = sqlite3.connect(path)
        (store._key,) = connection.execute("SELECT max(run_key) FROM runs").fetchone()
        connection.close()
        return store

    def add(self, events: int) -> int:
        """Append runs with about that many events; returns how many."""
        connection = sqlite3.connect(self.path, isolation_level=None)
        connection.execute("PRAGMA synchronous = OFF")
        wanted = max(1, round(events / EVENTS_PER_RUN))
        made = 0
        runs = self._runs(wanted)
        connection.execute("BEGIN")
        while batch := list(islice(runs, 2000)):
            connection.executemany(_INSERT_EVENTS, [row for _, rows, _ in batch for row in rows])
            connection.executemany(_INSERT_ATTEMPTS, [row for _, _, rows in batch for row in rows])
            connection.executemany(_INSERT_RUNS, [row for row, _, _ in batch])
            made += sum(len(rows) for _, rows, _ in batch)
        connection.execute("COMMIT")
        connection.close()
        return made

    def _runs(self, count: int) -> Iterator[tuple[_Row, list[_Row], list[_Row]]]:
        for _ in range(count):
            self._key += 1
            made = _Run(self._key, self._random)
            yield made.row(), made.events, made.attempts


class _Run:
    """The rows of one run; the way from start to end is walked when it is made."""

    def __init__(self, key: int, random: Random) -> None:
        self.key, self._random = key, random
        self.now = _START + key * 40_000_000
        self.kind = _TYPES[key % 3]
        self.workflow_id = f"{self.kind.lower()}-{key}"
        self.run_id = f"01a2{key:08x}-7{random.getrandbits(12):03x}-{key:016x}"
        self._identity = f"{4000 + key % 7}@host-{key % 3}"
        self.events: list[_Row] = []
        self.attempts: list[_Row] = []
        self._size = 0
        self._start()
        for step in range(_STEPS):
            self._activity(step, self._workflow_task())
        self._record(2, {"result": _payload({"total": key}), "workflowTaskCompletedEventId": self._workflow_task()})

    def row(self) -> _Row:
        """The run itself, closed."""
        begun = self.events[0][3]
        numbers = (14, len(self.events) + 1, self._size)
        times = (begun, begun, self.now)
        return (self.key, self.workflow_id, self.run_id, self.kind, *numbers, self.run_id, *times,
                self.workflow_id, self.run_id)  # fmt: skip

    def _record(self, number: int, attributes: dict[str, Any]) -> int:
        text = json.dumps(attributes, separators=(",", ":"))
        self._size += len(text)
        self.events.append((self.key, len(self.events) + 1, number, self.now, text, None))
        return len(self.events)

    def _start(self) -> None:
        root = {"workflowId": self.workflow_id, "runId": self.run_id}
        self._record(1, {
            "workflowType": self.kind, "taskQueue": "durable-nb",
            "input": _payload({"order": self.key, "items": [1, 2, 3]}), "workflowTaskTimeout": 10_000_000,
            "originalExecutionRunId": self.run_id, "identity": "4242@notebook", "firstExecutionRunId": self.run_id,
            "workflowId": self.workflow_id, "rootWorkflowExecution": root,
        })  # fmt: skip

    def _workflow_task(self) -> int:
        """The three events of a workflow task; the id of the last."""
        task = self._record(5, {"taskQueue": "durable-nb", "startToCloseTimeout": 10_000_000})
        started = self._record(
            6, {"scheduledEventId": task, "identity": self._identity, "historySizeBytes": self._size}
        )
        return self._record(7, {"scheduledEventId": task, "startedEventId": started, "identity": self._identity})

    def _activity(self, step: int, completed: int) -> None:
        name, activity_id = _ACTIVITIES[step], str(step + 1)
        could_start = self.now
        policy = {"initialInterval": 1_000_000, "backoffCoefficient": 2, "maximumInterval": 100_000_000}
        scheduled = self._record(10, {
            "activityId": activity_id, "activityType": name, "taskQueue": "durable-nb",
            "input": _payload({"order": self.key, "step": step}), "scheduleToCloseTimeout": 0,
            "startToCloseTimeout": 60_000_000, "workflowTaskCompletedEventId": completed, "retryPolicy": policy,
        })  # fmt: skip
        tries = 1 + (self._random.random() < 0.05)
        for attempt in range(1, tries + 1):
            begun = could_start + self._random.randrange(500, 5_000)
            self.now = begun + self._random.randrange(1_000, 2_000_000)
            outcome, failure = ("failed", _FAILURE) if attempt < tries else ("completed", None)
            again = self.now + 1_000_000 if failure else 0
            self.attempts.append(
                (self.key, scheduled, attempt, activity_id, name, could_start, begun, self.now, outcome,
                 self._identity, failure, None, again)
            )  # fmt: skip
            could_start = again
        started = self._record(11, {"scheduledEventId": scheduled, "identity": self._identity, "attempt": tries})
        self._record(12, {
            "result": _payload({"ok": True}), "scheduledEventId": scheduled, "startedEventId": started,
            "identity": self._identity,
        })  # fmt: skip


_Row = tuple[Any, ...]
