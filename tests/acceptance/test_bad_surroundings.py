"""A disk that fills and a clock that jumps while runs are under way: nothing is lost, and work goes on by itself."""

from __future__ import annotations

import asyncio
import os
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from durable_nb import activity, workflow
from durable_nb.client import Client
from durable_nb.engine import open_engine, setbacks
from durable_nb.engine.clock import ManualClock
from durable_nb.errors import StoreFullError
from durable_nb.model.requests import Target
from durable_nb.worker import Worker
from tests.full_disk import disk_with_room_for
from tests.waiting import recorded, until

MINUTE = timedelta(minutes=1)
DAY = 86_400_000_000
runs: list[int] = []


@activity.defn
async def once(number: int) -> int:
    runs.append(number)
    return number


@workflow.defn
class Steps:
    def __init__(self) -> None:
        self.got: list[int] = []

    @workflow.run
    async def run(self) -> list[int]:
        first = await workflow.execute_activity(once, 1, start_to_close_timeout=MINUTE)
        await workflow.wait_condition(lambda: bool(self.got))
        return [first, await workflow.execute_activity(once, 2, start_to_close_timeout=MINUTE)]

    @workflow.signal
    def add(self, _big: str) -> None:
        self.got.append(1)


@workflow.defn
class Sleeps:
    @workflow.run
    async def run(self, seconds: int) -> str:
        await workflow.sleep(seconds)
        return str(await workflow.execute_activity(once, 1, start_to_close_timeout=MINUTE))


@workflow.defn
class Patient:
    @workflow.run
    async def run(self) -> str:
        return str(await workflow.execute_activity("waits", start_to_close_timeout=timedelta(days=1000)))


def is_gapless(events: Any) -> bool:
    times = [each.event_time for each in events]
    return [each.event_id for each in events] == list(range(1, len(events) + 1)) and times == sorted(times)


@pytest.mark.slow
async def test_a_disk_that_fills_during_a_commit_refuses_the_caller_and_keeps_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(setbacks, "RETRY_AFTER_FAULT", 0.001)
    runs.clear()
    path = tmp_path / "durable.db"
    engine = open_engine(f"sqlite:///{path}", own_thread=False)
    client = Client(engine)
    notices: list[Any] = []
    engine.on_notice(notices.append)
    async with Worker(client, task_queue="q", workflows=[Steps], activities=[once]):
        handle = await client.start_workflow(Steps.run, id="w", task_queue="q")
        await recorded(handle, "ActivityTaskCompleted")
        await engine.engine.settle()
        log = path.with_name(path.name + "-wal")
        room = disk_with_room_for(log.stat().st_size + 4096)
        with room, pytest.raises(StoreFullError, match="free space") as caught:
            await handle.signal(Steps.add, os.urandom(50_000).hex())
        assert str(path) in str(caught.value)
        assert {each.kind for each in notices} == {"store_fault"}
        await handle.signal(Steps.add, "small")
        assert await handle.result() == [1, 2]
    assert runs == [1, 2]
    assert is_gapless((await handle.fetch_history()).events)
    engine.close()


@pytest.mark.parametrize("jump", [-30 * DAY, 30 * DAY], ids=["back", "forward"])
async def test_a_clock_that_jumps_keeps_event_times_in_order_and_loses_no_timer(tmp_path: Path, jump: int) -> None:
    runs.clear()
    clock = ManualClock()
    engine = open_engine(f"sqlite:///{tmp_path}/durable.db", own_thread=False, clock=clock)
    client = Client(engine)
    async with Worker(client, task_queue="q", workflows=[Sleeps, Steps], activities=[once]):
        handle = await client.start_workflow(Sleeps.run, 60, id="w", task_queue="q")
        await recorded(handle, "TimerStarted")
        clock.advance(jump)
        other = await client.start_workflow(Steps.run, id="other", task_queue="q")
        await other.signal(Steps.add, "x")
        assert await other.result() == [1, 2], "other runs go on"
        clock.advance(max(-jump, 0) + 60_000_000)
        assert await handle.result() == "1"
    for run in (handle, other):
        assert is_gapless((await run.fetch_history()).events)
    assert not [each for each in runs if runs.count(each) > 2]
    engine.close()


async def test_a_clock_that_jumps_while_an_activity_runs_does_not_take_its_process_for_dead(tmp_path: Path) -> None:
    clock = ManualClock()
    engine = open_engine(f"sqlite:///{tmp_path}/durable.db", own_thread=False, clock=clock)
    client = Client(engine)
    notices: list[Any] = []
    engine.on_notice(notices.append)
    begun, gate = asyncio.Event(), asyncio.Event()

    @activity.defn
    async def waits() -> str:
        begun.set()
        await gate.wait()
        return "kept"

    async with Worker(client, task_queue="q", workflows=[Patient], activities=[waits]):
        handle = await client.start_workflow(Patient.run, id="w", task_queue="q")
        await begun.wait()
        clock.advance(30 * DAY)
        engine.upkeep._next_look_for_dead = 0.0
        engine.upkeep.look()
        await until(lambda: engine.upkeep._next_look_for_dead)
        gate.set()
        assert await handle.result() == "kept"
    attempts = await client.frontend.read_attempts(Target("default", "w"))
    assert [(each.attempt, each.outcome) for each in attempts] == [(1, "completed")]
    assert notices == []
    engine.close()
