from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest

from durable_nb import activity, workflow
from durable_nb.common import Priority, RetryPolicy
from durable_nb.exceptions import ActivityError, ApplicationError, CancelledError, TimeoutError
from durable_nb.model import attributes as a
from durable_nb.model.enums import RetryState
from tests.runtime.driver import SECOND, Driver, payloads, value

SHORT = timedelta(seconds=10)


@activity.defn
async def typed(number: int, text: str = "x") -> set[int]:
    return {number}


@activity.defn(name="renamed")
def sync(number: int) -> int:
    return number


class Methods:
    @activity.defn
    async def method(self, text: str) -> str:
        return text


@activity.defn
class Callable_:
    async def __call__(self, text: str) -> str:
        return text


@workflow.defn
class Runs:
    @workflow.run
    async def run(self, name: str) -> Any:
        return await CASES[name]()


async def all_options() -> Any:
    return await workflow.execute_activity(
        typed,
        args=[1, "two"],
        task_queue="other",
        schedule_to_close_timeout=timedelta(seconds=1),
        schedule_to_start_timeout=timedelta(seconds=2),
        start_to_close_timeout=timedelta(seconds=3),
        heartbeat_timeout=timedelta(seconds=4),
        retry_policy=RetryPolicy(maximum_attempts=5, non_retryable_error_types=["Bad"]),
        activity_id="my-id",
        summary="one line",
        priority=Priority(priority_key=2),
    )


async def kinds() -> list[Any]:
    return list(
        await asyncio.gather(
            workflow.execute_activity(sync, 1, start_to_close_timeout=SHORT),
            workflow.execute_activity_method(Methods.method, "m", start_to_close_timeout=SHORT),
            workflow.execute_activity_class(Callable_, "c", start_to_close_timeout=SHORT),
            workflow.execute_activity("by_name", start_to_close_timeout=SHORT, result_type=set),
        )
    )


async def no_timeout() -> None:
    await workflow.execute_activity("a")


async def undecorated() -> None:
    await workflow.execute_activity(print, start_to_close_timeout=SHORT)


async def arg_and_args() -> None:
    await workflow.execute_activity("a", 1, args=[2], start_to_close_timeout=SHORT)


async def emission_order() -> None:
    handle = workflow.start_activity("second_awaited", start_to_close_timeout=SHORT)
    await asyncio.gather(
        workflow.execute_activity("gathered_1", start_to_close_timeout=SHORT),
        workflow.execute_activity("gathered_2", start_to_close_timeout=SHORT),
    )
    await handle


async def failing() -> list[Any]:
    try:
        await workflow.execute_activity("a", start_to_close_timeout=SHORT)
    except ActivityError as error:
        cause: Any = error.cause
        return [
            type(cause) is ApplicationError,
            error.message,
            error.activity_id,
            error.activity_type,
            error.retry_state,
            cause.message,
            cause.type,
        ]
    return []


async def timing_out() -> list[Any]:
    try:
        await workflow.execute_activity("a", start_to_close_timeout=SHORT)
    except ActivityError as error:
        return [type(error.cause) is TimeoutError, error.retry_state]
    return []


async def undecodable() -> None:
    await workflow.execute_activity("a", start_to_close_timeout=SHORT, result_type=int)


async def unencodable() -> str:
    try:
        await workflow.execute_activity("a", object(), start_to_close_timeout=SHORT)
    except Exception as error:
        return type(error).__name__
    return ""


async def cancelled_before_first_slice() -> list[Any]:
    handle = workflow.start_activity("a", start_to_close_timeout=SHORT)
    handle.cancel()
    try:
        await handle
    except asyncio.CancelledError:
        await workflow.execute_activity("b", start_to_close_timeout=SHORT)
        return ["asyncio"]
    return []


async def cancelled_in_same_task() -> list[Any]:
    handle = workflow.start_activity("a", start_to_close_timeout=SHORT)
    await asyncio.sleep(0)
    handle.cancel()
    try:
        await handle
    except ActivityError as error:
        await workflow.execute_activity("b", start_to_close_timeout=SHORT)
        return [type(error.cause) is CancelledError]
    return []


async def cancelled_twice() -> str:
    async def work() -> str:
        with contextlib.suppress(ActivityError):
            await workflow.execute_activity("a", start_to_close_timeout=SHORT)
        await workflow.execute_activity("after", start_to_close_timeout=SHORT)
        return "uncancelled"

    task = asyncio.create_task(work())
    await workflow.sleep(1)
    task.cancel()
    return await task


CASES: dict[str, Callable[[], Awaitable[Any]]] = {
    fn.__name__: fn
    for fn in (
        all_options, kinds, no_timeout, undecorated, arg_and_args, emission_order, failing, timing_out, undecodable,
        unencodable, cancelled_before_first_slice, cancelled_in_same_task, cancelled_twice,
    )
}  # fmt: skip


def scheduled(d: Driver) -> list[tuple[str, str]]:
    return [
        (event.attributes.activity_id, event.attributes.activity_type)
        for event in d.events
        if isinstance(event.attributes, a.ActivityTaskScheduled)
    ]


