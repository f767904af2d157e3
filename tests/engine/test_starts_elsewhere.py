"""Starts of a workflow ID that another process uses: a run that ends within its first commit leaves no index to object.

The second start is held between its look at the ID and its commit, where the first one's run has to come in between.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from durable_nb.engine import EngineHandle, open_engine
from durable_nb.engine.clock import ManualClock
from durable_nb.exceptions import WorkflowAlreadyStartedError
from durable_nb.model import requests as ask
from durable_nb.model.attributes import (
    StartChildWorkflowExecutionFailed,
    StartChildWorkflowExecutionInitiated,
    WorkflowExecutionCompleted,
    WorkflowExecutionContinuedAsNew,
    WorkflowExecutionFailed,
)
from durable_nb.model.enums import WorkflowIDConflictPolicy, WorkflowIDReusePolicy
from durable_nb.model.failure import Failure
from tests.engine.conftest import Driver
from tests.engine.scripts import ScriptedWorker, sequence, text, until_signal

FAILED_ONLY = WorkflowIDReusePolicy.ALLOW_DUPLICATE_FAILED_ONLY
REJECT = WorkflowIDReusePolicy.REJECT_DUPLICATE


def completes(history: Any) -> list[Any]:
    return [WorkflowExecutionCompleted(text("done"))]


def fails(history: Any) -> list[Any]:
    return [WorkflowExecutionFailed(Failure(message="no"))]


class Held:
    """Keeps the first commit that inserts a run of workflow ID w waiting."""

    def __init__(self, driver: Driver) -> None:
        self._arrived = threading.Event()
        self.go = threading.Event()
        store: Any = driver.handle.store
        self._commit = store.commit
        store.commit = self

    def __call__(self, units: Any) -> Any:
        if any(write.run.workflow_id == "w" and not write.expected_version for one in units for write in one.writes):
            self._arrived.set()
            assert self.go.wait(60)
        return self._commit(units)

    async def arrived(self) -> None:
        assert await asyncio.to_thread(self._arrived.wait, 60)


@pytest.fixture
def process(tmp_path: Path) -> Iterator[Callable[..., Driver]]:
    """Opens an engine on the same file, as another process would."""
    handles: list[EngineHandle] = []
    clock = ManualClock()

    def opened(**scripts: Any) -> Driver:
        handles.append(open_engine(f"sqlite:///{tmp_path}/runs.db", own_thread=False, clock=clock))
        handles[-1].register_worker(ScriptedWorker(scripts))
        return Driver(handles[-1], clock)

    yield opened
    for handle in handles:
        handle.close()


async def run_ids(driver: Driver) -> list[str]:
    return [run.run_id for run in await driver.frontend.list_workflows(ask.ListWorkflows("default", workflow_id="w"))]


@pytest.mark.parametrize("policy", [REJECT, FAILED_ONLY], ids=lambda policy: policy.name)
@pytest.mark.parametrize("script", [completes, sequence(1)], ids=["in its first commit", "later"])
async def test_a_start_is_refused_when_another_run_came_and_ended_before_its_commit(process, policy, script):
    first, second = process(W=script), process(W=script)
    held = Held(second)
    late = asyncio.ensure_future(second.start("W", id_reuse_policy=policy))
    await held.arrived()
    started = await first.start("W", id_reuse_policy=policy)
    await first.close_event()
    held.go.set()
    with pytest.raises(WorkflowAlreadyStartedError) as refused:
        await late
    assert refused.value.run_id == started.run_id
    assert await run_ids(first) == [started.run_id]


async def test_a_start_that_may_follow_failures_follows_the_one_that_came_before_its_commit(process):
    first, second = process(W=fails), process(W=completes)
    held = Held(second)
    late = asyncio.ensure_future(second.start("W", id_reuse_policy=FAILED_ONLY))
    await held.arrived()
    started = await first.start("W", id_reuse_policy=FAILED_ONLY)
    await first.close_event()
    held.go.set()
    followed = await late
    assert set(await run_ids(first)) == {started.run_id, followed.run_id}


async def test_a_child_is_not_started_under_an_id_that_was_used_before_its_commit(process):
    def parent(history: Any) -> list[Any]:
        asked = StartChildWorkflowExecutionInitiated(
            workflow_id="w", workflow_type="W", workflow_id_reuse_policy=REJECT
        )
        refused = any(isinstance(event.attributes, StartChildWorkflowExecutionFailed) for event in history)
        return [asked, WorkflowExecutionCompleted(text("refused"))] if refused else [asked]

    first, second = process(W=completes), process(W=completes, P=parent)
    held = Held(second)
    await second.start("P", "parent")
    await held.arrived()
    started = await first.start("W")
    held.go.set()
    assert (await second.close_event("parent")).attributes.result == text("refused")
    assert await run_ids(first) == [started.run_id]


async def test_a_run_that_ends_at_once_is_not_started_beside_an_open_one(process):
    first, second = process(W=until_signal()), process(W=completes)
    started = await first.start("W")
    with pytest.raises(WorkflowAlreadyStartedError) as refused:
        await second.start("W")
    assert refused.value.run_id == started.run_id
    used = await second.start("W", id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING)
    assert (used.run_id, used.started) == (started.run_id, False)
    assert await run_ids(first) == [started.run_id]


async def test_a_run_that_continues_as_new_at_once_starts_under_a_free_id(process):
    def twice(history: Any) -> list[Any]:
        if history[0].attributes.continued_execution_run_id:
            return completes(history)
        return [WorkflowExecutionContinuedAsNew(workflow_type="W", task_queue="q")]

    driver = process(W=twice)
    started = await driver.start("W", id_reuse_policy=REJECT)
    assert (await driver.close_event()).attributes.result == text("done")
    assert (await run_ids(driver))[-1] == started.run_id
    assert len(await run_ids(driver)) == 2
