"""A program without the workflow's code beside one that has it: what it asks for is carried out there."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import NamedTuple

import pytest

from durable_nb import workflow
from durable_nb.client import (
    Client,
    WithStartWorkflowOperation,
    WorkflowHandle,
    WorkflowUpdateFailedError,
    WorkflowUpdateStage,
)
from durable_nb.common import WorkflowIDConflictPolicy
from durable_nb.engine import mailbox, open_engine
from durable_nb.engine.clock import SystemClock
from durable_nb.engine.engine import Engine
from durable_nb.exceptions import ApplicationError, WorkflowAlreadyStartedError
from tests.acceptance.world import QUEUE, fresh_id, kinds, serving, start
from tests.waiting import until

PATIENCE = 20.0
"""Seconds after which a wait that should have ended fails its test."""


class Two(NamedTuple):
    """Clients of two engines on one file, which stand for two processes."""

    host: Client
    caller: Client


@pytest.fixture
async def two(tmp_path: Path) -> AsyncIterator[Two]:
    # With a clock of its own an engine is not shared with others of this loop.
    url = f"sqlite:///{tmp_path}/runs.db"
    engines = [open_engine(url, own_thread=False, clock=SystemClock()) for _ in range(2)]
    yield Two(*map(Client, engines))
    for engine in engines:
        engine.close()


@workflow.defn
class Desk:
    def __init__(self) -> None:
        self.granted: list[str] = []
        self.open = True
        self.calls: list[str] = []

    @workflow.run
    async def run(self) -> list[str]:
        self.calls.append("run")
        await workflow.wait_condition(lambda: not self.open and workflow.all_handlers_finished())
        return self.calls

    @workflow.update
    async def ask(self, name: str) -> str:
        self.calls.append(name)
        await workflow.wait_condition(lambda: name in self.granted)
        if name == "unwanted":
            raise ApplicationError("no", type="Refused")
        return f"yes, {name}"

    @workflow.signal
    def grant(self, name: str) -> None:
        self.granted.append(name)

    @workflow.signal
    def close(self) -> None:
        self.open = False


async def accepted(desk: WorkflowHandle[Desk, list[str]], times: int = 1) -> None:
    await until(lambda: _is_accepted(desk, times))


async def _is_accepted(desk: WorkflowHandle[Desk, list[str]], times: int) -> bool:
    return (await kinds(desk)).count("WORKFLOW_EXECUTION_UPDATE_ACCEPTED") == times


async def test_the_result_of_an_update_that_another_process_completes_later_is_told(two: Two) -> None:
    async with serving(two.host, Desk):
        desk = await start(two.caller, Desk.run)
        asked = await desk.start_update(Desk.ask, "ann", wait_for_stage=WorkflowUpdateStage.ACCEPTED)
        waiting = asyncio.ensure_future(asked.result())
        await desk.signal(Desk.grant, "ann")
        assert await asyncio.wait_for(waiting, PATIENCE) == "yes, ann"


async def test_an_update_that_works_for_long_is_no_open_question_to_another_process(two: Two) -> None:
    async with serving(two.host, Desk):
        desk = await start(two.caller, Desk.run)
        waiting = asyncio.ensure_future(desk.execute_update(Desk.ask, "unwanted"))
        await accepted(desk)
        # Unanswered questions are given up after half a minute, while a handler may work for days.
        await asyncio.wait_for(until(lambda: not two.caller.service_client.store.take_messages(9)), PATIENCE)
        assert not waiting.done()
        await desk.signal(Desk.grant, "unwanted")
        with pytest.raises(WorkflowUpdateFailedError) as raised:
            await asyncio.wait_for(waiting, PATIENCE)
    assert isinstance(raised.value.cause, ApplicationError)
    assert raised.value.cause.type == "Refused"


async def test_where_both_have_the_code_either_may_complete_the_update(two: Two) -> None:
    async with serving(two.host, Desk):
        desk = await start(two.host, Desk.run)
        asked = await desk.start_update(Desk.ask, "ann", wait_for_stage=WorkflowUpdateStage.ACCEPTED)
        waiting = asyncio.ensure_future(asked.result())
        async with serving(two.caller, Desk):
            there = two.caller.get_workflow_handle_for(Desk.run, desk.id)
            await there.signal(Desk.grant, "ann")
            assert await asyncio.wait_for(waiting, PATIENCE) == "yes, ann"


async def test_an_update_waits_for_the_process_that_brings_the_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks: list[bool] = []
    has_company = mailbox.has_company

    def look(engine: Engine) -> bool:
        looks.append(has_company(engine))
        return looks[-1]

    monkeypatch.setattr(mailbox, "has_company", look)
    url = f"sqlite:///{tmp_path}/runs.db"
    alone = open_engine(url, own_thread=False, clock=SystemClock())
    desk = await start(Client(alone), Desk.run)
    asked = asyncio.ensure_future(desk.execute_update(Desk.ask, "ann"))
    await until(lambda: looks)
    assert looks == [False]
    await alone.engine.settle()
    comes = open_engine(url, own_thread=False, clock=SystemClock())
    async with serving(Client(comes), Desk):
        await desk.signal(Desk.grant, "ann")
        assert await asyncio.wait_for(asked, PATIENCE) == "yes, ann"
    for engine in (alone, comes):
        engine.close()


def with_start(workflow_id: str, policy: WorkflowIDConflictPolicy) -> WithStartWorkflowOperation[Desk, list[str]]:
    return WithStartWorkflowOperation(Desk.run, id=workflow_id, task_queue=QUEUE, id_conflict_policy=policy)


async def test_update_with_start_is_one_step_of_the_process_that_has_the_code(two: Two) -> None:
    async with serving(two.host, Desk):
        first = with_start(fresh_id(), WorkflowIDConflictPolicy.FAIL)
        call = two.caller.start_update_with_start_workflow(
            Desk.ask, "ann", wait_for_stage=WorkflowUpdateStage.ACCEPTED, start_workflow_operation=first
        )
        asked = await asyncio.wait_for(call, PATIENCE)
        desk = await first.workflow_handle()
        await desk.signal(Desk.grant, "ann")
        assert await asyncio.wait_for(asked.result(), PATIENCE) == "yes, ann"

        again = with_start(desk.id, WorkflowIDConflictPolicy.FAIL)
        with pytest.raises(WorkflowAlreadyStartedError) as raised:
            await asyncio.wait_for(
                two.caller.execute_update_with_start_workflow(Desk.ask, "bob", start_workflow_operation=again), PATIENCE
            )
        assert raised.value.run_id == desk.result_run_id

        used = with_start(desk.id, WorkflowIDConflictPolicy.USE_EXISTING)
        waiting = asyncio.ensure_future(
            two.caller.execute_update_with_start_workflow(Desk.ask, "bob", start_workflow_operation=used)
        )
        await accepted(desk, 2)
        await desk.signal(Desk.grant, "bob")
        assert await asyncio.wait_for(waiting, PATIENCE) == "yes, bob"
        assert (await used.workflow_handle()).result_run_id == desk.result_run_id
        await desk.signal(Desk.close)
        assert await desk.result() == ["ann", "run", "bob"]
