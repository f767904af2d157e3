"""A history event and its stored form.

``encode_attributes`` and ``decode_attributes`` are the only two functions that know how attributes look in the
database: compact JSON, lowerCamelCase names, defaults left out (``model.attributes``).

The structs of ``model`` are trees of plain values and never part of a cycle, so the collector need not know them
(``gc=False``). Measured over 6,000 sequential activities: half as many collections, and 70-80 ms in them instead of
140-170 ms. Do not give such a struct a field that may hold a callback, a future or anything else that refers back.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from durable_nb.model import attributes as _attributes
from durable_nb.model.attributes import Attributes, UserMetadata
from durable_nb.model.enums import EventType

ATTRIBUTES: dict[EventType, type[Attributes]] = {
    value.event_type: value
    for value in vars(_attributes).values()
    if isinstance(value, type) and issubclass(value, Attributes) and hasattr(value, "event_type")
}
"""The attributes class of each event type."""

TERMINAL_EVENT_TYPES = frozenset(
    {
        EventType.WORKFLOW_EXECUTION_COMPLETED,
        EventType.WORKFLOW_EXECUTION_FAILED,
        EventType.WORKFLOW_EXECUTION_TIMED_OUT,
        EventType.WORKFLOW_EXECUTION_CANCELED,
        EventType.WORKFLOW_EXECUTION_TERMINATED,
        EventType.WORKFLOW_EXECUTION_CONTINUED_AS_NEW,
    }
)
"""Event types that close a run; nothing may follow one in a history."""


class Event(msgspec.Struct, gc=False):
    """A recorded fact.

    ``event_id`` is 1..n without a hole within the run; ``event_time`` is in microseconds since the epoch, UTC.
    """

    event_id: int
    event_time: int
    attributes: Attributes
    user_metadata: UserMetadata | None = None

    @property
    def event_type(self) -> EventType:
        return self.attributes.event_type


_encoder = msgspec.json.Encoder()
_decoders: dict[int, msgspec.json.Decoder[Attributes]] = {}


encode_attributes: Callable[[Attributes], bytes] = _encoder.encode
"""Stored form of the attributes: UTF-8 JSON."""


def decode_attributes(event_type: int, stored: bytes | str) -> Attributes:
    """Attributes from their stored form.

    Raises
    ------
    msgspec.DecodeError
        The text is not JSON of that event type (``msgspec.ValidationError`` names the field).
    KeyError
        The event type is unknown to this version.
    """
    decoder = _decoders.get(event_type)
    if decoder is None:
        # Made on first use: building all forty decoders would double the import time of the package.
        decoder = _decoders[event_type] = msgspec.json.Decoder(ATTRIBUTES[EventType(event_type)])
    return decoder.decode(stored)


def encode_user_metadata(metadata: UserMetadata | None) -> bytes | None:
    """Stored form of a summary and details, None for none."""
    return None if metadata is None else _encoder.encode(metadata)


def decode_user_metadata(stored: bytes | str | None) -> UserMetadata | None:
    """Summary and details from their stored form."""
    return None if stored is None else msgspec.json.decode(stored, type=UserMetadata)
