"""Connections of one SQLite store: a writer behind a lock, a few readers, and how all of them are opened and closed.

Lives here: pragmas, transactions, mapping of errors, what happens after a fork. Not here: statements.

Decisions
---------
- The connections are the driver's own. SQLAlchemy describes the schema and builds queries with a variable shape; its
  engine would add 0.1-0.3 s of import to every start and 4 times the CPU to every insert (DESIGN section 6).
- WAL with ``synchronous=FULL``: a commit that returned survives a power cut, and readers never wait for the writer.
- No ``mmap_size``: an I/O error under a mapping is a SIGBUS that kills the kernel, where a read gives an error.
- A checkpoint every 4,000 pages instead of 1,000: pages that many commits touch are then copied back once.
- Readers are lent for one call at a time, so threads that come and go leave no connection behind.
- Nothing is written to a file that is no longer under its name (``rm durable.db`` beside a running kernel): the system
  would take it, and it would be gone with the process. Asking costs a microsecond of each commit.
"""

from __future__ import annotations

import os
import sqlite3
import threading
import time
import weakref
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from queue import SimpleQueue

from durable_nb.errors import StoreClosedError, StoreError, StoreGoneError
from durable_nb.store.migrations import migrate_sqlite, stored_version
from durable_nb.store.sqlite.address import check_path
from durable_nb.store.sqlite.faults import is_busy, store_error

_WRITER_PRAGMAS = """
PRAGMA synchronous = FULL;
PRAGMA foreign_keys = OFF;
PRAGMA temp_store = MEMORY;
PRAGMA cache_size = -16384;
PRAGMA wal_autocheckpoint = 4000;
PRAGMA journal_size_limit = 67108864;
"""
_READER_PRAGMAS = """
PRAGMA query_only = ON;
PRAGMA temp_store = MEMORY;
PRAGMA cache_size = -4096;
"""
# The batch statements alone may be some 300 texts (``batches``); a miss costs a hundred times a hit.
_CACHED_STATEMENTS = 512


