"""Activities from workflow code to outcome, through the real engine on an in-memory store."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import pytest

from durable_nb import activity, workflow
from durable_nb.client import Client, WorkflowFailureError
from durable_nb.common import RetryPolicy
from durable_nb.converter import DataConverter
from durable_nb.engine import open_engine
from durable_nb.exceptions import ActivityError, ApplicationError, CancelledError, is_cancelled_exception
from durable_nb.model.requests import Target
from durable_nb.worker import Worker
from durable_nb.worker._embedded import EmbeddedWorker
from tests.waiting import until
from tests.worker.test_port import Reversing

MINUTE = timedelta(minutes=1)


@activity.defn(start_to_close_timeout=MINUTE)
async def double(number: int, times: int = 2) -> int:
    return number * times


@activity.defn(start_to_close_timeout=MINUTE)
def triple(number: int) -> int:
    return number * 3


class Shop:
    def __init__(self, factor: int) -> None:
        self.factor = factor

    @activity.defn(name="shop_price", start_to_close_timeout=MINUTE)
    async def price(self, number: int) -> int:
        return number * self.factor


shop = Shop(7)


@activity.defn(start_to_close_timeout=MINUTE)
class Share:
    def __init__(self, parts: int) -> None:
        self.parts = parts

    async def __call__(self, number: int) -> int:
        return number // self.parts


half = Share(2)


@workflow.defn
class DirectCalls:
    @workflow.run
    async def run(self, number: int) -> list[int]:
        first = await double(number)
        fan_out = await asyncio.gather(
            *(double(n, times=10) for n in range(3)), triple(number), shop.price(number), half(number)
        )
        return [first, *fan_out]


@activity.defn
async def flaky(good: int) -> int:
    if activity.info().attempt < good:
        raise ApplicationError("not yet", type="Early", next_retry_delay=timedelta(milliseconds=1))
    return activity.info().attempt


@workflow.defn
class LocalOnes:
    @workflow.run
    async def run(self, good: int) -> list[int]:
        first = await workflow.execute_local_activity(flaky, good, start_to_close_timeout=MINUTE)
        second = await workflow.execute_local_activity(
            flaky,
            2,
            start_to_close_timeout=MINUTE,
            local_retry_threshold=timedelta(microseconds=1),
            retry_policy=RetryPolicy(initial_interval=timedelta(milliseconds=1)),
        )
        return [first, second]


@workflow.defn
class Cancelling:
    def __init__(self) -> None:
        self.stop = False

    @workflow.run
    async def run(self) -> str:
        handle = workflow.start_activity(
            "until_cancelled",
            start_to_close_timeout=MINUTE,
            heartbeat_timeout=MINUTE,
            cancellation_type=workflow.ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
        )
        await workflow.wait_condition(lambda: self.stop)
        handle.cancel()
        try:
            await handle
        except ActivityError as error:
            return f"{type(error.cause).__name__} {is_cancelled_exception(error)}"
        return "finished"

    @workflow.signal
    def stop_now(self) -> None:
        self.stop = True


@workflow.defn
class Missing:
    @workflow.run
    async def run(self) -> None:
        await workflow.execute_activity(
            "no_such", start_to_close_timeout=MINUTE, retry_policy=RetryPolicy(maximum_attempts=1)
        )


@activity.defn
async def completed_later() -> str:
    activity.raise_complete_async()


@workflow.defn
class WaitsForOthers:
    @workflow.run
    async def run(self) -> str:
        return await workflow.execute_activity(completed_later, activity_id="later", start_to_close_timeout=MINUTE)


@asynccontextmanager
async def serving(*workflows: Any, activities: Any = (), **options: Any) -> AsyncIterator[Client]:
    engine = open_engine("memory://", own_thread=False)
    client = Client(engine, data_converter=options.pop("data_converter", DataConverter.default))
    try:
        with ThreadPoolExecutor(2) as pool:
            async with Worker(
                client, task_queue="q", workflows=workflows, activities=activities, activity_executor=pool, **options
            ):
                yield client
    finally:
        engine.close()


async def execute(client: Client, run: Any, *args: Any) -> Any:
    return await client.execute_workflow(run, args=list(args), id="w", task_queue="q")


async def test_activities_called_directly_are_scheduled() -> None:
    async with serving(DirectCalls, activities=[double, triple, shop.price, half]) as client:
        assert await execute(client, DirectCalls.run, 5) == [10, 0, 10, 20, 15, 35, 2]
        history = await client.get_workflow_handle("w").fetch_history()
    kinds = [event.event_type.title for event in history.events]
    assert kinds.count("ActivityTaskScheduled") == 7


async def test_local_activities_are_retried_in_place_or_after_a_durable_timer() -> None:
    async with serving(LocalOnes, activities=[flaky]) as client:
        assert await execute(client, LocalOnes.run, 3) == [3, 2]
        history = await client.get_workflow_handle("w").fetch_history()
    kinds = [event.event_type.title for event in history.events]
    assert kinds.count("TimerFired") == 1
    assert kinds.count("MarkerRecorded") == 3
    assert "ActivityTaskScheduled" not in kinds


async def test_a_cancel_reaches_the_activity_by_its_heartbeat() -> None:
    begun = asyncio.Event()

    @activity.defn
    async def until_cancelled() -> None:
        begun.set()
        while True:
            activity.heartbeat("alive")
            await asyncio.sleep(0.001)

    often = timedelta(milliseconds=1)
    async with serving(Cancelling, activities=[until_cancelled], max_heartbeat_throttle_interval=often) as client:
        handle = await client.start_workflow(Cancelling.run, id="w", task_queue="q")
        await begun.wait()
        await handle.signal(Cancelling.stop_now)
        assert await handle.result() == f"{CancelledError.__name__} True"


async def test_an_unknown_activity_fails_with_not_found() -> None:
    async with serving(Missing, activities=[double]) as client:
        with pytest.raises(WorkflowFailureError) as caught:
            await execute(client, Missing.run)
    activity_error = caught.value.cause
    assert isinstance(activity_error, ActivityError)
    assert isinstance(activity_error.cause, ApplicationError)
    assert activity_error.cause.type == "NotFoundError"


async def test_an_activity_may_be_completed_by_somebody_else() -> None:
    async with serving(WaitsForOthers, activities=[completed_later]) as client:
        handle = await client.start_workflow(WaitsForOthers.run, id="w", task_queue="q")

        async def is_started() -> bool:
            pending = (await client.frontend.describe_workflow(Target("default", handle.id))).pending_activities
            return bool(pending) and pending[0].state == "started"

        await until(is_started)
        await client.get_async_activity_handle(workflow_id="w", run_id=None, activity_id="later").complete("done")
        assert await handle.result() == "done"


async def test_with_a_codec_everything_still_works_and_nothing_readable_is_stored() -> None:
    converter = DataConverter(payload_codec=Reversing())
    async with serving(
        DirectCalls, LocalOnes, activities=[double, triple, shop.price, half, flaky], data_converter=converter
    ) as client:
        assert await execute(client, DirectCalls.run, 5) == [10, 0, 10, 20, 15, 35, 2]
        history = await client.get_workflow_handle("w").fetch_history()
        scheduled = [e.attributes for e in history.events if e.event_type.title == "ActivityTaskScheduled"]
        assert {payload.metadata["encoding"] for each in scheduled for payload in each.input} == {b"rev"}
        assert await client.execute_workflow(LocalOnes.run, 3, id="l", task_queue="q") == [3, 2]


async def test_an_embedded_worker_waits_for_definitions_and_goes_on_when_they_come() -> None:
    engine = open_engine("memory://", own_thread=False)
    client = Client(engine)
    embedded = EmbeddedWorker(client, task_queue="q")
    embedded.start()
    try:
        handle = await client.start_workflow(DirectCalls.run, 5, id="w", task_queue="q")
        embedded.register_workflow(DirectCalls)
        for each in (double, triple, shop.price, half):
            embedded.register_activity(each)
        assert await handle.result() == [10, 0, 10, 20, 15, 35, 2]
        await embedded.shutdown()
    finally:
        engine.close()


def test_a_worker_on_its_own_loop_serves_an_engine_with_a_thread_of_its_own() -> None:
    async def main() -> Any:
        engine = open_engine("memory://", own_thread=True)
        try:
            client = Client(engine)
            async with Worker(
                client, task_queue="q", workflows=[DirectCalls], activities=[double, on_loop(), shop.price, half]
            ):
                return await execute(client, DirectCalls.run, 5)
        finally:
            engine.close()

    def on_loop() -> Any:
        loop = asyncio.get_running_loop()

        @activity.defn(name="triple")
        async def triple_here(number: int) -> int:
            assert asyncio.get_running_loop() is loop
            return number * 3

        return triple_here

    assert asyncio.run(main()) == [10, 0, 10, 20, 15, 35, 2]
