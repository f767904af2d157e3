"""How the fields of model structs are spelt in protobuf JSON; compiled once per struct class.

For each field a *writer* (value to JSON, only called for values that are set) and a *reader*. The annotation of the
field decides (``model.scalars``): plain scalars, ``Int64``, durations, instants, enumerations, nested structs, and
the wrapper messages around names, queues, payload lists and maps.
"""

from __future__ import annotations

import base64
import binascii
import re
import types
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from enum import IntEnum
from functools import cache
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

import msgspec

from durable_nb.errors import HistoryFormatError
from durable_nb.model.enums import PROTO_PREFIX
from durable_nb.model.payload import Payload

Writer = Callable[[Any], Any]
Reader = Callable[[Any, str], Any]
"""Takes the JSON value and the path to it, for messages."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_Struct = TypeVar("_Struct", bound=msgspec.Struct)


class _Field(msgspec.Struct):
    name: str
    camel: str
    unset: Any
    """Value that protobuf does not write; what an absent field is read as."""
    write: Writer
    read: Reader


# -- structs -------------------------------------------------------------------------------------------------------


def write_struct(value: msgspec.Struct) -> dict[str, Any]:
    """JSON object of a struct, unset fields left out."""
    written = {}
    for field in _fields(type(value)):
        content = getattr(value, field.name)
        if content is None or (content == field.unset and field.unset is not None):
            continue
        written[field.camel] = field.write(content)
    return written


def read_struct(cls: type[_Struct], written: Any, path: str) -> _Struct:
    """The struct of a JSON object; unknown fields are skipped, absent ones are unset.

    Raises
    ------
    HistoryFormatError
        The value is no object, or a field has the wrong form.
    """
    given = _object(written, path)
    content = {}
    for field in _fields(cls):
        value = given.get(field.camel)
        if value is None:
            value = given.get(field.name)
        if value is not None:
            content[field.name] = field.read(value, f"{path}.{field.camel}")
        else:
            content[field.name] = [] if type(field.unset) is list else field.unset
    return cls(**content)


@cache
def _fields(cls: type[msgspec.Struct]) -> tuple[_Field, ...]:
    hints = get_type_hints(cls, include_extras=True)
    made = []
    names = zip(cls.__struct_fields__, cls.__struct_encode_fields__, strict=True)
    for name, camel in names:
        unset, write, read = _compile(hints[name])
        made.append(_Field(name, camel, unset, write, read))
    return tuple(made)


def _compile(hint: Any) -> tuple[Any, Writer, Reader]:
    """Unset value, writer and reader of a field's type."""
    optional = False
    if get_origin(hint) in (Union, types.UnionType):
        members = [member for member in get_args(hint) if member is not type(None)]
        optional, hint = True, members[0]
    proto = _proto(hint)
    if proto is not None:
        unset, write, read = _PROTO[proto]
        return None if optional else unset, write, read
    unset, write, read = _compile_plain(hint)
    return None if optional else unset, write, read


def _proto(hint: Any) -> str | None:
    for extra in getattr(hint, "__metadata__", ()):
        if isinstance(extra, msgspec.Meta) and extra.extra:
            return str(extra.extra["proto"])
    return None


def _compile_plain(hint: Any) -> tuple[Any, Writer, Reader]:
    origin = get_origin(hint) or hint
    if origin is Payload:
        return None, _write_payload, _read_payload
    if origin is list:
        _, write, read = _compile(get_args(hint)[0])
        return [], lambda values: [write(value) for value in values], _list_reader(read)
    if issubclass(origin, IntEnum):
        unset = origin(0) if 0 in [member.value for member in origin] else None
        return unset, _enum_writer(origin), _enum_reader(origin, unset)
    if issubclass(origin, msgspec.Struct):
        return None, write_struct, lambda value, path: read_struct(origin, value, path)
    return _PLAIN[origin]


def _list_reader(read: Reader) -> Reader:
    def read_list(values: Any, path: str) -> list[Any]:
        if not isinstance(values, list):
            raise HistoryFormatError(f"{path} must be a list, not {_kind(values)}")
        return [read(value, f"{path}[{index}]") for index, value in enumerate(values)]

    return read_list


def _kind(value: Any) -> str:
    return f"{type(value).__name__} {str(value)[:40]!r}"


