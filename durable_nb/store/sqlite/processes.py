"""Who has the store open, and who has gone.

A process is gone when its lock is free (``liveness``, same machine only), when its heartbeat is older than the lease,
or when it has no row although rows name it as their owner. Declaring it dead deletes its row: should it wake later,
its heartbeat says so, and what it writes loses its race once its runs were taken over.
"""

# ruff: noqa: S608 - texts are put together from constants of this module; values are always bound
from __future__ import annotations

import os
from typing import TYPE_CHECKING

from durable_nb.errors import StoreReadOnlyError
from durable_nb.model.records import ProcessRow
from durable_nb.store.liveness import LivenessLocks

if TYPE_CHECKING:
    import sqlite3

    from durable_nb.store.sqlite.database import Database

_COLUMNS = "process_key, identity, hostname, pid, started_at, heartbeat_at"
_ALL = f"SELECT {_COLUMNS}, metrics FROM processes ORDER BY process_key"
NEXT_NUMBER = (
    "INSERT INTO counters (name, value) VALUES (?, ?) "
    "ON CONFLICT (name) DO UPDATE SET value = value + excluded.value RETURNING value"
)
"""Adds to the counter named first what comes second, and gives its new value."""


def _owners_of(table: str) -> str:
    # A loose index scan: one step per owner, where DISTINCT would read the whole index.
    return (
        f"SELECT owner FROM (WITH RECURSIVE found (owner) AS (SELECT min(owner) FROM {table} WHERE owner > 0 UNION ALL "
        f"SELECT (SELECT min(next.owner) FROM {table} AS next WHERE next.owner > found.owner) FROM found "
        "WHERE found.owner IS NOT NULL) SELECT owner FROM found WHERE owner IS NOT NULL)"
    )


_OWNERS = " UNION ".join(_owners_of(table) for table in ("activities", "workflow_tasks", "transfers"))


class ProcessTable:
    """The part of ``Store`` about processes."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._locks = LivenessLocks(database.path)
        self._hostname = os.uname().nodename if hasattr(os, "uname") else os.environ.get("COMPUTERNAME", "")

    def register_process(self, identity: str, now: int) -> ProcessRow:
        database = self._database
        process_key = 0
        try:
            with database.writing() as cursor:
                (process_key,) = cursor.execute(NEXT_NUMBER, ("process", 1)).fetchone()
                row = ProcessRow(process_key, identity, self._hostname, os.getpid(), now, now)
                # Before the row can be seen, since a row without its lock is that of a dead process.
                self._locks.take(process_key)
                cursor.execute(
                    f"INSERT INTO processes ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?)",
                    (process_key, identity, row.hostname, row.pid, now, now),
                )
        except BaseException as error:
            self._locks.release(process_key)
            if isinstance(error, OSError):
                raise StoreReadOnlyError(
                    f"the liveness lock cannot be taken ({error})",
                    where=self._locks.folder,
                    fix="make the directory writable, or remove what stands in its place",
                ) from error
            raise
        return row

    def heartbeat(self, process_key: int, now: int, metrics: str | None = None) -> bool:
        with self._database.writing() as cursor:
            cursor.execute(
                "UPDATE processes SET heartbeat_at = ?, metrics = ifnull(?, metrics) WHERE process_key = ?",
                (now, metrics, process_key),
            )
            return cursor.rowcount == 1

    def dead_owners(self, now: int, lease: int) -> list[int]:
        with self._database.snapshot() as connection:
            registered = [ProcessRow(*row) for row in connection.execute(_ALL).fetchall()]
            owners = {row[0] for row in connection.execute(_OWNERS).fetchall()}
        released = {row.process_key for row in registered if self._lock_is_free(row)}
        late = {row.process_key for row in registered if row.heartbeat_at < now - lease}
        if released or late:
            with self._database.writing() as cursor:
                # Asked again under the write lock: a late one may have sent its heartbeat since.
                late = {key for key in late if _is_late(cursor, key, now - lease)}
                for process_key in released | late:
                    cursor.execute("DELETE FROM processes WHERE process_key = ?", (process_key,))
            for process_key in released:
                self._locks.remove(process_key)
        dead = released | late
        return sorted(dead | owners - {row.process_key for row in registered})

    def _lock_is_free(self, row: ProcessRow) -> bool:
        return row.hostname == self._hostname and self._locks.is_free(row.process_key)

    def unregister_process(self, process_key: int) -> None:
        with self._database.writing() as cursor:
            cursor.execute("DELETE FROM processes WHERE process_key = ?", (process_key,))
        self._locks.release(process_key)

    def list_processes(self) -> list[ProcessRow]:
        with self._database.reading() as connection:
            return [ProcessRow(*row) for row in connection.execute(_ALL).fetchall()]

    def close(self) -> None:
        """Let go of the locks; processes that were not unregistered look dead from now on."""
        self._locks.release_all()


def _is_late(cursor: sqlite3.Cursor, process_key: int, oldest: int) -> bool:
    row = cursor.execute("SELECT heartbeat_at FROM processes WHERE process_key = ?", (process_key,)).fetchone()
    # No row: somebody else declared it dead in between, which makes it no less dead.
    return row is None or row[0] < oldest
