"""The rows of a commit, sorted by the statement that writes them.

Lives here: the statements of the commit path and what each of their parameters is. Not here: transactions (``commit``).
"""

# ruff: noqa: S608 - texts are put together from constants of this module; values are always bound
from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from durable_nb.model.enums import WorkflowExecutionStatus
from durable_nb.model.records import LISTED_FIELDS, UNLISTED_FIELDS, RunRow, RunWrite, Unit
from durable_nb.store import blobs
from durable_nb.store.sqlite.batches import BatchStatement

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Sequence


def _insert(table: str, columns: str, *, verb: str = "INSERT") -> BatchStatement:
    width = columns.count(",") + 1
    return BatchStatement(f"{verb} INTO {table} ({columns}) VALUES", f"({','.join('?' * width)})")


def _update_runs(columns: tuple[str, ...]) -> BatchStatement:
    """Compare and set: row = run_key, expected version, then the columns."""
    sets = ", ".join(f"{name} = v.column{number}" for number, name in enumerate(columns, 3))
    return BatchStatement(
        f"UPDATE runs SET {sets} FROM (VALUES",
        f"({','.join('?' * (len(columns) + 2))})",
        ") AS v WHERE runs.run_key = v.column1 AND runs.version = v.column2",
        largest=128,
    )


RUN_FIELDS = [field.name for field in msgspec.structs.fields(RunRow)]
"""Columns of ``runs``, in the order of ``RunRow``."""
_RUNNING = int(WorkflowExecutionStatus.RUNNING)
_STATUS, _MEMO, _SEARCH_ATTRIBUTES = map(RUN_FIELDS.index, ("status", "memo", "search_attributes"))

UPDATE_NARROW = _update_runs(UNLISTED_FIELDS)
UPDATE_WIDE = _update_runs(LISTED_FIELDS)
INSERT_RUNS = _insert("runs", ", ".join(RUN_FIELDS))
INSERT_EVENTS = _insert("events", "run_key, event_id, event_type, event_time, attributes, user_metadata")
DELETE_ACTIVITIES = BatchStatement(
    "DELETE FROM activities WHERE", "run_key = ? AND scheduled_event_id = ?", separator=" OR ", largest=128
)
PUT_ACTIVITIES = _insert(
    "activities",
    "run_key, scheduled_event_id, task_queue, activity_type, activity_id, attempt, owner, token, visible_at, state",
    verb="REPLACE",
)
INSERT_ATTEMPTS = _insert(
    "activity_attempts",
    "run_key, scheduled_event_id, attempt, activity_id, activity_type, scheduled_at, started_at, ended_at, outcome, "
    "worker_identity, failure, heartbeat_details, next_attempt_at",
)
DELETE_WORKFLOW_TASKS = BatchStatement("DELETE FROM workflow_tasks WHERE run_key IN (", "?", ")")
PUT_WORKFLOW_TASKS = _insert(
    "workflow_tasks", "run_key, task_queue, workflow_type, attempt, owner, visible_at", verb="REPLACE"
)
DELETE_TRANSFERS = BatchStatement(
    "DELETE FROM transfers WHERE", "run_key = ? AND transfer_id = ?", separator=" OR ", largest=128
)
PUT_TRANSFERS = _insert("transfers", "run_key, transfer_id, kind, owner, body", verb="REPLACE")
# By start: keys are reserved in blocks, so those of different processes do not follow the order of starts. The plus
# keeps SQLite from walking all runs of the namespace by their start in search of the ID.
LATEST_OF_ID = "FROM runs WHERE namespace = ? AND workflow_id = ? ORDER BY +start_time DESC, run_key DESC LIMIT 1"
PUT_BLOBS = _insert("blobs", "digest, data", verb="INSERT OR IGNORE")
PUT_BLOB_REFERENCES = _insert("blob_references", "run_key, digest", verb="INSERT OR IGNORE")


def _text(document: bytes | None) -> str | None:
    return None if document is None else document.decode()


