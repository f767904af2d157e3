"""The process that is killed: orders with activities, a timer, a signal and a child, on one SQLite file."""

from __future__ import annotations

import asyncio
import os
import sys
from datetime import timedelta

from durable_nb import activity, workflow
from durable_nb.client import Client
from durable_nb.common import WorkflowIDConflictPolicy, WorkflowIDReusePolicy
from durable_nb.exceptions import WorkflowAlreadyStartedError
from durable_nb.worker import Worker
from tests.chaos.killing import DIRECTORY, arm, note, noted

ORDERS = 3


@activity.defn
async def charge(order: str) -> str:
    info = activity.info()
    note("run", os.getpid(), info.workflow_id, info.activity_id)
    return f"charged {order}"


@workflow.defn
class Shipping:
    @workflow.run
    async def run(self, order: str) -> str:
        return await workflow.execute_activity(charge, f"ship {order}", start_to_close_timeout=timedelta(seconds=30))


@workflow.defn
class Order:
    def __init__(self) -> None:
        self.confirmed = False

    @workflow.signal
    def confirm(self) -> None:
        self.confirmed = True

    @workflow.run
    async def run(self, order: str) -> list[str]:
        first = await workflow.execute_activity(charge, order, start_to_close_timeout=timedelta(seconds=30))
        await workflow.sleep(0.01)
        await workflow.wait_condition(lambda: self.confirmed)
        shipped = await workflow.execute_child_workflow(Shipping.run, order, id=f"ship-{order}")
        return [first, shipped]


async def main(phase: str, number: int) -> None:
    client = await Client.connect(f"sqlite:///{DIRECTORY}/runs.db")
    arm(client, phase, number)
    async with Worker(client, task_queue="q", workflows=[Order, Shipping], activities=[charge]):
        await asyncio.gather(*(place(client, f"order-{n}") for n in range(ORDERS)))
    note("done", os.getpid())


async def place(client: Client, order: str) -> None:
    try:
        handle = await client.start_workflow(
            Order.run,
            order,
            id=order,
            task_queue="q",
            id_reuse_policy=WorkflowIDReusePolicy.REJECT_DUPLICATE,
            id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
        )
    except WorkflowAlreadyStartedError:
        handle = client.get_workflow_handle_for(Order.run, order)
    note("started", order)
    if f"confirmed {order}" not in noted():
        try:
            await handle.signal(Order.confirm)
        except Exception as error:
            note("refused", order, type(error).__name__)
        else:
            note("confirmed", order)
    assert await handle.result() == [f"charged {order}", f"charged ship {order}"]
    note("finished", order)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[2], int(sys.argv[3])))
