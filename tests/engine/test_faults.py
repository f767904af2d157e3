"""A store that fails: callers hear of it, nothing that was acknowledged is lost, the engine's own work is repeated."""

from __future__ import annotations

import asyncio

import pytest

from durable_nb.engine import open_engine, setbacks
from durable_nb.engine.clock import ManualClock
from durable_nb.errors import StoreClosedError, StoreFullError
from durable_nb.model import requests as ask
from durable_nb.model.tasks import ActivityOutcome
from durable_nb.store.sqlite import SqliteStore
from tests.engine.conftest import Driver, until
from tests.engine.scripts import ScriptedWorker, sequence, text, until_signal


@pytest.fixture
def full_disk(monkeypatch, tmp_path):
    """Opens a driver whose store can be made to refuse commits: ``driver.full = True``."""
    monkeypatch.setattr(setbacks, "RETRY_AFTER_FAULT", 0.0)
    handles = []

    def opened():
        clock = ManualClock()
        handle = open_engine(f"sqlite:///{tmp_path}/runs.db", own_thread=False, clock=clock)
        handles.append(handle)
        driver = Driver(handle, clock)
        driver.full = False
        commit = handle.store.commit

        def refusing(units):
            if driver.full:
                raise StoreFullError("the disk is full", fix="free some space; nothing was lost")
            return commit(units)

        handle.store.commit = refusing
        return driver

    yield opened
    for handle in handles:
        handle.close()


async def test_a_start_on_a_full_disk_raises_and_leaves_nothing(full_disk):
    d = full_disk()
    d.handle.register_worker(ScriptedWorker({"W": sequence(1)}))
    d.full = True
    with pytest.raises(StoreFullError, match="free some space"):
        await d.start("W")
    d.full = False
    assert await d.frontend.list_workflows(ask.ListWorkflows("default")) == []
    await d.start("W")
    assert (await d.close_event()).attributes.result == text("done")


async def test_a_result_that_could_not_be_written_is_written_once_the_disk_has_room(full_disk):
    d = full_disk()
    worker = ScriptedWorker({"W": sequence(1)}, auto=False)
    d.handle.register_worker(worker)
    notices = []
    d.handle.on_notice(notices.append)
    await d.start("W")
    await until(lambda: worker.started)
    d.full = True
    worker.started[0][1](ActivityOutcome(result=text("kept")))
    await until(lambda: notices)
    assert notices[0].kind == "store_fault"
    d.full = False
    await d.close_event()
    assert worker.executions == [("w", "1", 1)]
    assert [a.outcome for a in await d.frontend.read_attempts(d.target())] == ["completed"]


async def test_a_signal_on_a_full_disk_is_refused_and_the_run_goes_on_without_it(full_disk):
    d = full_disk()
    d.handle.register_worker(ScriptedWorker({"W": until_signal()}))
    await d.start("W")
    d.full = True
    with pytest.raises(StoreFullError):
        await d.frontend.signal_workflow(ask.SignalWorkflow(d.target(), ask.SignalInput("lost")))
    d.full = False
    await d.frontend.signal_workflow(ask.SignalWorkflow(d.target(), ask.SignalInput("stop")))
    await d.close_event()
    signals = [e.attributes.signal_name for e in await d.events() if e.event_type.title == "WorkflowExecutionSignaled"]
    assert signals == ["stop"]


async def test_an_engine_that_is_stopped_refuses_requests_with_the_remedy(driver):
    d = driver()
    d.handle.register_worker(ScriptedWorker({"W": until_signal()}))
    await d.start("W")
    waiting = asyncio.ensure_future(d.close_event())
    await asyncio.sleep(0)
    d.handle.close()
    from durable_nb.errors import EngineStoppedError

    with pytest.raises(EngineStoppedError, match="connect again"):
        await waiting


async def test_what_was_written_while_the_engine_stopped_is_acknowledged_and_nothing_follows(tmp_path):
    complaints = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context))
    handle = open_engine(f"sqlite:///{tmp_path}/runs.db", own_thread=False, clock=ManualClock())
    d = Driver(handle, ManualClock())
    worker = ScriptedWorker({"W": sequence(1)})
    handle.register_worker(worker)
    starts = [asyncio.ensure_future(d.start("W", f"w-{number}")) for number in range(3)]
    await until(lambda: handle.engine.writer.stats.units or handle.engine._in_flight)
    handle.close()  # waits for the writer; that it has written is told on this loop, after this
    assert [started.started for started in await asyncio.gather(*starts)] == [True] * 3
    assert (worker.started, complaints) == ([], [])


async def test_an_engine_that_is_closed_just_after_it_was_told_to_look_leaves_nothing_running(driver):
    d = driver()
    await d.settle()
    tasks = d.handle.engine.tasks
    d.handle.upkeep.turn()
    d.handle.close()
    for _ in range(10):
        await asyncio.sleep(0)
    assert [task for task in tasks if not task.done()] == []


async def test_a_worker_that_raises_fails_the_task_and_not_the_engine(driver):
    d = driver()
    worker = ScriptedWorker({"W": sequence(0)})

    def broken(run_key, task):
        worker.run_workflow_task = original
        raise ZeroDivisionError("in the worker")

    original, worker.run_workflow_task = worker.run_workflow_task, broken
    d.handle.register_worker(worker)
    await d.start("W")
    await d.settle()
    d.clock.advance(1_000_000)
    await d.close_event()
    assert (await d.event_names()).count("WorkflowTaskFailed") == 1


@pytest.mark.parametrize("own_thread", [True, False])
async def test_an_engine_that_cannot_register_leaves_neither_store_nor_loop_open(monkeypatch, tmp_path, own_thread):
    stores, loops = [], []
    new_loop = asyncio.new_event_loop

    def register(store, *_):
        stores.append(store)
        raise StoreFullError("the disk is full", fix="free some space")

    def kept_loop():
        loops.append(new_loop())
        return loops[-1]

    monkeypatch.setattr(SqliteStore, "register_process", register)
    monkeypatch.setattr(asyncio, "new_event_loop", kept_loop)
    with pytest.raises(StoreFullError):
        open_engine(f"sqlite:///{tmp_path}/runs.db", own_thread=own_thread)
    with pytest.raises(StoreClosedError):
        stores[0].next_wake()
    assert all(loop.is_closed() for loop in loops)
    assert len(loops) == own_thread
