from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

from durable_nb import workflow
from durable_nb.common import SearchAttributeKey, TypedSearchAttributes, WorkflowIDReusePolicy
from durable_nb.exceptions import (
    ApplicationError,
    CancelledError,
    ChildWorkflowError,
    TerminatedError,
    WorkflowAlreadyStartedError,
)
from durable_nb.model import attributes as a
from durable_nb.model.enums import ParentClosePolicy, RetryState, StartChildWorkflowExecutionFailedCause
from tests.runtime import stories
from tests.runtime.driver import SECOND, Driver, failure, payloads, value

SHORT = timedelta(seconds=10)
STAGE = SearchAttributeKey.for_keyword("Stage")


@workflow.defn
class Kid:
    @workflow.run
    async def run(self, number: int) -> set[int]:
        return {number}

    @workflow.signal
    async def greet(self, text: str) -> None: ...


@workflow.defn
async def function_kid(text: str) -> str:
    return text


@workflow.defn
class Parent:
    @workflow.run
    async def run(self, name: str) -> Any:
        return await CASES[name]()


async def options() -> Any:
    return await workflow.execute_child_workflow(
        Kid.run,
        7,
        id="kid",
        task_queue="other",
        parent_close_policy=workflow.ParentClosePolicy.ABANDON,
        execution_timeout=timedelta(seconds=1),
        run_timeout=timedelta(seconds=2),
        task_timeout=timedelta(seconds=3),
        id_reuse_policy=WorkflowIDReusePolicy.REJECT_DUPLICATE,
        cron_schedule="* * * * *",
        memo={"m": 1},
        search_attributes=TypedSearchAttributes([workflow_pair()]),
        static_summary="short",
        static_details="long",
    )


def workflow_pair() -> Any:
    from durable_nb.common import SearchAttributePair

    return SearchAttributePair(STAGE, "one")


async def defaults() -> Any:
    handle = await workflow.start_child_workflow(function_kid, "x")
    await handle.signal(Kid.greet, "hi")
    return [handle.id, handle.first_execution_run_id, await handle]


async def failing() -> list[Any]:
    try:
        await workflow.execute_child_workflow(Kid.run, 1, id="kid")
    except ChildWorkflowError as error:
        cause = error.cause
        assert isinstance(cause, ApplicationError)
        return [error.workflow_id, error.run_id, error.workflow_type, error.retry_state, cause.type]
    return []


async def terminated() -> bool:
    try:
        await workflow.execute_child_workflow(Kid.run, 1, id="kid")
    except ChildWorkflowError as error:
        return isinstance(error.cause, TerminatedError)
    return False


async def in_use() -> str:
    try:
        await workflow.start_child_workflow(Kid.run, 1, id="kid")
    except WorkflowAlreadyStartedError as error:
        return error.workflow_id
    return ""


async def cancelled_before_sent() -> list[Any]:
    task = asyncio.create_task(workflow.start_child_workflow(Kid.run, 1, id="kid"))
    await asyncio.sleep(0)
    task.cancel()
    try:
        await task
    except ChildWorkflowError as error:
        await workflow.sleep(1)
        return [type(error.cause) is CancelledError]
    return []


async def reason() -> None:
    handle = await workflow.start_child_workflow(Kid.run, 1, id="kid")
    await workflow.sleep(1)
    handle.cancel("too old")
    await handle


CASES: dict[str, Callable[[], Awaitable[Any]]] = {
    fn.__name__: fn
    for fn in (options, defaults, failing, terminated, in_use, cancelled_before_sent, reason)
}  # fmt: skip


def parent(name: str) -> Driver:
    d = Driver(Parent, name)
    d.task()
    return d


