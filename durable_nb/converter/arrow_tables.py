"""Data frames, series and Arrow tables to and from IPC streams.

Every function imports the package it is for: these are optional. polars reads and writes IPC by itself; pandas needs
pyarrow. Indexes, column labels and dtypes of pandas survive through Arrow's pandas metadata.
"""

# ruff: noqa: PLC0415 - the packages are optional, and slow to import
from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterable
from typing import Any

from durable_nb.converter.mismatch import path_text
from durable_nb.errors import PayloadEncodeError

Parts = tuple[dict[str, str], bytes]

REMEDY = "give each column one simple type (df.astype), or pass plain Python data"
PREVIEW_BYTES = 1024
_PREVIEW_ROWS, _PREVIEW_COLUMNS, _PREVIEW_CELL = 3, 12, 24
_VALUES = "values"
"""Column name of things that have no columns."""


def preview(rows: int, columns: Iterable[tuple[str, str]], head: Iterable[Iterable[Any]]) -> str:
    """A small JSON object that tells what a table holds: at most ``PREVIEW_BYTES`` characters."""
    described = list(columns)
    shown: dict[str, Any] = {"rows": rows, "columns": dict(described[:_PREVIEW_COLUMNS])}
    if len(described) > _PREVIEW_COLUMNS:
        shown["more_columns"] = len(described) - _PREVIEW_COLUMNS
    with_head = {**shown, "head": [[_cell(item) for item in list(row)[:_PREVIEW_COLUMNS]] for row in head]}
    for candidate in (with_head, shown, {"rows": rows}):
        text = json.dumps(candidate, ensure_ascii=False)
        if len(text.encode(errors="replace")) <= PREVIEW_BYTES:
            return text
    return "{}"


def _cell(item: Any) -> str:
    text = str(item)
    return text if len(text) <= _PREVIEW_CELL else text[: _PREVIEW_CELL - 1] + "…"


def write_ipc(table: Any) -> bytes:
    """IPC stream of a ``pyarrow.Table``."""
    import pyarrow as pa

    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
        if table.num_rows == 0 and table.num_columns:
            # An empty batch, for else the categories of dictionary columns would be lost.
            columns = [each.chunk(0) if each.num_chunks else pa.array([], each.type) for each in table.columns]
            writer.write_batch(pa.RecordBatch.from_arrays(columns, schema=table.schema))
    return bytes(sink.getvalue().to_pybytes())


def read_ipc(data: bytes) -> Any:
    """``pyarrow.Table`` from an IPC stream."""
    import pyarrow as pa

    with pa.ipc.open_stream(data) as reader:
        return reader.read_all()


# -- pandas --------------------------------------------------------------------------------------------------------


def encode_pandas(value: Any) -> Parts | None:
    """DataFrame, Series or Index; None for anything else of pandas (timestamps and the like)."""
    import pandas as pd

    metadata: dict[str, str] = {}
    if isinstance(value, pd.DataFrame):
        name, frame = "DataFrame", value
    elif isinstance(value, pd.Series):
        name, frame = "Series", value.to_frame(_VALUES if value.name is None else value.name)
        metadata["named"] = "" if value.name is None else "1"
    elif isinstance(value, pd.Index):
        labels = [f"{_VALUES}{level}" for level in range(value.nlevels)]
        multiple = isinstance(value, pd.MultiIndex)
        name, frame = "Index", value.to_frame(index=False, name=labels if multiple else labels[0])
        try:
            metadata["names"] = json.dumps(list(value.names))
        except TypeError:
            metadata["names"] = json.dumps([None if each is None else str(each) for each in value.names])
        metadata["multiple"] = "1" if multiple else ""
    else:
        return None
    import pyarrow as pa

    try:
        # One thread: workflow code converts too, and may start none.
        table = pa.Table.from_pandas(frame, nthreads=1)
    except (pa.ArrowException, TypeError, ValueError) as error:
        raise _bad_column(frame, error) from error
    columns = [(str(label), str(dtype)) for label, dtype in frame.dtypes.items()]
    head = frame.head(_PREVIEW_ROWS).itertuples(index=False, name=None)
    return {"object": name, "preview": preview(len(frame), columns, head), **metadata}, write_ipc(table)


def _bad_column(frame: Any, error: Exception) -> PayloadEncodeError:
    import pyarrow as pa

    for position, label in enumerate(frame.columns):
        try:
            pa.array(frame.iloc[:, position], from_pandas=True)
        except (pa.ArrowException, TypeError, ValueError) as cause:
            return PayloadEncodeError(f"{path_text([str(label)])}: the column cannot be stored: {cause}", fix=REMEDY)
    return PayloadEncodeError(f"$: the data frame cannot be stored: {error}", fix=REMEDY)


