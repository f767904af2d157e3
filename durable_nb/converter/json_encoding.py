"""Values to JSON text, byte for byte as Temporal's default converter writes it.

That is ``json.dumps(value, cls=AdvancedJSONEncoder, separators=(",", ":"), sort_keys=True)``: keys sorted, non-ASCII
escaped, ``NaN`` and ``Infinity`` as bare words. ``dump`` gives the same bytes without building an encoder per call.

Beyond Temporal's encoder, NumPy numbers and arrays inside a value become JSON numbers and lists, and tables are
refused (iterating one would store its column names only).
"""

from __future__ import annotations

import collections.abc
import contextlib
import dataclasses
import json
import math
import uuid
from datetime import datetime
from json import encoder as json_encoder
from json.encoder import encode_basestring_ascii
from typing import Any

_ATOMS = frozenset({str, int, float, bool, type(None), datetime, uuid.UUID})
_TABLE_PACKAGES = frozenset({"pandas", "polars", "pyarrow"})
_TABLE_NAMES = frozenset({"DataFrame", "LazyFrame", "Table", "RecordBatch"})


class AdvancedJSONEncoder(json.JSONEncoder):
    """JSON encoder that also takes datetimes (ISO), dataclasses (objects), iterables (arrays) and UUIDs (text).

    Objects with a ``dict()`` method, pydantic models among them, are encoded by it. Subclasses may override
    ``default`` and call this one for the rest.
    """

    def default(self, o: Any) -> Any:
        """A value that ``json`` knows, standing for ``o``; TypeError when there is none."""
        return json_default(o)


def json_default(o: Any) -> Any:
    """What ``AdvancedJSONEncoder.default`` does, without an encoder.

    Raises
    ------
    TypeError
        ``o`` has no JSON form.
    """
    if isinstance(o, datetime):
        return o.isoformat()
    cls = type(o)
    if hasattr(cls, "__dataclass_fields__"):
        return _plain(o)
    dict_method = getattr(o, "dict", None)
    if callable(dict_method):
        return dict_method()
    if cls is set or cls is frozenset:
        return list(o)
    if cls.__module__.partition(".")[0] == "numpy":
        return _numpy_default(o)
    if isinstance(o, collections.abc.Iterable) and not is_table(cls):
        return list(o)
    if isinstance(o, uuid.UUID):
        return str(o)
    raise TypeError(f"Object of type {cls.__name__} is not JSON serializable")


def is_table(cls: type) -> bool:
    """Whether a class is a pandas, polars or Arrow table, or derived from one; none of them is imported."""
    return any(
        base.__name__ in _TABLE_NAMES and base.__module__.partition(".")[0] in _TABLE_PACKAGES for base in cls.__mro__
    )


def _plain(value: Any) -> Any:
    """``dataclasses.asdict`` without copying the leaves: only the text matters, and it is the same."""
    cls = type(value)
    if cls in _ATOMS:
        return value
    if hasattr(cls, "__dataclass_fields__"):
        return {each.name: _plain(getattr(value, each.name)) for each in dataclasses.fields(value)}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return value


def _numpy_default(o: Any) -> Any:
    dtype = getattr(o, "dtype", None)
    if dtype is not None and dtype.kind in "biufU" and dtype.char != "g":
        return o.tolist()
    if getattr(o, "ndim", 0):
        return list(o)
    raise TypeError(f"Object of type {type(o).__name__} is not JSON serializable")


def _float_text(number: float) -> str:
    if math.isfinite(number):
        return float.__repr__(number)
    return "NaN" if math.isnan(number) else "Infinity" if number > 0 else "-Infinity"


_plain_encoder = AdvancedJSONEncoder(separators=(",", ":"), sort_keys=True)


def _dump_any(value: Any) -> bytes:
    return _plain_encoder.encode(value).encode()


def _prepared_encoder() -> Any:
    """The C encoder with its options bound, or None where this Python has none or a different one.

    It is the callable that ``json`` itself makes anew for each call. Without a marker table it does not look for
    cycles; a cycle then ends in RecursionError, which the callers of ``dump`` handle.
    """
    make = getattr(json_encoder, "c_make_encoder", None)
    # Its constructor is not a public interface: where it differs or is missing, the public way serves.
    with contextlib.suppress(Exception):
        encoder = make(None, json_default, encode_basestring_ascii, None, ":", ",", True, False, True)  # type: ignore[misc]
        if "".join(encoder({"b": [1.5, None], "a": "é"}, 0)) == '{"a":"\\u00e9","b":[1.5,null]}':
            return encoder
    return None


_prepared = _prepared_encoder()
_join = "".join


def dump(value: Any) -> bytes:
    """JSON text of a value, UTF-8 (all ASCII).

    Raises
    ------
    TypeError, ValueError, RecursionError
        The value, or something inside it, cannot be encoded. ``unencodable`` finds out what.
    """
    cls = type(value)
    if cls is str:
        return encode_basestring_ascii(value).encode()
    if cls is int:
        return int.__repr__(value).encode()
    if cls is bool:
        return b"true" if value else b"false"
    if cls is float:
        return _float_text(value).encode()
    if _prepared is None:
        return _dump_any(value)
    return _join(_prepared(value, 0)).encode()
