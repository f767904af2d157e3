"""What an exception in workflow code means (temporal-semantics 2.9), cancellation, and continue-as-new."""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest

from durable_nb import workflow
from durable_nb.common import RetryPolicy, SearchAttributeKey
from durable_nb.exceptions import ActivityError, ApplicationError, CancelledError
from durable_nb.model import attributes as a
from durable_nb.model.enums import ContinueAsNewInitiator, WorkflowTaskFailedCause
from tests.runtime import stories
from tests.runtime.driver import SECOND, Driver, payloads, value

SHORT = timedelta(seconds=10)


@workflow.defn
class Ends:
    @workflow.run
    async def run(self, name: str) -> Any:
        return await CASES[name]()


async def application_error() -> None:
    raise ApplicationError("no", {"a": 1}, type="Bad", non_retryable=True)


async def asyncio_timeout() -> None:
    raise TimeoutError("slow")


async def bug() -> None:
    raise KeyError("missing")


async def exits() -> None:
    sys.exit(3)


async def cancelled_by_itself() -> None:
    raise CancelledError("by itself")


async def asyncio_cancelled_by_itself() -> None:
    raise asyncio.CancelledError


async def sleeps() -> None:
    await workflow.sleep(60)


async def cleans_up() -> str:
    try:
        await workflow.sleep(60)
    except asyncio.CancelledError:
        await workflow.execute_activity("clean", start_to_close_timeout=SHORT)
        return f"cleaned: {workflow.cancellation_reason()}"
    return ""


async def cancelled_activity() -> None:
    await workflow.execute_activity("a", start_to_close_timeout=SHORT)


async def swallowing() -> None:
    try:
        workflow.continue_as_new("next")
    except Exception:
        await workflow.execute_activity("wrong", start_to_close_timeout=SHORT)


async def background() -> str:
    async def later() -> None:
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        workflow.upsert_memo({"late": True})

    asyncio.get_running_loop().create_task(later())
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    return "first"


async def unencodable_result() -> object:
    return object()


CASES: dict[str, Callable[[], Awaitable[Any]]] = {
    fn.__name__: fn
    for fn in (
        application_error, asyncio_timeout, bug, exits, cancelled_by_itself, asyncio_cancelled_by_itself, sleeps,
        cleans_up, cancelled_activity, swallowing, background, unencodable_result,
    )
}  # fmt: skip


def ends(name: str, **options: Any) -> Driver:
    d = Driver(Ends, name, **options)
    d.task()
    return d


def test_a_failure_error_fails_the_workflow() -> None:
    failed: Any = ends("application_error").of(a.WorkflowExecutionFailed).attributes
    info = failed.failure.application_failure_info
    assert (failed.failure.message, info.type, info.non_retryable) == ("no", "Bad", True)
    assert value(info.details) == {"a": 1}


def test_asyncio_timeout_error_fails_the_workflow() -> None:
    assert ends("asyncio_timeout").closed


def test_any_other_exception_fails_the_task_and_the_workflow_goes_on_with_mended_code(
    caplog: pytest.LogCaptureFixture,
) -> None:
    d = Driver(Ends, "bug")
    outcome = d.task()
    assert outcome.cause is WorkflowTaskFailedCause.WORKFLOW_WORKER_UNHANDLED_FAILURE
    assert outcome.failure.application_failure_info.type == "KeyError"
    assert "line" in outcome.failure.stack_trace
    assert not d.host.holds(1)
    record = next(r for r in caplog.records if "Failed activation on workflow Ends" in r.message)
    assert record.levelno == logging.WARNING
    CASES["bug"], before = application_error, CASES["bug"]
    try:
        d.task()
    finally:
        CASES["bug"] = before
    assert d.closed


@pytest.mark.parametrize("where", ["definition", "worker"])
def test_configured_exceptions_fail_the_workflow(where: str) -> None:
    if where == "worker":
        assert ends("bug", failure_exception_types=(KeyError,)).closed
    else:
        assert stories.fails_by_configured_type().closed


def test_sys_exit_fails_the_task_and_not_the_process() -> None:
    outcome = Driver(Ends, "exits").task()
    assert outcome.failure.application_failure_info.type == "SystemExit"


@pytest.mark.parametrize("case", ["cancelled_by_itself", "asyncio_cancelled_by_itself"])
def test_a_cancellation_that_nobody_requested_is_a_failure(case: str) -> None:
    assert ends(case).kinds()[-1] == "WorkflowExecutionFailed"


def test_a_requested_cancellation_that_leaves_run_closes_as_canceled() -> None:
    d = ends("sleeps")
    d.cancel()
    d.task()
    assert d.commands() == ["TimerCanceled", "WorkflowExecutionCanceled"]


def test_a_cancellation_may_be_caught_and_cleaned_up_after() -> None:
    d = ends("cleans_up")
    d.cancel("tired")
    d.task()
    d.complete("clean")
    d.task()
    assert d.result == "cleaned: tired"


def test_a_cancelled_activity_that_leaves_run_closes_as_canceled() -> None:
    d = ends("cancelled_activity")
    d.cancel()
    d.task()
    assert d.commands() == ["ActivityTaskCancelRequested", "WorkflowExecutionCanceled"]


