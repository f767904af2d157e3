"""Cancellation of activities: who learns of it, how, and what is reported (temporal-semantics 3.2 and 7)."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

import pytest

from durable_nb import activity
from durable_nb.activity import ActivityCancellationDetails
from durable_nb.exceptions import ApplicationError, CancelledError
from durable_nb.model.tasks import HeartbeatReply
from durable_nb.worker._thread_cancel import ThreadCanceller
from tests.worker.executor_rig import Rig, activity_task, failure_type, settle, value_of

CANCEL = HeartbeatReply(cancel_requested=True)


@activity.defn
async def endless() -> None:
    activity.heartbeat()
    await asyncio.Event().wait()


@activity.defn
async def cleanup() -> str:
    activity.heartbeat()
    try:
        await asyncio.Event().wait()
    except asyncio.CancelledError:
        details = activity.cancellation_details()
        assert activity.is_cancelled()
        await activity.wait_for_cancelled()
        await asyncio.sleep(0)
        return f"cleaned up: {details}"
    return "never"


async def test_a_requested_cancel_that_the_activity_lets_through_is_reported_as_canceled() -> None:
    rig = Rig(endless)
    rig.reply = CANCEL
    outcome = await rig.run("endless")
    assert outcome.canceled
    assert outcome.failure is None


async def test_an_activity_that_swallows_the_cancel_completes_normally() -> None:
    rig = Rig(cleanup)
    rig.reply = CANCEL
    expected = ActivityCancellationDetails(cancel_requested=True)
    assert await rig.result("cleanup") == f"cleaned up: {expected}"


async def test_without_a_heartbeat_nothing_is_learnt_of_a_cancel() -> None:
    gate = asyncio.Event()

    @activity.defn
    async def deaf() -> bool:
        await gate.wait()
        return activity.is_cancelled()

    rig = Rig(deaf)
    rig.reply = CANCEL
    end = rig.start(activity_task("deaf"))
    await settle()
    gate.set()
    assert value_of(await end) is False


async def test_a_reply_that_says_nothing_cancels_nothing() -> None:
    rig = Rig(endless)
    task = activity_task("endless")
    end = rig.start(task)
    await settle()
    rig.cancel(task, HeartbeatReply())
    await settle()
    assert not end.done(), "a reply that says nothing cancels nothing"
    rig.cancel(task, CANCEL)
    assert (await end).canceled


async def test_a_cancel_before_the_first_step_is_not_lost() -> None:
    rig = Rig(endless)
    task = activity_task("endless")
    end = rig.start(task)
    rig.cancel(task, CANCEL)
    assert (await end).canceled


async def test_repeated_requests_do_not_interrupt_the_clean_up() -> None:
    gate = asyncio.Event()

    @activity.defn
    async def slow_cleanup() -> str:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            await gate.wait()
            return "clean"
        return "never"

    rig = Rig(slow_cleanup)
    task = activity_task("slow_cleanup")
    end = rig.start(task)
    for _ in range(3):
        await settle()
        rig.cancel(task, CANCEL)
    gate.set()
    assert value_of(await end) == "clean"


async def test_cancelled_error_that_nobody_asked_for_is_a_plain_failure() -> None:
    @activity.defn
    async def own() -> None:
        raise asyncio.CancelledError

    @activity.defn
    async def own_temporal() -> None:
        raise CancelledError("mine")

    rig = Rig(own, own_temporal)
    assert not (await rig.run("own")).canceled
    outcome = await rig.run("own_temporal")
    assert not outcome.canceled
    assert outcome.failure is not None
    assert outcome.failure.canceled_failure_info is not None


@pytest.mark.parametrize(
    ("reply", "kind"),
    [(HeartbeatReply(paused=True), "ActivityPause"), (HeartbeatReply(reset=True), "ActivityReset")],
)
async def test_pause_and_reset_are_failures_of_their_own_types(reply: HeartbeatReply, kind: str) -> None:
    rig = Rig(endless)
    rig.reply = reply
    assert failure_type(await rig.run("endless")) == kind


async def test_a_cancel_that_turns_into_another_error_is_that_failure() -> None:
    @activity.defn
    async def turn() -> None:
        activity.heartbeat()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            raise ApplicationError("half done", type="HalfDone") from None

    rig = Rig(turn)
    rig.reply = CANCEL
    assert failure_type(await rig.run("turn")) == "HalfDone"


class Threaded:
    """Sync activities that spin in Python code, where an exception can reach them."""

    def __init__(self) -> None:
        self.trace: list[Any] = []

    def spin(self) -> None:
        activity.heartbeat()
        pause = threading.Event()
        for _ in range(10_000):
            pause.wait(0.001)
        raise AssertionError("never cancelled")

    @activity.defn
    def stopped(self) -> None:
        self.spin()

    @activity.defn
    def caught(self) -> str:
        try:
            self.spin()
        except CancelledError:
            return f"caught {activity.is_cancelled()} {activity.cancellation_details().cancel_requested}"
        return "never"

    @activity.defn(no_thread_cancel_exception=True)
    def polled(self) -> str:
        activity.heartbeat()
        activity.wait_for_cancelled_sync(10)
        return f"polled {activity.is_cancelled()}"

    @activity.defn
    def shielded(self) -> None:
        try:
            with activity.shield_thread_cancel_exception():
                with activity.shield_thread_cancel_exception():
                    activity.heartbeat()
                    activity.wait_for_cancelled_sync(10)
                    self.trace.append("inner")
                self.trace.append("outer")
            self.trace.append("not reached")
        finally:
            self.trace.append("left")


async def threaded(name: str) -> tuple[Any, Threaded]:
    threads = Threaded()
    with ThreadPoolExecutor(1) as pool:
        rig = Rig(threads.stopped, threads.caught, threads.polled, threads.shielded, executor=pool)
        rig.reply = CANCEL
        return await rig.run(name), threads


async def test_a_thread_gets_the_cancel_as_an_exception() -> None:
    outcome, _ = await threaded("stopped")
    assert outcome.canceled


async def test_a_thread_may_catch_the_cancel_and_complete() -> None:
    outcome, _ = await threaded("caught")
    assert value_of(outcome) == "caught True True"


async def test_a_thread_without_exceptions_sees_the_flag() -> None:
    outcome, _ = await threaded("polled")
    assert value_of(outcome) == "polled True"


async def test_a_shield_holds_the_exception_back_until_the_outermost_block_ends() -> None:
    outcome, threads = await threaded("shielded")
    assert outcome.canceled
    assert threads.trace == ["inner", "outer", "left"]


def test_after_an_activity_left_its_thread_no_exception_strikes() -> None:
    canceller = ThreadCanceller()
    canceller.enter()
    canceller.leave()
    canceller.cancel()
    assert sum(range(1000)) == 499500


def test_an_exception_on_its_way_is_withdrawn_when_the_activity_ends() -> None:
    # The exception is set from this very thread and strikes at a later bytecode; leave() must come first or catch it.
    survived = 0
    for _ in range(200):
        canceller = ThreadCanceller()
        try:
            try:
                canceller.enter()
                canceller.cancel()
            finally:
                while not canceller.left:
                    with suppress(CancelledError):
                        canceller.leave()
        except CancelledError:
            pass
        survived += sum(range(10)) == 45
    assert survived == 200


def test_a_cancel_before_the_thread_begins_strikes_when_it_does() -> None:
    canceller = ThreadCanceller()
    canceller.cancel()

    def body() -> None:
        canceller.enter()
        for _ in range(1000):
            pass

    with pytest.raises(CancelledError):
        body()
    canceller.leave()


async def test_waiting_asynchronously_is_refused_in_a_sync_activity() -> None:
    @activity.defn
    def wait_wrongly() -> None:
        activity.wait_for_cancelled().send(None)

    with ThreadPoolExecutor(1) as pool:
        outcome = await Rig(wait_wrongly, executor=pool).run("wait_wrongly")
    assert failure_type(outcome) == "RuntimeError"