def test_all_options_are_in_the_command() -> None:
    d = parent("options")
    event = d.child("kid")
    at: Any = event.attributes
    assert (at.workflow_type, at.task_queue, value(at.input)) == ("Kid", "other", 7)
    assert at.parent_close_policy is ParentClosePolicy.ABANDON
    assert (at.workflow_execution_timeout, at.workflow_run_timeout, at.workflow_task_timeout) == (
        SECOND,
        2 * SECOND,
        3 * SECOND,
    )
    assert at.workflow_id_reuse_policy is WorkflowIDReusePolicy.REJECT_DUPLICATE
    assert at.cron_schedule == "* * * * *"
    assert value([at.memo["m"]]) == 1
    assert at.search_attributes["Stage"].metadata["type"] == b"Keyword"
    assert event.user_metadata is not None
    assert (event.user_metadata.summary.data, event.user_metadata.details.data) == (b'"short"', b'"long"')
    d.child_started("kid")
    d.child_closed("kid", a.ChildWorkflowExecutionCompleted, result=payloads([7]))
    d.task()
    assert d.result == [7]


def test_a_child_has_no_retry_policy_is_terminated_with_its_parent_and_gets_a_random_id_by_default() -> None:
    d = parent("defaults")
    at: Any = d.of(a.StartChildWorkflowExecutionInitiated).attributes
    assert at.retry_policy is None
    assert at.parent_close_policy is ParentClosePolicy.TERMINATE
    assert at.task_queue == "queue"
    assert len(at.workflow_id) == 36
    d.child_started(at.workflow_id)
    d.task()
    sent: Any = d.of(a.SignalExternalWorkflowExecutionInitiated).attributes
    assert (sent.signal_name, sent.child_workflow_only, value(sent.input)) == ("greet", True, "hi")
    d.answer(a.SignalExternalWorkflowExecutionInitiated, a.ExternalWorkflowExecutionSignaled)
    d.child_closed(at.workflow_id, a.ChildWorkflowExecutionCompleted, result=payloads("x"))
    d.task()
    assert d.result == [at.workflow_id, f"run-of-{at.workflow_id}", "x"]


def test_a_failed_child_raises_child_workflow_error_with_its_cause() -> None:
    d = parent("failing")
    d.child_started("kid")
    d.child_closed(
        "kid",
        a.ChildWorkflowExecutionFailed,
        failure=failure("ill", "Flu"),
        retry_state=RetryState.RETRY_POLICY_NOT_SET,
    )
    d.task()
    assert d.result == ["kid", "run-of-kid", "Kid", RetryState.RETRY_POLICY_NOT_SET, "Flu"]


def test_a_terminated_child_says_so() -> None:
    d = parent("terminated")
    d.child_started("kid")
    d.child_closed("kid", a.ChildWorkflowExecutionTerminated)
    d.task()
    assert d.result is True


def test_an_id_in_use_is_raised_bare_not_as_a_child_workflow_error() -> None:
    d = parent("in_use")
    d.add(
        a.StartChildWorkflowExecutionFailed(
            initiated_event_id=d.child("kid").event_id,
            workflow_id="kid",
            workflow_type="Kid",
            cause=StartChildWorkflowExecutionFailedCause.WORKFLOW_ALREADY_EXISTS,
        )
    )
    d.task()
    assert d.result == "kid"


def test_a_child_cancelled_before_it_was_sent_is_never_started() -> None:
    d = parent("cancelled_before_sent")
    assert d.commands() == ["TimerStarted"]
    d.fire()
    d.task()
    assert d.result == [True]


def test_the_message_of_the_cancellation_is_the_reason() -> None:
    d = parent("reason")
    d.child_started("kid")
    d.task()
    d.fire()
    d.task()
    at: Any = d.of(a.RequestCancelExternalWorkflowExecutionInitiated).attributes
    assert (at.reason, at.child_workflow_only) == ("too old", True)


def test_cancellation_types_differ_in_what_is_sent_and_when_the_wait_ends() -> None:
    cancel = "RequestCancelExternalWorkflowExecutionInitiated"
    assert cancel not in stories.child_abandoned().kinds()
    assert cancel in stories.child_cancel_tried().kinds()
    awaited = stories.child_cancel_awaited()
    assert awaited.kinds().index(cancel) < awaited.kinds().index("ChildWorkflowExecutionCanceled")
    assert awaited.result[0] == "ChildWorkflowError"


def test_an_external_workflow_that_is_not_there_is_an_application_error() -> None:
    assert stories.other_workflows().result == ["gone", "unsent"]