def test_an_activity_cancelled_from_outside_without_request_is_a_failure() -> None:
    d = ends("cancelled_activity")
    scheduled = d.of(a.ActivityTaskScheduled).event_id
    d.add(a.ActivityTaskCanceled(scheduled_event_id=scheduled))
    d.task()
    assert d.kinds()[-1] == "WorkflowExecutionFailed"


def test_a_cancel_before_the_first_task_is_seen_by_the_code() -> None:
    d = Driver(Ends, "cleans_up")
    d.cancel("early")
    d.task()
    assert d.commands() == ["ActivityTaskScheduled"]


def test_continue_as_new_passes_through_except_exception() -> None:
    d = ends("swallowing")
    assert d.commands() == ["WorkflowExecutionContinuedAsNew"]
    assert value(d.events[-1].attributes.input) == "next"  # type: ignore[attr-defined]


def test_the_terminal_command_comes_last_even_if_others_are_issued_after_it() -> None:
    d = ends("background")
    assert d.commands() == ["WorkflowPropertiesModified", "WorkflowExecutionCompleted"]
    assert d.replay().failure is None


def test_a_result_that_cannot_be_encoded_fails_the_task() -> None:
    assert "object" in Driver(Ends, "unencodable_result").task().failure.message


@workflow.defn
class TypedInput:
    @workflow.run
    async def run(self, number: int) -> None: ...


def test_arguments_that_cannot_be_decoded_fail_the_task_unless_configured() -> None:
    assert "Failed decoding" in Driver(TypedInput, "text").task().failure.message
    d = Driver(TypedInput, "text", failure_exception_types=(Exception,))
    d.task()
    assert d.kinds()[-1] == "WorkflowExecutionFailed"


@workflow.defn
class DefaultedInput:
    @workflow.run
    async def run(self, number: int, more: int = 5) -> list[Any]:
        return [number, more]


def test_hints_are_dropped_when_fewer_arguments_come_and_defaults_stand_in() -> None:
    d = Driver(DefaultedInput, "not a number")
    d.task()
    assert d.result == ["not a number", 5]


def test_a_missing_argument_fails_the_task_with_its_name() -> None:
    assert "number" in Driver(TypedInput).task().failure.message


@workflow.defn
class Sorted:
    @workflow.run
    async def run(self) -> None:
        raise RuntimeError("outer") from ActivityErrorLike("inner")


class ActivityErrorLike(Exception):
    pass


def test_causes_travel_with_the_failure() -> None:
    failure = Driver(Sorted).task().failure
    assert failure.cause.application_failure_info.type == "ActivityErrorLike"
    assert ActivityError is not None


# -- continue-as-new ---------------------------------------------------------------------------------------------------

STAGE = SearchAttributeKey.for_keyword("Stage")


@workflow.defn
class Goes:
    @workflow.run
    async def run(self, how: str) -> None:
        if how == "plain":
            workflow.upsert_memo({"more": 2})
            workflow.upsert_search_attributes([STAGE.value_set("two")])
            workflow.continue_as_new("again")
        workflow.continue_as_new(
            args=["x", 1],
            workflow="Other",
            task_queue="elsewhere",
            run_timeout=timedelta(seconds=7),
            task_timeout=timedelta(seconds=8),
            backoff_start_interval=timedelta(seconds=9),
            retry_policy=RetryPolicy(maximum_attempts=3),
            memo={"new": 1},
        )


def test_continue_as_new_carries_over_what_is_not_given() -> None:
    policy = a.RetryPolicyAttributes(maximum_attempts=9)
    d = Driver(
        Goes,
        "plain",
        started={
            "memo": {"old": payloads(1)[0]},
            "workflow_run_timeout": SECOND,
            "workflow_task_timeout": 2 * SECOND,
            "retry_policy": policy,
        },
    )
    outcome = d.task()
    at: Any = d.of(a.WorkflowExecutionContinuedAsNew).attributes
    assert (at.workflow_type, at.task_queue, value(at.input)) == ("Goes", "queue", "again")
    assert {name: value([each]) for name, each in at.memo.items()} == {"old": 1, "more": 2}
    assert value([at.search_attributes["Stage"]]) == "two"
    assert (at.workflow_run_timeout, at.workflow_task_timeout) == (SECOND, 2 * SECOND)
    assert at.initiator is ContinueAsNewInitiator.WORKFLOW
    assert outcome.commands[-1].retry_policy is policy


def test_continue_as_new_takes_what_is_given() -> None:
    d = Driver(Goes, "all")
    outcome = d.task()
    at: Any = d.of(a.WorkflowExecutionContinuedAsNew).attributes
    assert (at.workflow_type, at.task_queue) == ("Other", "elsewhere")
    assert [value([each]) for each in at.input] == ["x", 1]
    assert (at.workflow_run_timeout, at.workflow_task_timeout) == (7 * SECOND, 8 * SECOND)
    assert at.backoff_start_interval == 9 * SECOND
    assert {name: value([each]) for name, each in at.memo.items()} == {"new": 1}
    assert outcome.commands[-1].retry_policy.maximum_attempts == 3
