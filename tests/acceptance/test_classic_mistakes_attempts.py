"""Classic mistakes of temporal-semantics 10: what fails, what is tried again, what an attempt may report."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from durable_nb import activity, workflow
from durable_nb.client import (
    Client,
    RPCError,
    RPCStatusCode,
    WorkflowFailureError,
)
from durable_nb.common import RetryPolicy
from durable_nb.engine.clock import ManualClock
from durable_nb.exceptions import ActivityError, ApplicationError, CancelledError
from tests.acceptance.world import MINUTE, QUICKLY, backs_off, events, kinds, note, outcome, serving, start
from tests.waiting import recorded, until

broken = {"code": True}
calls: list[str] = []


@activity.defn
async def fails_twice() -> int:
    if activity.info().attempt < 3:
        raise ConnectionError("not yet")
    return activity.info().attempt


@workflow.defn
class Faulty:
    @workflow.run
    async def run(self) -> str:
        if broken["code"]:
            raise ValueError("a bug")
        return "fixed"


@pytest.mark.slow
async def test_01_a_plain_exception_fails_the_task_and_fixed_code_goes_on(client: Client) -> None:
    broken["code"] = True
    async with serving(client, Faulty):
        handle = await start(client, Faulty.run)
        await recorded(handle, "WorkflowTaskFailed")
        assert (await handle.describe()).status is not None
        assert (await handle.describe()).status.name == "RUNNING"  # type: ignore[union-attr]
        broken["code"] = False
        assert await handle.result() == "fixed"


@workflow.defn
class FailsByOption:
    @workflow.run
    async def run(self) -> None:
        raise ValueError("wanted")


async def test_01b_the_worker_may_name_exceptions_that_fail_the_workflow(client: Client) -> None:
    async with serving(client, FailsByOption, workflow_failure_exception_types=[ValueError]):
        with pytest.raises(WorkflowFailureError) as raised:
            await outcome(client, FailsByOption.run)
    assert isinstance(raised.value.cause, ApplicationError)
    assert (raised.value.cause.type, raised.value.cause.message) == ("ValueError", "wanted")


@workflow.defn
class DefaultRetry:
    @workflow.run
    async def run(self) -> int:
        return await workflow.execute_activity(fails_twice, start_to_close_timeout=MINUTE)


async def test_02_activities_are_retried_by_default_and_workflows_are_not(skipping: Any) -> None:
    async with serving(skipping.client, DefaultRetry, AlwaysFails, ParentOfFailure, activities=[fails_twice]):
        handle = await start(skipping.client, DefaultRetry.run)
        assert await handle.result() == 3
        scheduled = (await events(handle))[4]["activityTaskScheduledEventAttributes"]
        assert scheduled["retryPolicy"] == {
            "initialInterval": "1s",
            "backoffCoefficient": 2.0,
            "maximumInterval": "100s",
        }
        handle = await start(skipping.client, AlwaysFails.run)
        with pytest.raises(WorkflowFailureError):
            await handle.result()
        assert "retryPolicy" not in (await events(handle))[0]["workflowExecutionStartedEventAttributes"]
        handle = await start(skipping.client, ParentOfFailure.run)
        assert await handle.result() == "one child run"


@workflow.defn
class AlwaysFails:
    @workflow.run
    async def run(self) -> None:
        calls.append("child run")
        raise ApplicationError("no")


@workflow.defn
class ParentOfFailure:
    @workflow.run
    async def run(self) -> str:
        calls.clear()
        try:
            await workflow.execute_child_workflow(AlwaysFails.run)
        except Exception:
            return "one child run" if calls == ["child run"] else str(calls)
        return "no failure"


@activity.defn
async def forever() -> None:
    while True:
        activity.heartbeat()
        await asyncio.sleep(0.005)


@workflow.defn
class CancelledWait:
    @workflow.run
    async def run(self) -> str:
        try:
            await workflow.execute_activity(forever, start_to_close_timeout=MINUTE, heartbeat_timeout=MINUTE)
        except ActivityError as error:
            cause = type(error.cause)
        # The task goes on: it is no longer under cancellation.
        note_of_it = await workflow.execute_activity(note, "cleaned up", start_to_close_timeout=MINUTE)
        return f"{note_of_it} after {cause.__name__}"


async def test_06_a_cancel_in_an_activity_wait_is_an_activity_error_and_the_task_goes_on(client: Client) -> None:
    async with serving(client, CancelledWait, activities=[forever, note]):
        handle = await start(client, CancelledWait.run)
        await recorded(handle, "ActivityTaskScheduled")
        await handle.cancel()
        assert await handle.result() == f"cleaned up after {CancelledError.__name__}"


@workflow.defn
class OneEventPair:
    @workflow.run
    async def run(self) -> None:
        await workflow.execute_activity(fails_twice, start_to_close_timeout=MINUTE, retry_policy=QUICKLY)


async def test_09_one_started_event_is_written_however_many_attempts_there_were(client: Client) -> None:
    async with serving(client, OneEventPair, activities=[fails_twice]):
        handle = await start(client, OneEventPair.run)
        await handle.result()
        started = [
            e["activityTaskStartedEventAttributes"]
            for e in await events(handle)
            if "activityTaskStartedEventAttributes" in e
        ]
        assert len(started) == 1
        assert started[0]["attempt"] == 3
        assert "not yet" in started[0]["lastFailure"]["message"]
        assert "ACTIVITY_TASK_FAILED" not in await kinds(handle)


late_tokens: list[bytes] = []


@activity.defn
async def completes_elsewhere() -> str:
    late_tokens.append(activity.info().task_token)
    activity.raise_complete_async()


@workflow.defn
class LateCompletion:
    @workflow.run
    async def run(self) -> str:
        return await workflow.execute_activity(
            completes_elsewhere,
            start_to_close_timeout=MINUTE,
            retry_policy=RetryPolicy(initial_interval=MINUTE, maximum_attempts=2),
        )


async def test_15_the_late_completion_of_an_attempt_that_timed_out_is_refused(
    still_client: Client, clock: ManualClock
) -> None:
    late_tokens.clear()
    client = still_client
    async with serving(client, LateCompletion, activities=[completes_elsewhere]):
        handle = await start(client, LateCompletion.run)
        await until(lambda: late_tokens)
        clock.advance(60_000_000)  # its time is over
        await until(lambda: backs_off(handle))
        clock.advance(60_000_000)  # the next one is due
        await until(lambda: len(late_tokens) == 2)
        with pytest.raises(RPCError) as raised:
            await client.get_async_activity_handle(task_token=late_tokens[0]).complete("late")
        assert raised.value.status is RPCStatusCode.NOT_FOUND
        await client.get_async_activity_handle(task_token=late_tokens[1]).complete("in time")
        assert await handle.result() == "in time"
