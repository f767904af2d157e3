"""Answers of DuckDB as frames: fetched in parts, so that a limit, a word on the way and an interrupt are heeded."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from typing import Any, Literal

import duckdb

from durable_nb.errors import QueryError

Frame = Literal["pandas", "polars", "arrow"]

_CHUNK_VECTORS = 50
"""Vectors of 2,048 rows that are fetched at once."""


def fetch(
    as_: Frame,
    cursor: duckdb.DuckDBPyConnection,
    query: str,
    values: Any,
    limit: int | None,
    stop: threading.Event,
    progress: Callable[[str], None],
) -> tuple[Any, bool]:
    """The answer to a query as a frame, and whether it has more rows than the limit.

    Raises
    ------
    duckdb.Error
        What DuckDB says of the query.
    QueryError
        DNB800: a library for this kind of frame is missing.
    KeyboardInterrupt
        ``stop`` was set.
    """
    return _FETCH[as_](cursor, query, values, limit, stop, progress)


def _told(progress: Callable[[str], None], rows: int) -> None:
    # An answer of one part is there before anybody has read how long it is.
    if rows >= _CHUNK_VECTORS * 2048:
        progress(f"{rows:,} rows")


def _fetch_pandas(
    cursor: duckdb.DuckDBPyConnection,
    query: str,
    values: Any,
    limit: int | None,
    stop: threading.Event,
    progress: Callable[[str], None],
) -> tuple[Any, bool]:
    import pandas as pd  # noqa: PLC0415 - slow to import

    cursor.execute(query, values)
    kinds = [str(column[1]) for column in cursor.description or ()]
    parts: list[Any] = []
    rows = 0
    while True:
        part = cursor.fetch_df_chunk(_CHUNK_VECTORS)
        if not len(part) and parts:
            break
        parts.append(part)
        rows += len(part)
        if not len(part) or (limit is not None and rows > limit):
            break
        _told(progress, rows)
        if stop.is_set():
            raise KeyboardInterrupt
    kept = [part for part in parts if len(part)] or parts[:1]
    frame = kept[0] if len(kept) == 1 else pd.concat(kept, ignore_index=True)
    cut = limit is not None and rows > limit
    if cut:
        frame = frame.iloc[:limit]
    return _exact(frame, kinds), cut


_EXACT = 2**53


def _exact(frame: Any, kinds: list[str]) -> Any:
    """Sums of integers (HUGEINT) as integers where they are; DuckDB gives them as floating-point numbers."""
    for place, kind in enumerate(kinds):
        if kind not in ("HUGEINT", "UHUGEINT"):
            continue
        column = frame.iloc[:, place]
        if not len(column) or column.abs().max() <= _EXACT or column.isna().all():
            frame.isetitem(place, column.astype("Int64" if column.isna().any() else "int64"))
    return frame


def _fetch_arrow(
    cursor: duckdb.DuckDBPyConnection,
    query: str,
    values: Any,
    limit: int | None,
    stop: threading.Event,
    progress: Callable[[str], None],
) -> tuple[Any, bool]:
    try:
        import pyarrow as pa  # noqa: PLC0415 - optional
    except ImportError:
        raise QueryError(
            "Arrow and polars frames need pyarrow", fix="pip install 'durable_nb[arrow]', or leave as_ out"
        ) from None
    reader = cursor.sql(query, params=values).to_arrow_reader(_CHUNK_VECTORS * 2048)
    parts: list[Any] = []
    rows = 0
    for part in reader:
        parts.append(part)
        rows += part.num_rows
        if limit is not None and rows > limit:
            break
        _told(progress, rows)
        if stop.is_set():
            raise KeyboardInterrupt
    table = pa.Table.from_batches(parts, reader.schema)
    table = table.rename_columns(_apart(table.column_names))
    cut = limit is not None and rows > limit
    return (table.slice(0, limit) if cut else table), cut


def _apart(names: Iterable[str]) -> list[str]:
    """Names of columns, each once, as DuckDB tells them apart in pandas; polars takes no others."""
    found: dict[str, None] = {}
    for name in names:
        unique, number = name, 0
        while unique in found:
            number += 1
            unique = f"{name}_{number}"
        found[unique] = None
    return list(found)


def _fetch_polars(*args: Any) -> tuple[Any, bool]:
    try:
        import polars as pl  # noqa: PLC0415 - optional
    except ImportError:
        raise QueryError("polars is not installed", fix="pip install polars, or leave as_ out") from None
    table, cut = _fetch_arrow(*args)
    return pl.from_arrow(table), cut


_FETCH: dict[str, Callable[..., tuple[Any, bool]]] = {
    "pandas": _fetch_pandas,
    "arrow": _fetch_arrow,
    "polars": _fetch_polars,
}
