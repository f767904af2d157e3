"""Reading an SQLite store beside those who write it: one read-only connection, short transactions.

``seq`` is a perfect watermark here: one writer at a time takes the number and commits, so whoever sees number n sees
all below it. WAL lets readers and the writer alone; transactions are short, so that the log can be taken back.
"""

# ruff: noqa: S608 - texts are put together from constants of this module and of ``tables``; values are always bound
from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from durable_nb.analytics.feeds.arrow_process import ArrowProcess, has_driver
from durable_nb.analytics.feeds.feed import Portion, Rows, Watermark
from durable_nb.analytics.feeds.packing import NULLABLE, SEPARATOR, Packed
from durable_nb.analytics.tables import (
    ATTEMPTS,
    DEFINITIONS,
    EVENTS,
    PENDING_ACTIVITIES,
    PENDING_TASKS,
    PROCESSES,
    RUNS,
    MirrorTable,
)
from durable_nb.errors import StoreUrlError
from durable_nb.store.migrations import stored_version
from durable_nb.store.sqlite.address import parse_url
from durable_nb.store.sqlite.faults import store_error

_BATCH = 10_000

_HOMES = {
    EVENTS: "events",
    ATTEMPTS: "activity_attempts",
    RUNS: "runs",
    PENDING_ACTIVITIES: "activities",
    PENDING_TASKS: "workflow_tasks",
    PROCESSES: "processes",
    DEFINITIONS: "definitions",
}
"""Name of each table in the store."""

_PACK_ROWS = 16_000
_PACK_CHARACTERS = 2_000_000
"""What one pack may hold, roughly: payloads in events may be big."""

_PACK_RUNS = 8_000
"""Rows of runs in a pack: they are alike in size, and to plan how a pack is unpacked takes as long as 500 of them."""

_FIRST_PACK = 2_000
"""Numbers that the first pack is taken from, when nothing is known of its rows yet."""

_OPAQUE = frozenset({"transient", "state"})


def _values(table: MirrorTable) -> list[str]:
    return [f"CAST({name} AS TEXT)" if name in _OPAQUE else name for name in table.read]


def _filled(table: MirrorTable) -> list[str]:
    """Values that are never NULL: '' for what is unset."""
    return [
        f"ifnull({value}, '')" if name in NULLABLE else value
        for name, value in zip(table.read, _values(table), strict=True)
    ]


def _packing(table: MirrorTable) -> str:
    """Items that make one row of many: how many there were, and each column joined."""
    joined = []
    for name, value in zip(table.read, _filled(table), strict=True):
        if table.columns[name] != "VARCHAR":
            joined.append(f"group_concat({value})")
        elif name in NULLABLE:
            joined.append(f"CASE WHEN count({name}) > 0 THEN group_concat({value}, char({ord(SEPARATOR)})) END")
        else:
            joined.append(f"group_concat({value}, char({ord(SEPARATOR)}))")
    # An order is not asked for, but all columns of one query are joined in the same.
    return f"SELECT count(*), {', '.join(joined)} FROM {_HOMES[table]}"


_KEY = {EVENTS: "seq", ATTEMPTS: "seq", RUNS: "run_key"}
_ROWS = {table: f"SELECT {', '.join(_values(table))} FROM {_HOMES[table]}" for table in _HOMES}
_PACKS = {table: _packing(table) for table in _KEY}
_OF_RUNS = "WHERE run_key IN (SELECT value FROM json_each(?))"
_TOUCHED = (
    "SELECT json_group_array(run_key) FROM "
    "(SELECT run_key FROM events WHERE seq > ? UNION SELECT run_key FROM activity_attempts WHERE seq > ?)"
)
"""In one row: for each row the driver lets go of the interpreter and has to get it back from a busy engine."""


def _where(portion: Portion) -> str:
    table, after, last, types = portion
    key = _KEY[table]
    only = types.condition("event_type") if table is EVENTS else ""
    return f"WHERE {key} > {after:d} AND {key} <= {last:d}{only and ' AND '}{only}"


