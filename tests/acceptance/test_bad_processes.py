"""Several kernels on one store, one of them paused for so long that others take over: nobody writes twice."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
import pytest_asyncio

from durable_nb.client import Client
from durable_nb.engine import EngineHandle, open_engine
from durable_nb.model.requests import Target
from durable_nb.worker import Worker
from tests.acceptance import bad_process

pytestmark = pytest.mark.slow

Process = asyncio.subprocess.Process
Start = Callable[..., Awaitable[Process]]
ROOT = Path(__file__).parents[2]


async def line(process: Process) -> str:
    assert process.stdout is not None
    return (await process.stdout.readline()).decode().strip()


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/durable.db"


@pytest_asyncio.fixture
async def start(url: str) -> AsyncIterator[Start]:
    """Starts a process with a worker; all are ended with the test."""
    processes: list[Process] = []

    async def started(name: str) -> Process:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "tests.acceptance.bad_process", url, name,
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, cwd=ROOT,
        )  # fmt: skip
        processes.append(process)
        assert await line(process) == "ready"
        return process

    yield started
    for process in processes:
        if process.returncode is None:
            process.send_signal(signal.SIGCONT)
            process.kill()
        await process.communicate()


def take_over(engine: EngineHandle, paused: Process) -> None:
    """Make the process look as if it had been silent for a very long time."""
    for process in engine.store.list_processes():
        if process.pid == paused.pid:
            engine.store.heartbeat(process.process_key, 0)


async def test_a_process_that_wakes_after_its_leases_went_does_not_write(url: str, start: Start) -> None:
    paused = await start("paused")
    engine = open_engine(url, own_thread=False)
    client = Client(engine)
    handle = await client.start_workflow("OneStep", id="w", task_queue="q")
    assert await line(paused) == "begun 1"
    os.kill(paused.pid, signal.SIGSTOP)
    take_over(engine, paused)
    async with Worker(client, task_queue="q", workflows=[bad_process.OneStep], activities=[bad_process.slow]):
        engine.upkeep._next_look_for_dead = 0.0
        engine.upkeep.look()
        assert await handle.result() == "test"
        events = [each.event_id for each in (await handle.fetch_history()).events]
        os.kill(paused.pid, signal.SIGCONT)
        paused.stdin.write(b"go on\ngo on\n")
        assert await line(paused) == "ended"
        other = await client.execute_workflow("OneStep", id="after", task_queue="q")
        assert other in ("test", "paused"), "the woken process may work again, under a new lease"
    assert [each.event_id for each in (await handle.fetch_history()).events] == events
    attempts = await client.frontend.read_attempts(Target("default", "w"))
    assert [(each.attempt, each.outcome) for each in attempts] == [(1, "lost"), (2, "completed")]
    engine.close()


async def test_a_process_that_wakes_goes_on_with_an_open_run_as_others_left_it(url: str, start: Start) -> None:
    paused = await start("paused in an open run")
    engine = open_engine(url, own_thread=False)
    client = Client(engine)
    handle = await client.start_workflow("StepThenSignal", id="w", task_queue="q")
    assert await line(paused) == "begun 1"
    os.kill(paused.pid, signal.SIGSTOP)
    take_over(engine, paused)
    async with Worker(client, task_queue="q", workflows=bad_process.WORKFLOWS, activities=[bad_process.slow]):
        engine.upkeep._next_look_for_dead = 0.0
        engine.upkeep.look()
        async for event in handle.fetch_history_events(wait_new_event=True):
            if event.event_type.title == "ActivityTaskCompleted":
                break
        os.kill(paused.pid, signal.SIGCONT)
        paused.stdin.write(b"go on\n")
        assert await line(paused) == "ended"
        assert await line(paused) == "sent"
        assert await handle.result() == ["test", "paused in an open run"]
    events = (await handle.fetch_history()).events
    assert [each.event_id for each in events] == list(range(1, len(events) + 1))
    assert [each.event_type.title for each in events].count("ActivityTaskCompleted") == 1
    attempts = await client.frontend.read_attempts(Target("default", "w"))
    assert [(each.attempt, each.outcome) for each in attempts] == [(1, "lost"), (2, "completed")]
    engine.close()


async def test_two_kernels_that_write_to_one_run_lose_nothing(url: str, start: Start) -> None:
    engine = open_engine(url, own_thread=False)
    client = Client(engine)
    handle = await client.start_workflow("Counts", 100, id="counts", task_queue="q")
    await asyncio.gather(start("signals-one"), start("signals-two"))
    seen = await handle.result()
    for name in ("signals-one", "signals-two"):
        assert [each for each in seen if each.startswith(name)] == [f"{name} {number}" for number in range(50)]
    events = (await handle.fetch_history()).events
    assert [each.event_id for each in events] == list(range(1, len(events) + 1))
    engine.close()
