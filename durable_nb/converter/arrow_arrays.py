"""NumPy arrays to and from Arrow IPC: one flat column, with shape and dtype in the metadata.

Numbers are Arrow numbers; dates, durations and complex numbers are stored as the integers and floats they are made
of; byte strings and structured items as fixed-size bytes; text and mixed objects as what Arrow makes of them.
"""

# ruff: noqa: PLC0415 - NumPy and pyarrow are imported when a value needs them
from __future__ import annotations

import json
from typing import Any

from durable_nb.converter.arrow_tables import read_ipc, write_ipc
from durable_nb.errors import PayloadEncodeError

_PREVIEW_ITEMS = 6


def encode(value: Any) -> tuple[dict[str, str], bytes] | None:
    """Arrays, and scalars that JSON has no number for (dates, durations, complex); None for everything else.

    Raises
    ------
    PayloadEncodeError
        The array is masked, or its dtype has no Arrow form.
    """
    import numpy as np

    if isinstance(value, np.ma.MaskedArray):
        raise PayloadEncodeError("$: a masked array would lose its mask", fix="pass value.filled(fill_value)")
    if isinstance(value, np.generic):
        if value.dtype.kind in "biufUS":
            return None
        name, array = "scalar", np.asarray(value)
    elif isinstance(value, np.ndarray):
        name, array = "ndarray", np.asarray(value)
    else:
        return None
    import pyarrow as pa

    if not array.dtype.isnative:
        array = array.astype(array.dtype.newbyteorder("="))
    try:
        column = _column(np, pa, array.ravel(order="C"))
    except (pa.ArrowException, TypeError, ValueError) as error:
        raise PayloadEncodeError(
            f"$: an array of dtype {array.dtype} cannot be stored: {error}",
            fix="convert it first: value.astype('float64'), or value.tolist() for plain Python objects",
        ) from error
    head = [str(item) for item in array.ravel()[:_PREVIEW_ITEMS].tolist()]
    shown = {"shape": list(array.shape), "dtype": str(array.dtype)[:80], "head": [text[:24] for text in head]}
    metadata = {
        "object": name,
        "dtype": json.dumps(_describe(np, array.dtype)),
        "shape": json.dumps(list(array.shape)),
        "preview": json.dumps(shown, ensure_ascii=False),
    }
    return metadata, write_ipc(pa.table({"values": column}))


def _column(np: Any, pa: Any, flat: Any) -> Any:
    kind, size = flat.dtype.kind, flat.dtype.itemsize
    if kind in "biuf":
        return pa.array(flat)
    if kind in "Mm":
        return pa.array(flat.view("i8"))
    if kind == "c":
        return pa.array(flat.view(f"f{size // 2}"))
    if kind in "SV" and size and not flat.dtype.hasobject:
        raw = pa.py_buffer(flat.tobytes())
        return pa.Array.from_buffers(pa.binary(size), len(flat), [None, raw])
    if kind in "UT":
        return pa.array(flat.tolist(), pa.large_string())
    if kind == "O":
        return pa.array(flat.tolist())
    raise TypeError(f"dtype {flat.dtype} has no Arrow form")


def _describe(np: Any, dtype: Any) -> Any:
    if dtype.kind == "T":
        return "T"
    return dtype.str if dtype.names is None else np.lib.format.dtype_to_descr(dtype)


def _dtype(np: Any, description: Any) -> Any:
    if description == "T":
        return np.dtypes.StringDType()
    if isinstance(description, str):
        return np.dtype(description)
    return np.lib.format.descr_to_dtype(_with_tuples(description))


def _with_tuples(fields: list[Any]) -> list[Any]:
    """JSON made lists of the tuples in a structured dtype's description."""
    restored = []
    for name, kind, *shape in fields:
        title = tuple(name) if isinstance(name, list) else name
        inner = _with_tuples(kind) if isinstance(kind, list) else kind
        restored.append((title, inner, *(tuple(each) for each in shape)))
    return restored


def decode(metadata: dict[str, str], data: bytes, type_hint: Any) -> Any:
    """The array, fresh and writable; a list where the hint is a list, a scalar where one was stored."""
    import numpy as np

    dtype = _dtype(np, json.loads(metadata["dtype"]))
    shape = tuple(json.loads(metadata["shape"]))
    array = _flat(np, dtype, read_ipc(data).column(0)).reshape(shape)
    if metadata.get("object") == "scalar":
        return array[()]
    wants_list = type_hint is list or getattr(type_hint, "__origin__", None) is list
    return array.tolist() if wants_list else array


def _flat(np: Any, dtype: Any, column: Any) -> Any:
    kind = dtype.kind
    if kind in "biufMmc":
        return np.array(column.to_numpy()).view(dtype)
    if kind in "SV" and dtype.itemsize:
        return np.frombuffer(b"".join(column.to_pylist()), dtype).copy()
    items = column.to_pylist()
    if kind != "O":
        return np.array(items, dtype)
    flat = np.empty(len(items), object)
    flat[:] = items
    return flat
