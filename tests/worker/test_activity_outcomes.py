"""From an activity task to its outcome: arguments, results, failures, context, interceptors, codec."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from durable_nb import activity
from durable_nb.common import RawValue, RetryPolicy
from durable_nb.converter import DataConverter, PayloadCodec
from durable_nb.exceptions import ApplicationError, ApplicationErrorCategory
from durable_nb.model.attributes import PriorityAttributes, RetryPolicyAttributes
from durable_nb.model.payload import Payload
from tests.worker.executor_rig import CONVERTER, Rig, activity_task, failure_type, payloads, value_of

tenant: ContextVar[str] = ContextVar("tenant")


@dataclass
class Order:
    item: str
    count: int = 1


@activity.defn
async def describe(order: Order, note: str = "none") -> str:
    return f"{type(order).__name__} {order} {note}"


@activity.defn
def describe_in_thread(order: Order) -> str:
    return f"{type(order).__name__} {threading.current_thread().name} {activity.info().activity_type}"


@activity.defn
async def fail(kind: str) -> None:
    if kind == "plain":
        raise KeyError("no such order")
    if kind == "benign":
        raise ApplicationError("later", type="Busy", category=ApplicationErrorCategory.BENIGN)
    raise ApplicationError("no", 1, type="Refused", non_retryable=True, next_retry_delay=timedelta(seconds=3))


@activity.defn
def fail_in_thread() -> None:
    raise StopIteration("odd")


@activity.defn
async def who() -> dict[str, Any]:
    info = activity.info()
    assert activity.in_activity()
    return {
        "same": info is activity.info(),
        "scheduled": info.scheduled_time == datetime(1970, 1, 1, 0, 0, 1, tzinfo=UTC),
        "heartbeat_timeout": info.heartbeat_timeout == timedelta(seconds=9),
        "no_timeout": info.start_to_close_timeout,
        "previous": list(info.heartbeat_details),
        "priority": info.priority.priority_key,
        "retry": info.retry_policy == RetryPolicy(maximum_attempts=4, maximum_interval=timedelta(seconds=9)),
        "workflow": [info.workflow_id, info.workflow_run_id, info.workflow_type, info.task_queue],
        "in_workflow": info.in_workflow,
        "converter": activity.payload_converter() is CONVERTER.payload_converter,
        "meter": activity.metric_meter() is not None,
    }


@activity.defn(dynamic=True)
async def anything(args: Sequence[RawValue]) -> list[Any]:
    converter = activity.payload_converter()
    return [activity.info().activity_type, *(converter.from_payload(raw.payload, int) for raw in args)]


@activity.defn
async def unencodable() -> Any:
    return object()


@activity.defn
async def asynchronous() -> None:
    activity.heartbeat("half")
    activity.heartbeat("way")
    activity.raise_complete_async()


@activity.defn
async def speak() -> None:
    activity.logger.info("working", extra={"mine": 1})


async def test_arguments_are_decoded_by_their_hints() -> None:
    rig = Rig(describe)
    assert await rig.result("describe", {"item": "book"}, "gift") == "Order Order(item='book', count=1) gift"


async def test_when_hints_and_payloads_differ_in_number_no_hint_is_used() -> None:
    assert await Rig(describe).result("describe", {"item": "book"}) == "dict {'item': 'book'} none"


async def test_a_wrong_number_of_arguments_is_a_clear_failure() -> None:
    with ThreadPoolExecutor(1) as pool:
        rig = Rig(describe, describe_in_thread, executor=pool)
        for name in ("describe", "describe_in_thread"):
            outcome = await rig.run(name, 1, 2, 3)
            assert failure_type(outcome) == "TypeError"
            assert outcome.failure is not None
            assert f"activity {name} takes 1" in outcome.failure.message
            assert "was called with 3" in outcome.failure.message


async def test_arguments_that_cannot_be_decoded_fail_the_activity() -> None:
    rig = Rig(describe)
    outcome = await rig.run("describe", {"colour": 1}, "x")
    assert outcome.failure is not None
    assert outcome.failure.message == "Failed decoding arguments"
    assert outcome.failure.cause is not None
    assert "item" in outcome.failure.cause.message


async def test_heartbeat_details_that_cannot_be_decoded_fail_it_for_good() -> None:
    rig = Rig(who)
    bad = [Payload(metadata={"encoding": b"json/plain"}, data=b"{")]
    outcome = await rig.run("who", heartbeat_details=bad)
    assert outcome.failure is not None
    assert outcome.failure.message == "Failed decoding heartbeat details"
    assert outcome.failure.application_failure_info is not None
    assert outcome.failure.application_failure_info.non_retryable


async def test_a_result_of_none_is_one_payload() -> None:
    outcome = await Rig(speak).run("speak")
    assert outcome.result is not None
    assert [payload.metadata["encoding"] for payload in outcome.result] == [b"binary/null"]


async def test_a_sync_activity_runs_in_the_executor_with_its_context() -> None:
    with ThreadPoolExecutor(1, thread_name_prefix="pool") as pool:
        rig = Rig(describe_in_thread, executor=pool)
        assert await rig.result("describe_in_thread", {"item": "x"}) == "Order pool_0 describe_in_thread"


async def test_activities_see_the_context_variables_of_whoever_ran_the_worker() -> None:
    @activity.defn
    async def in_loop() -> str:
        tenant.set(tenant.get() + "!")
        return tenant.get()

    @activity.defn
    def in_thread() -> str:
        tenant.set(tenant.get() + "?")
        return tenant.get()

    tenant.set("acme")
    with ThreadPoolExecutor(1) as pool:
        rig = Rig(in_loop, in_thread, executor=pool)
        assert [await rig.result("in_loop"), await rig.result("in_thread")] == ["acme!", "acme?"]
        assert [await rig.result("in_loop"), await rig.result("in_thread")] == ["acme!", "acme?"]


async def test_info_tells_the_attempt_as_recorded() -> None:
    told = await Rig(who).result(
        "who",
        heartbeat_timeout=9_000_000,
        heartbeat_details=payloads("at", 7),
        priority=PriorityAttributes(priority_key=2),
        retry_policy=RetryPolicyAttributes(
            initial_interval=1_000_000, backoff_coefficient=2.0, maximum_interval=9_000_000, maximum_attempts=4
        ),
    )
    assert told == {
        "same": True,
        "scheduled": True,
        "heartbeat_timeout": True,
        "no_timeout": None,
        "previous": ["at", 7],
        "priority": 2,
        "retry": True,
        "workflow": ["order-1", "run-1", "OrderWorkflow", "q"],
        "in_workflow": True,
        "converter": True,
        "meter": True,
    }


async def test_a_plain_exception_becomes_a_failure_with_its_class_as_type(caplog: pytest.LogCaptureFixture) -> None:
    outcome = await Rig(fail).run("fail", "plain")
    assert failure_type(outcome) == "KeyError"
    assert outcome.failure is not None
    assert "in fail" in outcome.failure.stack_trace
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert record.message.startswith("Completing activity as failed ({'activity_id': '1', ")
    assert record.__dict__["temporal_activity"]["workflow_id"] == "order-1"
    assert record.__dict__["__temporal_error_identifier"] == "ActivityFailure"
    assert record.exc_info is not None


async def test_an_application_error_keeps_its_fields() -> None:
    info = (await Rig(fail).run("fail", "final")).failure.application_failure_info
    assert (info.type, info.non_retryable, info.next_retry_delay) == ("Refused", True, 3_000_000)


async def test_a_benign_error_is_logged_at_debug_only(caplog: pytest.LogCaptureFixture) -> None:
    assert failure_type(await Rig(fail).run("fail", "benign")) == "Busy"
    assert [record for record in caplog.records if record.levelno > logging.DEBUG] == []


async def test_even_stop_iteration_in_a_thread_is_a_failure() -> None:
    with ThreadPoolExecutor(1) as pool:
        assert failure_type(await Rig(fail_in_thread, executor=pool).run("fail_in_thread")) == "StopIteration"


async def test_a_result_that_cannot_be_encoded_is_a_failure() -> None:
    outcome = await Rig(unencodable).run("unencodable")
    assert outcome.failure is not None
    assert "object" in outcome.failure.message


async def test_an_unknown_activity_is_not_found_and_retryable_with_a_suggestion() -> None:
    outcome = await Rig(describe, fail).run("descirbe")
    assert failure_type(outcome) == "NotFoundError"
    assert outcome.failure is not None
    assert outcome.failure.message == (
        "Activity function descirbe for workflow order-1 is not registered on this worker, available activities: "
        "describe, fail; did you mean describe?"
    )
    assert not outcome.failure.application_failure_info.non_retryable


async def test_a_dynamic_activity_takes_every_unknown_type() -> None:
    rig = Rig(describe, anything)
    assert await rig.result("whatever", 1, 2) == ["whatever", 1, 2]
    assert await rig.result("empty") == ["empty"]
    assert rig.executor.serves("no-such")


async def test_asynchronous_completion_leaves_the_attempt_open_and_hands_over_what_was_held_back() -> None:
    rig = Rig(asynchronous)
    outcome = await rig.run("asynchronous")
    assert outcome.pending
    assert (outcome.result, outcome.failure) == (None, None)
    assert CONVERTER.from_payloads(outcome.last_heartbeat_details) == ["way"]


async def test_log_records_carry_the_activity(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "durable_nb.activity"):
        await Rig(speak).result("speak")
    (record,) = caplog.records
    assert record.message.startswith("working ({'activity_id'")
    assert record.__dict__["mine"] == 1
    assert record.__dict__["temporal_activity"]["activity_type"] == "speak"


async def test_attempts_count_against_the_slots_until_they_end() -> None:
    gate = asyncio.Event()

    @activity.defn
    async def hold() -> None:
        await gate.wait()

    rig = Rig(hold, max_concurrent=3)
    ends = [rig.start(activity_task("hold")) for _ in range(2)]
    assert rig.executor.free_slots() == 1
    gate.set()
    await asyncio.gather(*ends)
    assert rig.executor.free_slots() == 3
    assert len(rig.reports) == 2


async def test_a_replaced_definition_is_what_runs_next() -> None:
    @activity.defn(name="greet")
    async def first() -> str:
        return "first"

    @activity.defn(name="greet")
    async def second() -> str:
        return "second"

    rig = Rig(first)
    assert await rig.result("greet") == "first"
    rig.executor.register(second)
    assert await rig.result("greet") == "second"


class Reversing(PayloadCodec):
    """Turns data around; refuses what is forbidden."""

    async def encode(self, payloads: Sequence[Payload]) -> list[Payload]:
        if any(b"forbidden" in payload.data for payload in payloads):
            raise ValueError("the codec refuses this")
        return [Payload(metadata={"encoding": b"rev"}, data=p.SerializeToString()[::-1]) for p in payloads]

    async def decode(self, payloads: Sequence[Payload]) -> list[Payload]:
        return [Payload.FromString(p.data[::-1]) for p in payloads]


async def test_a_codec_covers_arguments_results_details_and_failures() -> None:
    converter = DataConverter(payload_codec=Reversing())
    with ThreadPoolExecutor(1) as pool:
        rig = Rig(describe_in_thread, who, fail, data_converter=converter, executor=pool)
        task = activity_task("describe_in_thread", input=await converter.encode([Order("x")]))
        outcome = await rig.start(task)
        assert (await converter.decode(outcome.result))[0].startswith("Order ")
        told = await rig.start(activity_task("who", heartbeat_details=await converter.encode(["d"])))
        assert (await converter.decode(told.result))[0]["previous"] == ["d"]
        failed = await rig.start(activity_task("fail", input=await converter.encode(["final"])))
        assert failed.failure.application_failure_info.details[0].metadata["encoding"] == b"rev"
        assert task.input[0].metadata["encoding"] == b"rev", "the engine's task is left alone"


async def test_a_codec_that_refuses_the_failure_still_gives_an_outcome() -> None:
    @activity.defn
    async def leak() -> None:
        raise ApplicationError("x", "forbidden")

    rig = Rig(leak, data_converter=DataConverter(payload_codec=Reversing()))
    outcome = await rig.run("leak")
    assert outcome.failure is not None
    assert outcome.failure.message == "Failed building exception result: the codec refuses this"
    assert value_of(await Rig(speak).run("speak")) is None
