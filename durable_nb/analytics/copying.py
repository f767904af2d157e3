"""The DuckDB database that holds a copy of a store: its tables, its views, and the ways by which rows get in.

Rows come packed (``Packed``), as an Arrow stream, or one by one. The first two leave the interpreter to others, which
is what keeps an engine in the same process at its speed; the third carries what they cannot.

Attributes of events that are no JSON are put aside on the way, so that no query fails over them.

Memory: rows are kept as they come, and compressed once they have become much: to compress a million events takes as
long as to read them, and would pass before the first answer.
"""

# ruff: noqa: S608 - texts are put together from constants of ``tables``
from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from contextlib import closing, contextmanager, suppress
from typing import Any

import duckdb

from durable_nb.analytics.feeds import Packed, Rows
from durable_nb.analytics.feeds.packing import NULLABLE, SEPARATOR
from durable_nb.analytics.read_ahead import read_ahead
from durable_nb.analytics.tables import CATALOG, EVENTS, RUNS, TABLES, MirrorTable
from durable_nb.analytics.views import VIEWS, preparations

_WAITING_PACKS = 3
"""Packs that are read ahead while others are unpacked."""

_UNCOMPRESSED = 160_000_000
"""Bytes that may come in before they are compressed."""

_LOOK = 50_000
"""Rows after which the size is looked at again."""

_SETTINGS = (
    "SET GLOBAL TimeZone = 'UTC'",
    "SET GLOBAL enable_external_access = false",
    "SET GLOBAL lock_configuration = true",
)


class UnpackingError(Exception):
    """The rows do not add up: a value holds a separator."""


