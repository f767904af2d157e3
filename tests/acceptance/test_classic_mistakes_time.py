"""Classic mistakes of temporal-semantics 10: order of inputs, conditions, timers, time, randomness."""

from __future__ import annotations

import asyncio
import random
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from durable_nb import workflow
from durable_nb.client import (
    Client,
    WorkflowUpdateFailedError,
)
from durable_nb.runtime.siphash import siphash13
from tests.acceptance.world import events, has, kinds, serving, start
from tests.waiting import until

calls: list[str] = []


@workflow.defn
class Ordered:
    def __init__(self) -> None:
        self.seen: list[str] = []

    @workflow.run
    async def run(self) -> list[str]:
        self.seen.append("run")
        await workflow.sleep(timedelta(days=1))
        self.seen.append("timer")
        await workflow.wait_condition(lambda: "signal" in self.seen)
        return self.seen

    @workflow.signal
    def tell(self, what: str) -> None:
        self.seen.append(what)


async def test_03_a_signal_of_the_same_task_is_handled_before_a_timer(skipping: Any) -> None:
    async with serving(skipping.client, Ordered):
        handle = await start(skipping.client, Ordered.run)
        await until(lambda: has(handle, "TIMER_STARTED"))
    await skipping.sleep(timedelta(days=2))  # The timer fires while nobody serves the workflow.
    await until(lambda: has(handle, "TIMER_FIRED"))
    await handle.signal(Ordered.tell, "signal")
    async with serving(skipping.client, Ordered):
        assert await handle.result() == ["run", "signal", "timer"]


async def test_04_signal_with_start_runs_the_handler_before_run(client: Client) -> None:
    async with serving(client, QuickOrdered):
        handle = await start(client, QuickOrdered.run, start_signal="tell", start_signal_args=["signal"])
        assert await handle.result() == ["signal", "run"]


@workflow.defn
class QuickOrdered:
    def __init__(self) -> None:
        self.seen: list[str] = []

    @workflow.run
    async def run(self) -> list[str]:
        self.seen.append("run")
        return self.seen

    @workflow.signal
    def tell(self, what: str) -> None:
        self.seen.append(what)


@workflow.defn
class Conditions:
    def __init__(self) -> None:
        self.number = 0
        self.looks = 0
        self.woken: list[str] = []

    def look(self) -> bool:
        self.looks += 1
        return self.number > 0

    async def wait(self, name: str, least: int) -> None:
        await workflow.wait_condition(lambda: self.number >= least)
        self.woken.append(name)

    @workflow.run
    async def run(self) -> list[str]:
        await asyncio.gather(
            workflow.wait_condition(self.look), self.wait("a", 1), self.wait("never first", 2), self.wait("b", 1)
        )
        return self.woken

    @workflow.signal
    def set(self, number: int) -> None:
        self.number = number

    @workflow.update
    def change(self, number: int) -> None:
        self.number = number

    @change.validator
    def check(self, number: int) -> None:
        raise ValueError("refused")

    @workflow.query
    def looked(self) -> int:
        return self.looks

    @workflow.query
    def order(self) -> list[str]:
        return self.woken


async def test_05_conditions_are_looked_at_only_after_what_may_change_them_and_all_true_ones_wake(
    client: Client,
) -> None:
    async with serving(client, Conditions):
        handle = await start(client, Conditions.run)
        looks = await handle.query(Conditions.looked)
        with pytest.raises(WorkflowUpdateFailedError):
            await handle.execute_update(Conditions.change, 5)
        assert await handle.query(Conditions.looked) == looks
        await handle.signal(Conditions.set, 1)
        assert await handle.query(Conditions.order) == ["a", "b"]
        await handle.signal(Conditions.set, 2)
        assert await handle.result() == ["a", "b", "never first"]


@workflow.defn
class OneLoaf:
    """Whoever wakes takes away what all wait for."""

    def __init__(self) -> None:
        self.loaf = False
        self.woken: list[str] = []

    async def guest(self, name: str) -> None:
        await workflow.wait_condition(lambda: self.loaf)
        self.loaf = False
        self.woken.append(name)

    @workflow.run
    async def run(self) -> list[str]:
        await asyncio.gather(self.guest("a"), self.guest("b"))
        return self.woken

    @workflow.signal
    def bake(self) -> None:
        self.loaf = True

    @workflow.query
    def order(self) -> list[str]:
        return self.woken


async def test_05b_conditions_that_are_true_together_wake_together(client: Client) -> None:
    async with serving(client, OneLoaf):
        handle = await start(client, OneLoaf.run)
        await handle.signal(OneLoaf.bake)
        assert await handle.query(OneLoaf.order) == ["a", "b"]


@workflow.defn
class ShortLivedTimer:
    @workflow.run
    async def run(self) -> None:
        doomed = asyncio.ensure_future(asyncio.sleep(1000))
        await asyncio.sleep(0)
        doomed.cancel()
        await asyncio.sleep(0.001)


async def test_07_a_timer_that_lives_within_one_task_leaves_no_event_but_uses_a_number(client: Client) -> None:
    async with serving(client, ShortLivedTimer):
        handle = await start(client, ShortLivedTimer.run)
        await handle.result()
        timers = [
            event["timerStartedEventAttributes"]["timerId"]
            for event in await events(handle)
            if "timerStartedEventAttributes" in event
        ]
        assert timers == ["2"]
        assert "TIMER_CANCELED" not in await kinds(handle)


@workflow.defn
class Clocked:
    @workflow.run
    async def run(self) -> list[Any]:
        first, again = workflow.now(), workflow.now()
        seconds = workflow.time()
        await workflow.sleep(0.01)
        later = workflow.now()
        return [first.isoformat(), again.isoformat(), seconds, later.isoformat(), asyncio.get_running_loop().time()]


async def test_17_now_is_the_time_of_the_task_and_stands_within_it(client: Client) -> None:
    async with serving(client, Clocked):
        handle = await start(client, Clocked.run)
        first, again, seconds, later, loop_time = await handle.result()
        started = [
            at(event["eventTime"])
            for event in await events(handle)
            if event["eventType"] == "EVENT_TYPE_WORKFLOW_TASK_STARTED"
        ]
    assert first == again
    assert [datetime.fromisoformat(first), datetime.fromisoformat(later)] == started
    assert seconds == pytest.approx(started[0].timestamp())
    assert loop_time == pytest.approx(started[1].timestamp())


def at(text: str) -> datetime:
    return datetime.fromisoformat(text.replace("Z", "+00:00")).astimezone(UTC)


@workflow.defn
class Dice:
    @workflow.run
    async def run(self) -> tuple[float, str]:
        return workflow.random().random(), str(workflow.uuid4())


async def test_18_random_is_seeded_by_the_run_id(client: Client) -> None:
    async with serving(client, Dice):
        handle = await start(client, Dice.run)
        number, identifier = await handle.result()
    assert handle.result_run_id is not None
    dice = random.Random(siphash13(handle.result_run_id.encode() + b"\xff"))
    assert number == dice.random()
    assert identifier == str(uuid.UUID(bytes=dice.getrandbits(128).to_bytes(16, "big"), version=4))
