"""Reads that wait for news of a run, on a store whose answers take their time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from durable_nb.model import requests as ask
from durable_nb.model.events import Event
from tests.engine.conftest import Driver, until
from tests.engine.scripts import ScriptedWorker, until_signal


class SlowReads:
    """Holds the engine's answers of now back until ``deliver``, all but the first, which finds the run."""

    def __init__(self, driver: Driver) -> None:
        self.asked = 0
        self._may_go_on = asyncio.Event()
        driver.handle.engine.read = self._read  # type: ignore[method-assign]

    async def _read(self, method: Callable[..., Any], *args: Any) -> Any:
        answer = method(*args)
        self.asked += 1
        if self.asked > 1:
            await self._may_go_on.wait()
        return answer

    def deliver(self) -> None:
        self._may_go_on.set()


def waiting(driver: Driver, **options: Any) -> asyncio.Task[ask.HistoryPage]:
    request = ask.ReadHistory(driver.target(), wait_new_event=True, **options)
    return asyncio.create_task(driver.frontend.read_history(request))


async def ended(page: asyncio.Task[ask.HistoryPage]) -> list[str]:
    events: list[Event] = (await page).events
    return [event.event_type.title for event in events]


@pytest.fixture
async def waiter(open_driver: Callable[[], Driver]) -> Driver:
    """An engine with a run that waits for a signal, and is not in memory."""
    driver = open_driver()
    driver.handle.register_worker(ScriptedWorker({"Waiter": until_signal()}))
    await driver.start("Waiter")
    await driver.settle()
    engine = driver.handle.engine
    for slot in list(engine.slots.values()):
        engine.slots.forget(slot)
    return driver


async def test_growth_between_read_and_wait_is_seen(waiter: Driver) -> None:
    reads = SlowReads(waiter)
    page = waiting(waiter, first_event_id=5)
    await until(lambda: reads.asked == 2)
    del waiter.handle.engine.read
    await waiter.frontend.signal_workflow(ask.SignalWorkflow(waiter.target(), ask.SignalInput("other")))
    await waiter.settle()
    reads.deliver()
    assert (await ended(page))[0] == "WorkflowExecutionSignaled"
    assert len(waiter.handle.engine.watchers) == 0


async def test_a_close_between_read_and_wait_is_seen(waiter: Driver) -> None:
    reads = SlowReads(waiter)
    page = waiting(waiter, close_event_only=True)
    await until(lambda: reads.asked == 2)
    del waiter.handle.engine.read
    await waiter.frontend.terminate_workflow(ask.TerminateWorkflow(waiter.target()))
    await waiter.settle()
    reads.deliver()
    assert await ended(page) == ["WorkflowExecutionTerminated"]
    assert len(waiter.handle.engine.watchers) == 0


@pytest.mark.parametrize("is_read", [True, False])
async def test_who_gives_up_is_forgotten_at_once(waiter: Driver, is_read: bool) -> None:
    watchers = waiter.handle.engine.watchers
    reads = SlowReads(waiter)
    page = waiting(waiter, first_event_id=5)
    await until(lambda: reads.asked == 2)
    if is_read:
        reads.deliver()
        await waiter.settle()
    assert len(watchers) == 1
    page.cancel()
    await asyncio.wait([page])
    assert not watchers._waiting
