"""Starts of one workflow ID that come in the same moment: the policies hold as if they came one after the other."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from typing import Any

from durable_nb.errors import StoreFullError
from durable_nb.exceptions import WorkflowAlreadyStartedError
from durable_nb.model import requests as ask
from durable_nb.model.enums import WorkflowExecutionStatus, WorkflowIDConflictPolicy
from tests.engine.conftest import Driver
from tests.engine.scripts import ScriptedWorker, text, until_signal

TOGETHER = 10


async def start_together(d: Driver, **options: Any) -> list[Any]:
    d.handle.register_worker(ScriptedWorker({"W": until_signal()}))
    return await asyncio.gather(*(d.start("W", **options) for _ in range(TOGETHER)), return_exceptions=True)


async def test_one_start_wins_and_the_others_hear_of_its_run(driver: Callable[[], Driver]) -> None:
    d = driver()
    answers = await start_together(d)
    (won,) = [each for each in answers if isinstance(each, ask.StartedWorkflow)]
    lost = [each for each in answers if isinstance(each, WorkflowAlreadyStartedError)]
    assert [each.run_id for each in lost] == [won.run_id] * (TOGETHER - 1)


async def test_all_use_the_run_of_the_first(driver: Callable[[], Driver]) -> None:
    d = driver()
    answers = await start_together(d, id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING)
    assert len({each.run_id for each in answers}) == 1
    assert [each.started for each in answers].count(True) == 1


async def test_each_signal_with_start_delivers_its_signal_to_one_run(driver: Callable[[], Driver]) -> None:
    d = driver()
    await start_together(d, signal=ask.SignalInput("hello", text("x")))
    assert Counter(await d.event_names())["WorkflowExecutionSignaled"] == TOGETHER


async def test_each_start_ends_the_run_of_the_one_before(driver: Callable[[], Driver]) -> None:
    d = driver()
    answers = await start_together(d, id_conflict_policy=WorkflowIDConflictPolicy.TERMINATE_EXISTING)
    runs = [(await d.frontend.describe_workflow(d.target(run_id=each.run_id))).status for each in answers]
    assert Counter(runs) == {WorkflowExecutionStatus.TERMINATED: TOGETHER - 1, WorkflowExecutionStatus.RUNNING: 1}


async def test_the_next_one_starts_where_the_first_could_not_be_stored(driver: Callable[[], Driver]) -> None:
    d = driver()
    commit = d.handle.store.commit

    def full_once(units: Any) -> Any:
        d.handle.store.commit = commit  # type: ignore[method-assign]
        raise StoreFullError("the disk is full")

    d.handle.store.commit = full_once  # type: ignore[method-assign]
    answers = await start_together(d, id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING)
    assert any(isinstance(each, StoreFullError) for each in answers)
    assert await d.start("W", id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING)
    assert len(await d.frontend.list_workflows(ask.ListWorkflows("default"))) == 1


async def test_who_waits_for_a_start_that_finds_its_id_taken_waits_for_the_run_that_has_it(
    driver: Callable[[], Driver],
) -> None:
    d = driver()
    d.handle.register_worker(ScriptedWorker({"W": until_signal()}))
    await d.start("W")
    slots = d.handle.engine.slots
    slots.drop(slots[slots.open_runs["default", "w"]])  # It sleeps, and nobody knows of it until the store is asked.
    again = asyncio.ensure_future(d.start("W", id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING))
    await asyncio.sleep(0)
    waiting = asyncio.ensure_future(d.close_event())
    assert not (await again).started
    await d.frontend.signal_workflow(ask.SignalWorkflow(d.target(), ask.SignalInput("stop")))
    assert (await waiting).attributes.result == text("stopped")


async def test_an_update_for_a_start_that_finds_its_id_taken_goes_to_the_run_that_has_it(
    driver: Callable[[], Driver],
) -> None:
    d = driver()
    d.handle.register_worker(ScriptedWorker({"W": until_signal()}))
    started = await d.start("W")
    slots = d.handle.engine.slots
    slots.drop(slots[slots.open_runs["default", "w"]])
    again = asyncio.ensure_future(d.start("W", id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING))
    await asyncio.sleep(0)
    request = ask.UpdateWorkflow(d.target(), "u", "good", text("x"), wait_completed=True)
    updated = await d.frontend.update_workflow(request)
    assert (await again).run_id == updated.run_id == started.run_id
