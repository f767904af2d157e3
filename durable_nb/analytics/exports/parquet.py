"""All views as Parquet files, one for each view, in a directory: of a whole store, or of some of its runs.

All files show the same instant of the store. They are written by DuckDB's own writer, which needs no download; the
user's copy of the views stays locked, so rows go through a second database that may write: as Arrow batches where
pyarrow is installed, else row by row. JSON columns become text; instants stay instants in UTC. The metadata of each
file names the view with its version (``durable_nb.view``) and explains its columns (``durable_nb.columns``, JSON).

Of some runs, all files are there too, so that every query still runs on them: views of runs with the rows of those
runs, ``definitions`` with the sources that they use, and without rows what tells of the store and not of its runs
(``workers``, ``schedules``, ``metrics``). So nothing leaves that was not chosen.
"""

# ruff: noqa: S608 - names of views are constants of the package, the path is quoted
from __future__ import annotations

import importlib.util
import json
import os
import secrets
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from durable_nb.errors import ExportError

if TYPE_CHECKING:
    import duckdb

    from durable_nb.analytics.views import View
    from durable_nb.store.protocol import Store

BATCH = 50_000
"""Rows that are in memory at a time."""

_CHOSEN = "CREATE TEMP TABLE chosen_runs AS SELECT unnest(CAST($keys AS BIGINT[])) AS run_key"
_OF_CHOSEN = "WHERE run_key IN (SELECT run_key FROM chosen_runs)"
_USED = f"""\
WHERE digest IN (SELECT definition_digest FROM runs_v1 {_OF_CHOSEN})
    OR kind = 'activity' AND name IN (SELECT activity_type FROM activities_v1 {_OF_CHOSEN})"""


def write_views(
    path: Path, store: Store | str, *, run_keys: Iterable[int] | None = None, overwrite: bool = False
) -> int:
    """Write every view; returns the number of runs in them.

    Parameters
    ----------
    path
        Directory for ``runs.parquet``, ``events.parquet``, …; it must not exist or be empty, unless ``overwrite``.
    store
        An open store, or its URL.
    run_keys
        The runs (column ``run_key``); None for the whole store.

    Raises
    ------
    ExportError
        DNB405: the directory is not empty, or cannot be written.
    StoreError
        DNB5xx: the store cannot be read.
    """
    from durable_nb.analytics import VIEWS, open_explorer  # noqa: PLC0415 - they bring DuckDB

    path = path.absolute()
    _require_free(path, overwrite)
    beside = path.with_name(f".{path.name[:200]}.{secrets.token_hex(4)}.part")
    # Before the copy is brought up to date: it then holds all that was chosen.
    keys = None if run_keys is None else list(run_keys)
    cursor = open_explorer(store).cursor()
    try:
        beside.mkdir()
        cursor.begin()  # One instant for all files, whatever is refreshed meanwhile.
        if keys is not None:
            cursor.execute(_CHOSEN, {"keys": keys})
        counts = {
            view.name: _write_view(cursor, view, beside / f"{view.name}.parquet", _picked(view, keys))
            for view in VIEWS.values()
        }
        _put_in_place(beside, path)
    except OSError as error:
        raise ExportError(f"{str(path)!r} cannot be written: {error.strerror or error}") from error
    finally:
        cursor.close()
        shutil.rmtree(beside, ignore_errors=True)
    return counts["runs"]


def _picked(view: View, keys: list[int] | None) -> str:
    """Which rows of a view are wanted, as a WHERE clause; "" for all."""
    if keys is None:
        return ""
    if view.name == "definitions":
        return _USED
    return _OF_CHOSEN if any(column.name == "run_key" for column in view.columns) else "WHERE FALSE"


def _require_free(path: Path, overwrite: bool) -> None:
    if path.exists() and not path.is_dir():
        raise ExportError(f"{str(path)!r} is a file, and all views make a directory", fix="name a directory")
    if path.is_dir() and any(path.iterdir()) and not overwrite:
        raise ExportError(f"the directory {str(path)!r} is not empty", fix="pass overwrite=True, or name another one")
    if not path.parent.is_dir():
        raise ExportError(f"there is no directory {str(path.parent)!r}", fix="make it, or name another place")


def _put_in_place(beside: Path, path: Path) -> None:
    if not path.exists() or not any(path.iterdir()):
        os.replace(beside, path)
        return
    for file in sorted(beside.iterdir()):
        file.replace(path / file.name)


def _write_view(cursor: duckdb.DuckDBPyConnection, view: View, file: Path, picked: str) -> int:
    """One file; returns its number of rows."""
    import duckdb  # noqa: PLC0415 - the caller has brought it

    items = ", ".join(f"{c.name}::VARCHAR AS {c.name}" if c.type == "JSON" else c.name for c in view.columns)
    about = json.dumps({c.name: {"meaning": c.meaning, "unit": c.unit} for c in view.columns})
    metadata = f"'durable_nb.view': {_quoted(view.versioned_name)}, 'durable_nb.columns': {_quoted(about)}"
    copy = f"TO {_quoted(str(file))} (FORMAT parquet, COMPRESSION zstd, KV_METADATA {{{metadata}}})"
    with duckdb.connect(":memory:") as writer:
        writer.execute("SET TimeZone = 'UTC'")
        question = f"SELECT {items} FROM {view.versioned_name} {picked}"
        if importlib.util.find_spec("pyarrow") is not None:
            writer.register("part", cursor.sql(question).to_arrow_reader(BATCH))
            writer.execute(f"COPY (SELECT * FROM part) {copy}")
        else:
            _copy_rows(cursor, question, view, writer)
            writer.execute(f"COPY part {copy}")
        found = writer.execute(f"SELECT count(*) FROM {_quoted(str(file))}").fetchone()
    return int(found[0]) if found is not None else 0


def _copy_rows(cursor: Any, question: str, view: View, writer: Any) -> None:
    columns = ", ".join(f"{c.name} {'VARCHAR' if c.type == 'JSON' else c.type}" for c in view.columns)
    writer.execute(f"CREATE TABLE part ({columns})")
    cursor.execute(question)
    appender = writer.appender("part")
    while rows := cursor.fetchmany(BATCH):
        for row in rows:
            appender.append_row(*row)
    appender.flush()


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
