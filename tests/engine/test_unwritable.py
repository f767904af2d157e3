"""A value that the database cannot hold harms its own sender only; what was to be written with it is written."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from durable_nb.engine import open_engine
from durable_nb.engine.clock import ManualClock
from durable_nb.model import requests as ask
from durable_nb.model.attributes import RetryPolicyAttributes, WorkflowExecutionCompleted
from durable_nb.model.tasks import ActivityOutcome
from durable_nb.service import RPCError, RPCStatusCode
from tests.engine.conftest import Driver, until
from tests.engine.scripts import ScriptedWorker, activity, sequence, text, until_signal

LARGEST = 5000
"""Bytes of a value that the database of these tests takes; a gigabyte is what SQLite takes unless told otherwise."""

HUGE = "x" * 2 * LARGEST


@pytest_asyncio.fixture
async def d(tmp_path: Path) -> AsyncIterator[Driver]:
    clock = ManualClock()
    handle = open_engine(f"sqlite:///{tmp_path}/runs.db", own_thread=False, clock=clock)
    handle.store._database.writer.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, LARGEST)  # type: ignore[attr-defined]
    yield Driver(handle, clock)
    handle.close()


def signal(d: Driver, name: str, value: str, workflow_id: str = "w") -> asyncio.Future[None]:
    request = ask.SignalWorkflow(d.target(workflow_id), ask.SignalInput(name, text(value)))
    return asyncio.ensure_future(d.frontend.signal_workflow(request))


async def test_a_huge_signal_is_refused_and_those_beside_it_arrive(d: Driver) -> None:
    d.handle.register_worker(ScriptedWorker({"W": until_signal()}))
    await d.start("W")
    answers = await asyncio.gather(
        signal(d, "before", "a"), signal(d, "huge", HUGE), signal(d, "stop", "b"), return_exceptions=True
    )
    refusal = answers[1]
    assert isinstance(refusal, RPCError)
    assert refusal.status is RPCStatusCode.INVALID_ARGUMENT
    assert "pass the file's name" in str(refusal)
    assert answers[::2] == [None, None]
    await d.close_event()
    names = [e.attributes.signal_name for e in await d.events() if e.event_type.title == "WorkflowExecutionSignaled"]
    assert names == ["before", "stop"]


async def test_other_runs_of_the_same_commit_are_written(d: Driver) -> None:
    d.handle.register_worker(ScriptedWorker({"W": until_signal()}))
    await d.start("W", "one")
    await d.start("W", "two")
    answers = await asyncio.gather(
        signal(d, "huge", HUGE, "one"), signal(d, "stop", "b", "two"), return_exceptions=True
    )
    assert isinstance(answers[0], RPCError)
    assert answers[1] is None
    await d.close_event("two")
    await signal(d, "stop", "c", "one")
    await d.close_event("one")


async def test_a_huge_start_is_refused_and_leaves_nothing(d: Driver) -> None:
    d.handle.register_worker(ScriptedWorker({"W": until_signal()}))
    with pytest.raises(RPCError, match="larger than SQLite can hold"):
        await d.start("W", input=text(HUGE))
    await d.start("W", input=text("small"))


async def test_a_huge_result_fails_the_attempt_and_the_next_one_may_be_smaller(d: Driver) -> None:
    worker = ScriptedWorker({"W": sequence(1)}, auto=False)
    d.handle.register_worker(worker)
    await d.start("W")
    await until(lambda: worker.started)
    worker.started.pop()[1](ActivityOutcome(result=text(HUGE)))
    await d.settle()
    (attempt,) = await d.frontend.read_attempts(d.target())
    assert attempt.outcome == "failed"
    assert "cannot be stored" in attempt.failure.message
    d.clock.advance(1_000_000)
    await until(lambda: worker.started)
    worker.started.pop()[1](ActivityOutcome(result=text("small")))
    await d.close_event()


async def test_a_huge_result_of_the_last_attempt_fails_the_activity(d: Driver) -> None:
    once = RetryPolicyAttributes(maximum_attempts=1)
    worker = ScriptedWorker({"W": lambda _: [activity(1, retry_policy=once)]}, auto=False)
    d.handle.register_worker(worker)
    await d.start("W")
    await until(lambda: worker.started)
    worker.started.pop()[1](ActivityOutcome(result=text(HUGE)))
    await d.settle()
    assert "ActivityTaskFailed" in await d.event_names()


async def test_workflow_code_that_asks_for_something_huge_fails_its_task_until_it_is_mended(d: Driver) -> None:
    asked = activity(2)
    asked.input = text(HUGE)
    worker = ScriptedWorker({"W": lambda h: [activity(1)] if not h.count(type(asked)) else [activity(1), asked]})
    d.handle.register_worker(worker)
    await d.start("W")
    await d.settle()
    (failed,) = [e.attributes for e in await d.events() if e.event_type.title == "WorkflowTaskFailed"]
    assert "what the workflow asked for cannot be written" in failed.failure.message
    worker.scripts["W"] = lambda _: [activity(1), WorkflowExecutionCompleted(text("mended"))]
    d.clock.advance(1_000_000)
    assert (await d.close_event()).attributes.result == text("mended")
