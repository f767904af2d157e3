from __future__ import annotations

import json

import msgspec
import pytest
from hypothesis import given

from durable_nb.model.attributes import ActivityTaskScheduled, Attributes, TimerStarted, UserMetadata
from durable_nb.model.enums import EventType
from durable_nb.model.events import (
    ATTRIBUTES,
    decode_attributes,
    decode_user_metadata,
    encode_attributes,
    encode_user_metadata,
)
from durable_nb.model.failure import ApplicationFailureInfo, Failure
from durable_nb.model.payload import Payload
from tests.model.strategies import attributes


def test_every_event_type_has_attributes_of_its_name() -> None:
    assert set(ATTRIBUTES) == set(EventType)
    for kind, cls in ATTRIBUTES.items():
        assert cls.__name__ == kind.title


@given(attributes)
def test_attributes_survive_storing(value: Attributes) -> None:
    assert decode_attributes(value.event_type, encode_attributes(value)) == value


def test_defaults_are_not_stored() -> None:
    assert encode_attributes(TimerStarted()) == b"{}"
    stored = json.loads(encode_attributes(ActivityTaskScheduled(activity_id="1", start_to_close_timeout=5)))
    assert stored == {"activityId": "1", "startToCloseTimeout": 5}


def test_a_stored_field_of_the_wrong_type_is_named() -> None:
    with pytest.raises(msgspec.ValidationError, match="timerId"):
        decode_attributes(EventType.TIMER_STARTED, b'{"timerId": 5}')


def test_user_metadata_survives_storing() -> None:
    metadata = UserMetadata(summary=Payload({"encoding": b"json/plain"}, b'"s"'))
    assert decode_user_metadata(encode_user_metadata(metadata)) == metadata
    assert encode_user_metadata(None) is None
    assert decode_user_metadata(None) is None


def test_a_failure_tells_its_variant_as_protobuf_does() -> None:
    failure = Failure(message="m", application_failure_info=ApplicationFailureInfo(type="T"))
    assert failure.WhichOneof("failure_info") == "application_failure_info"
    assert failure.HasField("application_failure_info")
    assert not failure.HasField("cause")
    assert Failure().WhichOneof("failure_info") is None
    with pytest.raises(ValueError, match="failure_info"):
        failure.WhichOneof("info")
    copy = Failure()
    copy.CopyFrom(failure)
    assert copy == failure
    assert [each.message for each in Failure(message="a", cause=failure).chain()] == ["a", "m"]
