"""Values to payloads and back; the names of ``temporalio.converter``.

Values are JSON (``json/plain``), None and bytes and protobuf messages have encodings of their own, tables and arrays
travel as Arrow. Rules: temporal-semantics sections 4 and 5. ``history_json`` is not imported here.
"""

from durable_nb.converter.arrow import ArrowPayloadConverter
from durable_nb.converter.binary import BinaryNullPayloadConverter, BinaryPlainPayloadConverter
from durable_nb.converter.codec import PayloadCodec
from durable_nb.converter.context import (
    ActivitySerializationContext,
    SerializationContext,
    WithSerializationContext,
    WorkflowSerializationContext,
)
from durable_nb.converter.data_converter import DataConverter, matching_hints
from durable_nb.converter.default_converter import DefaultPayloadConverter
from durable_nb.converter.failure_converter import (
    DefaultFailureConverter,
    DefaultFailureConverterWithEncodedAttributes,
    FailureConverter,
)
from durable_nb.converter.json_encoding import AdvancedJSONEncoder
from durable_nb.converter.json_plain import JSONPlainPayloadConverter
from durable_nb.converter.payload_converter import (
    CompositePayloadConverter,
    EncodingPayloadConverter,
    PayloadConverter,
)
from durable_nb.converter.protobuf import BinaryProtoPayloadConverter, JSONProtoPayloadConverter
from durable_nb.converter.search_attributes import (
    decode_search_attributes,
    decode_typed_search_attributes,
    encode_search_attribute_values,
    encode_search_attributes,
    encode_typed_search_attribute_value,
)
from durable_nb.converter.type_hints import JSONTypeConverter, JSONTypeConverterUnhandled, value_to_type

__all__ = [
    "ActivitySerializationContext",
    "AdvancedJSONEncoder",
    "ArrowPayloadConverter",
    "BinaryNullPayloadConverter",
    "BinaryPlainPayloadConverter",
    "BinaryProtoPayloadConverter",
    "CompositePayloadConverter",
    "DataConverter",
    "DefaultFailureConverter",
    "DefaultFailureConverterWithEncodedAttributes",
    "DefaultPayloadConverter",
    "EncodingPayloadConverter",
    "FailureConverter",
    "JSONPlainPayloadConverter",
    "JSONProtoPayloadConverter",
    "JSONTypeConverter",
    "JSONTypeConverterUnhandled",
    "PayloadCodec",
    "PayloadConverter",
    "SerializationContext",
    "WithSerializationContext",
    "WorkflowSerializationContext",
    "decode_search_attributes",
    "decode_typed_search_attributes",
    "default",
    "encode_search_attribute_values",
    "encode_search_attributes",
    "encode_typed_search_attribute_value",
    "matching_hints",
    "value_to_type",
]


def default() -> DataConverter:
    """``DataConverter.default``, in its old spelling."""
    return DataConverter.default
