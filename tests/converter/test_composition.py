"""Composite converters, raw values, unknown encodings, payloads made by Temporal's classes, and contexts."""

from __future__ import annotations

from typing import Any

import pytest
import temporalio.api.common.v1 as proto

from durable_nb.api.common.v1 import Payload, Payloads
from durable_nb.common import RawValue
from durable_nb.converter import (
    BinaryNullPayloadConverter,
    CompositePayloadConverter,
    DataConverter,
    DefaultPayloadConverter,
    EncodingPayloadConverter,
    JSONPlainPayloadConverter,
    PayloadConverter,
    SerializationContext,
    WithSerializationContext,
    WorkflowSerializationContext,
    matching_hints,
)
from durable_nb.errors import PayloadDecodeError, PayloadEncodeError, UnknownEncodingError

DEFAULT = PayloadConverter.default


class Shouting(EncodingPayloadConverter):
    """Takes strings, and gives Temporal's payload class."""

    @property
    def encoding(self) -> str:
        return "text/shout"

    def to_payload(self, value: Any) -> Any:
        if not isinstance(value, str):
            return None
        return proto.Payload(metadata={"encoding": b"text/shout"}, data=value.upper().encode())

    def from_payload(self, payload: Payload, type_hint: type | None = None) -> Any:
        if not payload.data:
            raise RuntimeError("nothing was shouted")
        return payload.data.decode()


class WithShouting(CompositePayloadConverter):
    def __init__(self) -> None:
        super().__init__(Shouting(), *DefaultPayloadConverter.default_encoding_payload_converters)


def test_an_encoding_put_first_is_asked_first_and_may_give_temporals_payloads() -> None:
    converter = WithShouting()
    payloads = converter.to_payloads(["a", 1, None])
    assert payloads[0] == Payload({"encoding": b"text/shout"}, b"A")
    assert [type(each) for each in payloads] == [Payload] * 3
    assert converter.from_payloads(payloads) == ["A", 1, None]


def test_an_encoding_that_replaces_a_standard_one_by_inheritance_is_respected() -> None:
    class NullOrEmpty(BinaryNullPayloadConverter):
        def to_payload(self, value: Any) -> Payload | None:
            return super().to_payload(value or None)

    converter = CompositePayloadConverter(NullOrEmpty(), JSONPlainPayloadConverter())
    encodings = [each.metadata["encoding"] for each in converter.to_payloads(["", [], "x"])]
    assert encodings == [b"binary/null", b"binary/null", b"json/plain"]


def test_converters_exchanged_after_the_first_use_are_used() -> None:
    converter = CompositePayloadConverter(JSONPlainPayloadConverter())
    assert converter.to_payload("a").data == b'"a"'
    converter.converters = {b"text/shout": Shouting()}
    assert converter.to_payload("a").data == b"A"


def test_a_value_that_nobody_takes_is_named_by_its_type() -> None:
    with pytest.raises(RuntimeError, match="value at index 1 of type int has no known converter"):
        CompositePayloadConverter(Shouting()).to_payloads(["a", 1])
    assert issubclass(PayloadEncodeError, RuntimeError)


def test_raw_values_pass_through_both_ways() -> None:
    payload = Payload({"encoding": b"binary/encrypted"}, b"\x00")
    assert DEFAULT.to_payloads([RawValue(payload)]) == [payload]
    assert DEFAULT.from_payloads([payload], [RawValue]) == [RawValue(payload)]
    theirs = proto.Payload(metadata={"encoding": b"x"}, data=b"y")
    assert DEFAULT.to_payloads([RawValue(theirs)]) == [Payload({"encoding": b"x"}, b"y")]  # type: ignore[arg-type]


def test_an_unknown_encoding_is_named_with_those_known_and_the_remedy() -> None:
    with pytest.raises(UnknownEncodingError) as caught:
        DEFAULT.from_payloads([DEFAULT.to_payload(1), Payload({"encoding": b"binary/encrypted"}, b"x")])
    text = str(caught.value)
    assert text.startswith("DNB403 Unknown payload encoding binary/encrypted")
    assert "index 1" in text
    assert "json/plain" in text
    assert "codec" in text
    assert isinstance(caught.value, KeyError)


