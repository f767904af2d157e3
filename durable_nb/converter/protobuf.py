"""Protobuf messages as JSON (``json/protobuf``) or in wire form (``binary/protobuf``).

protobuf is imported only when a message is at hand: a value cannot be one before somebody imported it.
"""

# ruff: noqa: PLC0415 - protobuf is optional; see above
from __future__ import annotations

import json
import sys
from typing import Any

from durable_nb.converter.payload_converter import EncodingPayloadConverter
from durable_nb.errors import PayloadDecodeError
from durable_nb.model.payload import Payload

_OTHER_TYPES = frozenset({type(None), bytes, str, int, float, bool, list, dict, tuple})


def _is_message(value: Any) -> bool:
    module = sys.modules.get("google.protobuf.message")
    return module is not None and isinstance(value, module.Message) and value.DESCRIPTOR is not None


def _new_message(payload: Payload) -> Any:
    """An empty message of the type that the payload names."""
    name = payload.metadata.get("messageType", b"<unknown>").decode()
    try:
        # Optional dependency; imported when the first protobuf payload arrives.
        from google.protobuf import symbol_database
    except ImportError as error:
        raise PayloadDecodeError(
            f"the stored value is a protobuf message {name}, but protobuf is not installed",
            fix="pip install protobuf",
        ) from error
    try:
        return symbol_database.Default().GetSymbol(name)()
    except KeyError as error:
        raise PayloadDecodeError(
            f"Unknown Protobuf type {name}", fix="import the module (…_pb2) that defines the message first"
        ) from error


class JSONProtoPayloadConverter(EncodingPayloadConverter):
    """Protobuf messages as compact JSON with sorted keys.

    Parameters
    ----------
    ignore_unknown_fields
        Skip fields that the message type does not have instead of refusing the value.
    """

    passed_types = _OTHER_TYPES

    def __init__(self, ignore_unknown_fields: bool = False) -> None:
        super().__init__()
        self._ignore_unknown_fields = ignore_unknown_fields

    @property
    def encoding(self) -> str:
        return "json/protobuf"

    def to_payload(self, value: Any) -> Payload | None:
        if not _is_message(value):
            return None
        from google.protobuf import json_format  # optional, and surely there: the value is a message

        fields = json_format.MessageToDict(value)
        return Payload(
            {"encoding": b"json/protobuf", "messageType": value.DESCRIPTOR.full_name.encode()},
            json.dumps(fields, separators=(",", ":"), sort_keys=True).encode(),
        )

    def from_payload(self, payload: Payload, type_hint: type | None = None) -> Any:
        """The message; PayloadDecodeError when its type is not loaded or the JSON does not fit it."""
        message = _new_message(payload)
        from google.protobuf import json_format

        try:
            return json_format.Parse(payload.data, message, ignore_unknown_fields=self._ignore_unknown_fields)
        except json_format.ParseError as error:
            raise PayloadDecodeError(f"Failed parsing {type(message).__name__}: {error}") from error


class BinaryProtoPayloadConverter(EncodingPayloadConverter):
    """Protobuf messages in wire form."""

    passed_types = _OTHER_TYPES

    @property
    def encoding(self) -> str:
        return "binary/protobuf"

    def to_payload(self, value: Any) -> Payload | None:
        if not _is_message(value):
            return None
        return Payload(
            {"encoding": b"binary/protobuf", "messageType": value.DESCRIPTOR.full_name.encode()},
            value.SerializeToString(),
        )

    def from_payload(self, payload: Payload, type_hint: type | None = None) -> Any:
        """The message; PayloadDecodeError when its type is not loaded or the data is damaged."""
        message = _new_message(payload)
        from google.protobuf.message import DecodeError

        try:
            message.ParseFromString(payload.data)
        except DecodeError as error:
            raise PayloadDecodeError(f"Failed parsing {type(message).__name__}: {error}") from error
        return message
