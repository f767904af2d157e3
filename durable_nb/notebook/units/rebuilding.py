"""Which values can be made again from source, and which are state that only this kernel has.

Plain data can be written down. A constant made by an expression can be made again if the expression only calls what
makes data: constructors of value types, ``re.compile``, ``namedtuple``. Whatever is connected to the world (a database
connection, a client, a lock) or has been computed at length cannot. Doubt means that it cannot: nothing is evaluated
here, and a unit must never repeat a side effect.
"""

from __future__ import annotations

import ast
import builtins
import dataclasses
import enum
import math
import sys
from collections.abc import Mapping
from types import BuiltinFunctionType, FunctionType, ModuleType
from typing import Any

from durable_nb.notebook.names import dotted
from durable_nb.runtime.place import is_library_file

MAX_LITERAL = 20_000
"""Characters of a value that is written down."""

_ATOMS = (type(None), bool, int, str, bytes, complex, type(...))
_CONTAINERS = (list, tuple, set, frozenset, dict)
_VALUE_MODULES = frozenset(
    "abc builtins collections dataclasses datetime decimal durable_nb enum fractions functools ipaddress math msgspec "
    "numbers operator pathlib pydantic re string temporalio types typing typing_extensions uuid zoneinfo".split()
)
"""Packages whose classes make values."""

_VALUE_FUNCTIONS = frozenset(
    "re.compile collections.namedtuple typing.NewType typing.cast logging.getLogger dataclasses.field "
    "dataclasses.make_dataclass dataclasses.replace builtins.len builtins.min builtins.max builtins.sum "
    "builtins.sorted builtins.abs builtins.round builtins.ord builtins.chr builtins.any builtins.all".split()
)
_CLOCKS = frozenset({"now", "today", "utcnow", "uuid1", "uuid4", "cwd", "home"})


def literal(value: Any) -> str | None:
    """Plain data written down; None for anything else, and for what is too long."""
    try:
        if not _is_plain(value, 0):
            return None
    except RecursionError:
        return None
    text = _write(value)
    return text if len(text) <= MAX_LITERAL else None


def is_immutable(value: Any) -> bool:
    """Whether plain data can only change by a new assignment."""
    return not isinstance(value, list | dict | set)


def _is_plain(value: Any, depth: int) -> bool:
    kind = type(value)
    if kind in _ATOMS:
        return True
    if kind is float:
        return math.isfinite(value)
    if kind not in _CONTAINERS or depth > 20 or len(value) > MAX_LITERAL:
        return False
    parts = [*value.keys(), *value.values()] if kind is dict else value
    return all(_is_plain(part, depth + 1) for part in parts)


def _write(value: Any) -> str:
    """``repr``, with sets in an order that does not depend on hashing."""
    kind = type(value)
    if kind in (set, frozenset):
        inside = "{" + ", ".join(sorted(map(_write, value))) + "}" if value else "set()"
        return inside if kind is set else f"frozenset({inside if value else ''})"
    if kind is dict:
        return "{" + ", ".join(f"{_write(key)}: {_write(part)}" for key, part in value.items()) + "}"
    if kind is list:
        return "[" + ", ".join(map(_write, value)) + "]"
    if kind is tuple:
        return "(" + ", ".join(map(_write, value)) + ("," if len(value) == 1 else "") + ")"
    return repr(value)


def obstacle(expression: ast.expr, namespace: Mapping[str, Any], value: Any) -> str:
    """Why an assigned value cannot be made again by its expression; "" where it can.

    Parameters
    ----------
    value
        What the expression gave: an instance must hold nothing but data.
    """
    for node in ast.walk(expression):
        if isinstance(node, ast.Await | ast.Yield | ast.YieldFrom | ast.NamedExpr):
            return "its statement waits for something or assigns"
        if isinstance(node, ast.Call) and not _makes_values(node.func, namespace, value):
            return f"its statement calls {ast.unparse(node.func)[:60]}"
    if not _holds_data(value, 0):
        return f"a {type(value).__qualname__} holds more than data"
    return ""


def _makes_values(function: ast.expr, namespace: Mapping[str, Any], value: Any) -> bool:
    if isinstance(function, ast.Attribute) and isinstance(function.value, ast.Constant | ast.JoinedStr):
        return True  # "a b".split()
    target = _resolve(function, namespace)
    if target is None or getattr(target, "__name__", "") in _CLOCKS:
        return False
    if isinstance(target, type):
        return _is_value_class(target)
    if isinstance(target, FunctionType) and target.__globals__ is namespace:
        return isinstance(value, FunctionType | type)  # a factory of functions or classes
    owner = getattr(target, "__self__", None)
    if isinstance(owner, type):
        return _root(owner) in _VALUE_MODULES
    if isinstance(target, FunctionType | BuiltinFunctionType):
        name = f"{target.__module__}.{target.__qualname__}"
        return name in _VALUE_FUNCTIONS or _root(target) in ("math", "operator", "_operator")
    return False


def _resolve(function: ast.expr, namespace: Mapping[str, Any]) -> Any:
    names = dotted(function.value if isinstance(function, ast.Subscript) else function)
    if names is None:
        return None
    value = namespace.get(names[0], getattr(builtins, names[0], None))
    for name in names[1:]:
        if not isinstance(value, ModuleType | type):
            return None
        value = getattr(value, name, None)
    return value


def _is_value_class(cls: type) -> bool:
    if dataclasses.is_dataclass(cls) or hasattr(cls, "__struct_fields__") or hasattr(cls, "__attrs_attrs__"):
        return True
    if issubclass(cls, tuple | enum.Enum | str | int | float | BaseException):
        return True
    # A class of the user's own is judged by what its instance holds.
    return _root(cls) in _VALUE_MODULES or _is_own(cls)


def _is_own(cls: type) -> bool:
    """Whether a class was written by the user, in a cell or in a module that is not installed."""
    if cls.__module__ == "__main__":
        return True
    file = getattr(sys.modules.get(cls.__module__), "__file__", None)
    return bool(file) and not is_library_file(str(file))


def _holds_data(value: Any, depth: int) -> bool:
    """Whether an object and what hangs on it is data, functions or classes."""
    if depth > 8:
        return False
    kind = type(value)
    if kind in (*_ATOMS, float) or isinstance(value, type | FunctionType | ModuleType | enum.Enum):
        return True
    if kind in _CONTAINERS:
        parts = [*value.keys(), *value.values()] if kind is dict else list(value)
        return len(parts) <= MAX_LITERAL and all(_holds_data(part, depth + 1) for part in parts)
    if _root(kind) in _VALUE_MODULES or _root(kind) == "logging":
        return True
    inside = [*getattr(value, "__dict__", {}).values(), *_slots(value)]
    # An object without attributes is nothing but its class, unless a base written in C keeps something.
    own = all(_is_own(base) or _root(base) in _VALUE_MODULES for base in kind.__mro__)
    return (bool(inside) or own) and all(_holds_data(part, depth + 1) for part in inside)


def _slots(value: Any) -> list[Any]:
    names = [name for cls in type(value).__mro__ for name in _names_of(cls.__dict__.get("__slots__", ()))]
    return [getattr(value, name) for name in names if not name.startswith("__") and hasattr(value, name)]


def _names_of(slots: Any) -> tuple[str, ...]:
    return (slots,) if isinstance(slots, str) else tuple(slots)


def _root(value: Any) -> str:
    return str(getattr(value, "__module__", "") or "").partition(".")[0]