def _to_pandas(metadata: dict[str, str], table: Any) -> Any:
    frame = table.to_pandas()
    name = metadata.get("object")
    if name == "Series":
        series = frame.iloc[:, 0]
        return series if metadata.get("named") else series.rename(None)
    if name != "Index":
        return frame
    import pandas as pd

    names = json.loads(metadata.get("names", "[]"))
    if metadata.get("multiple"):
        return pd.MultiIndex.from_frame(frame, names=names)
    return pd.Index(frame.iloc[:, 0]).rename(names[0] if names else None)


# -- polars --------------------------------------------------------------------------------------------------------


def encode_polars(value: Any) -> Parts | None:
    """DataFrame or Series; None for anything else of polars.

    Raises
    ------
    PayloadEncodeError
        The value is a LazyFrame, which holds no data.
    """
    import polars as pl

    metadata: dict[str, str] = {}
    if isinstance(value, pl.LazyFrame):
        raise PayloadEncodeError("$: a LazyFrame holds no data", fix="pass frame.collect()")
    if isinstance(value, pl.DataFrame):
        name, frame = "DataFrame", value
    elif isinstance(value, pl.Series):
        name, frame, metadata["name"] = "Series", value.to_frame(_VALUES), value.name
    else:
        return None
    sink = io.BytesIO()
    frame.write_ipc_stream(sink)
    columns = [(label, str(dtype)) for label, dtype in frame.schema.items()]
    shown = preview(frame.height, columns, frame.head(_PREVIEW_ROWS).iter_rows())
    return {"object": name, "preview": shown, **metadata}, sink.getvalue()


def _to_polars(metadata: dict[str, str], data: bytes) -> Any:
    import polars as pl

    frame = pl.read_ipc_stream(io.BytesIO(data))
    return frame.to_series(0).rename(metadata.get("name", "")) if metadata.get("object") == "Series" else frame


# -- pyarrow -------------------------------------------------------------------------------------------------------


def encode_pyarrow(value: Any) -> Parts | None:
    """Table, RecordBatch, Array or ChunkedArray; None for anything else of pyarrow."""
    import pyarrow as pa

    if isinstance(value, pa.Table):
        name, table = "Table", value
    elif isinstance(value, pa.RecordBatch):
        name, table = "RecordBatch", pa.Table.from_batches([value])
    elif isinstance(value, pa.Array):
        name, table = "Array", pa.table({_VALUES: value})
    elif isinstance(value, pa.ChunkedArray):
        name, table = "ChunkedArray", pa.table({_VALUES: value})
    else:
        return None
    columns = [(field.name, str(field.type)) for field in table.schema]
    head = zip(*(column.slice(0, _PREVIEW_ROWS).to_pylist() for column in table.columns), strict=True)
    return {"object": name, "preview": preview(table.num_rows, columns, head)}, write_ipc(table)


def _to_pyarrow(metadata: dict[str, str], table: Any) -> Any:
    name = metadata.get("object")
    if name in ("Array", "ChunkedArray"):
        column = table.column(0)
        return column if name == "ChunkedArray" else column.combine_chunks()
    if name == "RecordBatch":
        batches = table.combine_chunks().to_batches()
        import pyarrow as pa

        return batches[0] if batches else pa.RecordBatch.from_pylist([], schema=table.schema)
    return table


# -- decoding ------------------------------------------------------------------------------------------------------


def decode(kind: str, metadata: dict[str, str], data: bytes, type_hint: Any) -> Any:
    """The object of a payload of that kind, or what the hint asks for instead."""
    wanted = _wanted_table(type_hint)
    if wanted is None or wanted == kind or metadata.get("object") not in ("DataFrame", "Table", "RecordBatch"):
        if kind == "polars":
            return _to_polars(metadata, data)
        table = read_ipc(data)
        return _to_pandas(metadata, table) if kind == "pandas" else _to_pyarrow(metadata, table)
    if wanted == "polars":
        import polars as pl

        return pl.from_arrow(read_ipc(data))
    table = read_ipc(data)
    return table.to_pandas() if wanted == "pandas" else table


def _wanted_table(type_hint: Any) -> str | None:
    """Package of the first table class in a hint (which may be an optional one)."""
    members = getattr(type_hint, "__args__", None) or (type_hint,)
    for member in members:
        if isinstance(member, type) and member.__name__ in ("DataFrame", "Table"):
            package = member.__module__.partition(".")[0]
            if package in ("pandas", "polars", "pyarrow"):
                return package
    return None


ENCODERS: dict[str, Callable[[Any], Parts | None]] = {
    "pandas": encode_pandas,
    "polars": encode_polars,
    "pyarrow": encode_pyarrow,
}
"""What makes an IPC stream of the objects of each package; None for objects that are no tables."""
