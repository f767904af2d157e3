"""What activities see of a worker that shuts down, and what is reported of them."""

from __future__ import annotations

import asyncio
from concurrent.futures import BrokenExecutor, Executor, Future, ThreadPoolExecutor
from typing import Any

import pytest

from durable_nb import activity
from durable_nb.model.tasks import HeartbeatReply
from tests.worker.executor_rig import Rig, activity_task, failure_type, settle, value_of


@activity.defn
async def polite() -> str:
    await activity.wait_for_worker_shutdown()
    return f"told {activity.is_worker_shutdown()} {activity.is_cancelled()}"


@activity.defn
async def stubborn() -> None:
    await asyncio.Event().wait()


@activity.defn
def polite_thread() -> str:
    activity.wait_for_worker_shutdown_sync(10)
    return f"told {activity.is_worker_shutdown()}"


async def test_an_activity_may_end_within_the_graceful_time() -> None:
    with ThreadPoolExecutor(1) as pool:
        rig = Rig(polite, polite_thread, executor=pool)
        ends = [rig.start(activity_task("polite")), rig.start(activity_task("polite_thread"))]
        await settle()
        await rig.executor.shutdown(10)
    assert [value_of(await end) for end in ends] == ["told True False", "told True"]


async def test_after_the_graceful_time_activities_are_cancelled_and_fail_retryably() -> None:
    rig = Rig(stubborn)
    end = rig.start(activity_task("stubborn"))
    await settle()
    await rig.executor.shutdown(0)
    outcome = await end
    assert not outcome.canceled
    assert failure_type(outcome) == "WorkerShutdown"
    assert not outcome.failure.application_failure_info.non_retryable


async def test_the_details_say_that_it_was_the_shutdown() -> None:
    @activity.defn
    async def look() -> Any:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            return activity.cancellation_details().worker_shutdown

    rig = Rig(look)
    end = rig.start(activity_task("look"))
    await settle()
    await rig.executor.shutdown(0)
    assert value_of(await end) is True


async def test_a_cancel_requested_before_the_shutdown_is_still_reported_as_canceled() -> None:
    @activity.defn
    async def twice() -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            await asyncio.Event().wait()

    rig = Rig(twice)
    task = activity_task("twice")
    end = rig.start(task)
    await settle()
    rig.cancel(task, HeartbeatReply(cancel_requested=True))
    await settle()
    await rig.executor.shutdown(0)
    assert (await end).canceled


async def test_a_worker_without_running_activities_is_down_at_once() -> None:
    await Rig(stubborn).executor.shutdown(1000)


class Broken(Executor):
    def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
        raise BrokenExecutor("workers died")


class BrokenPool(ThreadPoolExecutor):
    def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
        raise BrokenExecutor("workers died")


@pytest.mark.parametrize("kind", [Broken, BrokenPool])
async def test_a_broken_executor_fails_the_activity_and_the_worker(kind: type[Executor]) -> None:
    fatal: list[BaseException] = []
    rig = Rig(polite_thread, executor=kind(), on_fatal=fatal.append)
    assert failure_type(await rig.run("polite_thread")) == "BrokenExecutor"
    assert [str(error) for error in fatal] == ["workers died"]
    assert rig.executor.free_slots() == 100


async def test_a_pool_that_was_shut_down_fails_the_activity_clearly() -> None:
    pool = ThreadPoolExecutor(1)
    pool.shutdown()
    outcome = await Rig(polite_thread, executor=pool).run("polite_thread")
    assert "cannot schedule new futures after shutdown" in outcome.failure.message
