"""An engine on a thread of its own outlives whatever the code that it runs raises."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from durable_nb import activity, workflow
from durable_nb.client import Client
from durable_nb.common import RetryPolicy
from durable_nb.engine import open_engine
from durable_nb.exceptions import ActivityError
from durable_nb.worker._embedded import EmbeddedWorker

EXITS = {"SystemExit": SystemExit, "KeyboardInterrupt": KeyboardInterrupt}
left: set[str] = set()
"""What was raised once already."""


async def leave(kind: str) -> None:
    raise EXITS[kind]("odd")


@activity.defn
async def leaves_from_a_task_of_its_own(kind: str) -> None:
    await asyncio.create_task(leave(kind))


@workflow.defn
class Careless:
    @workflow.run
    async def run(self, kind: str) -> str:
        if kind not in left:
            left.add(kind)
            raise EXITS[kind]("odd")
        try:
            await workflow.execute_activity(
                leaves_from_a_task_of_its_own,
                kind,
                start_to_close_timeout=timedelta(minutes=1),
                retry_policy=RetryPolicy(maximum_attempts=1),
            )
        except ActivityError as error:
            return error.cause.type if error.cause is not None else ""
        return ""


@pytest.fixture
async def client() -> AsyncIterator[Client]:
    handle = open_engine("memory://", own_thread=True)
    client = Client(handle)
    worker = EmbeddedWorker(client, task_queue="q", guards=False)
    worker.register_workflow(Careless)
    worker.register_activity(leaves_from_a_task_of_its_own)
    worker.start()
    left.clear()
    yield client
    await worker.shutdown()
    assert handle._thread is not None
    assert handle._thread.is_alive()
    handle.close()
    assert not handle._thread.is_alive()


@pytest.mark.parametrize("kind", EXITS)
async def test_code_that_asks_for_the_end_of_the_process_is_tried_again(client: Client, kind: str) -> None:
    assert await client.execute_workflow(Careless.run, kind, id="w", task_queue="q") == kind
    events = [event async for event in client.get_workflow_handle("w").fetch_history_events()]
    assert "WORKFLOW_TASK_FAILED" in [event.event_type.name for event in events]
