"""Many callers who ask everything of a few workflow IDs at once: nobody gets an answer that makes no sense, and every
history that comes of it replays.

What is asked is drawn from a seed; in which order the engine hears of it is up to the machine. Each seed stands for one
size of the cache, from none at all, where every task is a replay, to one that holds everything.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from durable_nb import activity, workflow
from durable_nb.client import (
    Client,
    WithStartWorkflowOperation,
    WorkflowFailureError,
    WorkflowHandle,
    WorkflowQueryFailedError,
    WorkflowUpdateFailedError,
)
from durable_nb.common import RetryPolicy, WorkflowIDConflictPolicy
from durable_nb.exceptions import ActivityError, ApplicationError, ChildWorkflowError, WorkflowAlreadyStartedError
from durable_nb.service import RPCError, RPCStatusCode
from durable_nb.worker import Replayer, Worker

CALLERS = 10
ASKED = 40
"""Requests of each caller."""

MINUTE = timedelta(minutes=1)
AT_ONCE = RetryPolicy(initial_interval=timedelta(milliseconds=1), backoff_coefficient=1)
EXPECTED = (WorkflowAlreadyStartedError, WorkflowFailureError, WorkflowQueryFailedError, WorkflowUpdateFailedError)


@activity.defn
async def step(number: int) -> int:
    if (number + activity.info().attempt) % 4 == 1:
        raise ApplicationError("again")
    return number


@workflow.defn
class Child:
    @workflow.run
    async def run(self) -> None:
        await workflow.sleep(0.002)


@workflow.defn
class Busy:
    """Steps, timers, children and continue-as-new, as what it is told makes it go."""

    def __init__(self) -> None:
        self.told = 0

    @workflow.run
    async def run(self, round: int) -> int:
        for number in range(6):
            try:
                await workflow.wait_condition(lambda: self.told > 2, timeout=0.01)
            except TimeoutError:
                self.told += 1
            await workflow.execute_activity(step, number, start_to_close_timeout=MINUTE, retry_policy=AT_ONCE)
            if number == round % 6:
                try:
                    await workflow.execute_child_workflow(Child.run, id=f"child-{number % 2}")
                except (ChildWorkflowError, WorkflowAlreadyStartedError):
                    self.told += 1
        await workflow.wait_condition(workflow.all_handlers_finished)
        if round < 3:
            workflow.continue_as_new(round + 1)
        return self.told

    @workflow.signal
    async def tell(self) -> None:
        self.told += 1
        await workflow.sleep(0.001)

    @workflow.update
    async def ask(self, number: int) -> int:
        local = workflow.execute_local_activity(step, number, start_to_close_timeout=MINUTE, retry_policy=AT_ONCE)
        try:
            return await local
        except ActivityError as error:  # A cancelled run cancels what its handlers wait for, too.
            raise ApplicationError("gave up") from error

    @ask.validator
    def refuse_fives(self, number: int) -> None:
        if number % 5 == 0:
            raise ValueError("no fives")

    @workflow.query
    def so_far(self) -> int:
        return self.told


class Caller:
    """Asks at random; what waits for the end of a run goes on in the background."""

    def __init__(self, client: Client, seed: int) -> None:
        self.client = client
        self.random = random.Random(seed)
        self.waiting: list[asyncio.Task[Any]] = []

    def handle(self) -> WorkflowHandle[Any, Any]:
        return self.client.get_workflow_handle(f"run-{self.random.randrange(4)}")

    async def start(self) -> None:
        policy = self.random.choice(list(WorkflowIDConflictPolicy))
        await self.client.start_workflow(Busy.run, 0, id=self.handle().id, task_queue="q", id_conflict_policy=policy)

    async def start_with_signal(self) -> None:
        await self.client.start_workflow(Busy.run, 0, id=self.handle().id, task_queue="q", start_signal="tell")

    async def start_with_update(self) -> None:
        operation = WithStartWorkflowOperation(
            Busy.run, 0, id=self.handle().id, task_queue="q", id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING
        )
        number = self.random.randrange(20)
        await self.client.execute_update_with_start_workflow(Busy.ask, number, start_workflow_operation=operation)

    async def tell(self) -> None:
        await self.handle().signal(Busy.tell)

    async def ask(self) -> None:
        number = self.random.randrange(20)
        await self.handle().execute_update(Busy.ask, number, id=f"update-{self.random.randrange(5)}")

    async def query(self) -> None:
        await self.handle().query(Busy.so_far)

    async def cancel(self) -> None:
        await self.handle().cancel()

    async def terminate(self) -> None:
        await self.handle().terminate()

    async def describe(self) -> None:
        await self.handle().describe()

    async def wait(self) -> None:
        self.waiting.append(asyncio.ensure_future(as_expected(self.handle().result)))

    async def ask_everything(self) -> None:
        often = [self.start, self.start_with_signal, self.tell, self.ask]
        seldom = [self.start_with_update, self.query, self.cancel, self.terminate, self.describe, self.wait]
        for _ in range(ASKED):
            await as_expected(self.random.choice(often * 2 + seldom))


async def as_expected(ask: Callable[[], Awaitable[Any]]) -> None:
    """Ask; an answer may be a refusal, but of a kind that callers know what to make of."""
    try:
        await ask()
    except EXPECTED:
        pass
    except RPCError as error:
        if error.status is not RPCStatusCode.NOT_FOUND:
            raise


@pytest.fixture(autouse=True)
def unheard() -> Iterator[None]:
    """No log records: thousands of failed attempts are part of the plan."""
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*while.*handlers are still running")
@pytest.mark.parametrize("cached", [0, 2, 1000])
async def test_whatever_many_callers_ask_at_once_makes_sense_and_replays(tmp_path: Path, cached: int) -> None:
    client = await Client.connect(f"sqlite:///{tmp_path}/runs.db")
    async with Worker(client, task_queue="q", workflows=[Busy, Child], activities=[step], max_cached_workflows=cached):
        callers = [Caller(client, 100 * cached + number) for number in range(CALLERS)]
        await asyncio.gather(*(caller.ask_everything() for caller in callers))
        async for run in client.list_workflows("ExecutionStatus = 'Running'"):
            await as_expected(client.get_workflow_handle(run.id, run_id=run.run_id).terminate)
        await asyncio.gather(*(task for caller in callers for task in caller.waiting))
    replayer = Replayer(workflows=[Busy, Child])
    runs = [run async for run in client.list_workflows()]
    assert len(runs) > CALLERS
    for run in runs:
        history = await client.get_workflow_handle(run.id, run_id=run.run_id).fetch_history()
        assert [event.event_id for event in history.events] == list(range(1, len(history.events) + 1))
        replayed = await replayer.replay_workflow(history, raise_on_replay_failure=False)
        assert replayed.replay_failure is None, history.to_json()
    client.engine.close()
