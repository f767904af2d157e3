"""Runs, histories and attempts as they are stored; removal of a run."""

# ruff: noqa: S608 - texts are put together from constants of this module; values are always bound
from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from durable_nb.errors import StoreCorruptedError, StoreError
from durable_nb.model.enums import EventType, WorkflowExecutionStatus
from durable_nb.model.events import Event, decode_attributes, decode_user_metadata
from durable_nb.model.records import (
    ActivityRow,
    AttemptRow,
    LoadedRun,
    RunFilter,
    RunRow,
    TransferRow,
    WorkflowTaskRow,
)
from durable_nb.store import blobs
from durable_nb.store.sqlite.rows import LATEST_OF_ID, RUN_FIELDS

if TYPE_CHECKING:
    import sqlite3

    from durable_nb.store.sqlite.database import Database


def _as_bytes(columns: list[str], documents: tuple[str, ...]) -> str:
    return ", ".join(f"CAST({name} AS BLOB)" if name in documents else name for name in columns)


# Documents are text in the database and bytes in memory; the cast is free, decoding and encoding again is not.
_RUN_COLUMNS = _as_bytes(RUN_FIELDS, ("memo", "search_attributes"))
_RUN_BY_KEY = f"SELECT {_RUN_COLUMNS} FROM runs WHERE run_key = ?"
_RUN_BY_ID = f"SELECT {_RUN_COLUMNS} FROM runs WHERE namespace = ? AND workflow_id = ? AND run_id = ?"
_OPEN_RUN = f"SELECT {_RUN_COLUMNS} FROM runs WHERE namespace = ? AND workflow_id = ? AND status = 1"
_LATEST_RUN = f"SELECT {_RUN_COLUMNS} {LATEST_OF_ID}"
_EVENTS = (
    "SELECT event_id, event_type, event_time, CAST(attributes AS BLOB), user_metadata FROM events "
    "WHERE run_key = ? AND event_id >= ? ORDER BY event_id"
)
_ACTIVITIES = (
    "SELECT scheduled_event_id, task_queue, activity_type, activity_id, attempt, owner, token, visible_at, state "
    "FROM activities WHERE run_key = ? ORDER BY scheduled_event_id"
)
_ATTEMPTS = (
    "SELECT scheduled_event_id, attempt, activity_id, activity_type, scheduled_at, started_at, ended_at, outcome, "
    "worker_identity, CAST(failure AS BLOB), CAST(heartbeat_details AS BLOB), next_attempt_at "
    "FROM activity_attempts WHERE run_key = ? ORDER BY seq"
)
_WORKFLOW_TASK = "SELECT task_queue, workflow_type, attempt, owner, visible_at FROM workflow_tasks WHERE run_key = ?"
_TRANSFERS = "SELECT transfer_id, kind, owner, body FROM transfers WHERE run_key = ? ORDER BY transfer_id"
# By the index of open runs, which are few; left alone, SQLite takes one of all runs.
_VERSIONS = (
    "SELECT workflow_type, definition, count(*) FROM runs INDEXED BY runs_open WHERE namespace = ? AND status = 1 "
    "AND ? IN ('', workflow_type) GROUP BY workflow_type, definition ORDER BY workflow_type, definition"
)
# Event 1 of a run that was made from another names an older run: few have to be searched, and no index is needed.
_ORIGINS = (
    "SELECT r.run_key, json_extract(e.attributes, '$.baseRunId'), e.event_id FROM runs AS r "
    "CROSS JOIN events AS first ON first.run_key = r.run_key AND first.event_id = 1 "
    "AND json_extract(first.attributes, '$.originalExecutionRunId') <> r.run_id "
    f"CROSS JOIN events AS e ON e.run_key = r.run_key AND e.event_type = {int(EventType.WORKFLOW_TASK_FAILED)} "
    "AND json_extract(e.attributes, '$.newRunId') = r.run_id WHERE r.run_key IN ({})"
)
_DELETIONS = (
    "DELETE FROM events WHERE run_key = ?",
    "DELETE FROM activities WHERE run_key = ?",
    "DELETE FROM activity_attempts WHERE run_key = ?",
    "DELETE FROM activity_output WHERE run_key = ?",
    "DELETE FROM workflow_tasks WHERE run_key = ?",
    "DELETE FROM transfers WHERE run_key = ?",
    "DELETE FROM messages WHERE run_key = ?",
    """DELETE FROM blobs WHERE digest IN (
        SELECT mine.digest FROM blob_references AS mine WHERE mine.run_key = ?
        AND NOT EXISTS (
            SELECT 1 FROM blob_references AS other WHERE other.digest = mine.digest AND other.run_key <> mine.run_key
        )
    )""",
    "DELETE FROM blob_references WHERE run_key = ?",
    "DELETE FROM runs WHERE run_key = ?",
)


_AT_A_TIME = 500
"""Values in one statement."""


