"""What comes in the same moment: workflow code sees it in an order that a replay repeats."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from durable_nb import activity, workflow
from durable_nb.client import Client, WorkflowFailureError, WorkflowHandle
from durable_nb.exceptions import CancelledError
from durable_nb.worker import Replayer
from tests.acceptance.world import MINUTE, kinds, serving, start

tokens: asyncio.Queue[bytes] = asyncio.Queue()


@activity.defn
async def completed_outside() -> None:
    tokens.put_nowait(activity.info().task_token)
    activity.raise_complete_async()


@workflow.defn
class WaitsForAnother:
    @workflow.run
    async def run(self) -> None:
        await workflow.execute_activity(completed_outside, start_to_close_timeout=MINUTE)


@workflow.defn
class Desk:
    def __init__(self) -> None:
        self.log: list[str] = []

    @workflow.run
    async def run(self) -> list[str]:
        await workflow.wait_condition(lambda: "end" in self.log)
        await workflow.wait_condition(workflow.all_handlers_finished)
        return self.log

    @workflow.signal
    async def tell(self, text: str) -> None:
        self.log.append(text)
        await workflow.sleep(0.001)

    @workflow.update
    async def ask(self, text: str) -> str:
        self.log.append(text)
        await workflow.sleep(0.001)
        return text


async def replays(handle: WorkflowHandle[Any, Any]) -> Exception | None:
    replayer = Replayer(workflows=[WaitsForAnother, Desk])
    return (await replayer.replay_workflow(await handle.fetch_history(), raise_on_replay_failure=False)).replay_failure


async def test_a_cancel_that_comes_with_the_result_of_an_activity(client: Client) -> None:
    async with serving(client, WaitsForAnother, activities=[completed_outside]):
        handle = await start(client, WaitsForAnother.run)
        by_token = client.get_async_activity_handle(task_token=await tokens.get())
        await asyncio.gather(by_token.complete(None), handle.cancel())
        with pytest.raises(WorkflowFailureError) as caught:
            await handle.result()
    assert isinstance(caught.value.cause, CancelledError)
    assert (await kinds(handle))[6:9] == [
        "ACTIVITY_TASK_COMPLETED",
        "WORKFLOW_TASK_SCHEDULED",
        "WORKFLOW_EXECUTION_CANCEL_REQUESTED",
    ]
    assert await replays(handle) is None


async def test_signals_and_updates_that_come_together_without_a_cache(client: Client) -> None:
    async with serving(client, Desk, max_cached_workflows=0):
        handle = await start(client, Desk.run)
        for number in range(3):
            told = [handle.signal(Desk.tell, f"signal {number}") for _ in range(2)]
            asked = [handle.execute_update(Desk.ask, f"update {number}") for _ in range(2)]
            await asyncio.gather(asked[0], told[0], asked[1], told[1])
        await handle.signal(Desk.tell, "end")
        assert len(await handle.result()) == 13
    assert "WORKFLOW_TASK_FAILED" not in await kinds(handle)
    assert await replays(handle) is None