class CommitRows:
    """Parameters of all statements of a commit, in the order in which the statements run."""

    __slots__ = ("_blob_limit", "inserts", "narrow", "needs_look", "others", "wide")

    def __init__(self, units: Sequence[Unit], blob_limit: int) -> None:
        self._blob_limit = blob_limit
        keys = [write.run.run_key for unit in units for write in unit.writes]
        self.needs_look = len(set(keys)) < len(keys)
        """Whether the statements alone do not keep the store's rules: a run is written twice, whose rows must not be
        mixed (deletes run before inserts), or one is started under rules that no index knows.
        """
        self.narrow: list[Any] = []
        self.wide: list[Any] = []
        self.inserts: list[Any] = []
        self.others: dict[BatchStatement, list[Any]] = {
            INSERT_EVENTS: [],
            DELETE_ACTIVITIES: [],
            PUT_ACTIVITIES: [],
            INSERT_ATTEMPTS: [],
            DELETE_WORKFLOW_TASKS: [],
            PUT_WORKFLOW_TASKS: [],
            DELETE_TRANSFERS: [],
            PUT_TRANSFERS: [],
            PUT_BLOBS: [],
            PUT_BLOB_REFERENCES: [],
        }
        for unit in units:
            for write in unit.writes:
                self._add_run(write)
                self._add_events(write)
                if write.put_activities or write.delete_activities or write.attempts:
                    self._add_activities(write)
                if write.workflow_task is not None or write.had_workflow_task:
                    self._add_workflow_task(write)
                if write.put_transfers or write.delete_transfers:
                    self._add_transfers(write)

    def _add_run(self, write: RunWrite) -> None:
        run, expected = write.run, write.expected_version
        # int(): enumerations would take the driver's slow path for unknown types.
        if expected == 0:
            row = list(msgspec.structs.astuple(run))
            row[_STATUS] = int(run.status)
            row[_MEMO], row[_SEARCH_ATTRIBUTES] = _text(run.memo), _text(run.search_attributes)
            self.inserts += row
            if write.expected_latest is not None or (run.status != _RUNNING and not write.imported):
                self.needs_look = True
            return
        narrow = (run.run_key, expected, run.version, run.next_event_id, run.history_size, run.transient)
        if not write.listed_changed:
            self.narrow += narrow
            return
        self.wide += narrow
        self.wide += (
            int(run.status),
            run.task_queue,
            run.execution_time,
            run.close_time,
            run.wake_at,
            _text(run.memo),
            _text(run.search_attributes),
            run.definition,
        )

    def _add_events(self, write: RunWrite) -> None:
        run_key, limit, rows = write.run.run_key, self._blob_limit, self.others[INSERT_EVENTS]
        for event in write.events:
            attributes, metadata = event.attributes, event.user_metadata
            if len(attributes) > limit:
                attributes = self._take_blobs_out(run_key, attributes)
            rows += (
                run_key,
                event.event_id,
                int(event.event_type),
                event.event_time,
                attributes.decode(),
                None if metadata is None else metadata.decode(),
            )

    def _take_blobs_out(self, run_key: int, attributes: bytes) -> bytes:
        attributes, found = blobs.take_out(attributes, self._blob_limit)
        for digest, data in found.items():
            self.others[PUT_BLOBS] += (digest, data)
            self.others[PUT_BLOB_REFERENCES] += (run_key, digest)
        return attributes

    def _add_activities(self, write: RunWrite) -> None:
        run_key = write.run.run_key
        deleted = self.others[DELETE_ACTIVITIES]
        for scheduled_event_id in write.delete_activities:
            deleted += (run_key, scheduled_event_id)
        put = self.others[PUT_ACTIVITIES]
        for activity in write.put_activities:
            put.append(run_key)
            put += msgspec.structs.astuple(activity)
        ended = self.others[INSERT_ATTEMPTS]
        for attempt in write.attempts:
            row = list(msgspec.structs.astuple(attempt))
            row[-3], row[-2] = _text(attempt.failure), _text(attempt.heartbeat_details)
            ended.append(run_key)
            ended += row

    def _add_workflow_task(self, write: RunWrite) -> None:
        run_key, task = write.run.run_key, write.workflow_task
        if task is None:
            self.others[DELETE_WORKFLOW_TASKS].append(run_key)
        else:
            put = self.others[PUT_WORKFLOW_TASKS]
            put.append(run_key)
            put += msgspec.structs.astuple(task)

    def _add_transfers(self, write: RunWrite) -> None:
        run_key = write.run.run_key
        deleted = self.others[DELETE_TRANSFERS]
        for transfer_id in write.delete_transfers:
            deleted += (run_key, transfer_id)
        put = self.others[PUT_TRANSFERS]
        for transfer in write.put_transfers:
            put.append(run_key)
            put += msgspec.structs.astuple(transfer)

    def write(self, cursor: sqlite3.Cursor) -> bool:
        """Run the statements inside an open transaction; False as soon as a run is not at its expected version.

        Raises ``sqlite3.IntegrityError`` where a key or an open workflow ID is taken.
        """
        for statement, rows in ((UPDATE_NARROW, self.narrow), (UPDATE_WIDE, self.wide)):
            if rows and statement.execute(cursor, rows) != len(rows) // statement.width:
                return False
        if self.inserts:
            INSERT_RUNS.execute(cursor, self.inserts)
        for statement, rows in self.others.items():
            if rows:
                statement.execute(cursor, rows)
        return True
