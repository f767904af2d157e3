from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
import temporalio.api.common.v1 as proto
import temporalio.common as their_common
import temporalio.converter as theirs

import durable_nb.common as our_common
from durable_nb import converter as ours
from durable_nb.model.payload import Payload, as_payload

VALUES: list[tuple[str, Any]] = [
    ("text", "some words"),
    ("keyword", "é"),
    ("int", 3),
    ("int", True),
    ("float", 1.5),
    ("float", 2.0),
    ("bool", False),
    ("datetime", datetime(2025, 1, 2, 3, 4, 5, 6, timezone(timedelta(hours=2)))),
    ("keyword_list", ["a", "b"]),
    ("keyword_list", ("a",)),
]


def keys(kind: str) -> tuple[Any, Any]:
    return tuple(getattr(common.SearchAttributeKey, f"for_{kind}")("k") for common in (our_common, their_common))


@pytest.mark.parametrize(("kind", "value"), VALUES)
def test_typed_values_have_temporals_payloads_and_read_back(kind: str, value: Any) -> None:
    mine, other = keys(kind)
    payload = ours.encode_typed_search_attribute_value(mine, value)
    assert payload == as_payload(theirs.encode_typed_search_attribute_value(other, value))
    (pair,) = ours.decode_typed_search_attributes({"k": payload})
    message = proto.SearchAttributes(indexed_fields={"k": proto.Payload(metadata=payload.metadata, data=payload.data)})
    (expected,) = theirs.decode_typed_search_attributes(message)
    assert (pair.key, pair.value) == (mine, expected.value)
    assert dict(ours.decode_search_attributes({"k": payload})) == dict(theirs.decode_search_attributes(message))
    assert ours.decode_search_attributes(message) == ours.decode_search_attributes({"k": payload})


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("int", "3"),
        ("text", 3),
        ("float", 1),
        ("keyword_list", [1]),
        ("keyword_list", {"a"}),
        ("datetime", "2025-01-01"),
        ("datetime", datetime(2025, 1, 1)),
    ],
)
def test_values_that_do_not_suit_the_key_are_refused_as_by_temporal(kind: str, value: Any) -> None:
    mine, other = keys(kind)
    with pytest.raises((TypeError, ValueError)) as expected:
        theirs.encode_typed_search_attribute_value(other, value)
    with pytest.raises(expected.type):
        ours.encode_typed_search_attribute_value(mine, value)


def test_a_removal_is_a_null_without_a_type() -> None:
    key = our_common.SearchAttributeKey.for_int("k")
    assert ours.encode_search_attributes([key.value_unset()]) == {"k": Payload({"encoding": b"binary/null"})}
    assert ours.encode_search_attributes([key.value_set(5)])["k"].data == b"5"


def test_collections_of_typed_attributes_are_encoded() -> None:
    key = our_common.SearchAttributeKey.for_keyword("k")
    collection = our_common.TypedSearchAttributes([our_common.SearchAttributePair(key, "v")])
    encoded = ours.encode_search_attributes(collection)
    assert encoded == {"k": Payload({"encoding": b"json/plain", "type": b"Keyword"}, b'"v"')}
    assert ours.decode_typed_search_attributes(encoded) == collection


@pytest.mark.parametrize("values", [["a"], ["a", "b"], [1], [1.5, 2.5], [True], [], [datetime(2025, 1, 1, tzinfo=UTC)]])
def test_untyped_values_are_lists_as_in_temporal(values: list[Any]) -> None:
    payload = ours.encode_search_attribute_values(values)
    assert payload == as_payload(theirs.encode_search_attribute_values(values))


def test_untyped_attributes_get_the_type_that_a_server_would_look_up() -> None:
    now = datetime(2025, 1, 1, tzinfo=UTC)
    encoded = ours.encode_search_attributes({"a": ["x"], "b": [1], "c": ["x", "y"], "d": [now], "e": []})
    kinds = {name: payload.metadata.get("type") for name, payload in encoded.items()}
    assert kinds == {"a": b"Keyword", "b": b"Int", "c": b"KeywordList", "d": b"Datetime", "e": None}
    assert ours.decode_search_attributes(encoded) == {"a": ["x"], "b": [1], "c": ["x", "y"], "d": [now], "e": []}
    typed = {pair.key.name: pair.value for pair in ours.decode_typed_search_attributes(encoded)}
    assert typed == {"a": "x", "b": 1, "c": ["x", "y"], "d": now}


@pytest.mark.parametrize("values", ["abc", [None], [1, "a"], [1, 1.5], [{"a": 1}]])
def test_wrong_untyped_values_are_refused(values: Any) -> None:
    with pytest.raises(TypeError):
        ours.encode_search_attribute_values(values)


@pytest.mark.parametrize(
    ("metadata", "data", "expected"),
    [
        ({"type": b"Int"}, b"[5]", 5),
        ({"type": b"INDEXED_VALUE_TYPE_INT"}, b"5", 5),
        ({"type": b"Int"}, b"[5,6]", None),
        ({"type": b"Int"}, b'"x"', None),
        ({"type": b"Double"}, b"3", 3.0),
        ({"type": b"Nonsense"}, b"5", None),
        ({}, b"5", None),
        ({"type": b"KeywordList"}, b'["a"]', ["a"]),
        ({"type": b"Datetime"}, b"5", None),
    ],
)
def test_what_does_not_fit_its_type_is_left_out(metadata: dict[str, bytes], data: bytes, expected: Any) -> None:
    payload = Payload({"encoding": b"json/plain", **metadata}, data)
    decoded = [pair.value for pair in ours.decode_typed_search_attributes({"k": payload})]
    assert decoded == ([] if expected is None else [expected])
    assert [type(each) for each in decoded] == ([] if expected is None else [type(expected)])
