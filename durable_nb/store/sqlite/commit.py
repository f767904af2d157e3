"""The commit path: units in, one transaction, as few steps as possible.

How it works
------------
The common case asks nothing first. ``UPDATE runs … FROM (VALUES …) WHERE version = expected`` tells by the number of
rows it changed whether every unit won its race, and the unique indexes refuse a second open run; then events,
activities and the rest follow, one statement per table. Only when something was refused is the transaction rolled back
and run again with a look at each unit (``conflicts.settle``), which comes first where the indexes do not guard a start.
Existing runs are written before new ones, so that a run
may close and its successor open in one commit.

What was measured (two slow cores, SQLite 3.40, Python 3.11; per commit of 64 units of one run update, six events, one
activity deleted, one attempt: 576 rows)
---------------------------------------------------------------------------------------------------------------------
===========================================  ===========  ==================  ==============================
how                                          CPU          alone               beside a busy Python thread
===========================================  ===========  ==================  ==============================
executemany per table                        3.2-4.0 ms   3.8-5.0 ms          67-250 ms (a GIL turn per few rows)
multi-row VALUES per table (this module)     2.7 ms       3.3 ms              30 ms
one statement into a view with triggers      6.7 ms       7.5 ms              14 ms
===========================================  ===========  ==================  ==============================
Nearly half of the CPU is the insert of the 384 events (1.2-2.7 us a row), a third is COMMIT. With a GIL switch interval
of 0.5 ms the second row becomes 10 ms and the third 9 ms, so triggers do not pay. ``(a, b) IN (VALUES …)`` scans the
table, a chain of ``a = ? AND b = ? OR …`` uses its key. ``bytes.decode`` costs 0.06 us an event, so JSON is stored as
text, which SQL can read. AUTOINCREMENT costs 3 us a statement. ``python -m benchmarks.store_commit`` measures this
module as it stands: CPU per unit 300 us alone (mostly fsync), 80 us at 8, 25-50 us at 64, 35 us at 256.
"""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING

from durable_nb.model.records import Conflict, Unit
from durable_nb.store.conflicts import settle
from durable_nb.store.sqlite.faults import is_duplicate
from durable_nb.store.sqlite.rows import LATEST_OF_ID, CommitRows

if TYPE_CHECKING:
    from collections.abc import Sequence

    from durable_nb.store.sqlite.database import Database


_LATEST = f"SELECT start_time, run_key {LATEST_OF_ID}"


class _Stored:
    """The questions of ``conflicts`` asked of the database, inside the writer's transaction."""

    def __init__(self, cursor: sqlite3.Cursor) -> None:
        self._cursor = cursor

    def version_of(self, run_key: int) -> int:
        row = self._cursor.execute("SELECT version FROM runs WHERE run_key = ?", (run_key,)).fetchone()
        return row[0] if row else 0

    def open_run_of(self, namespace: str, workflow_id: str) -> int:
        row = self._cursor.execute(
            "SELECT run_key FROM runs WHERE namespace = ? AND workflow_id = ? AND status = 1", (namespace, workflow_id)
        ).fetchone()
        return row[0] if row else 0

    def latest_run_of(self, namespace: str, workflow_id: str) -> tuple[int, int]:
        return self._cursor.execute(_LATEST, (namespace, workflow_id)).fetchone() or (0, 0)

    def has_run_id(self, run_id: str) -> bool:
        return bool(self._cursor.execute("SELECT 1 FROM runs WHERE run_id = ?", (run_id,)).fetchone())

    def has_event(self, run_key: int, event_id: int) -> bool:
        found = self._cursor.execute("SELECT 1 FROM events WHERE run_key = ? AND event_id = ?", (run_key, event_id))
        return bool(found.fetchone())


class CommitPath:
    """``Store.commit`` on SQLite."""

    def __init__(self, database: Database, blob_limit: int) -> None:
        self._database = database
        self._blob_limit = blob_limit

    def commit(self, units: Sequence[Unit]) -> list[Conflict | None]:
        if not units:
            return []
        # Made before the lock is taken: this is most of the Python work of a commit.
        rows = CommitRows(units, self._blob_limit)
        if not rows.needs_look and self._write_all(rows):
            return [None] * len(units)
        return self._write_winners(units, rows)

    def _write_all(self, rows: CommitRows) -> bool:
        """Write everything or nothing; False when a unit was refused."""
        database = self._database
        committing = False
        with database.lock:
            database.check_writable()
            cursor = database.cursor
            try:
                cursor.execute("BEGIN IMMEDIATE")
                if rows.write(cursor):
                    committing = True
                    cursor.execute("COMMIT")
                    return True
            except sqlite3.Error as error:
                database.roll_back()
                if is_duplicate(error):
                    return False
                raise database.explain(error, committing=committing) from error
            except BaseException:
                # A value that cannot be bound, for instance: the caller's mistake must not leave the store locked.
                database.roll_back()
                raise
            database.roll_back()
        return False

    def _write_winners(self, units: Sequence[Unit], rows: CommitRows) -> list[Conflict | None]:
        """Find the losers under the write lock, and write the others."""
        with self._database.writing() as cursor:
            answers = settle(units, _Stored(cursor))
            winners = [unit for unit, answer in zip(units, answers, strict=True) if answer is None]
            if len(winners) < len(units):
                rows = CommitRows(winners, self._blob_limit)
            if not rows.write(cursor):
                raise AssertionError("a unit was accepted although its run has another version")
        return answers
