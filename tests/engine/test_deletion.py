"""A closed run can be removed; an open one cannot."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest

from durable_nb import activity, workflow
from durable_nb.client import Client, RPCError, RPCStatusCode
from durable_nb.worker import Worker


@workflow.defn
class Waits:
    @workflow.run
    async def run(self) -> str:
        await workflow.wait_condition(lambda: False)
        return ""


@workflow.defn
class Ends:
    @workflow.run
    async def run(self) -> str:
        return "x" * 100_000

    @workflow.query
    def state(self) -> str:
        return "ended"


@activity.defn
async def unused() -> None:
    """A worker needs no activity; this one is never called."""


@pytest.mark.parametrize("url", ["memory://", "sqlite:///{}/d.db"])
async def test_a_closed_run_is_gone_for_everybody_and_its_id_is_free(url: str, tmp_path: Path) -> None:
    client = await Client.connect(url.format(tmp_path))
    async with Worker(client, task_queue="durable_nb", workflows=[Waits, Ends], activities=[unused]):
        handle = await client.start_workflow(Ends.run, id="a")
        await handle.result()
        assert await handle.query(Ends.state) == "ended"
        await handle.delete()
        query = partial(handle.query, Ends.state)
        for call in (handle.describe, handle.fetch_history, handle.delete, handle.result, query):
            with pytest.raises(RPCError) as caught:
                await call()
            assert caught.value.status is RPCStatusCode.NOT_FOUND
        assert [run.id async for run in client.list_workflows()] == []
        again = await client.start_workflow(Ends.run, id="a")
        assert len(await again.result()) == 100_000


async def test_an_open_run_is_refused_and_goes_on(tmp_path: Path) -> None:
    client = await Client.connect(f"sqlite:///{tmp_path}/d.db")
    async with Worker(client, task_queue="durable_nb", workflows=[Waits], activities=[unused]):
        handle = await client.start_workflow(Waits.run, id="a")
        with pytest.raises(RPCError, match="terminate it first") as caught:
            await handle.delete()
        assert caught.value.status is RPCStatusCode.FAILED_PRECONDITION
        await handle.terminate()
        await handle.delete()
