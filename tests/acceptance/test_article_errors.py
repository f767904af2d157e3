"""The article's table of errors: which are tried again."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from durable_nb import activity, workflow
from durable_nb.client import Client, WorkflowFailureError
from durable_nb.common import RetryPolicy
from durable_nb.engine.clock import ManualClock
from durable_nb.exceptions import (
    ActivityError,
    ApplicationError,
    CancelledError,
    TimeoutError,
)
from durable_nb.testing import WorkflowEnvironment
from tests.acceptance.world import MINUTE, ONCE, backs_off, outcome, serving, start
from tests.waiting import until

attempts: list[str] = []


@activity.defn
async def trouble(kind: str) -> None:
    attempts.append(kind)
    match kind:
        case "plain":
            raise ValueError("plain")
        case "final":
            raise ApplicationError("final", {"code": 7}, type="Final", non_retryable=True)
        case "listed":
            raise ApplicationError("listed", type="InsufficientFunds")
        case _:
            await asyncio.Event().wait()


@workflow.defn
class ErrorTable:
    @workflow.run
    async def run(self, kind: str) -> None:
        handle = workflow.start_activity(
            trouble,
            kind,
            start_to_close_timeout=MINUTE,
            retry_policy=RetryPolicy(
                initial_interval=timedelta(milliseconds=1),
                maximum_attempts=3,
                non_retryable_error_types=["InsufficientFunds"],
            ),
        )
        if kind == "cancelled":
            await asyncio.sleep(0)
            handle.cancel()
        await handle


@pytest.mark.parametrize(
    ("kind", "cause", "tries"),
    [
        ("plain", ApplicationError, 3),
        ("final", ApplicationError, 1),
        ("listed", ApplicationError, 1),
    ],
)
async def test_which_errors_are_tried_again(client: Client, kind: str, cause: type[Exception], tries: int) -> None:
    attempts.clear()
    async with serving(client, ErrorTable, activities=[trouble]):
        with pytest.raises(WorkflowFailureError) as raised:
            await outcome(client, ErrorTable.run, kind)
    error = raised.value.cause
    assert isinstance(error, ActivityError)
    assert type(error.cause) is cause
    assert attempts == tries * [kind]
    if kind == "final":
        assert isinstance(error.cause, ApplicationError)
        assert (error.cause.type, error.cause.details, error.cause.non_retryable) == ("Final", ({"code": 7},), True)


async def test_an_attempt_that_times_out_is_tried_again(still_client: Client, clock: ManualClock) -> None:
    attempts.clear()
    async with serving(still_client, ErrorTable, activities=[trouble]):
        handle = await start(still_client, ErrorTable.run, "timeout")
        for number in (1, 2, 3):
            await until(lambda: len(attempts) == number)  # noqa: B023 - awaited here
            clock.advance(60_000_000)
            if number < 3:
                await until(lambda: backs_off(handle))
                clock.advance(1_000_000)
        with pytest.raises(WorkflowFailureError) as raised:
            await handle.result()
    assert isinstance(raised.value.cause, ActivityError)
    assert isinstance(raised.value.cause.cause, TimeoutError)
    assert attempts == 3 * ["timeout"]


async def test_a_cancelled_activity_is_not_tried_again(client: Client) -> None:
    attempts.clear()
    async with serving(client, ErrorTable, activities=[trouble]):
        with pytest.raises(WorkflowFailureError) as raised:
            await outcome(client, ErrorTable.run, "cancelled")
    assert isinstance(raised.value.cause, ActivityError)
    assert isinstance(raised.value.cause.cause, CancelledError)
    assert attempts in ([], ["cancelled"])


async def test_a_workflow_with_a_retry_policy_is_run_again(skipping: WorkflowEnvironment) -> None:
    async with serving(skipping.client, ErrorTable, activities=[trouble]):
        attempts.clear()
        with pytest.raises(WorkflowFailureError):
            await outcome(skipping.client, ErrorTable.run, "listed", retry_policy=RetryPolicy(maximum_attempts=3))
        assert attempts == 3 * ["listed"]
        attempts.clear()
        with pytest.raises(WorkflowFailureError):
            await outcome(skipping.client, ErrorTable.run, "listed", retry_policy=ONCE)
        with pytest.raises(WorkflowFailureError):
            await outcome(skipping.client, ErrorTable.run, "listed")
    assert attempts == 2 * ["listed"]
