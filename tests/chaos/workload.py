"""The process that is killed: orders with activities, a timer, a signal and a child, on one SQLite file.

``python -m tests.chaos.workload DIRECTORY PHASE N`` kills itself with SIGKILL at its N-th commit: ``before`` it,
``during`` it (when SQLite is told to COMMIT) or ``after`` it (durable, but nobody has heard of it). N = 0 runs to the
end. What outsiders may rely on is written to ``log`` in the directory, one line each, with O_APPEND.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from datetime import timedelta
from pathlib import Path

from durable_nb import activity, workflow
from durable_nb.client import Client
from durable_nb.common import WorkflowIDConflictPolicy, WorkflowIDReusePolicy
from durable_nb.exceptions import WorkflowAlreadyStartedError
from durable_nb.worker import Worker

ORDERS = 3
DIRECTORY = Path(sys.argv[1]) if len(sys.argv) > 1 else Path()


def note(*words: object) -> None:
    """Append a line that survives the process."""
    line = " ".join(map(str, words)) + "\n"
    descriptor = os.open(DIRECTORY / "log", os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        os.write(descriptor, line.encode())
    finally:
        os.close(descriptor)


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


def arm(client: Client, phase: str, number: int) -> None:
    """Die at the N-th commit of the engine."""
    store = client.engine.store
    commit, seen = store.commit, 0

    def die(*_: object) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    def counted(units):
        nonlocal seen
        seen += 1
        if seen != number:
            return commit(units)
        if phase == "before":
            die()
        if phase == "during":
            store._database.writer.set_trace_callback(lambda statement: die() if statement == "COMMIT" else None)
        answer = commit(units)
        die()
        return answer

    store.commit = counted


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
    if f"confirmed {order}\n" not in (DIRECTORY / "log").read_text():
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