class SqliteSnapshot:
    """``feed.Snapshot`` on a connection that has a transaction open."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def newest(self) -> Watermark:
        (row,) = self._connection.execute(
            "SELECT ifnull((SELECT max(seq) FROM events), 0), ifnull((SELECT max(seq) FROM activity_attempts), 0)"
        ).fetchall()
        return Watermark(*row)

    def last_run_key(self) -> int:
        (key,) = self._connection.execute("SELECT ifnull(max(run_key), 0) FROM runs").fetchone()
        return int(key)

    def rows(self, portion: Portion) -> Iterator[Rows]:
        found = self._connection.cursor()
        found.execute(f"{_ROWS[portion.table]} {_where(portion)} ORDER BY {_KEY[portion.table]}")
        while batch := found.fetchmany(_BATCH):
            yield batch

    def packed(self, portion: Portion) -> Iterator[Packed]:
        after, span = portion.after, _FIRST_PACK
        while after < portion.last:
            upto = min(after + span, portion.last)
            text = f"{_PACKS[portion.table]} {_where(portion._replace(after=after, last=upto))}"
            size, *columns = self._connection.execute(text).fetchone()
            if size:
                yield Packed(size, tuple(columns))
            after = upto
            # So many numbers that the next pack is about as big as it may be; some numbers have no row to be read.
            characters = sum(map(len, filter(None, columns)))
            room = min(_PACK_ROWS / max(size, 1), _PACK_CHARACTERS / max(characters, 1), 8)
            span = max(1, int(span * room))

    def runs_touched(self, since: Watermark) -> set[int]:
        (keys,) = self._connection.execute(_TOUCHED, since).fetchone()
        return set(json.loads(keys))

    def runs(self, keys: Sequence[int]) -> Rows:
        yield from self._connection.execute(f"{_ROWS[RUNS]} {_OF_RUNS}", (json.dumps(keys),))

    def runs_packed(self, keys: Sequence[int]) -> Iterator[Packed]:
        for start in range(0, len(keys), _PACK_RUNS):
            listed = json.dumps(keys[start : start + _PACK_RUNS])
            size, *columns = self._connection.execute(f"{_PACKS[RUNS]} {_OF_RUNS}", (listed,)).fetchone()
            if size:
                yield Packed(size, tuple(columns))

    def open_versions(self) -> dict[int, int]:
        # The partial index holds the open runs only; left to itself SQLite would read the whole table.
        found = self._connection.execute("SELECT run_key, version FROM runs INDEXED BY runs_open WHERE status = 1")
        return dict(found.fetchall())

    def count_runs(self) -> int:
        (count,) = self._connection.execute("SELECT count(*) FROM runs").fetchone()
        return int(count)

    def run_keys(self) -> set[int]:
        return {row[0] for row in self._connection.execute("SELECT run_key FROM runs")}

    def whole(self, table: MirrorTable) -> Rows:
        text = _ROWS[table]
        if table is PROCESSES and not self._has_metrics():
            text = text.replace("metrics", "NULL")
        return self._connection.execute(text)

    def _has_metrics(self) -> bool:
        """Whether somebody has opened the store since processes measure themselves; reading migrates nothing."""
        found = self._connection.execute("SELECT 1 FROM pragma_table_info('processes') WHERE name = 'metrics'")
        return found.fetchone() is not None


class SqliteFeed:
    """``feed.Feed`` on the file of a store.

    Parameters
    ----------
    url
        ``sqlite:///…``; the file must exist.
    stream
        Whether to use ADBC where it is installed.

    Raises
    ------
    StoreUrlError, StoreVersionError, StoreCorruptedError, StoreError
        DNB5xx: the file is no store that can be read; the message says why.
    """

    overlap = 0

    def __init__(self, url: str, *, stream: bool = True) -> None:
        address = parse_url(url)
        self.url, self.path = address.url, address.path
        self._may_stream = stream
        self._data_version = -1
        self._arrow: ArrowProcess | None = None
        if not Path(self.path).is_file():
            raise StoreUrlError(
                "there is no store yet", where=self.path, fix="durable_nb.connect() makes one; or correct the path"
            )
        with self._explained():
            self._connection = sqlite3.connect(
                f"{Path(self.path).as_uri()}?mode=ro",
                uri=True,
                timeout=5.0,
                isolation_level=None,
                check_same_thread=False,
            )
            try:
                self._connection.text_factory = _tolerant
                self._connection.executescript("PRAGMA query_only = ON; PRAGMA cache_size = -8192;")
                self._check()
                self._file = self._identity()
            except BaseException:
                self._connection.close()
                raise

    def _identity(self) -> tuple[int, int]:
        found = Path(self.path).stat()
        return found.st_dev, found.st_ino

    def is_current(self) -> bool:
        try:
            return self._identity() == self._file
        except OSError:
            return False

    def _check(self) -> None:
        if stored_version(self._connection, self.path) == 0:
            raise StoreUrlError(
                "the file holds no store yet",
                where=self.path,
                fix="durable_nb.connect() makes one; or correct the path",
            )

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise store_error(error, self.path) from error

    def has_changed(self) -> bool:
        with self._explained():
            (version,) = self._connection.execute("PRAGMA data_version").fetchone()
        changed: bool = version != self._data_version
        self._data_version = version
        return changed

    @contextmanager
    def snapshot(self) -> Iterator[SqliteSnapshot]:
        with self._explained():
            self._connection.execute("BEGIN")
            try:
                self._check()
                yield SqliteSnapshot(self._connection)
            finally:
                with suppress(sqlite3.Error):
                    self._connection.execute("ROLLBACK")

    @contextmanager
    def stream(self, portion: Portion) -> Iterator[Any]:
        self.begin_streams()
        if self._arrow is None:
            yield None
            return
        table = portion.table
        items = ", ".join(f"{value} AS {name}" for name, value in zip(table.read, _filled(table), strict=True))
        with self._arrow.rows(f"SELECT {items} FROM {_HOMES[table]} {_where(portion)} ORDER BY {_KEY[table]}") as rows:
            yield rows

    def begin_streams(self) -> None:
        if self._arrow is None and self._may_stream and has_driver():
            with suppress(OSError):  # no process can be started: the plain driver does it
                self._arrow = ArrowProcess(self.path)

    def end_streams(self) -> None:
        process, self._arrow = self._arrow, None
        if process is not None:
            process.close()

    def blob(self, digest: str) -> bytes | None:
        with self._explained():
            row = self._connection.execute("SELECT data FROM blobs WHERE digest = ?", (digest,)).fetchone()
        return None if row is None else bytes(row[0])

    def close(self) -> None:
        self.end_streams()
        self._connection.close()


def _tolerant(value: bytes) -> str:
    """Text that is no UTF-8 must not end the reading of all others."""
    return value.decode("utf-8", "replace")
