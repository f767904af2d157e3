"""Exceptions to failure records and back, with Temporal's converter as the judge."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest
import temporalio.api.failure.v1 as proto
import temporalio.exceptions as their_exceptions
from google.protobuf import json_format
from hypothesis import given, settings
from temporalio.converter import DataConverter as TemporalDataConverter
from temporalio.converter import DefaultFailureConverterWithEncodedAttributes as TheirEncodedAttributes

import durable_nb.exceptions as our_exceptions
from durable_nb.api.failure.v1 import Failure as PublicFailure
from durable_nb.converter import (
    DataConverter,
    DefaultFailureConverter,
    DefaultFailureConverterWithEncodedAttributes,
    PayloadCodec,
    PayloadConverter,
)
from durable_nb.converter.json_fields import read_struct, write_struct
from durable_nb.model.failure import Failure
from durable_nb.model.payload import Payload
from tests.model.strategies import failures

DEFAULT = DataConverter.default
ENCODED = DataConverter(failure_converter_class=DefaultFailureConverterWithEncodedAttributes)


def as_theirs(failure: Failure) -> proto.Failure:
    return json_format.ParseDict(write_struct(failure), proto.Failure())


def as_ours(failure: proto.Failure) -> Failure:
    return read_struct(Failure, json_format.MessageToDict(failure), "failure")


def their_record(
    error: BaseException, converter: TemporalDataConverter = TemporalDataConverter.default
) -> proto.Failure:
    failure = proto.Failure()
    converter.failure_converter.to_failure(error, converter.payload_converter, failure)
    return failure


def without_sources(failure: Failure) -> Failure:
    for each in failure.chain():
        each.source = ""
    return failure


def build(e: Any, name: str) -> BaseException:
    """The same exception out of either package."""
    match name:
        case "application":
            return e.ApplicationError(
                "m", 1, {"b": [2]}, type="T", non_retryable=True, next_retry_delay=timedelta(seconds=1.5), category=1
            )
        case "bare application":
            return e.ApplicationError("m")
        case "cancelled":
            return e.CancelledError("stop", "why")
        case "terminated":
            return e.TerminatedError("end", "why")
        case "timeout":
            return e.TimeoutError("late", type=e.TimeoutType.HEARTBEAT, last_heartbeat_details=[1, "x"])
        case "timeout of unknown type":
            return e.TimeoutError("late", type=None, last_heartbeat_details=[])
        case "server":
            return e.ServerError("boom", non_retryable=True)
        case "activity":
            error = e.ActivityError(
                "Activity task failed",
                scheduled_event_id=5,
                started_event_id=6,
                identity="w",
                activity_type="charge",
                activity_id="1",
                retry_state=e.RetryState.TIMEOUT,
            )
            error.__cause__ = e.ApplicationError("down", type="ConnectionError")
            return error
        case "child":
            error = e.ChildWorkflowError(
                "Child Workflow execution failed",
                namespace="n",
                workflow_id="c",
                run_id="r",
                workflow_type="Child",
                initiated_event_id=3,
                started_event_id=4,
                retry_state=None,
            )
            error.__cause__ = build(e, "activity")
            return error
        case "failure":
            return e.FailureError("m")
        case "plain":
            return KeyError("k")
        case "chained plain":
            error = ValueError("v")
            error.__cause__ = KeyError("k")
            error.__cause__.__cause__ = e.ApplicationError("root", 5)
            return error
        case "already started":
            return e.WorkflowAlreadyStartedError("w", "W", run_id="r")
    return e.ApplicationError("implicit")


NAMES = [
    "application",
    "bare application",
    "cancelled",
    "terminated",
    "timeout",
    "timeout of unknown type",
    "server",
    "activity",
    "child",
    "failure",
    "plain",
    "chained plain",
    "already started",
]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("raised", [False, True])
def test_records_are_those_of_temporal(name: str, raised: bool) -> None:
    mine, other = build(our_exceptions, name), build(their_exceptions, name)
    if raised:
        mine, other = (caught(error) for error in (mine, other))
    record = DEFAULT.to_failure(mine)
    assert record.source == "PythonSDK"
    assert without_sources(record) == as_ours(their_record(other))


def caught(error: BaseException) -> BaseException:
    try:
        raise error
    except BaseException as raised:
        return raised


def picture(error: BaseException | None) -> Any:
    """What can be seen of an exception and its causes."""
    if error is None:
        return None
    public = {
        name: getattr(error, name)
        for name in dir(error)
        if not name.startswith("_") and name not in {"failure", "cause", "add_note", "with_traceback", "args"}
    }
    return type(error).__name__, str(error), public, picture(error.__cause__)


@pytest.mark.parametrize("name", NAMES)
def test_exceptions_made_of_records_are_those_of_temporal(name: str) -> None:
    record = their_record(build(their_exceptions, name))
    other = TemporalDataConverter.default.failure_converter.from_failure(
        record, TemporalDataConverter.default.payload_converter
    )
    assert picture(DEFAULT.from_failure(as_ours(record))) == picture(other)


@pytest.mark.slow
@settings(max_examples=100)
@given(failures(2))
def test_any_record_becomes_the_exception_that_temporal_makes(failure: Failure) -> None:
    for each in failure.chain():
        for info in (each.application_failure_info, each.canceled_failure_info):
            if info is not None and info.details is not None:
                info.details = PayloadConverter.default.to_payloads(["d"] * len(info.details))
        if each.timeout_failure_info is not None:
            each.timeout_failure_info.last_heartbeat_details = None
    theirs = TemporalDataConverter.default.failure_converter.from_failure(
        as_theirs(failure), TemporalDataConverter.default.payload_converter
    )
    mine = DEFAULT.from_failure(failure)
    assert picture(mine) == picture(theirs)
    assert DEFAULT.to_failure(mine) == mine.failure


def test_a_group_of_exceptions_tells_what_the_first_of_them_was() -> None:
    members = [caught(ValueError("declined")), KeyError("other")]
    record = DEFAULT.to_failure(caught(ExceptionGroup("unhandled errors in a TaskGroup", members)))
    assert record.message == "unhandled errors in a TaskGroup (2 sub-exceptions)"
    assert record.cause is not None
    assert record.cause.message == "declined"
    assert "test_failures.py" in record.cause.stack_trace
    group = ExceptionGroup("outer", [ExceptionGroup("inner", [ValueError("declined")])])
    group.__cause__ = RuntimeError("said by the author")
    assert [each.message for each in DEFAULT.to_failure(group).chain()][1:] == ["said by the author"]


def test_a_record_without_text_gets_the_standard_message() -> None:
    for name in NAMES:
        record = DEFAULT.to_failure(build(our_exceptions, name))
        record.message = ""
        assert DEFAULT.from_failure(record).message != ""


def test_a_failure_that_passes_through_is_reused_unchanged() -> None:
    record = Failure(message="m", source="GoSDK", stack_trace="goroutine 1", cause=Failure(message="c"))
    error = caught(DEFAULT.from_failure(record))
    assert isinstance(error, our_exceptions.FailureError)
    assert error.failure is record
    assert DEFAULT.to_failure(error) == record
    outer = RuntimeError("outer")
    outer.__cause__ = error
    assert DEFAULT.to_failure(outer).cause == record


def test_the_stack_trace_is_that_of_the_traceback() -> None:
    def deep() -> None:
        raise ValueError("v")

    try:
        deep()
    except ValueError as error:
        trace = DEFAULT.to_failure(error).stack_trace
    assert "in deep" in trace
    assert 'raise ValueError("v")' in trace
    assert DEFAULT.to_failure(ValueError("never raised")).stack_trace == ""


def chained(suppress: bool) -> BaseException:
    try:
        try:
            raise KeyError("inner")
        except KeyError:
            if suppress:
                raise ValueError("outer") from None
            raise ValueError("outer")  # noqa: B904 - the implicit context is what is tested
    except ValueError as error:
        return error


def test_the_context_is_the_cause_unless_suppressed() -> None:
    record = DEFAULT.to_failure(chained(suppress=False))
    assert record.cause is not None
    assert (record.cause.message, record.cause.application_failure_info.type) == ("'inner'", "KeyError")
    assert DEFAULT.to_failure(chained(suppress=True)).cause is None


def test_a_circle_of_causes_ends() -> None:
    first, second = ValueError("first"), ValueError("second")
    first.__cause__, second.__cause__ = second, first
    assert [each.message for each in DEFAULT.to_failure(first).chain()] == ["first"]
    outer = KeyError("outer")
    outer.__cause__ = first
    assert next(each.message for each in DEFAULT.to_failure(outer).chain()) == "'outer'"


def test_cancellation_and_groups_of_asyncio_are_plain_exceptions_here() -> None:
    assert DEFAULT.to_failure(asyncio.CancelledError()).application_failure_info.type == "CancelledError"
    group = ExceptionGroup("g", [ValueError("v")])
    assert DEFAULT.to_failure(group).application_failure_info.type == "ExceptionGroup"


def test_details_that_cannot_be_encoded_raise() -> None:
    with pytest.raises(TypeError, match="object is not JSON serializable"):
        DEFAULT.to_failure(our_exceptions.ApplicationError("m", object()))


# -- encoded attributes and codecs ---------------------------------------------------------------------------------


def test_message_and_stack_trace_move_to_the_encoded_attributes() -> None:
    theirs = TemporalDataConverter(failure_converter_class=TheirEncodedAttributes)
    mine = ENCODED.to_failure(build(our_exceptions, "activity"))
    assert without_sources(mine) == as_ours(their_record(build(their_exceptions, "activity"), theirs))
    assert {each.message for each in mine.chain()} == {"Encoded failure"}


def test_encoded_attributes_are_put_back_and_the_record_left_alone() -> None:
    record = ENCODED.to_failure(caught(ValueError("secret")))
    error = DEFAULT.from_failure(record)
    assert isinstance(error, our_exceptions.ApplicationError)
    assert error.message == "secret"
    assert "raise error" in error.failure.stack_trace
    assert record.message == "Encoded failure"


def test_encoded_attributes_that_cannot_be_read_are_left() -> None:
    record = ENCODED.to_failure(ValueError("secret"))
    record.encoded_attributes = Payload({"encoding": b"binary/encrypted"}, b"?")
    assert DEFAULT.from_failure(record).message == "Encoded failure"


class Curt(DefaultFailureConverter):
    """As users write them, with the public name of the record."""

    def to_failure(self, exception: BaseException, payload_converter: PayloadConverter, failure: PublicFailure) -> None:
        super().to_failure(exception, payload_converter, failure)
        failure.stack_trace = ""
        if failure.HasField("application_failure_info"):
            failure.message = failure.message.partition(":")[0]


async def test_a_users_failure_converter_changes_the_record() -> None:
    converter = DataConverter(failure_converter_class=Curt)
    record = PublicFailure()
    await converter.encode_failure(ValueError("bad: card 4711"), record)
    assert (record.message, record.stack_trace) == ("bad", "")
    assert str(await converter.decode_failure(record)) == "ValueError: bad"


class Reversing(PayloadCodec):
    """Stores payloads back to front, as one of Temporal's payloads."""

    async def encode(self, payloads: Any) -> Any:
        import temporalio.api.common.v1 as common

        return [common.Payload(metadata={"encoding": b"rev"}, data=each.SerializeToString()[::-1]) for each in payloads]

    async def decode(self, payloads: Any) -> Any:
        return [Payload.FromString(each.data[::-1]) for each in payloads]


