"""Work to be found: deadlines that have come, tasks that nobody holds or that a dead process held."""

# ruff: noqa: S608 - texts are put together from constants of this module; values are always bound
from __future__ import annotations

import json
from typing import TYPE_CHECKING

from durable_nb.model.records import ReadyTask

if TYPE_CHECKING:
    from collections.abc import Sequence

    from durable_nb.store.sqlite.database import Database

# The literal conditions must stand as they do in the partial index runs_wake, or SQLite will not use it.
_DUE = "SELECT run_key FROM runs WHERE status = 1 AND wake_at > 0 AND wake_at <= ? ORDER BY wake_at, run_key LIMIT ?"
_NEXT_WAKE = "SELECT min(wake_at) FROM runs WHERE status = 1 AND wake_at > 0"
_FREE = "owner IN (SELECT value FROM json_each(?))"
_WORKFLOW_TASKS = (
    "SELECT task.run_key, task.task_queue, task.workflow_type, runs.definition "
    f"FROM workflow_tasks AS task JOIN runs ON runs.run_key = task.run_key WHERE {_FREE} AND visible_at <= ? LIMIT ?"
)
_ACTIVITIES = (
    f"SELECT DISTINCT run_key, task_queue, activity_type FROM activities WHERE {_FREE} AND visible_at <= ? LIMIT ?"
)
_TRANSFERS = f"SELECT DISTINCT run_key FROM transfers WHERE {_FREE} LIMIT ?"


def _owners(dead: Sequence[int]) -> str:
    return json.dumps([0, *dead])


class WorkReads:
    """The work-finding part of ``Store``."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def due_runs(self, now: int, limit: int) -> list[int]:
        with self._database.reading() as connection:
            return [row[0] for row in connection.execute(_DUE, (now, limit)).fetchall()]

    def next_wake(self) -> int:
        with self._database.reading() as connection:
            return connection.execute(_NEXT_WAKE).fetchone()[0] or 0

    def ready_workflow_tasks(self, now: int, dead: Sequence[int], limit: int) -> list[ReadyTask]:
        with self._database.reading() as connection:
            rows = connection.execute(_WORKFLOW_TASKS, (_owners(dead), now, limit)).fetchall()
        return [ReadyTask(*row) for row in rows]

    def ready_activities(self, now: int, dead: Sequence[int], limit: int) -> list[ReadyTask]:
        with self._database.reading() as connection:
            rows = connection.execute(_ACTIVITIES, (_owners(dead), now, limit)).fetchall()
        return [ReadyTask(*row) for row in rows]

    def ready_transfers(self, dead: Sequence[int], limit: int) -> list[int]:
        with self._database.reading() as connection:
            return [row[0] for row in connection.execute(_TRANSFERS, (_owners(dead), limit)).fetchall()]

    def change_token(self) -> int:
        return self._database.change_token()
