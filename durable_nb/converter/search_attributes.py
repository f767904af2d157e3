"""Search attributes to payloads and back: JSON with the index type in the metadata.

They are never passed through a codec, for the store must be able to compare them. Source: temporal-semantics
section 5.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from durable_nb.converter.payload_converter import PayloadConverter
from durable_nb.model.payload import Payload
from durable_nb.search_attributes import (
    SearchAttributeIndexedValueType,
    SearchAttributeKey,
    SearchAttributePair,
    SearchAttributes,
    SearchAttributeUpdate,
    SearchAttributeValue,
    SearchAttributeValues,
    TypedSearchAttributes,
)


def encode_search_attributes(
    attributes: SearchAttributes | TypedSearchAttributes | Sequence[SearchAttributeUpdate[Any]],
) -> dict[str, Payload]:
    """Payloads by name.

    Untyped values get the index type that fits them, since no server is there to look it up; a removal
    (``value_unset``) gets a null payload.

    Raises
    ------
    TypeError
        A value does not have the type of its key, or an untyped value is not a list of one type.
    ValueError
        A datetime has no time zone.
    """
    if isinstance(attributes, Mapping):
        return {name: _encode_untyped(name, values) for name, values in attributes.items()}
    return {each.key.name: encode_typed_search_attribute_value(each.key, each.value) for each in attributes}


def encode_typed_search_attribute_value(key: SearchAttributeKey[Any], value: SearchAttributeValue | None) -> Payload:
    """Payload of one value; None gives the null payload, without a type.

    Raises
    ------
    TypeError
        The value does not have the type of the key.
    ValueError
        A datetime has no time zone.
    """
    converter = PayloadConverter.default
    if value is None:
        return converter.to_payload(None)
    if not isinstance(value, key.origin_value_type):
        raise TypeError(
            f"search attribute {key.name!r}: value {value!r} of type {type(value).__name__} does not suit the index "
            f"type {key.indexed_value_type.metadata_name}"
        )
    payload = converter.to_payload(_storable(value))
    payload.metadata["type"] = key.indexed_value_type.metadata_name.encode()
    return payload


def _storable(value: Any) -> Any:
    if isinstance(value, datetime):
        if value.tzinfo is None:
            raise ValueError("Timezone must be present on all search attribute dates")
        return value.isoformat()
    if isinstance(value, Sequence) and not all(isinstance(each, str) for each in value):
        raise TypeError("All values of a keyword list must be strings")
    return value


def encode_search_attribute_values(vals: SearchAttributeValues) -> Payload:
    """Payload of untyped values: a JSON list without a type.

    Raises
    ------
    TypeError
        ``vals`` is no list, or its values are not of one of the types that can be indexed.
    ValueError
        A datetime has no time zone.
    """
    if not isinstance(vals, list):
        raise TypeError("Search attribute values must be lists")
    kinds = set()
    for value in vals:
        if not isinstance(value, (str, int, float, bool, datetime)):
            raise TypeError(
                f"Search attribute value of type {type(value).__name__} not one of str, int, float, bool, or datetime"
            )
        kinds.add(type(value))
    if len(kinds) > 1:
        raise TypeError("Search attribute values must have the same type for the same key")
    return PayloadConverter.default.to_payload([_storable(value) for value in vals])


def _encode_untyped(name: str, values: SearchAttributeValues) -> Payload:
    payload = encode_search_attribute_values(values)
    key = SearchAttributeKey.guess_from_values(name, values)
    if key is not None:
        payload.metadata["type"] = key.indexed_value_type.metadata_name.encode()
    return payload


def decode_search_attributes(fields: Mapping[str, Payload] | Any) -> SearchAttributes:
    """Untyped values by name, each a list; ``fields`` maps names to payloads, or is a message with indexed_fields."""
    decoded: dict[str, Any] = {}
    for name, payload in _fields(fields).items():
        value = PayloadConverter.default.from_payload(payload)
        values = value if isinstance(value, list) else [value]
        if payload.metadata.get("type") == b"Datetime":
            values = [datetime.fromisoformat(each) for each in values]
        decoded[name] = values
    return decoded


def decode_typed_search_attributes(fields: Mapping[str, Payload] | Any) -> TypedSearchAttributes:
    """Typed values. Payloads without a known type, and values that do not fit theirs, are left out."""
    pairs = []
    for name, payload in _fields(fields).items():
        kind = payload.metadata.get("type")
        key = SearchAttributeKey.from_metadata_type(name, kind.decode()) if kind else None
        if key is None:
            continue
        value = PayloadConverter.default.from_payload(payload)
        if isinstance(value, list) and key.indexed_value_type is not SearchAttributeIndexedValueType.KEYWORD_LIST:
            if len(value) != 1:
                continue
            value = value[0]
        if key.indexed_value_type is SearchAttributeIndexedValueType.DATETIME and isinstance(value, str):
            value = datetime.fromisoformat(value)
        elif key.indexed_value_type is SearchAttributeIndexedValueType.DOUBLE and type(value) is int:
            value = float(value)  # JSON made 1.0 of another SDK an integer
        if isinstance(value, key.origin_value_type):
            pairs.append(SearchAttributePair(key, value))
    return TypedSearchAttributes(pairs)


def _fields(fields: Any) -> Mapping[str, Payload]:
    return fields if isinstance(fields, Mapping) else fields.indexed_fields
