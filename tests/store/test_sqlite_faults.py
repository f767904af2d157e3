"""Real faults of the database: each gives its own error, loses nothing, and work goes on once the fault is gone."""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from durable_nb.errors import StoreCorruptedError, StoreError, StoreFullError, StoreLockedError, StoreReadOnlyError
from durable_nb.store.sqlite import SqliteStore
from durable_nb.store.sqlite.faults import store_error
from tests.full_disk import disk_with_room_for
from tests.store.samples import event_row, insert, run_row, started, unit, update

Opener = Callable[..., SqliteStore]


def test_a_lock_held_by_another_program_is_told_and_outlived(path: Path, open_sqlite: Opener) -> None:
    store = open_sqlite(busy_timeout=0.02)
    run = run_row(1)
    store.commit([unit(insert(run))])
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreLockedError, match="locked") as caught:
        store.commit([unit(update(run))])
    assert str(path) in str(caught.value)
    assert not caught.value.outcome_unknown
    with pytest.raises(StoreLockedError):
        store.set_setting("a", "b")
    assert store.load_run(1).run.version == 1, "readers do not wait"
    other.execute("ROLLBACK")
    other.close()
    assert store.commit([unit(update(run))]) == [None]


def test_a_writer_waits_for_a_lock_that_is_soon_released(path: Path, open_sqlite: Opener) -> None:
    store = open_sqlite(busy_timeout=10)
    other = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")
    release = threading.Timer(0.02, lambda: other.execute("ROLLBACK"))
    release.start()
    assert store.commit([unit(insert(run_row(1)))]) == [None]
    release.join()
    other.close()


def big_unit(run_key: int, version: int = 0) -> object:
    events = [event_row(number, started(os.urandom(30_000))) for number in range(1, 20)]
    return unit(insert(run_row(run_key), events=events))


def test_a_full_store_loses_nothing_and_goes_on_when_there_is_room(open_sqlite: Opener) -> None:
    store = open_sqlite()
    store.commit([unit(insert(run_row(1), events=[event_row(1)]))])
    store.limit_pages(1)  # never below the present size
    refused = [unit(update(run_row(1), events=[event_row(2)])), big_unit(2)]
    with pytest.raises(StoreFullError, match="nothing is lost") as caught:
        store.commit(refused)
    assert not caught.value.outcome_unknown
    loaded = store.load_run(1)
    assert (loaded.run.version, len(loaded.events)) == (1, 1)
    assert store.load_run(2) is None
    store.limit_pages(0)
    assert store.commit(refused) == [None, None]
    assert len(store.read_events(2)) == 19


def test_a_disk_that_fills_during_a_commit_loses_nothing(path: Path, open_sqlite: Opener) -> None:
    store = open_sqlite()
    run = run_row(1)
    store.commit([unit(insert(run, events=[event_row(1)]))])
    log = path.with_name(path.name + "-wal")
    with disk_with_room_for(log.stat().st_size + 20_000), pytest.raises(StoreFullError, match="space") as caught:
        store.commit([unit(update(run, events=[event_row(2)])), big_unit(2)])
    assert caught.value.outcome_unknown, "it was the COMMIT that failed"
    loaded = store.load_run(1)
    assert loaded.run.version in (1, 2), "the picture is one of the two, and consistent"
    assert len(loaded.events) == loaded.run.version
    answers = store.commit([unit(update(loaded.run, events=[event_row(len(loaded.events) + 1)])), big_unit(3)])
    assert answers == [None, None]
    store.close()
    again = open_sqlite()
    assert len(again.load_run(1).events) == len(loaded.events) + 1
    assert len(again.read_events(3)) == 19


def test_a_read_only_connection_is_told(open_sqlite: Opener) -> None:
    store = open_sqlite()
    store._database.writer.execute("PRAGMA query_only = ON")
    with pytest.raises(StoreReadOnlyError, match="writable"):
        store.commit([unit(insert(run_row(1)))])
    store._database.writer.execute("PRAGMA query_only = OFF")
    assert store.commit([unit(insert(run_row(1)))]) == [None]


def test_a_damaged_file_is_told(path: Path, open_sqlite: Opener) -> None:
    store = open_sqlite()
    store.commit([big_unit(key) for key in range(1, 4)])
    store.close()
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(os.urandom(path.stat().st_size - 4096))
    with pytest.raises(StoreCorruptedError, match="backup"):
        open_sqlite().read_events(1)


def test_a_blob_that_is_gone_is_told(path: Path, open_sqlite: Opener) -> None:
    store = open_sqlite(blob_limit=100)
    store.commit([unit(insert(run_row(1), events=[event_row(1, started(b"x" * 500))]))])
    other = sqlite3.connect(path)
    other.execute("DELETE FROM blobs")
    other.commit()
    other.close()
    with pytest.raises(StoreCorruptedError, match="payload is missing"):
        store.load_run(1)


def test_a_value_that_cannot_be_stored_does_not_leave_the_store_locked(open_sqlite: Opener) -> None:
    store = open_sqlite()
    with pytest.raises(StoreError, match="NOT NULL"):
        store.commit([unit(insert(run_row(1, task_queue=None)))])
    with pytest.raises(OverflowError):
        store.commit([unit(insert(run_row(1, wake_at=2**70)))])
    with pytest.raises(StoreError, match="type 'object' is not supported"):
        store.commit([unit(insert(run_row(1, task_queue=object())))])
    assert store.commit([unit(insert(run_row(1)))]) == [None]


def test_a_connection_that_cannot_roll_back_is_replaced(open_sqlite: Opener) -> None:
    store = open_sqlite()
    store.commit([unit(insert(run_row(1)))])
    store._database.writer.close()  # as after an error that SQLite cannot undo
    with pytest.raises(StoreError, match="closed"):
        store.commit([unit(update(run_row(1)))])
    assert store.commit([unit(update(run_row(1)))]) == [None]


@pytest.mark.parametrize(
    ("code", "committing", "expected", "unknown"),
    [
        (sqlite3.SQLITE_BUSY, False, StoreLockedError, False),
        (sqlite3.SQLITE_BUSY_SNAPSHOT, False, StoreLockedError, False),
        (sqlite3.SQLITE_READONLY_DBMOVED, False, StoreReadOnlyError, False),
        (sqlite3.SQLITE_FULL, True, StoreFullError, False),
        (sqlite3.SQLITE_IOERR_FSYNC, True, StoreFullError, True),
        (sqlite3.SQLITE_IOERR_WRITE, False, StoreFullError, False),
        (sqlite3.SQLITE_IOERR_READ, False, StoreError, False),
        (sqlite3.SQLITE_IOERR_READ, True, StoreError, True),
        (sqlite3.SQLITE_CORRUPT_INDEX, False, StoreCorruptedError, False),
        (sqlite3.SQLITE_NOTADB, False, StoreCorruptedError, False),
        (sqlite3.SQLITE_ERROR, False, StoreError, False),
    ],
)
def test_errors_are_told_apart_by_code(
    path: Path, code: int, committing: bool, expected: type[StoreError], unknown: bool
) -> None:
    path.touch()
    error = sqlite3.OperationalError("some text")
    error.sqlite_errorcode = code
    result = store_error(error, str(path), committing=committing)
    assert type(result) is expected
    assert result.outcome_unknown == unknown


def test_a_file_removed_under_the_store_is_told(path: Path) -> None:
    error = sqlite3.OperationalError("unable to open database file")
    error.sqlite_errorcode = sqlite3.SQLITE_CANTOPEN
    assert "gone" in str(store_error(error, str(path)))
