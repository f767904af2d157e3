"""Hypothesis strategies for payloads, failures and events, made from the annotations of the structs."""

from __future__ import annotations

import types
from enum import IntEnum
from typing import Any, Union, get_args, get_origin, get_type_hints

import msgspec
from hypothesis import strategies as st

from durable_nb.model.attributes import UserMetadata
from durable_nb.model.events import ATTRIBUTES, Event
from durable_nb.model.failure import Failure
from durable_nb.model.payload import Payload

TEXT = st.text(st.characters(codec="utf-8"), max_size=8)
INT32 = st.integers(0, 2**31 - 1)
INT64 = st.integers(-(2**63), 2**63 - 1)
DURATION_US = st.integers(0, 315_576_000_000 * 1_000_000)
INSTANT_US = st.integers(-62_135_596_800 * 1_000_000, 253_402_300_799 * 1_000_000)

payloads = st.builds(
    Payload,
    metadata=st.dictionaries(TEXT, st.binary(max_size=6), max_size=2),
    data=st.binary(max_size=8),
)

_PROTO = {
    "int64": INT64,
    "duration": DURATION_US,
    "timestamp": INSTANT_US,
    "named": TEXT,
    "task_queue": TEXT,
    "payloads": st.lists(payloads, max_size=2),
    "fields": st.dictionaries(TEXT, payloads, max_size=2),
    "indexedFields": st.dictionaries(TEXT, payloads, max_size=2),
    # A bare map of the protocol cannot be there and empty.
    "payloads_map": st.dictionaries(TEXT, st.lists(payloads, max_size=2), min_size=1, max_size=2),
}
_PLAIN: dict[Any, st.SearchStrategy[Any]] = {
    int: INT32,
    # fairnessWeight is a 32-bit float in the protocol; quarters print alike in both widths
    float: st.integers(0, 4000).map(lambda quarters: quarters / 4),
    str: TEXT,
    bool: st.booleans(),
    bytes: st.binary(max_size=6),
}
_VARIANTS = tuple(name for name in Failure.__struct_fields__ if name.endswith("_failure_info"))


def of_type(hint: Any, depth: int = 2) -> st.SearchStrategy[Any]:
    """Values of an annotated field."""
    if get_origin(hint) in {Union, types.UnionType}:
        inner = next(member for member in get_args(hint) if member is not type(None))
        return st.none() if depth == 0 and _is_failure(inner) else st.none() | of_type(inner, depth)
    for extra in getattr(hint, "__metadata__", ()):
        return _PROTO[extra.extra["proto"]]
    if hint is Payload:
        return payloads
    if get_origin(hint) is list:
        return st.lists(of_type(get_args(hint)[0], depth), max_size=3)
    if issubclass(hint, IntEnum):
        return st.sampled_from(list(hint))
    if hint is Failure:
        return failures(depth - 1)
    if issubclass(hint, msgspec.Struct):
        return structs(hint, depth)
    return _PLAIN[hint]


def _is_failure(hint: Any) -> bool:
    return hint is Failure


def structs(cls: type[Any], depth: int = 2) -> st.SearchStrategy[Any]:
    """Instances of a struct class."""
    hints = get_type_hints(cls, include_extras=True)
    fields = {name: of_type(hints[name], depth) for name in cls.__struct_fields__}
    if cls.__name__ == "UpdateOutcome":
        success = st.builds(cls, success=fields["success"].filter(lambda value: value is not None))
        return success | st.builds(cls, failure=failures(0))
    return st.builds(cls, **fields)


def failures(depth: int = 1) -> st.SearchStrategy[Failure]:
    """Failures with at most one info variant and ``depth`` causes."""
    hints = get_type_hints(Failure, include_extras=True)
    head = {name: of_type(hints[name]) for name in ("message", "source", "stack_trace", "encoded_attributes")}
    head["cause"] = st.none() if depth <= 0 else st.none() | failures(depth - 1)

    def with_variant(name: str) -> st.SearchStrategy[Failure]:
        return st.builds(Failure, **head, **{name: of_type(hints[name]).filter(lambda value: value is not None)})

    return st.one_of(st.builds(Failure, **head), *(with_variant(name) for name in _VARIANTS))


attributes = st.one_of(*(structs(cls) for cls in ATTRIBUTES.values()))

events = st.builds(
    Event,
    event_id=st.integers(1, 2**63 - 1),
    event_time=INSTANT_US,
    attributes=attributes,
    user_metadata=st.none() | structs(UserMetadata),
)
