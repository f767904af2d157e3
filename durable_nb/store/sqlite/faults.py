"""SQLite's error codes to the errors of durable_nb, one class per remedy.

Decided by ``sqlite_errorcode``, never by the text of a message.
"""

from __future__ import annotations

import os
import sqlite3

from durable_nb.errors import (
    StoreCorruptedError,
    StoreError,
    StoreFullError,
    StoreLockedError,
    StoreReadOnlyError,
    StoreValueError,
)

# Primary result codes (sqlite.org/rescode.html).
_PERM, _BUSY, _LOCKED, _READONLY, _IOERR, _CORRUPT, _FULL, _CANTOPEN, _TOOBIG, _NOTADB = (
    3, 5, 6, 8, 10, 11, 13, 14, 18, 26,
)  # fmt: skip
_CONSTRAINT_PRIMARYKEY, _CONSTRAINT_UNIQUE, _CONSTRAINT_ROWID = 1555, 2067, 2579
# Extended codes of I/O errors that happen while something is being made larger or written out.
_IOERR_WRITES = frozenset(
    _IOERR | number << 8
    for number in (
        3,  # WRITE
        4,  # FSYNC
        5,  # DIR_FSYNC
        6,  # TRUNCATE
        18,  # SHMOPEN
        19,  # SHMSIZE
    )
)


def is_duplicate(error: sqlite3.Error) -> bool:
    """Whether the database refused a row because its key, or a unique column, is taken."""
    code = getattr(error, "sqlite_errorcode", 0)
    return code in (_CONSTRAINT_PRIMARYKEY, _CONSTRAINT_UNIQUE, _CONSTRAINT_ROWID)


def is_busy(error: sqlite3.Error) -> bool:
    """Whether another connection holds a lock."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF in (_BUSY, _LOCKED)


def store_error(error: sqlite3.Error, path: str, *, committing: bool = False) -> StoreError:
    """The error to raise in place of ``error``; chain it with ``from error``.

    ``committing``: the COMMIT itself failed. Then an I/O error leaves open whether the transaction reached the disk,
    and the result says so (``outcome_unknown``).
    """
    code = getattr(error, "sqlite_errorcode", 0)
    primary = code & 0xFF
    if primary in (_BUSY, _LOCKED):
        return StoreLockedError(
            "another process keeps the store locked for writing",
            where=path,
            fix="try again; if it stays locked, end what holds it (a database browser with unsaved changes?)",
        )
    if primary in (_READONLY, _PERM, _CANTOPEN):
        return _unwritable(error, path)
    if primary == _FULL or code in _IOERR_WRITES:
        return _full(error, path, unknown=committing and primary != _FULL)
    if primary in (_CORRUPT, _NOTADB):
        return StoreCorruptedError(
            f"the file is damaged or is no durable_nb store ({error})",
            where=path,
            fix="restore it from a backup, or move it away and start with a new store",
        )
    if primary == _TOOBIG:
        return StoreValueError(
            f"a value is larger than SQLite can hold ({error})",
            where=path,
            fix="keep it in a file, and pass the file's name; a gigabyte is the most that one value may have",
        )
    result = StoreError(f"SQLite failed: {error} (code {code})", where=path)
    if primary == _IOERR:
        result.fix = "the disk or network drive failed; check it, then try again"
        result.outcome_unknown = committing
    return result


def _unwritable(error: sqlite3.Error, path: str) -> StoreError:
    folder = os.path.dirname(path)
    if not os.path.exists(path):
        return StoreReadOnlyError(
            f"the store's file is gone or cannot be made ({error})",
            where=path,
            fix=f"check that {folder} exists and that you may write there",
        )
    return StoreReadOnlyError(
        f"the store cannot be written ({error})",
        where=path,
        fix="make the file and its directory writable, or connect to another store",
    )


def _full(error: sqlite3.Error, path: str, *, unknown: bool) -> StoreError:
    message = f"no space left for the store, or its disk is failing ({error}); "
    message += "the last commit may or may not be on disk" if unknown else "nothing was written and nothing is lost"
    result = StoreFullError(message, where=path, fix="free space on the disk; work goes on by itself afterwards")
    result.outcome_unknown = unknown
    return result
