"""Code that is missing or unknown: the run waits, and whoever looks is told what to do."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path
from typing import Any

from durable_nb import activity, workflow
from durable_nb.client import Client
from durable_nb.engine import open_engine
from durable_nb.worker import Worker
from durable_nb.worker._embedded import EmbeddedWorker
from tests.waiting import recorded


@activity.defn
async def step(number: int) -> int:
    return number


@workflow.defn
class Two:
    def __init__(self) -> None:
        self.go = False

    @workflow.run
    async def run(self) -> int:
        first = await workflow.execute_activity(step, 1, start_to_close_timeout=timedelta(minutes=1))
        await workflow.wait_condition(lambda: self.go)
        return first + await workflow.execute_activity(step, 2, start_to_close_timeout=timedelta(minutes=1))

    @workflow.signal
    def proceed(self) -> None:
        self.go = True


@workflow.defn
class Another:
    @workflow.run
    async def run(self) -> None:
        """Nothing."""


async def kinds(client: Client) -> list[str]:
    return [each.event_type.title for each in (await client.get_workflow_handle("w").fetch_history()).events]


async def test_a_definition_that_is_missing_after_a_restart_leaves_the_run_waiting_and_the_notice_names_it(
    tmp_path: Path,
) -> None:
    url = f"sqlite:///{tmp_path}/durable.db"
    engine = open_engine(url, own_thread=False)
    client = Client(engine)
    async with Worker(client, task_queue="q", workflows=[Two], activities=[step]):
        await client.start_workflow(Two.run, id="w", task_queue="q")
        await recorded(client.get_workflow_handle("w"), "ActivityTaskCompleted")
    engine.close()

    engine = open_engine(url, own_thread=False)
    client = Client(engine)
    notices: list[Any] = []
    told = asyncio.Event()

    def listen(notice: Any) -> None:
        notices.append(notice)
        told.set()

    engine.on_notice(listen)
    kernel = EmbeddedWorker(client, task_queue="q")
    kernel.start()
    kernel.register_workflow(Another)
    await client.get_workflow_handle("w").signal(Two.proceed)
    engine.upkeep.look()
    await told.wait()
    assert [(each.kind, each.workflow_type) for each in notices] == [("definition_missing", "Two")]
    assert "'Two'" in notices[0].message
    assert "run the cell" in notices[0].fix
    assert "WorkflowTaskFailed" not in await kinds(client)

    kernel.register_workflow(Two)
    kernel.register_activity(step)
    assert await client.get_workflow_handle("w").result() == 3
    await kernel.shutdown()
    assert (await kinds(client)).count("ActivityTaskScheduled") == 2
    engine.close()