def test_all_options_are_in_the_command() -> None:
    d = Driver(Runs, "all_options")
    d.task()
    event = d.of(a.ActivityTaskScheduled)
    at: Any = event.attributes
    assert (at.activity_id, at.activity_type, at.task_queue) == ("my-id", "typed", "other")
    assert [value([each]) for each in at.input] == [1, "two"]
    assert [
        at.schedule_to_close_timeout, at.schedule_to_start_timeout, at.start_to_close_timeout, at.heartbeat_timeout
    ] == [SECOND, 2 * SECOND, 3 * SECOND, 4 * SECOND]  # fmt: skip
    assert at.retry_policy.maximum_attempts == 5
    assert at.retry_policy.non_retryable_error_types == ["Bad"]
    assert at.priority.priority_key == 2
    assert event.user_metadata.summary.data == b'"one line"'  # type: ignore[union-attr]
    d.complete("typed", [3, 3])
    d.task()
    assert d.result == [3]


def test_functions_methods_classes_and_names_can_be_called() -> None:
    d = Driver(Runs, "kinds")
    d.task()
    assert scheduled(d) == [("1", "renamed"), ("2", "method"), ("3", "Callable_"), ("4", "by_name")]
    for name, result in (("renamed", 7), ("method", "m"), ("Callable_", "c"), ("by_name", [1])):
        d.complete(name, result)
    d.task()
    assert d.result == [7, "m", "c", [1]]


@pytest.mark.parametrize(
    ("case", "message"),
    [
        ("no_timeout", "start_to_close_timeout or schedule_to_close_timeout"),
        ("undecorated", r"was it decorated with @activity\.defn"),
        ("arg_and_args", "Cannot have arg and args"),
    ],
)
def test_a_wrong_call_fails_the_task_not_the_workflow(case: str, message: str) -> None:
    outcome = Driver(Runs, case).task()
    assert message.replace("\\", "") in outcome.failure.message


def test_commands_come_in_the_order_of_the_calls_not_of_the_awaits() -> None:
    d = Driver(Runs, "emission_order")
    d.task()
    assert [name for _, name in scheduled(d)] == ["second_awaited", "gathered_1", "gathered_2"]


def test_a_failed_activity_raises_activity_error_with_the_application_error_as_cause() -> None:
    d = Driver(Runs, "failing")
    d.task()
    d.fail("a", "no money", "Broke")
    d.task()
    assert d.result == [
        True,
        "Activity task failed",
        "1",
        "a",
        RetryState.MAXIMUM_ATTEMPTS_REACHED,
        "no money",
        "Broke",
    ]


def test_a_timed_out_activity_raises_activity_error_with_the_timeout_as_cause() -> None:
    d = Driver(Runs, "timing_out")
    d.task()
    d.time_out("a")
    d.task()
    assert d.result == [True, RetryState.TIMEOUT]


def test_a_result_that_does_not_fit_its_type_fails_the_task() -> None:
    d = Driver(Runs, "undecodable")
    d.task()
    d.complete("a", {"no": "int"})
    assert "Failed decoding" in d.task().failure.message


def test_an_argument_that_cannot_be_encoded_raises_where_the_call_stands() -> None:
    d = Driver(Runs, "unencodable")
    d.task()
    assert d.result == "PayloadEncodeError"


def test_cancelling_before_the_first_slice_leaves_no_event_but_takes_a_number() -> None:
    d = Driver(Runs, "cancelled_before_first_slice")
    d.task()
    assert scheduled(d) == [("2", "b")]
    d.complete("b")
    d.task()
    assert d.result == ["asyncio"]
    assert d.replay().failure is None


def test_cancelling_in_the_task_of_the_schedule_leaves_no_event_but_takes_a_number() -> None:
    d = Driver(Runs, "cancelled_in_same_task")
    d.task()
    assert scheduled(d) == [("2", "b")]
    d.complete("b")
    d.task()
    assert d.result == [True]
    assert d.replay().failure is None


def test_a_cancel_turned_into_a_request_does_not_hit_the_next_await() -> None:
    d = Driver(Runs, "cancelled_twice")
    d.task()
    d.fire()
    d.task()
    assert d.commands() == ["ActivityTaskCancelRequested", "ActivityTaskScheduled"]
    d.complete("after")
    d.task()
    assert d.result == "uncancelled"


def test_awaiting_a_cancelled_activity_raises_activity_error_never_asyncio_cancelled_error() -> None:
    from tests.runtime import stories

    d = stories.cancel_tried()
    assert d.closed
    assert "ActivityTaskCancelRequested" in d.kinds()
    assert d.kinds()[-1] == "WorkflowExecutionCanceled"


def test_waiting_for_the_cancellation_may_return_the_value_after_all() -> None:
    from tests.runtime import stories

    d = stories.cancel_awaited_but_completed()
    assert d.result == "still finished"


def test_abandoning_sends_no_request() -> None:
    from tests.runtime import stories

    assert "ActivityTaskCancelRequested" not in stories.cancel_abandoned().kinds()


def test_what_becomes_of_an_activity_that_was_given_up_is_ignored() -> None:
    d = Driver(Runs, "cancelled_twice")
    d.task()
    d.fire()
    d.task()
    d.complete("a", "late")
    d.task()
    assert d.commands() == []
    assert payloads() == []
