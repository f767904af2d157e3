"""Activities from workflow code to worker and back: every kind, timeout, heartbeat and way to cancel."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest

from durable_nb import activity, workflow
from durable_nb.client import AsyncActivityCancelledError, Client, WorkflowFailureError, WorkflowHandle
from durable_nb.common import RawValue
from durable_nb.engine.clock import ManualClock
from durable_nb.exceptions import (
    ActivityError,
    ApplicationError,
    CancelledError,
    RetryState,
    TimeoutError,
    TimeoutType,
)
from tests.acceptance.world import MINUTE, ONCE, QUICKLY, kinds, outcome, serving, start
from tests.waiting import until

Cancel = workflow.ActivityCancellationType


@activity.defn
def in_thread(text: str) -> list[Any]:
    return [text, threading.current_thread() is not threading.main_thread(), activity.info().attempt]


class Methods:
    def __init__(self, factor: int) -> None:
        self.factor = factor

    @activity.defn
    async def times(self, number: int) -> int:
        return number * self.factor


@activity.defn(name="called class")
class Callable_:
    async def __call__(self, number: int) -> int:
        return number + 100


@activity.defn(dynamic=True)
async def anything(args: Sequence[RawValue]) -> str:
    values = [activity.payload_converter().from_payload(arg.payload) for arg in args]
    return f"{activity.info().activity_type}{values}"


@workflow.defn
class AllKinds:
    @workflow.run
    async def run(self) -> list[Any]:
        options: Any = {"start_to_close_timeout": MINUTE}
        return [
            await workflow.execute_activity(in_thread, "Zoë 🐢", **options),
            await workflow.execute_activity_method(Methods.times, 6, **options),
            await workflow.execute_activity_class(Callable_, 1, **options),
            await workflow.execute_activity("times", 3, result_type=int, **options),
            await workflow.execute_activity("never heard of", args=[1, "x"], **options),
            await workflow.execute_local_activity(in_thread, "local", **options),
            await workflow.execute_local_activity_method(Methods.times, 2, **options),
            await workflow.execute_local_activity_class(Callable_, 2, **options),
        ]


async def test_activities_of_every_kind_are_called(client: Client) -> None:
    async with serving(client, AllKinds, activities=[in_thread, Methods(7).times, Callable_(), anything]):
        assert await outcome(client, AllKinds.run) == [
            ["Zoë 🐢", True, 1],
            42,
            101,
            21,
            "never heard of[1, 'x']",
            ["local", True, 1],
            14,
            102,
        ]


@activity.defn
async def hangs(text: str) -> None:
    activity.heartbeat(text)
    await asyncio.Event().wait()


@workflow.defn
class TimesOut:
    @workflow.run
    async def run(self, kind: str) -> None:
        long = timedelta(hours=1)
        options: dict[str, Any] = {
            "start to close": {"start_to_close_timeout": MINUTE, "retry_policy": ONCE},
            "schedule to close": {"schedule_to_close_timeout": MINUTE},
            "schedule to start": {
                "schedule_to_start_timeout": MINUTE,
                "start_to_close_timeout": long,
                "task_queue": "nobody",
            },
            "heartbeat": {"heartbeat_timeout": MINUTE, "start_to_close_timeout": long, "retry_policy": ONCE},
        }[kind]
        await workflow.execute_activity(hangs, "began", **options)


@pytest.mark.parametrize(
    ("kind", "type_"),
    [
        ("start to close", TimeoutType.START_TO_CLOSE),
        ("schedule to close", TimeoutType.SCHEDULE_TO_CLOSE),
        ("schedule to start", TimeoutType.SCHEDULE_TO_START),
        ("heartbeat", TimeoutType.HEARTBEAT),
    ],
)
async def test_each_of_the_four_timeouts_is_kept_and_named(
    still_client: Client, clock: ManualClock, kind: str, type_: TimeoutType
) -> None:
    async with serving(still_client, TimesOut, activities=[hangs]):
        handle = await start(still_client, TimesOut.run, kind)

        async def is_under_way() -> bool:
            pending = (await handle.describe()).pending_activities
            return bool(pending) and (kind == "schedule to start" or bool(pending[0].heartbeat_details))

        await until(is_under_way)
        clock.advance(60_000_000)
        with pytest.raises(WorkflowFailureError) as raised:
            await handle.result()
    error = raised.value.cause
    assert isinstance(error, ActivityError)
    causes = [error.cause, getattr(error.cause, "cause", None)]
    assert type_ in [cause.type for cause in causes if isinstance(cause, TimeoutError)]
    if kind == "heartbeat":
        assert isinstance(error.cause, TimeoutError)
        assert list(error.cause.last_heartbeat_details) == ["began"]
        assert error.retry_state is RetryState.MAXIMUM_ATTEMPTS_REACHED


@activity.defn
async def resumes() -> list[Any]:
    info = activity.info()
    seen = list(info.heartbeat_details)
    activity.heartbeat(*seen, info.attempt)
    if info.attempt < 3:
        raise ConnectionError("again")
    return seen


@workflow.defn
class Resumes:
    @workflow.run
    async def run(self) -> list[int]:
        return await workflow.execute_activity(
            resumes, start_to_close_timeout=MINUTE, heartbeat_timeout=timedelta(seconds=5), retry_policy=QUICKLY
        )


async def test_the_next_attempt_sees_the_heartbeat_details_of_the_one_before(client: Client) -> None:
    async with serving(client, Resumes, activities=[resumes]):
        assert await outcome(client, Resumes.run) == [1, 2]


ended: list[str] = []
begun = threading.Event()


@activity.defn
async def beats() -> None:
    begun.set()
    try:
        while True:
            activity.heartbeat()
            await asyncio.sleep(0.005)
    finally:
        details = activity.cancellation_details()
        ended.append(f"cancelled {details is not None and details.cancel_requested}")


@activity.defn
def beats_in_thread() -> None:
    begun.set()
    try:
        while True:
            activity.heartbeat()
            threading.Event().wait(0.005)
    finally:
        ended.append("thread cancelled")


@workflow.defn
class Cancels:
    def __init__(self) -> None:
        self.enough = False

    @workflow.run
    async def run(self, kind: Cancel, name: str) -> str:
        handle = workflow.start_activity(
            name,
            start_to_close_timeout=MINUTE,
            heartbeat_timeout=MINUTE,
            cancellation_type=kind,
        )
        await workflow.wait_condition(lambda: self.enough)
        handle.cancel()
        try:
            await handle
        except ActivityError as error:
            return type(error.cause).__name__
        return "no error"

    @workflow.signal
    def stop(self) -> None:
        self.enough = True


OFTEN = timedelta(milliseconds=1)
"""How often heartbeats reach the engine here; a cancellation comes back with one."""


async def cancelled(client: Client, kind: Cancel, name: str) -> WorkflowHandle[Any, Any]:
    """A run whose activity is cancelled when it has begun."""
    begun.clear()
    ended.clear()
    handle = await start(client, Cancels.run, kind, name)
    await until(begun.is_set)
    await handle.signal(Cancels.stop)
    return handle


@pytest.mark.parametrize("kind", list(Cancel))
async def test_the_three_cancellation_types_end_the_wait(client: Client, kind: Cancel) -> None:
    async with serving(client, Cancels, activities=[beats], max_heartbeat_throttle_interval=OFTEN):
        handle = await cancelled(client, kind, "beats")
        assert await handle.result() == "CancelledError"
        names = await kinds(handle)
    assert ("ACTIVITY_TASK_CANCEL_REQUESTED" in names) is (kind is not Cancel.ABANDON)
    assert ("ACTIVITY_TASK_CANCELED" in names) is (kind is Cancel.WAIT_CANCELLATION_COMPLETED)
    if kind is Cancel.WAIT_CANCELLATION_COMPLETED:
        assert ended == ["cancelled True"]


async def test_a_thread_is_cancelled_too(client: Client) -> None:
    async with serving(client, Cancels, activities=[beats_in_thread], max_heartbeat_throttle_interval=OFTEN):
        handle = await cancelled(client, Cancel.WAIT_CANCELLATION_COMPLETED, "beats_in_thread")
        found = await handle.result()
    assert (found, ended) == ("CancelledError", ["thread cancelled"])


tokens: list[bytes] = []


@activity.defn
async def elsewhere() -> str:
    tokens.append(activity.info().task_token)
    activity.raise_complete_async()


@workflow.defn
class Elsewhere:
    @workflow.run
    async def run(self) -> str:
        handle = workflow.start_activity(
            elsewhere,
            activity_id="by-hand",
            start_to_close_timeout=MINUTE,
            retry_policy=ONCE,
            cancellation_type=Cancel.WAIT_CANCELLATION_COMPLETED,
        )
        return await handle


@activity.defn
async def resumed_elsewhere() -> str:
    found.append(activity.info().heartbeat_details)
    tokens.append(activity.info().task_token)
    activity.raise_complete_async()


found: list[Sequence[str]] = []


@workflow.defn
class ResumedElsewhere:
    @workflow.run
    async def run(self) -> str:
        return await workflow.execute_activity(resumed_elsewhere, start_to_close_timeout=MINUTE, retry_policy=QUICKLY)


async def test_an_attempt_that_failed_from_outside_leaves_its_progress_to_the_next(client: Client) -> None:
    async with serving(client, ResumedElsewhere, activities=[resumed_elsewhere]):
        tokens.clear()
        found.clear()
        run = await start(client, ResumedElsewhere.run)
        await until(lambda: len(tokens) == 1)
        first = client.get_async_activity_handle(task_token=tokens[0])
        await first.heartbeat("half")
        await first.fail(ConnectionError("gone"))
        await until(lambda: len(tokens) == 2)
        await client.get_async_activity_handle(task_token=tokens[1]).complete("done")
        assert await run.result() == "done"
    assert found == [[], ["half"]]


async def test_an_activity_is_completed_failed_and_cancelled_from_outside_by_token_and_by_id(client: Client) -> None:
    async with serving(client, Elsewhere, activities=[elsewhere]):
        tokens.clear()
        runs = [await start(client, Elsewhere.run) for _ in range(3)]
        await until(lambda: len(tokens) == 3)
        by_id = [
            client.get_async_activity_handle(workflow_id=run.id, run_id=run.result_run_id, activity_id="by-hand")
            for run in runs
        ]
        await by_id[0].heartbeat("half")
        await by_id[0].complete("by id")
        assert await runs[0].result() == "by id"
        await by_id[1].fail(ApplicationError("refused", type="Human"))
        with pytest.raises(WorkflowFailureError) as raised:
            await runs[1].result()
        assert isinstance(raised.value.cause, ActivityError)
        assert isinstance(raised.value.cause.cause, ApplicationError)
        assert raised.value.cause.cause.type == "Human"
        await runs[2].cancel()
        with pytest.raises(AsyncActivityCancelledError):
            await until(lambda: beat(by_id[2]))
        await by_id[2].report_cancellation("detail")
        with pytest.raises(WorkflowFailureError) as raised:
            await runs[2].result()
        assert isinstance(raised.value.cause, CancelledError)
        tokens.clear()
        run = await start(client, Elsewhere.run)
        await until(lambda: tokens)
        await client.get_async_activity_handle(task_token=tokens[0]).complete("by token")
        assert await run.result() == "by token"


async def beat(handle: Any) -> bool:
    await handle.heartbeat()
    return False


@workflow.defn
class Unknown:
    @workflow.run
    async def run(self, name: str, args: list[Any]) -> None:
        await workflow.execute_activity(name, args=args, start_to_close_timeout=MINUTE, retry_policy=ONCE)


async def test_an_unknown_activity_is_named_with_what_is_known(client: Client) -> None:
    async with serving(client, Unknown, activities=[hangs]):
        with pytest.raises(WorkflowFailureError) as raised:
            await outcome(client, Unknown.run, "hang", [])
    assert "hang" in str(raised.value.cause.__cause__)
    assert "hangs" in str(raised.value.cause.__cause__)


async def test_a_wrong_number_of_arguments_fails_the_attempt_clearly(client: Client) -> None:
    async with serving(client, Unknown, activities=[hangs]):
        with pytest.raises(WorkflowFailureError) as raised:
            await outcome(client, Unknown.run, "hangs", ["x", "one too many"])
    assert "argument" in str(raised.value.cause.__cause__)
