"""Heartbeats: throttled, newest details only, and how an activity learns that it should stop."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from durable_nb import activity
from durable_nb.converter import DataConverter, PayloadCodec
from durable_nb.model.payload import Payload
from durable_nb.model.tasks import ActivityOutcome, HeartbeatReply
from durable_nb.service import RPCError, RPCStatusCode
from durable_nb.worker._heartbeat import HeartbeatTiming
from tests.worker.executor_rig import Rig, activity_task, details_of, failure_type, settle


class Beater:
    """An activity that heartbeats when the test says so, until it is told to end."""

    def __init__(self) -> None:
        self.orders: asyncio.Queue[Any] = asyncio.Queue()

    @activity.defn(name="beater")
    async def run(self) -> str:
        while (order := await self.orders.get()) != "end":
            if isinstance(order, Exception):
                raise order
            activity.heartbeat(*order)
        return "done"

    async def beat(self, *details: Any) -> None:
        self.orders.put_nowait(details)
        await settle()

    async def end(self, how: Any = "end") -> None:
        self.orders.put_nowait(how)
        await settle()


def started(rig: Rig, timeout_us: int = 0) -> asyncio.Future[ActivityOutcome]:
    return rig.start(activity_task("beater", heartbeat_timeout=timeout_us))


@pytest.mark.parametrize(
    ("timeout_us", "interval"), [(10_000_000, 8.0), (0, 30.0), (500_000_000, 60.0), (1_000_000, 0.8)]
)
def test_the_interval_is_80_percent_of_the_timeout_30_s_without_and_60_s_at_most(
    timeout_us: int, interval: float
) -> None:
    assert HeartbeatTiming().interval(timeout_us) == pytest.approx(interval)


async def test_the_first_heartbeat_goes_out_at_once_and_the_newest_after_each_interval() -> None:
    beater = Beater()
    rig = Rig(beater.run)
    end = started(rig, 10_000_000)
    await beater.beat(1)
    assert rig.heartbeats == [[1]]
    await beater.beat(2)
    await beater.beat(3)
    assert rig.heartbeats == [[1]]
    await rig.timers.advance(7.9)
    assert rig.heartbeats == [[1]]
    await rig.timers.advance(0.2)
    assert rig.heartbeats == [[1], [3]]
    await rig.timers.advance(20)
    assert rig.heartbeats == [[1], [3]]
    await beater.beat(4)
    assert rig.heartbeats == [[1], [3], [4]]
    await beater.end()
    assert (await end).last_heartbeat_details is None


async def test_after_a_quiet_interval_the_next_heartbeat_is_not_held_back() -> None:
    beater = Beater()
    rig = Rig(beater.run)
    end = started(rig)
    await beater.beat("a")
    await rig.timers.advance(31)
    await beater.beat("b")
    assert rig.heartbeats == [["a"], ["b"]]
    await beater.end()
    await end


async def test_details_are_those_of_the_moment_of_the_call() -> None:
    beater = Beater()
    rig = Rig(beater.run)
    end = started(rig)
    await beater.beat("first")
    progress = {"done": 1}
    await beater.beat(progress)
    progress["done"] = 2
    await rig.timers.advance(30)
    assert rig.heartbeats == [["first"], [{"done": 1}]]
    await beater.end()
    await end


async def test_held_back_details_go_out_with_a_failure_and_timers_are_gone() -> None:
    beater = Beater()
    rig = Rig(beater.run)
    end = started(rig)
    await beater.beat("a")
    await beater.beat("b", [1])
    await beater.end(ValueError("broken"))
    outcome = await end
    assert failure_type(outcome) == "ValueError"
    assert details_of(outcome.last_heartbeat_details) == ["b", [1]]
    assert rig.timers.pending == []


async def test_a_heartbeat_without_details_is_a_heartbeat() -> None:
    beater = Beater()
    rig = Rig(beater.run)
    end = started(rig)
    await beater.beat()
    assert rig.heartbeats == [[]]
    await beater.end()
    await end


async def test_details_that_cannot_be_encoded_fail_the_activity_where_it_heartbeats() -> None:
    beater = Beater()
    rig = Rig(beater.run)
    end = started(rig)
    await beater.beat(object())
    outcome = await end
    assert outcome.failure is not None
    assert "object" in outcome.failure.message
    assert rig.heartbeats == []


class Refusing(PayloadCodec):
    async def encode(self, payloads: Sequence[Payload]) -> list[Payload]:
        raise ValueError("no keys")

    async def decode(self, payloads: Sequence[Payload]) -> list[Payload]:
        return list(payloads)


async def test_a_codec_that_refuses_details_cancels_the_activity_with_its_error() -> None:
    beater = Beater()
    rig = Rig(beater.run, data_converter=DataConverter(payload_codec=Refusing()))
    end = started(rig)
    await beater.beat("x")
    outcome = await end
    assert failure_type(outcome) == "ValueError"
    assert outcome.failure is not None
    assert outcome.failure.message == "no keys"


async def test_an_engine_that_does_not_answer_keeps_the_details_for_the_outcome() -> None:
    def unavailable() -> HeartbeatReply:
        raise RPCError("busy", RPCStatusCode.UNAVAILABLE)

    beater = Beater()
    rig = Rig(beater.run)
    rig.answer = unavailable
    end = started(rig)
    await beater.beat("a")
    assert not rig.reports
    await beater.end(ValueError("x"))
    assert details_of((await end).last_heartbeat_details) == ["a"]


async def test_an_attempt_that_the_engine_does_not_know_any_more_is_cancelled_as_not_found() -> None:
    seen: list[Any] = []

    @activity.defn
    async def look() -> None:
        activity.heartbeat()
        try:
            await asyncio.Event().wait()
        finally:
            seen.append(activity.cancellation_details())

    def gone() -> HeartbeatReply:
        raise RPCError("gone", RPCStatusCode.NOT_FOUND)

    rig = Rig(look)
    rig.answer = gone
    outcome = await rig.run("look")
    assert outcome.failure is not None, "nobody asked for the cancellation, so it is not reported as canceled"
    assert seen == [activity.ActivityCancellationDetails(not_found=True)]


async def test_a_thread_may_heartbeat_and_only_the_newest_of_a_burst_counts() -> None:
    @activity.defn
    def burst() -> None:
        for i in range(1000):
            activity.heartbeat(i)

    with ThreadPoolExecutor(1) as pool:
        rig = Rig(burst, executor=pool)
        outcome = await rig.run("burst")
    assert outcome.result is not None
    await settle()
    assert len(rig.heartbeats) <= 2


async def test_a_local_activity_has_nobody_to_tell() -> None:
    @activity.defn
    async def local() -> bool:
        activity.heartbeat(1)
        return activity.info().is_local

    rig = Rig(local)
    assert await rig.result("local", is_local=True) is True
    assert rig.heartbeats == []
