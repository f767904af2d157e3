from __future__ import annotations

import pytest
import temporalio.api.common.v1 as proto
from hypothesis import given
from hypothesis import strategies as st

from durable_nb.api.common.v1 import Payload as PublicPayload
from durable_nb.api.common.v1 import Payloads
from durable_nb.model.payload import Payload, as_payload
from tests.model.strategies import payloads


@given(payloads)
def test_wire_form_is_what_protobuf_writes_and_reads(payload: Payload) -> None:
    theirs = proto.Payload(metadata=payload.metadata, data=payload.data)
    if len(payload.metadata) < 2:  # the order of map entries is protobuf's own affair
        assert payload.SerializeToString() == theirs.SerializeToString()
    assert proto.Payload.FromString(payload.SerializeToString()) == theirs
    assert Payload.FromString(theirs.SerializeToString()) == payload
    assert payload.ByteSize() == theirs.ByteSize()


@given(payloads)
def test_temporal_payloads_are_taken_over(payload: Payload) -> None:
    assert as_payload(proto.Payload(metadata=payload.metadata, data=payload.data)) == payload


def test_own_payloads_are_not_copied() -> None:
    payload = Payload({"encoding": b"x"}, b"y")
    assert as_payload(payload) is payload


@pytest.mark.parametrize("value", [None, "text", {"metadata": {}, "data": b""}, b"bytes"])
def test_what_is_no_payload_is_refused_by_its_type(value: object) -> None:
    with pytest.raises(TypeError, match=type(value).__name__):
        as_payload(value)


@given(st.binary(min_size=1, max_size=30))
def test_bytes_that_are_no_payload_are_a_value_error_or_read_like_protobuf(wire: bytes) -> None:
    try:
        read = Payload.FromString(wire)
    except ValueError:
        return
    try:
        theirs = proto.Payload.FromString(wire)
    except Exception:
        return
    assert read.data == theirs.data


def test_copy_from_copies_the_metadata() -> None:
    source, target = Payload({"a": b"1"}, b"x"), Payload()
    target.CopyFrom(source)
    target.metadata["a"] = b"2"
    assert (source.metadata, target.data) == ({"a": b"1"}, b"x")


@given(st.lists(payloads, max_size=4))
def test_the_wrapper_has_protobufs_wire_form_too(several: list[Payload]) -> None:
    theirs = proto.Payloads.FromString(Payloads(several).SerializeToString())
    assert [as_payload(each) for each in theirs.payloads] == several
    assert Payloads.FromString(theirs.SerializeToString()).payloads == several
    read = Payloads([Payload(data=b"old")])
    assert read.ParseFromString(theirs.SerializeToString()) == theirs.ByteSize()
    assert read.payloads == several


def test_the_public_names_are_these_classes() -> None:
    assert PublicPayload is Payload
    wrapper = Payloads()
    wrapper.payloads.append(Payload())
    assert Payloads().payloads == []