class RunReads:
    """The reading part of ``Store``, and ``delete_run``."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def load_run(self, run_key: int) -> LoadedRun | None:
        with self._database.snapshot() as connection:
            row = connection.execute(_RUN_BY_KEY, (run_key,)).fetchone()
            if row is None:
                return None
            events = self._events(connection, run_key, 1)
            activities = connection.execute(_ACTIVITIES, (run_key,)).fetchall()
            task = connection.execute(_WORKFLOW_TASK, (run_key,)).fetchone()
            transfers = connection.execute(_TRANSFERS, (run_key,)).fetchall()
        return LoadedRun(
            run=RunRow(*row),
            events=events,
            activities=[ActivityRow(*activity) for activity in activities],
            workflow_task=None if task is None else WorkflowTaskRow(*task),
            transfers=[TransferRow(*transfer) for transfer in transfers],
        )

    def find_run(self, namespace: str, workflow_id: str, run_id: str = "") -> RunRow | None:
        with self._database.reading() as connection:
            if run_id:
                row = connection.execute(_RUN_BY_ID, (namespace, workflow_id, run_id)).fetchone()
            else:
                address = (namespace, workflow_id)
                row = connection.execute(_OPEN_RUN, address).fetchone()
                row = row or connection.execute(_LATEST_RUN, address).fetchone()
        return None if row is None else RunRow(*row)

    def read_events(self, run_key: int, first_event_id: int = 1) -> list[Event]:
        with self._database.snapshot() as connection:
            return self._events(connection, run_key, first_event_id)

    def read_attempts(self, run_key: int) -> list[AttemptRow]:
        with self._database.reading() as connection:
            return [AttemptRow(*row) for row in connection.execute(_ATTEMPTS, (run_key,)).fetchall()]

    def list_runs(self, query: RunFilter) -> list[RunRow]:
        # Imported on first use: SQLAlchemy costs more than opening the store and running a workflow.
        from durable_nb.store.sqlite.listing import listing_statement  # noqa: PLC0415

        with self._database.snapshot() as connection:
            last = connection.execute(
                "SELECT start_time FROM runs WHERE run_key = ?", (query.before_run_key,)
            ).fetchone()
            text, parameters = listing_statement(query, _RUN_COLUMNS, last[0] if last else None)
            return [RunRow(*row) for row in connection.execute(text, parameters).fetchall()]

    def count_runs(self, namespace: str) -> dict[int, int]:
        with self._database.reading() as connection:
            rows = connection.execute(
                "SELECT status, count(*) FROM runs WHERE namespace = ? GROUP BY status ORDER BY status", (namespace,)
            )
            return dict(rows.fetchall())

    def count_versions(self, namespace: str, workflow_type: str = "") -> dict[tuple[str, str], int]:
        with self._database.reading() as connection:
            rows = connection.execute(_VERSIONS, (namespace, workflow_type)).fetchall()
        return {(name, digest): count for name, digest, count in rows}

    def read_origins(self, run_keys: Sequence[int]) -> dict[int, tuple[str, int]]:
        found: dict[int, tuple[str, int]] = {}
        with self._database.reading() as connection:
            for begin in range(0, len(run_keys), _AT_A_TIME):
                some = run_keys[begin : begin + _AT_A_TIME]
                rows = connection.execute(_ORIGINS.format(", ".join("?" * len(some))), some).fetchall()
                found |= {key: (run_id, event_id) for key, run_id, event_id in rows}
        return found

    def delete_run(self, run_key: int) -> None:
        with self._database.writing() as cursor:
            row = cursor.execute("SELECT status, workflow_id FROM runs WHERE run_key = ?", (run_key,)).fetchone()
            if row is not None and row[0] == WorkflowExecutionStatus.RUNNING:
                raise StoreError(
                    f"the run of workflow {row[1]!r} is open", where=self._database.path, fix="terminate it first"
                )
            for statement in _DELETIONS:
                cursor.execute(statement, (run_key,))

    def _events(self, connection: sqlite3.Connection, run_key: int, first_event_id: int) -> list[Event]:
        rows = connection.execute(_EVENTS, (run_key, first_event_id)).fetchall()
        fetch = self._blob_reader(connection)
        mark = blobs.MARK
        events = []
        for event_id, event_type, event_time, attributes, metadata in rows:
            if mark in attributes:
                attributes = blobs.put_back(attributes, fetch)  # noqa: PLW2901
            events.append(
                Event(
                    event_id,
                    event_time,
                    decode_attributes(event_type, attributes),
                    None if metadata is None else decode_user_metadata(metadata),
                )
            )
        return events

    def _blob_reader(self, connection: sqlite3.Connection) -> Callable[[str], bytes]:
        def fetch(digest: str) -> bytes:
            row: Any = connection.execute("SELECT data FROM blobs WHERE digest = ?", (digest,)).fetchone()
            if row is None:
                raise StoreCorruptedError(
                    f"a payload is missing from the table blobs (SHA-256 {digest})",
                    where=self._database.path,
                    fix="restore the store from a backup; the other runs are not concerned",
                )
            return bytes(row[0])

        return fetch