class Copy:
    """The database. Its methods are for one thread at a time; each cursor is a connection of its own."""

    def __init__(self) -> None:
        self._database = duckdb.connect(":memory:")
        self._database.execute(f"ATTACH ':memory:' AS {CATALOG} (COMPRESS true)")
        for statement in (*(table.ddl for table in TABLES), *_SETTINGS, *preparations()):
            self._database.execute(statement)
        self._views: set[str] = set()
        self._unseen_rows = 0
        self._compressed_bytes = 0

    def cursor(self) -> duckdb.DuckDBPyConnection:
        return self._database.cursor()

    def close(self) -> None:
        self._database.close()

    def make_views(self, names: Collection[str]) -> None:
        """Make views that are not there yet; to bind all of them takes a fifth of a second."""
        for name in sorted(set(names) - self._views):
            for statement in VIEWS[name].ddl:
                self._database.execute(statement)
            self._views.add(name)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        self._database.begin()
        try:
            yield
            self._database.commit()
        except BaseException:
            self._database.rollback()
            raise

    # -- in a transaction --------------------------------------------------------------------------------------------

    def append(self, table: MirrorTable, rows: Rows) -> None:
        """Append rows one by one."""
        rows = list(rows)
        if not rows:
            return
        appender = self._database.appender(table.path, columns=list(table.read))
        append = appender.append_row
        for row in rows:
            append(*row)
        appender.flush()
        self._unseen_rows += len(rows)
        if table is EVENTS:
            self._put_damaged_aside(min(row[0] for row in rows))

    def unpack(self, table: MirrorTable, packs: Iterator[Packed]) -> None:
        """Append packed rows, reading packs ahead by a thread of their own.

        Raises
        ------
        UnpackingError, duckdb.Error
            The transaction must be rolled back and the rows read one by one.
        """
        statement = _insert(table, _unpacked(table))
        # Closed at once: the connection that it reads from is used again as soon as this is left.
        with closing(read_ahead(packs, _WAITING_PACKS)) as read:
            for pack in read:
                (inserted,) = self._database.execute(statement, pack.columns).fetchall()[0]
                # A separator inside a value makes one column longer, and so more rows.
                if inserted != pack.size:
                    raise UnpackingError(f"{pack.size:,} rows of {table.name} became {inserted:,}")
                self._unseen_rows += inserted

    def stream(self, table: MirrorTable, stream: Any) -> None:
        """Append an Arrow stream in which '' stands for what is unset."""
        self._database.register("part", stream)
        try:
            (inserted,) = self._database.execute(_insert(table, "part")).fetchall()[0]
            self._unseen_rows += inserted
        finally:
            self._database.unregister("part")

    def delete(self, table: MirrorTable, run_keys: Iterable[int]) -> None:
        """Delete the rows of some runs."""
        listed = list(run_keys)
        if listed:
            self._database.execute(f"DELETE FROM {table.path} WHERE run_key IN (SELECT unnest(?))", [listed])

    def empty(self, table: MirrorTable) -> None:
        """Delete all rows."""
        self._database.execute(f"DELETE FROM {table.path}")

    def count_runs(self) -> int:
        (count,) = self._database.execute(f"SELECT count(*) FROM {RUNS.path}").fetchall()[0]
        return int(count)

    def run_keys(self) -> set[int]:
        return {key for (key,) in self._database.execute(f"SELECT run_key FROM {RUNS.path}").fetchall()}

    def numbers_after(self, table: MirrorTable, seq: int) -> set[int]:
        """Which ``seq`` above that one are there."""
        found = self._database.execute(f"SELECT seq FROM {table.path} WHERE seq > ?", [seq]).fetchall()
        return {number for (number,) in found}

    def _put_damaged_aside(self, first: int) -> None:
        self._database.execute(
            f"UPDATE {EVENTS.path} SET error = {_DAMAGE}, attributes = '{{}}' "
            "WHERE seq >= ? AND error IS NULL AND NOT coalesce(json_valid(attributes), FALSE)",
            [first],
        )

    # -- between transactions ----------------------------------------------------------------------------------------

    def compress(self) -> None:
        """Compress the rows that came in, when they have become many."""
        if self._unseen_rows < _LOOK:
            return
        self._unseen_rows = 0
        if self._bytes() - self._compressed_bytes > _UNCOMPRESSED:
            # Where another connection stands in its way it is done the next time.
            with suppress(duckdb.TransactionException):
                self._database.execute(f"CHECKPOINT {CATALOG}")
                self._compressed_bytes = self._bytes()

    def _bytes(self) -> int:
        found = self._database.execute("SELECT sum(memory_usage_bytes) FROM duckdb_memory()").fetchall()
        return int(found[0][0])


_DAMAGE = "'not JSON: ' || left(coalesce(attributes, 'nothing'), 200)"


def _insert(table: MirrorTable, source: str) -> str:
    """Statement that appends the rows of a source with a table's columns, '' for what is unset."""
    items = {name: f"nullif({name}, '')" if name in NULLABLE else name for name in table.read}
    if table is EVENTS:
        source = f"(SELECT *, coalesce(json_valid(attributes), FALSE) AS is_json FROM {source})"
        items["attributes"] = "CASE WHEN is_json THEN attributes ELSE '{}' END"
        items["error"] = f"CASE WHEN NOT is_json THEN {_DAMAGE} END"
    return f"INSERT INTO {table.path} ({', '.join(items)}) SELECT {', '.join(items.values())} FROM {source}"


def _unpacked(table: MirrorTable) -> str:
    """The rows of a pack whose columns are parameters; one that is NULL as a whole is NULL in every row."""
    items = []
    for place, name in enumerate(table.read, 1):
        kind = table.columns[name]
        # A list of numbers is read three times as fast as JSON than by splitting it and casting what comes out.
        values = (
            f"string_split(${place}, '{SEPARATOR}')"
            if kind == "VARCHAR"
            else f"from_json_strict('[' || ${place} || ']', '[\"{kind}\"]')"
        )
        items.append(f"unnest({values}) AS {name}")
    return f"(SELECT {', '.join(items)})"