def test_a_payload_without_an_encoding_is_refused() -> None:
    with pytest.raises(UnknownEncodingError, match="<unknown>"):
        DEFAULT.from_payload(Payload())


def test_a_runtime_error_of_an_encoding_says_which_payload() -> None:
    with pytest.raises(
        PayloadDecodeError, match="index 0 with encoding text/shout could not be converted: nothing was"
    ):
        WithShouting().from_payload(Payload({"encoding": b"text/shout"}))


@pytest.mark.parametrize("data", [b"", b"{", b"\xff", b"'a'", b"[1,]"])
def test_data_that_is_no_json_is_refused(data: bytes) -> None:
    with pytest.raises(PayloadDecodeError, match="the stored data is not JSON"):
        DEFAULT.from_payload(Payload({"encoding": b"json/plain"}, data))


def test_null_with_data_is_refused() -> None:
    with pytest.raises(RuntimeError, match="Expected empty data set for binary/null"):
        DEFAULT.from_payload(Payload({"encoding": b"binary/null"}, b"x"))


def test_which_of_several_payloads_does_not_fit_is_said() -> None:
    with pytest.raises(PayloadDecodeError) as caught:
        DEFAULT.from_payloads(DEFAULT.to_payloads([1, "x"]), [int, int])
    assert caught.value.where == "value 2 of 2, encoding json/plain"


def test_fewer_hints_than_payloads_leave_the_rest_unhinted() -> None:
    assert DEFAULT.from_payloads(DEFAULT.to_payloads([1, 2]), [float]) == [1.0, 2]


@pytest.mark.parametrize(("hints", "used"), [(None, False), ([], False), ([int], False), ([int, int], True)])
def test_hints_count_only_when_there_is_one_per_payload(hints: Any, used: bool) -> None:
    payloads = DEFAULT.to_payloads([1, 2])
    assert (matching_hints(hints, payloads) is not None) is used
    assert DataConverter.default.from_payloads(payloads, [float]) == [1, 2]


def test_payloads_wrappers_are_read_and_written() -> None:
    wrapper = DEFAULT.to_payloads_wrapper([1, "a"])
    assert isinstance(wrapper, Payloads)
    assert DEFAULT.from_payloads_wrapper(wrapper) == [1, "a"]
    assert DEFAULT.from_payloads_wrapper(None) == []
    assert DEFAULT.from_payloads_wrapper(Payloads()) == []


def test_each_payload_has_metadata_of_its_own() -> None:
    first, second = DEFAULT.to_payloads(["a", "b"])
    first.metadata["type"] = b"Keyword"
    assert second.metadata == {"encoding": b"json/plain"}


class Contextual(EncodingPayloadConverter, WithSerializationContext):
    def __init__(self, workflow_id: str = "-") -> None:
        self.workflow_id = workflow_id

    @property
    def encoding(self) -> str:
        return "text/context"

    def to_payload(self, value: Any) -> Payload | None:
        return Payload({"encoding": b"text/context"}, self.workflow_id.encode())

    def from_payload(self, payload: Payload, type_hint: type | None = None) -> Any:
        return payload.data.decode()

    def with_context(self, context: SerializationContext) -> Any:
        return Contextual(context.workflow_id) if isinstance(context, WorkflowSerializationContext) else self


class ContextualComposite(CompositePayloadConverter):
    def __init__(self) -> None:
        super().__init__(Contextual())


def test_converters_that_want_it_are_told_the_context() -> None:
    context = WorkflowSerializationContext(namespace="n", workflow_id="wf-1")
    converter = DataConverter(payload_converter_class=ContextualComposite)
    told = converter.with_context(context)
    assert told.payload_converter.to_payload(1).data == b"wf-1"
    assert converter.payload_converter.to_payload(1).data == b"-"
    assert told.failure_converter is converter.failure_converter
    assert DataConverter.default.with_context(context) is DataConverter.default
    assert converter.with_context(SerializationContext()) is converter
