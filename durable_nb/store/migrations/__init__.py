"""Numbered migrations, each frozen, and the one way to apply them.

A store knows the numbers that made it (table ``schema_version``). Opening applies what is missing in one transaction,
so that two processes that open a new or an old store at once both find it complete, and a crash leaves it as it was.
The text of a migration never changes; ``schema`` describes the result of all of them.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, NamedTuple

from durable_nb.errors import StoreCorruptedError, StoreVersionError
from durable_nb.store.migrations import m0001_initial, m0002_output, m0003_metrics

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Sequence

APPLICATION_ID = 0x444E4231
"""Mark in the header of every SQLite store ("DNB1"), which tells it from databases of other programs."""


class Migration(NamedTuple):
    """A step from schema ``number - 1`` to ``number``."""

    number: int
    name: str
    sqlite: tuple[str, ...]


MIGRATIONS: tuple[Migration, ...] = (
    Migration(1, "initial", m0001_initial.SQLITE),
    Migration(2, "output", m0002_output.SQLITE),
    Migration(3, "metrics", m0003_metrics.SQLITE),
)


def migrate_sqlite(connection: sqlite3.Connection, *, where: str, migrations: Sequence[Migration] = MIGRATIONS) -> int:
    """Bring the schema up to the last migration and return the number that it had before (0: the file was empty).

    Parameters
    ----------
    connection
        In autocommit mode, with no transaction open. ``sqlite3.Error`` passes through, the transaction rolled back.
    where
        Path of the file, for messages.

    Raises
    ------
    StoreVersionError
        The store has a migration that this version of durable_nb does not know.
    StoreCorruptedError
        The database belongs to another program.
    """
    before = stored_version(connection, where, migrations)
    if before == migrations[-1].number:
        return before
    connection.execute("BEGIN IMMEDIATE")
    try:
        # Asked again under the write lock: another process may have been faster.
        before = stored_version(connection, where, migrations)
        if before == 0:
            connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        for migration in migrations:
            if migration.number <= before:
                continue
            for statement in migration.sqlite:
                connection.execute(statement)
            connection.execute(
                "INSERT INTO schema_version (version, applied_at) VALUES (?, ?)",
                (migration.number, time.time_ns() // 1000),
            )
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
    return before


def stored_version(connection: sqlite3.Connection, where: str, migrations: Sequence[Migration] = MIGRATIONS) -> int:
    """Number of the last migration that was applied, 0 for an empty file; writes nothing.

    Raises
    ------
    StoreVersionError, StoreCorruptedError
        As ``migrate_sqlite``.
    """
    # One statement, hence one snapshot: between two, another process could commit the first migration.
    application_id, tables = connection.execute(
        "SELECT (SELECT application_id FROM pragma_application_id), (SELECT count(*) FROM sqlite_master)"
    ).fetchone()
    if application_id != APPLICATION_ID:
        if tables:
            raise StoreCorruptedError(
                "the database belongs to another program",
                where=where,
                fix="give durable_nb a file of its own, for instance sqlite:///durable.db",
            )
        return 0
    (version,) = connection.execute("SELECT max(version) FROM schema_version").fetchone()
    newest = migrations[-1].number
    if version > newest:
        raise StoreVersionError(
            f"the store has schema {version}, this version of durable_nb knows schemas up to {newest}",
            where=where,
            fix="upgrade durable_nb (pip install --upgrade durable-nb), or use another store",
        )
    return int(version)