def _object(value: Any, path: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise HistoryFormatError(f"{path} must be an object, not {_kind(value)}")
    return value


def snake_case(camel: str) -> str:
    """``startToFireTimeout`` to ``start_to_fire_timeout``."""
    return re.sub(r"([A-Z])", lambda match: "_" + match[1].lower(), camel)


# -- scalars -------------------------------------------------------------------------------------------------------


def read_integer(value: Any, path: str) -> int:
    """An integer written as number or text."""
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        raise HistoryFormatError(f"{path} must be an integer, not {_kind(value)}")
    try:
        number = int(value)
    except (ValueError, OverflowError):
        raise HistoryFormatError(f"{path} must be an integer, not {_kind(value)}") from None
    if isinstance(value, float) and number != value:
        raise HistoryFormatError(f"{path} must be an integer, not {_kind(value)}")
    return number


def _read_float(value: Any, path: str) -> float:
    try:
        return float(value)
    except (TypeError, ValueError):
        raise HistoryFormatError(f"{path} must be a number, not {_kind(value)}") from None


def _read_text(value: Any, path: str) -> str:
    if not isinstance(value, str):
        raise HistoryFormatError(f"{path} must be text, not {_kind(value)}")
    return value


def _read_bool(value: Any, path: str) -> bool:
    if not isinstance(value, bool):
        raise HistoryFormatError(f"{path} must be true or false, not {_kind(value)}")
    return value


def _write_bytes(value: bytes) -> str:
    return base64.b64encode(value).decode()


def _read_bytes(value: Any, path: str) -> bytes:
    text = _read_text(value, path).replace("-", "+").replace("_", "/")
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except binascii.Error as error:
        raise HistoryFormatError(f"{path} must be base64: {error}") from None


def _fraction(microseconds: int) -> str:
    if not microseconds:
        return ""
    digits = f"{microseconds:06d}"
    return "." + (digits[:3] if digits.endswith("000") else digits)


def write_duration(microseconds: int) -> str:
    """``"30s"``, ``"0.250s"``."""
    seconds, rest = divmod(abs(microseconds), 1_000_000)
    return f"{'-' if microseconds < 0 else ''}{seconds}{_fraction(rest)}s"


_DURATION = re.compile(r"(-?)(\d+)(?:\.(\d{1,9}))?s")


def _read_duration(value: Any, path: str) -> int:
    match = _DURATION.fullmatch(_read_text(value, path))
    if match is None:
        raise HistoryFormatError(f'{path} must be a duration such as "30s" or "0.250s", not {value!r}')
    sign, seconds, fraction = match.groups()
    microseconds = int(seconds) * 1_000_000 + int((fraction or "").ljust(6, "0")[:6])
    return -microseconds if sign else microseconds


def write_instant(microseconds: int) -> str:
    """RFC 3339 in UTC: ``"2025-01-01T00:00:00.000001Z"``."""
    seconds, rest = divmod(microseconds, 1_000_000)
    whole = (_EPOCH + timedelta(seconds=seconds)).replace(tzinfo=None).isoformat()
    return f"{whole}{_fraction(rest)}Z"


_INSTANT = re.compile(r"(\d{4}-\d\d-\d\d)[Tt ](\d\d:\d\d:\d\d)(?:\.(\d+))?([Zz]|[+-]\d\d:\d\d)")


def read_instant(value: Any, path: str) -> int:
    """Microseconds since the epoch of an RFC 3339 instant; digits beyond the sixth are cut."""
    match = _INSTANT.fullmatch(_read_text(value, path))
    try:
        if match is None:
            raise ValueError
        day, time, fraction, zone = match.groups()
        whole = datetime.fromisoformat(f"{day}T{time}{'+00:00' if zone in 'Zz' else zone}")
    except ValueError:
        raise HistoryFormatError(f'{path} must be an instant such as "2025-01-01T00:00:00Z", not {value!r}') from None
    return (whole - _EPOCH) // _MICROSECOND + int((fraction or "").ljust(6, "0")[:6])


# -- enumerations --------------------------------------------------------------------------------------------------


@cache
def _members(cls: type[IntEnum]) -> dict[str, IntEnum]:
    """By every accepted spelling: full, short, CamelCase; underscores and case do not matter."""
    prefix = PROTO_PREFIX[cls].replace("_", "")
    found = {}
    for member in cls:
        short = member.name.replace("_", "")
        found[short], found[prefix + short] = member, member
    return found


def find_member(cls: type[IntEnum], written: Any) -> IntEnum | None:
    """The member of that name or number, None when there is none."""
    if isinstance(written, str):
        return _members(cls).get(written.replace("_", "").upper())
    if isinstance(written, (int, float)) and not isinstance(written, bool):
        return next((member for member in cls if member.value == written), None)
    return None


def _enum_writer(cls: type[IntEnum]) -> Writer:
    prefix = PROTO_PREFIX[cls]
    return lambda value: f"{prefix}_{cls(value).name}"


def _enum_reader(cls: type[IntEnum], unset: Any) -> Reader:
    prefix = PROTO_PREFIX[cls]

    def read(value: Any, path: str) -> Any:
        member = find_member(cls, value)
        if member is not None:
            return member
        # A newer server may know more members: a full name or a number of one we lack is read as unset. In the older
        # spelling "Unspecified" stands in histories where enumerations here have no such member.
        if isinstance(value, str) and not value.startswith(prefix + "_") and value != "Unspecified":
            raise HistoryFormatError(f"{path}: {value!r} is no {cls.__name__}")
        if not isinstance(value, (str, int)):
            raise HistoryFormatError(f"{path} must be the name of a {cls.__name__}, not {_kind(value)}")
        return unset

    return read


# -- messages around one value -------------------------------------------------------------------------------------


def _write_payload(payload: Payload) -> dict[str, Any]:
    written: dict[str, Any] = {}
    if payload.metadata:
        written["metadata"] = {key: _write_bytes(value) for key, value in payload.metadata.items()}
    if payload.data:
        written["data"] = _write_bytes(payload.data)
    return written


def _read_payload(written: Any, path: str) -> Payload:
    given = _object(written, path)
    metadata = _object(given.get("metadata") or {}, f"{path}.metadata")
    return Payload(
        metadata={key: _read_bytes(value, f"{path}.metadata.{key}") for key, value in metadata.items()},
        data=_read_bytes(given.get("data") or "", f"{path}.data"),
    )


def _write_payloads(payloads: list[Payload]) -> dict[str, Any]:
    return {"payloads": [_write_payload(payload) for payload in payloads]} if payloads else {}


_read_payload_list = _list_reader(_read_payload)


def _read_payloads(written: Any, path: str) -> list[Payload]:
    listed = _object(written, path).get("payloads")
    return [] if listed is None else _read_payload_list(listed, f"{path}.payloads")


def _map_in(key: str | None, write: Writer, read: Reader) -> tuple[Any, Writer, Reader]:
    """A map of payloads, in a message with the one field ``key``; None for a bare map."""

    def write_map(content: dict[str, Any]) -> dict[str, Any]:
        inner = {name: write(value) for name, value in content.items()}
        if key is None:
            return inner
        return {key: inner} if inner else {}

    def read_map(written: Any, path: str) -> dict[str, Any]:
        outer = _object(written, path)
        inner = outer
        if key is not None:
            inner = _object(outer.get(key) or outer.get(snake_case(key)) or {}, f"{path}.{key}")
        return {name: read(value, f"{path}[{name!r}]") for name, value in inner.items()}

    return None, write_map, read_map


def _read_named(written: Any, path: str) -> str:
    return _read_text(_object(written, path).get("name") or "", f"{path}.name")


def _write_task_queue(name: str) -> dict[str, str]:
    return {"name": name, "kind": "TASK_QUEUE_KIND_NORMAL"}


_PLAIN: dict[Any, tuple[Any, Writer, Reader]] = {
    int: (0, int, read_integer),
    float: (0.0, float, _read_float),
    str: ("", str, _read_text),
    bool: (False, bool, _read_bool),
    bytes: (b"", _write_bytes, _read_bytes),
}
_PROTO: dict[str, tuple[Any, Writer, Reader]] = {
    "int64": (0, str, read_integer),
    "duration": (0, write_duration, _read_duration),
    "timestamp": (0, write_instant, read_instant),
    "named": ("", lambda name: {"name": name}, _read_named),
    "task_queue": ("", _write_task_queue, _read_named),
    "payloads": (None, _write_payloads, _read_payloads),
    "fields": _map_in("fields", _write_payload, _read_payload),
    "indexedFields": _map_in("indexedFields", _write_payload, _read_payload),
    "payloads_map": _map_in(None, _write_payloads, _read_payloads),
}
