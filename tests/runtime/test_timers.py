from __future__ import annotations

import asyncio
import warnings
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest

from durable_nb import workflow
from durable_nb.model import attributes as a
from tests.runtime.driver import SECOND, START, Driver

SHORT = timedelta(seconds=10)
seen: list[Any] = []


@workflow.defn
class Waits:
    """Runs one of the functions below by name."""

    @workflow.run
    async def run(self, name: str) -> Any:
        seen.clear()
        return await CASES[name]()


async def many_ways() -> None:
    async def timed() -> None:
        async with asyncio.timeout(3):
            await asyncio.Future()

    await asyncio.gather(
        asyncio.sleep(1),
        workflow.sleep(timedelta(seconds=2), summary="tea"),
        timed(),
        asyncio.wait_for(asyncio.Future(), 4),
        asyncio.wait([asyncio.ensure_future(asyncio.Future())], timeout=5),
        return_exceptions=True,
    )


async def nothing() -> str:
    await asyncio.sleep(0)
    return "at once"


async def zero() -> None:
    await workflow.sleep(0)


async def negative() -> None:
    asyncio.get_running_loop().call_later(-1, print)


async def cancelled_later() -> str:
    task = asyncio.create_task(workflow.sleep(60))
    await workflow.sleep(1)
    task.cancel()
    try:
        await task
    except asyncio.CancelledError:
        return "raised"
    return "swallowed"


async def born_and_cancelled() -> None:
    handle = asyncio.get_running_loop().call_later(60, print)
    handle.cancel()
    await workflow.sleep(1)


async def clock() -> list[float]:
    first = workflow.time()
    again = workflow.time()
    await workflow.sleep(5)
    return [first, again, workflow.time(), asyncio.get_running_loop().time(), workflow.now().timestamp()]


async def condition() -> int:
    await workflow.wait_condition(lambda: True, timeout=9)
    await workflow.sleep(1)
    return 1


async def condition_times_out() -> str:
    try:
        await workflow.wait_condition(lambda: False, timeout=timedelta(seconds=9), timeout_summary="nap")
    except TimeoutError:
        return "timed out"
    return "true"


async def conditions() -> list[int]:
    """Three conditions become true in one pass; all go on."""
    state = {"open": False}
    order: list[int] = []

    async def wait(n: int) -> None:
        await workflow.wait_condition(lambda: state["open"])
        order.append(n)

    tasks = [asyncio.create_task(wait(n)) for n in range(3)]
    await workflow.sleep(1)
    state["open"] = True
    await asyncio.gather(*tasks)
    return order


async def unordered() -> None:
    await asyncio.wait([asyncio.ensure_future(workflow.sleep(1))])


async def names() -> list[str]:
    task = asyncio.create_task(asyncio.sleep(0))
    current = asyncio.current_task()
    assert current is not None
    return [current.get_name(), task.get_name()]


async def forbidden() -> list[str]:
    loop = asyncio.get_running_loop()
    refused = []
    for call in (
        lambda: loop.run_in_executor(None, print),
        lambda: loop.add_reader(0, print),
        lambda: loop.call_soon_threadsafe(print),
        lambda: loop.run_until_complete(asyncio.Future()),
        lambda: loop.add_signal_handler(1, print),
    ):
        try:
            call()
        except NotImplementedError:
            refused.append("no")
    try:
        await asyncio.to_thread(print)
    except NotImplementedError:
        refused.append("no")
    return refused


CASES: dict[str, Callable[[], Awaitable[Any]]] = {
    fn.__name__: fn
    for fn in (
        many_ways, nothing, zero, negative, cancelled_later, born_and_cancelled, clock, condition,
        condition_times_out, conditions, unordered, names, forbidden,
    )
}  # fmt: skip