CODED = DataConverter(payload_codec=Reversing(), failure_converter_class=DefaultFailureConverterWithEncodedAttributes)


@pytest.mark.parametrize("name", ["application", "cancelled", "timeout", "child", "chained plain"])
async def test_a_codec_covers_every_payload_of_a_failure(name: str) -> None:
    plain = ENCODED.to_failure(build(our_exceptions, name))
    record = Failure()
    await CODED.encode_failure(build(our_exceptions, name), record)
    assert all(each.encoded_attributes.metadata["encoding"] == b"rev" for each in record.chain())
    assert b"json/plain" not in repr(record).encode()
    before = repr(record)
    error = await CODED.decode_failure(record)
    assert repr(record) == before
    assert picture(error) == picture(ENCODED.from_failure(plain))
    assert (await CODED.decode_failure_payloads(record)) == plain


async def test_a_codec_does_not_change_the_record_an_exception_holds() -> None:
    record = DEFAULT.to_failure(build(our_exceptions, "child"))
    error = DEFAULT.from_failure(record)
    before = repr(record)
    await CODED.encode_failure(error, Failure())
    await CODED.encode_failure_payloads(record)
    assert repr(record) == before


async def test_values_pass_through_a_codec_and_back() -> None:
    payloads = await CODED.encode([1, None, {"a": "é"}])
    assert [(type(each), each.metadata) for each in payloads] == [(Payload, {"encoding": b"rev"})] * 3
    assert await CODED.decode(payloads) == [1, None, {"a": "é"}]
    assert await CODED.decode(payloads[:1], [float]) == [1.0]
    wrapper = await CODED.encode_wrapper([5])
    assert await CODED.decode_wrapper(wrapper) == [5]
    assert await CODED.decode_wrapper(None) == []


