"""One encoded value: opaque bytes and the metadata that says how to decode them.

The class has the attributes and the few methods of Temporal's protobuf message that codecs use
(``SerializeToString``, ``FromString``, ``CopyFrom``), with the same wire format, so that a codec written against
one works with the other. ``durable_nb.api.common.v1`` exports the classes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec


class Payload(msgspec.Struct, omit_defaults=True, rename="camel", gc=False):
    """Encoded value. ``metadata["encoding"]`` names the format, for instance ``b"json/plain"``."""

    metadata: dict[str, bytes] = {}
    data: bytes = b""

    def SerializeToString(self, *, deterministic: bool | None = None) -> bytes:  # noqa: N802 - protobuf's spelling
        """Protobuf wire form (message ``temporal.api.common.v1.Payload``)."""
        out = bytearray()
        for key in sorted(self.metadata):
            entry = _field(1, key.encode()) + _field(2, self.metadata[key])
            out += _field(1, entry)
        if self.data:
            out += _field(2, self.data)
        return bytes(out)

    @classmethod
    def FromString(cls, wire: bytes) -> Payload:  # noqa: N802 - protobuf's spelling
        """Payload read from protobuf wire form.

        Raises
        ------
        ValueError
            The bytes are not a serialized payload.
        """
        payload = cls(metadata={}, data=b"")
        payload.MergeFromString(wire)
        return payload

    def ParseFromString(self, wire: bytes) -> int:  # noqa: N802 - protobuf's spelling
        """Replace the content by what ``wire`` holds; returns the number of bytes read."""
        self.metadata, self.data = {}, b""
        return self.MergeFromString(wire)

    def MergeFromString(self, wire: bytes) -> int:  # noqa: N802 - protobuf's spelling
        """Add what ``wire`` holds; returns the number of bytes read."""
        for number, value in _fields(wire):
            if number == 1:
                entry = dict(_fields(value))
                self.metadata[entry.get(1, b"").decode()] = entry.get(2, b"")
            elif number == 2:
                self.data = value
        return len(wire)

    def CopyFrom(self, other: Payload) -> None:  # noqa: N802 - protobuf's spelling
        """Make this payload equal to ``other``."""
        self.metadata = dict(other.metadata)
        self.data = other.data

    def ByteSize(self) -> int:  # noqa: N802 - protobuf's spelling
        """Length of the wire form in bytes."""
        return len(self.SerializeToString())


class Payloads(msgspec.Struct):
    """A list of payloads in a wrapper, for the ``…_wrapper`` methods of converters and codecs.

    It has a wire form too (message ``temporal.api.common.v1.Payloads``), for codecs that make one payload of several.
    """

    payloads: list[Payload] = []

    def SerializeToString(self, *, deterministic: bool | None = None) -> bytes:  # noqa: N802 - protobuf's spelling
        """Protobuf wire form."""
        return b"".join(_field(1, payload.SerializeToString()) for payload in self.payloads)

    @classmethod
    def FromString(cls, wire: bytes) -> Payloads:  # noqa: N802 - protobuf's spelling
        """Payloads read from protobuf wire form.

        Raises
        ------
        ValueError
            The bytes are not serialized payloads.
        """
        return cls([Payload.FromString(value) for number, value in _fields(wire) if number == 1])

    def ParseFromString(self, wire: bytes) -> int:  # noqa: N802 - protobuf's spelling
        """Replace the content by what ``wire`` holds; returns the number of bytes read."""
        self.payloads = Payloads.FromString(wire).payloads
        return len(wire)


def as_payload(value: Any) -> Payload:
    """A payload from anything with ``metadata`` and ``data``, Temporal's protobuf message included.

    Raises
    ------
    TypeError
        The value has no ``metadata`` mapping or no ``data`` bytes.
    """
    if type(value) is Payload:
        return value
    metadata, data = getattr(value, "metadata", None), getattr(value, "data", None)
    if not isinstance(metadata, Mapping) or not isinstance(data, bytes):
        raise TypeError(f"expected a Payload with metadata and data, got {type(value).__name__}")
    return Payload(metadata=dict(metadata), data=data)


def _varint(number: int) -> bytes:
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def _field(number: int, value: bytes) -> bytes:
    return bytes([number << 3 | 2]) + _varint(len(value)) + value


def _read_varint(wire: bytes, at: int) -> tuple[int, int]:
    result = shift = 0
    while True:
        if at >= len(wire) or shift > 63:
            raise ValueError("truncated payload: a length runs past the end")
        byte = wire[at]
        at += 1
        result |= (byte & 0x7F) << shift
        if byte < 0x80:
            return result, at
        shift += 7


def _fields(wire: bytes) -> list[tuple[int, bytes]]:
    """Length-delimited fields of a message; fields of other wire types are skipped."""
    found: list[tuple[int, bytes]] = []
    at = 0
    while at < len(wire):
        tag, at = _read_varint(wire, at)
        kind = tag & 7
        if kind == 2:
            size, at = _read_varint(wire, at)
            if at + size > len(wire):
                raise ValueError("truncated payload: a field runs past the end")
            found.append((tag >> 3, wire[at : at + size]))
            at += size
        elif kind == 0:
            _, at = _read_varint(wire, at)
        elif kind in (1, 5):
            at += 8 if kind == 1 else 4
        else:
            raise ValueError(f"not a serialized payload: wire type {kind}")
    return found
