"""Runs that are pinned to a version of their code: who serves them, and how they are moved to another version."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from durable_nb.engine import open_engine
from durable_nb.engine.clock import ManualClock
from durable_nb.engine.pinning import Move, repin
from durable_nb.model import requests as ask
from durable_nb.service import RPCError
from tests.engine.conftest import Driver, until
from tests.engine.scripts import Script, ScriptedWorker, sequence, text, until_signal


class Versioned(ScriptedWorker):
    """Has some versions of the type ``W``; the last one is current."""

    def __init__(self, script: Script, *digests: str) -> None:
        super().__init__({"W": script})
        self.digests = [*digests]

    def serves_workflow(self, workflow_type: str, digest: str = "") -> bool:
        return workflow_type == "W" and (not digest or digest in self.digests)

    has_workflow = serves_workflow

    def definition_digest(self, workflow_type: str) -> str:
        return self.digests[-1]


def row(driver: Driver, workflow_id: str = "w") -> Any:
    return driver.handle.store.find_run("default", workflow_id)


async def signal(driver: Driver, name: str, workflow_id: str = "w") -> None:
    await driver.frontend.signal_workflow(ask.SignalWorkflow(driver.target(workflow_id), ask.SignalInput(name)))


async def begin(driver: Driver, worker: Versioned) -> None:
    """A run of ``W`` that this worker has brought as far as it goes by itself."""
    driver.handle.register_worker(worker)
    await driver.start("W")
    await driver.settle()


async def test_a_run_is_pinned_to_the_version_that_is_current_at_its_first_task(driver: Callable[[], Driver]) -> None:
    d = driver()
    await begin(d, Versioned(until_signal(), "old", "new"))
    assert row(d).definition == "new"
    assert d.handle.store.count_versions("default") == {("W", "new"): 1}


async def test_a_run_of_a_missing_version_waits_says_so_and_goes_on_when_it_comes(
    driver: Callable[[], Driver],
) -> None:
    d = driver()
    old = Versioned(until_signal(), "old")
    await begin(d, old)
    d.handle.unregister_worker(old)
    notices: list[Any] = []
    d.handle.on_notice(notices.append)
    new = Versioned(until_signal(), "new")
    d.handle.register_worker(new)
    await signal(d, "stop")
    assert (await d.frontend.describe_workflow(d.target())).pending_workflow_task.waits_for_definition
    d.handle.upkeep.look()
    await until(lambda: notices)
    assert (notices[0].kind, notices[0].definition) == ("definition_missing", "old")
    assert "version old of workflow 'W'" in notices[0].message
    assert not new.histories
    new.digests.insert(0, "old")
    d.handle.definitions_changed(new)
    assert (await d.close_event()).attributes.result == text("stopped")
    assert row(d).definition == "old"


async def test_moving_pins_a_run_durably_to_the_new_version_and_rebuilds_its_instance(
    driver: Callable[[], Driver],
) -> None:
    d = driver()
    worker = Versioned(until_signal(), "old")
    await begin(d, worker)
    worker.digests.append("new")
    before = row(d)
    assert await repin(d.handle.engine, "new", [Move(before.run_key, before.next_event_id)]) == []
    after = row(d)
    assert (after.definition, after.next_event_id) == ("new", before.next_event_id)
    assert not worker.holds_run(before.run_key)
    await signal(d, "stop")
    assert (await d.close_event()).attributes.result == text("stopped")


async def test_a_run_that_went_on_since_it_was_judged_is_not_moved(driver: Callable[[], Driver]) -> None:
    d = driver()
    worker = Versioned(until_signal(), "old")
    await begin(d, worker)
    judged = row(d)
    await signal(d, "other")
    await d.settle()
    move = Move(judged.run_key, judged.next_event_id)
    assert await repin(d.handle.engine, "new", [move]) == [move]
    assert row(d).definition == "old"
    await signal(d, "stop")
    await d.close_event()
    assert await repin(d.handle.engine, "new", [move, Move(10**9, 1)]) == [move, Move(10**9, 1)]


async def test_a_run_whose_task_is_failing_is_tried_at_once_when_it_is_moved(driver: Callable[[], Driver]) -> None:
    d = driver()
    worker = Versioned(sequence(0), "old")
    worker.fail_next = RuntimeError("a bug")
    await begin(d, worker)
    now = row(d)
    worker.digests.append("new")
    assert await repin(d.handle.engine, "new", [Move(now.run_key, now.next_event_id)]) == []
    assert (await d.close_event()).attributes.result == text("done")
    assert row(d).definition == "new"


async def test_a_query_of_an_open_run_is_refused_by_name_where_its_version_is_missing(
    driver: Callable[[], Driver],
) -> None:
    d = driver()
    old = Versioned(until_signal(), "old")
    await begin(d, old)
    d.handle.unregister_worker(old)
    d.handle.register_worker(Versioned(until_signal(), "new"))
    question = ask.QueryWorkflow(d.target(), "state")
    with pytest.raises(RPCError, match="version old of the workflow type 'W'"):
        await d.frontend.query_workflow(question)


async def test_each_process_serves_its_own_version_of_one_definition(tmp_path: Any) -> None:
    clock = ManualClock()
    handles = [open_engine(f"sqlite:///{tmp_path}/runs.db", own_thread=False, clock=clock) for _ in range(2)]
    one, two = (Driver(handle, clock) for handle in handles)
    workers = Versioned(until_signal(), "one"), Versioned(until_signal(), "two")
    try:
        for driver, worker in zip((one, two), workers, strict=True):
            driver.handle.register_worker(worker)
        await one.start("W", "a")
        await until(lambda: row(one, "a").definition)
        await two.start("W", "b")
        await until(lambda: row(two, "b").definition)
        first, second = row(one, "a").definition, row(one, "b").definition
        # Each signal goes in by the process that lacks the code.
        await signal(two if first == "one" else one, "stop", "a")
        await signal(two if second == "one" else one, "stop", "b")
        for workflow_id in "ab":
            assert (await one.close_event(workflow_id)).attributes.result == text("stopped")
        names = [name for workflow_id in "ab" for name in await one.event_names(workflow_id)]
        assert "WorkflowTaskFailed" not in names
        assert [row(one, each).definition for each in "ab"] == [first, second]
    finally:
        for handle in handles:
            handle.close()


async def test_a_run_that_another_process_moved_to_its_code_is_asked_there(tmp_path: Any) -> None:
    clock = ManualClock()
    handles = [open_engine(f"sqlite:///{tmp_path}/runs.db", own_thread=False, clock=clock) for _ in range(2)]
    one, two = (Driver(handle, clock) for handle in handles)
    try:
        one.handle.register_worker(Versioned(until_signal(), "one"))
        await one.start("W")
        await one.settle()
        before = row(one)
        assert before.definition == "one"
        two.handle.register_worker(Versioned(until_signal(), "two"))
        assert await repin(two.handle.engine, "two", [Move(before.run_key, before.next_event_id)]) == []
        assert not await one.frontend.serves(before.run_key), "what it has in memory is of before"
        asked = asyncio.ensure_future(one.frontend.query_workflow(ask.QueryWorkflow(one.target(), "state")))
        await until(lambda: two.handle.store.take_messages(1) or asked.done())
        two.handle.upkeep.look()
        assert (await asked).failure is None
    finally:
        for handle in handles:
            handle.close()
