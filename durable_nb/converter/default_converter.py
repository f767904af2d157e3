"""The converter used unless a program names another: Temporal's encodings, and Arrow for tables and arrays."""

from __future__ import annotations

from typing import ClassVar

from durable_nb.converter.arrow import ArrowPayloadConverter
from durable_nb.converter.binary import BinaryNullPayloadConverter, BinaryPlainPayloadConverter
from durable_nb.converter.json_plain import JSONPlainPayloadConverter
from durable_nb.converter.payload_converter import CompositePayloadConverter, EncodingPayloadConverter
from durable_nb.converter.protobuf import BinaryProtoPayloadConverter, JSONProtoPayloadConverter


class DefaultPayloadConverter(CompositePayloadConverter):
    """None, bytes, protobuf messages, tables and arrays, and everything that has a JSON form."""

    default_encoding_payload_converters: ClassVar[tuple[EncodingPayloadConverter, ...]] = (
        BinaryNullPayloadConverter(),
        BinaryPlainPayloadConverter(),
        JSONProtoPayloadConverter(),
        BinaryProtoPayloadConverter(),
        ArrowPayloadConverter(),  # before JSON, which would iterate an array or table
        JSONPlainPayloadConverter(),  # last: it takes everything or raises
    )
    """In the order in which they are asked."""

    def __init__(self) -> None:
        super().__init__(*DefaultPayloadConverter.default_encoding_payload_converters)
