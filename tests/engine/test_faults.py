"""A store that fails: callers hear of it, nothing that was acknowledged is lost, the engine's own work is repeated."""

from __future__ import annotations

import asyncio

import pytest

from durable_nb.engine import engine as engine_module
from durable_nb.engine import open_engine
from durable_nb.engine.clock import ManualClock
from durable_nb.errors import StoreFullError
from durable_nb.model import requests as ask
from durable_nb.model.tasks import ActivityOutcome
from tests.engine.conftest import Driver, until
from tests.engine.scripts import ScriptedWorker, sequence, text, until_signal


@pytest.fixture
def full_disk(monkeypatch, tmp_path):
    """Opens a driver whose store can be made to refuse commits: ``driver.full = True``."""
    monkeypatch.setattr(engine_module, "RETRY_AFTER_FAULT", 0.0)
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
