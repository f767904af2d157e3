"""Why a value could not be encoded: finds the place inside the value and the remedy.

Only runs after encoding failed, so it may be slow; it walks the value the way the encoder did.
"""

from __future__ import annotations

import collections.abc
import enum
import sys
from collections.abc import Callable
from typing import Any

from durable_nb.converter.json_encoding import is_table
from durable_nb.converter.mismatch import path_text, value_text
from durable_nb.errors import PayloadEncodeError

_REMEDIES = {
    "Decimal": "pass str(value) or float(value), or use contrib.pydantic.pydantic_data_converter",
    "timedelta": "pass value.total_seconds(), or use contrib.pydantic.pydantic_data_converter",
    "date": "pass value.isoformat(), or a datetime",
    "time": "pass value.isoformat()",
    "PosixPath": "pass str(path)",
    "WindowsPath": "pass str(path)",
    "coroutine": "a coroutine was never awaited; write 'await' before the call",
    "complex": "pass [value.real, value.imag]",
    "function": "pass its name; functions cannot be stored",
    "type": "pass its name; classes cannot be stored",
}
_TABLE_REMEDY = (
    "pass the table as an argument of its own (it then travels as Arrow), or as rows: df.to_dict('records'), "
    "table.to_pylist()"
)
_USUAL_REMEDY = (
    "pass plain data (str, int, float, bool, None, lists, dicts, dataclasses), or give the client a data_converter "
    "that knows the type"
)


def encode_error(value: Any, error: BaseException, default: Callable[[Any], Any] | None) -> PayloadEncodeError:
    """The error that names the first part of ``value`` that has no JSON form.

    Parameters
    ----------
    value
        What was to be encoded.
    error
        What the encoder raised.
    default
        The encoder's hook for values that JSON does not know.
    """
    try:
        found = _find(value, (), frozenset(), default)
    except RecursionError:
        found = None
    if found is None:
        if isinstance(error, RecursionError):
            return PayloadEncodeError(
                "$: the value is nested too deeply to be stored",
                fix=f"flatten it, or store it as text; about {sys.getrecursionlimit()} levels are possible",
            )
        return PayloadEncodeError(f"$: {error}", where=value_text(value), fix=_USUAL_REMEDY)
    path, problem, remedy = found
    return PayloadEncodeError(f"{path_text(path)}: {problem}", fix=remedy)


_Path = tuple[str | int, ...]
_Found = tuple[_Path, str, str]


def _find(value: Any, path: _Path, above: frozenset[int], default: Callable[[Any], Any] | None) -> _Found | None:
    if value is None or isinstance(value, (str, float)):
        return None
    if isinstance(value, int):
        return _find_in_int(value, path)
    if id(value) in above:
        return path, "the value contains itself", "break the cycle; JSON has no references"
    above = above | {id(value)}
    if isinstance(value, dict):
        return _find_in_dict(value, path, above, default)
    if isinstance(value, (list, tuple)):
        for index, item in enumerate(value):
            found = _find(item, (*path, index), above, default)
            if found is not None:
                return found
        return None
    if default is None:
        return path, f"{type(value).__name__} is not JSON serializable", remedy_for(value)
    try:
        stand_in = default(value)
    except RecursionError:
        raise
    except Exception as error:
        return path, _problem(value, error), remedy_for(value)
    return _find(stand_in, path, above, default)


def _find_in_int(value: int, path: _Path) -> _Found | None:
    try:
        int.__repr__(value)
    except ValueError as error:
        return path, f"the integer is too long for JSON: {error}", "pass it as text in hexadecimal: hex(value)"
    return None


def _find_in_dict(
    value: dict[Any, Any], path: _Path, above: frozenset[int], default: Callable[[Any], Any] | None
) -> _Found | None:
    for key in value:
        if key is not None and not isinstance(key, (str, int, float, bool)):
            return (
                path,
                f"key {value_text(key)} is not JSON serializable",
                "keys must be str, int, float, bool or None; pass a list of pairs instead",
            )
    try:
        sorted(value)
    except TypeError:
        kinds = ", ".join(sorted({type(key).__name__ for key in value}))
        return path, f"keys of types {kinds} cannot be sorted", "use keys of one type"
    for key, item in value.items():
        found = _find(item, (*path, str(key)), above, default)
        if found is not None:
            return found
    return None


def _problem(value: Any, error: Exception) -> str:
    name = type(value).__name__
    if isinstance(error, TypeError) and "not JSON serializable" in str(error):
        return f"{name} is not JSON serializable"
    return f"{name} could not be encoded: {type(error).__name__}: {error}"


def remedy_for(value: Any) -> str:
    """What to pass instead of a value of that type."""
    name = type(value).__name__
    if isinstance(value, enum.Enum):
        return f"derive {name} from enum.StrEnum or enum.IntEnum, or pass value.value"
    if is_table(type(value)):
        return _TABLE_REMEDY
    if type(value).__module__.partition(".")[0] == "numpy":
        return "pass the array as an argument of its own (it then travels as Arrow), or value.tolist()"
    if isinstance(value, type):
        return _REMEDIES["type"]
    if isinstance(value, collections.abc.Coroutine):
        return _REMEDIES["coroutine"]
    return _REMEDIES.get(name, _USUAL_REMEDY)