def started(d: Driver) -> list[tuple[str, int]]:
    return [
        (event.attributes.timer_id, event.attributes.start_to_fire_timeout // SECOND)
        for event in d.events
        if isinstance(event.attributes, a.TimerStarted)
    ]


def test_every_stock_way_to_wait_is_a_durable_timer() -> None:
    d = Driver(Waits, "many_ways")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        d.task()
    assert sorted(seconds for _, seconds in started(d)) == [1, 2, 3, 4, 5]
    tea = next(e for e in d.events if isinstance(e.attributes, a.TimerStarted) and e.user_metadata)
    assert tea.user_metadata is not None
    assert tea.user_metadata.summary.data == b'"tea"'


def test_asyncio_sleep_0_is_a_bare_yield() -> None:
    d = Driver(Waits, "nothing")
    d.task()
    assert d.result == "at once"
    assert started(d) == []


def test_workflow_sleep_0_is_a_timer() -> None:
    d = Driver(Waits, "zero")
    d.task()
    assert started(d) == [("1", 0)]


def test_a_negative_delay_is_an_error() -> None:
    outcome = Driver(Waits, "negative").task()
    assert "negative delay" in outcome.failure.message


def test_cancelling_a_wait_cancels_its_timer_and_raises() -> None:
    d = Driver(Waits, "cancelled_later")
    d.task()
    d.fire("1")
    d.task()
    assert d.commands() == ["TimerCanceled", "WorkflowExecutionCompleted"]
    assert d.of(a.TimerCanceled).attributes.timer_id == "2"  # type: ignore[attr-defined]
    assert d.result == "raised"
    assert d.replay().failure is None


def test_a_timer_born_and_cancelled_in_one_task_leaves_no_event_but_takes_a_number() -> None:
    d = Driver(Waits, "born_and_cancelled")
    d.task()
    assert started(d) == [("2", 1)]


def test_workflow_time_is_that_of_the_task_and_stands_still_within_it() -> None:
    d = Driver(Waits, "clock")
    d.task()
    d.fire()
    d.task()
    first, again, *later = d.result
    assert first == again == (START + 3 * SECOND) / 1e6
    assert later == [(START + 8 * SECOND) / 1e6] * 3


def test_a_condition_that_holds_already_takes_a_timer_number_but_leaves_no_timer() -> None:
    d = Driver(Waits, "condition")
    d.task()
    assert started(d) == [("2", 1)]


def test_a_condition_raises_timeout_error_when_its_durable_timer_fires() -> None:
    d = Driver(Waits, "condition_times_out")
    d.task()
    assert d.events[-1].user_metadata.summary.data == b'"nap"'  # type: ignore[union-attr]
    d.fire()
    d.task()
    assert d.result == "timed out"


def test_all_conditions_that_hold_in_a_pass_are_resolved_in_the_order_of_registration() -> None:
    d = Driver(Waits, "conditions")
    d.task()
    d.fire()
    d.task()
    assert d.result == [0, 1, 2]


def test_the_unordered_wait_of_asyncio_warns_and_names_the_ordered_one() -> None:
    with pytest.warns(RuntimeWarning, match=r"use workflow\.wait") as caught:
        Driver(Waits, "unordered").task()
    assert caught[0].filename == __file__


def test_task_names_say_whose_they_are_and_count_per_run() -> None:
    d = Driver(Waits, "names")
    d.task()
    suffix = " (workflow: Waits, id: workflow-1, run: run-1)"
    assert d.result == [f"run{suffix}", f"Task-1{suffix}"]


def test_what_needs_the_outside_world_is_not_on_the_loop() -> None:
    d = Driver(Waits, "forbidden")
    d.task()
    assert d.result == ["no"] * 6


def test_a_timer_that_fired_in_the_task_of_its_cancellation_is_not_cancelled_again() -> None:
    d = Driver(CancelsBySignal)
    d.task()
    d.fire()
    d.signal("stop")
    d.task()
    assert "TimerCanceled" not in d.kinds()
    assert d.result == "stopped"
    assert d.replay().failure is None


@workflow.defn
class CancelsBySignal:
    def __init__(self) -> None:
        self.task: asyncio.Task[None] | None = None

    @workflow.run
    async def run(self) -> str:
        self.task = asyncio.create_task(workflow.sleep(5))
        try:
            await self.task
        except asyncio.CancelledError:
            return "stopped"
        return "slept"

    @workflow.signal
    def stop(self) -> None:
        assert self.task is not None
        self.task.cancel()
