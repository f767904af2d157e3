"""Encodings of None (``binary/null``) and bytes (``binary/plain``)."""

from __future__ import annotations

from typing import Any

from durable_nb.converter.payload_converter import EncodingPayloadConverter
from durable_nb.errors import PayloadDecodeError
from durable_nb.model.payload import Payload

_JSON_TYPES = frozenset({str, int, float, bool, list, dict, tuple})


class BinaryNullPayloadConverter(EncodingPayloadConverter):
    """None, as a payload without data."""

    sure_types = frozenset({type(None)})
    passed_types = _JSON_TYPES | {bytes}

    @property
    def encoding(self) -> str:
        return "binary/null"

    def to_payload(self, value: Any) -> Payload | None:
        return Payload({"encoding": b"binary/null"}) if value is None else None

    def from_payload(self, payload: Payload, type_hint: type | None = None) -> Any:
        """None, whatever the hint; PayloadDecodeError when the payload has data."""
        if payload.data:
            raise PayloadDecodeError("Expected empty data set for binary/null", where=f"{len(payload.data)} bytes")


class BinaryPlainPayloadConverter(EncodingPayloadConverter):
    """Bytes as they are."""

    sure_types = frozenset({bytes})
    passed_types = _JSON_TYPES | {type(None)}

    @property
    def encoding(self) -> str:
        return "binary/plain"

    def to_payload(self, value: Any) -> Payload | None:
        return Payload({"encoding": b"binary/plain"}, bytes(value)) if isinstance(value, bytes) else None

    def from_payload(self, payload: Payload, type_hint: type | None = None) -> Any:
        """The bytes, whatever the hint."""
        return payload.data
