"""What a process holds: nothing for a closed run, next to nothing for one that sleeps."""

from __future__ import annotations

import asyncio
import gc
import logging
import tracemalloc
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from durable_nb import activity, workflow
from durable_nb.client import Client
from durable_nb.common import RetryPolicy
from durable_nb.worker import Worker


@activity.defn
async def work(number: int) -> int:
    if activity.info().attempt == 1:
        raise ValueError("once")
    return number


@workflow.defn
class Child:
    @workflow.run
    async def run(self, number: int) -> int:
        return number


@workflow.defn
class Parent:
    def __init__(self) -> None:
        self.told = False

    @workflow.run
    async def run(self, number: int) -> int:
        retry = RetryPolicy(initial_interval=timedelta(milliseconds=1))
        await workflow.wait_condition(lambda: self.told, timeout=timedelta(hours=1))
        done = await workflow.execute_activity(
            work, number, start_to_close_timeout=timedelta(minutes=1), retry_policy=retry
        )
        return done + await workflow.execute_child_workflow(Child.run, number)

    @workflow.signal
    def tell(self) -> None:
        self.told = True

    @workflow.update
    def ask(self) -> bool:
        return self.told


@workflow.defn
class Sleeper:
    @workflow.run
    async def run(self) -> None:
        await workflow.sleep(3600)


async def sleep_many(client: Client, first: int, count: int) -> None:
    for start in range(first, first + count, 50):
        starts = [client.start_workflow(Sleeper.run, id=f"s-{n}", task_queue="q") for n in range(start, start + 50)]
        await asyncio.gather(*starts)


async def run_many(client: Client, first: int, count: int) -> None:
    async def one(number: int) -> None:
        handle = await client.start_workflow(Parent.run, number, id=f"run-{number}", task_queue="q")
        await handle.execute_update(Parent.ask)
        await handle.signal(Parent.tell)
        assert await handle.result() == 2 * number

    for start in range(first, first + count, 20):
        await asyncio.gather(*[one(number) for number in range(start, start + 20)])


async def held(client: Client) -> int:
    """Bytes that Python holds, after what waited to be written was written, and what can be collected collected."""
    engine = client.engine.engine
    await engine.settle()
    engine.outputs.flush()
    gc.collect()
    return tracemalloc.get_traced_memory()[0]


@pytest.fixture
def unheard() -> Iterator[None]:
    """No log records: pytest keeps them all, with their tracebacks."""
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


@pytest.mark.slow
@pytest.mark.usefixtures("unheard")
async def test_a_process_holds_nothing_for_runs_that_are_closed(tmp_path: Path) -> None:
    client = await Client.connect(f"sqlite:///{tmp_path}/durable.db")
    async with Worker(client, task_queue="q", workflows=[Parent, Child], activities=[work]):
        await run_many(client, 0, 200)  # caches, pools and statements fill up
        tracemalloc.start()
        try:
            await run_many(client, 1000, 100)
            before = await held(client)
            await run_many(client, 2000, 300)
            growth = await held(client) - before
        finally:
            tracemalloc.stop()
    client.engine.close()
    # A run that is kept costs ten kilobytes; seen were 160 bytes at most.
    assert growth < 300 * 1000, f"{growth / 300:.0f} bytes for each closed run"


@pytest.mark.slow
@pytest.mark.usefixtures("unheard")
async def test_a_sleeping_run_costs_rows_and_hardly_any_memory(tmp_path: Path) -> None:
    client = await Client.connect(f"sqlite:///{tmp_path}/durable.db")
    engine = client.engine.engine
    async with Worker(client, task_queue="q", workflows=[Sleeper]):
        await sleep_many(client, 0, 500)  # More than are kept as they are: from here on each one displaces another.
        tracemalloc.start()
        try:
            await sleep_many(client, 500, 200)
            before = await held(client)
            kept = len(engine.slots)
            await sleep_many(client, 700, 500)
            growth = await held(client) - before
        finally:
            tracemalloc.stop()
        assert len(engine.slots) == kept
        assert await client.frontend.count_workflows("default") == {1: 1200}
    client.engine.close()
    # The aim is two kilobytes; seen were 30 bytes.
    assert growth < 500 * 500, f"{growth / 500:.0f} bytes for each sleeping run"