async def test_codec_helpers_work_in_place() -> None:
    codec = Reversing()
    wrapper = PayloadConverter.default.to_payloads_wrapper([1])
    await codec.encode_wrapper(wrapper)
    assert wrapper.payloads[0].metadata == {"encoding": b"rev"}
    await codec.decode_wrapper(wrapper)
    assert PayloadConverter.default.from_payloads_wrapper(wrapper) == [1]
    failure = DEFAULT.to_failure(build(our_exceptions, "application"))
    before = repr(failure)
    await codec.encode_failure(failure)
    assert repr(failure) != before
    await codec.decode_failure(failure)
    assert repr(failure) == before


async def test_without_a_codec_nothing_is_copied() -> None:
    failure = Failure(message="m")
    assert await DEFAULT.encode_failure_payloads(failure) is failure
    assert await DEFAULT.decode(await DEFAULT.encode([1])) == [1]


def test_a_failure_converter_of_the_users_is_used() -> None:
    class Tagging(DefaultFailureConverter):
        def to_failure(self, exception: BaseException, payload_converter: PayloadConverter, failure: Failure) -> None:
            super().to_failure(exception, payload_converter, failure)
            if failure.HasField("application_failure_info"):
                failure.application_failure_info.type = "Tagged"

    converter = DataConverter(failure_converter_class=Tagging)
    error = converter.from_failure(converter.to_failure(ValueError("v")))
    assert isinstance(error, our_exceptions.ApplicationError)
    assert error.type == "Tagged"