class Database:
    """One open store file.

    Parameters
    ----------
    path
        Absolute path; the file is made when it does not exist.
    busy_timeout
        Seconds to wait for another process's write lock before ``StoreLockedError``.
    readers
        Largest number of reader connections; further readers wait.
    max_page_count
        Largest size of the file in pages, 0 for no limit. Past it a write raises ``StoreFullError``.
    """

    def __init__(self, path: str, *, busy_timeout: float = 5.0, readers: int = 8, max_page_count: int = 0) -> None:
        self.path = path
        self.lock = threading.Lock()
        """Held by whoever uses ``writer`` and ``cursor``."""
        self.closed = False
        self._busy_timeout = busy_timeout
        self._max_page_count = max_page_count
        self._idle: list[sqlite3.Connection] = []
        # One permit per reader; a quarter of the cost of a Semaphore, and this is paid by every read.
        self._permits: SimpleQueue[None] = SimpleQueue()
        for _ in range(readers):
            self._permits.put(None)
        self._token = 0
        check_path(path)
        try:
            self.writer = self._open_writer()
        except sqlite3.Error as error:
            raise store_error(error, path) from error
        self.cursor = self.writer.cursor()
        self._identity = _identity(path)
        _open_databases.add(self)

    # -- opening -----------------------------------------------------------------------------------------------------

    def _connect(self) -> sqlite3.Connection:
        return sqlite3.connect(
            self.path,
            timeout=self._busy_timeout,
            isolation_level=None,
            check_same_thread=False,
            cached_statements=_CACHED_STATEMENTS,
        )

    def _open_writer(self) -> sqlite3.Connection:
        connection = self._connect()
        try:
            # Looked at before anything is changed: the file may belong to another program.
            stored_version(connection, self.path)
            self._use_wal(connection)
            connection.executescript(_WRITER_PRAGMAS)
            migrate_sqlite(connection, where=self.path)
            self.limit_pages(self._max_page_count, connection)
        except BaseException:
            connection.close()
            raise
        return connection

    def _use_wal(self, connection: sqlite3.Connection) -> None:
        # SQLite does not wait (busy_timeout) while another process changes the mode, so the waiting is done here.
        deadline = time.monotonic() + self._busy_timeout
        while True:
            try:
                (mode,) = connection.execute("PRAGMA journal_mode = WAL").fetchone()
                break
            except sqlite3.OperationalError as error:
                if not is_busy(error) or time.monotonic() > deadline:
                    raise
                time.sleep(0.005)
        if mode != "wal":
            raise StoreError(
                f"the file system cannot hold a store that several processes use (journal mode {mode})",
                where=self.path,
                fix="put the store on a local disk, or use a database server",
            )

    def limit_pages(self, count: int, connection: sqlite3.Connection | None = None) -> None:
        """Let the file grow to ``count`` pages and no further; 0 takes the limit away."""
        (connection or self.writer).execute(f"PRAGMA max_page_count = {count or 2**32 - 2:d}")

    # -- use ---------------------------------------------------------------------------------------------------------

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """A reader connection for the length of one call; each statement sees its own snapshot."""
        if self.closed:
            # Asked here too: in a forked child the permits may all have stayed with the parent's threads.
            raise self.closed_error()
        self._permits.get()
        try:
            connection = None
            try:
                if self.closed:
                    raise self.closed_error()
                try:
                    connection = self._idle.pop()
                except IndexError:
                    connection = self._open_reader()
                yield connection
            except sqlite3.Error as error:
                raise self.explain(error) from error
            finally:
                if connection is not None:
                    self._take_back(connection)
        finally:
            self._permits.put(None)

    @contextmanager
    def snapshot(self) -> Iterator[sqlite3.Connection]:
        """A reader connection whose statements all see one state of the database."""
        with self.reading() as connection:
            connection.execute("BEGIN")
            try:
                yield connection
            finally:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")

    def _open_reader(self) -> sqlite3.Connection:
        connection = self._connect()
        connection.executescript(_READER_PRAGMAS)
        return connection

    def _take_back(self, connection: sqlite3.Connection) -> None:
        self._idle.append(connection)
        if self.closed:
            self._close_idle()

    @property
    def is_gone(self) -> bool:
        """Whether the file was removed, or another one is in its place."""
        return _identity(self.path) != self._identity

    def check_writable(self) -> None:
        """What must hold before a transaction that writes is begun. The caller holds ``lock``.

        Raises
        ------
        StoreClosedError, StoreGoneError
        """
        if self.closed:
            raise self.closed_error()
        if self.is_gone:
            raise StoreGoneError(
                "the store's file was removed or replaced while it was open; nothing more is written to it",
                where=self.path,
                fix="connect again, which begins a new store if there is none; what was stored can still be exported",
            )

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Cursor]:
        """The writer's cursor in a transaction that commits when the block ends and is rolled back on any error."""
        with self.lock:
            self.check_writable()
            committing = False
            try:
                self.cursor.execute("BEGIN IMMEDIATE")
                yield self.cursor
                committing = True
                self.cursor.execute("COMMIT")
            except sqlite3.Error as error:
                self.roll_back()
                raise self.explain(error, committing=committing) from error
            except BaseException:
                self.roll_back()
                raise

    def roll_back(self) -> None:
        """End the writer's transaction, if there is one, so that the next can begin. The caller holds ``lock``."""
        try:
            if self.writer.in_transaction:
                self.cursor.execute("ROLLBACK")
        except sqlite3.Error:
            # A connection that cannot even roll back is given up; SQLite undoes its transaction when it closes.
            with suppress(sqlite3.Error):
                self.writer.close()
            self.writer = self._open_writer()
            self.cursor = self.writer.cursor()

    def change_token(self) -> int:
        """A number that changes when a connection other than the writer has committed.

        Asked of the writer itself, since only it leaves its own commits out. While a commit is under way the last
        answer is repeated: the change shows in the next one.
        """
        if self.closed:
            raise self.closed_error()
        if self.lock.acquire(blocking=False):
            try:
                (self._token,) = self.cursor.execute("PRAGMA data_version").fetchone()
            except sqlite3.Error as error:
                raise self.explain(error) from error
            finally:
                self.lock.release()
        return self._token

    def explain(self, error: sqlite3.Error, *, committing: bool = False) -> StoreError:
        """The error to raise in place of SQLite's."""
        return self.closed_error() if self.closed else store_error(error, self.path, committing=committing)

    def closed_error(self) -> StoreClosedError:
        return StoreClosedError("the store was closed", where=self.path, fix="open it again with open_store")

    # -- closing -----------------------------------------------------------------------------------------------------

    def close(self) -> None:
        """Close all connections after the calls that are under way; further calls raise ``StoreClosedError``."""
        with self.lock:
            if self.closed:
                return
            self.closed = True
            _open_databases.discard(self)
            self._close_idle()
            self.writer.close()

    def _close_idle(self) -> None:
        with suppress(IndexError):
            while True:
                self._idle.pop().close()

    def abandon(self) -> None:
        """In a forked child: never touch the parent's connections again, not even to close them.

        SQLite forbids carrying a connection across a fork (sqlite.org/howtocorrupt.html 2.6).
        """
        self.closed = True
        self.lock = threading.Lock()
        _left_to_parent.append((self.writer, self.cursor, self._idle))


def _identity(path: str) -> tuple[int, int] | None:
    """Which file has this name now; None for none."""
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_dev, found.st_ino


_open_databases: weakref.WeakSet[Database] = weakref.WeakSet()
_left_to_parent: list[object] = []


def _abandon_all() -> None:
    for database in list(_open_databases):
        database.abandon()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_abandon_all)
