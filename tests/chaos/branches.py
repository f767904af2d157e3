"""The process that is killed while it resets, retries and forks (``killing``).

``PHASE`` ``prepare`` makes the runs that the others start from: ``open`` waits for a signal, ``failed`` has failed,
``waiting`` backs off for an hour, ``done`` is complete, ``replaced`` is complete and was followed by a run that is
open. Any other process makes of each what it did not make before,
dies on the way or sees all of them to their ends. A verb that was answered is noted as ``made``.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

from durable_nb import activity, workflow
from durable_nb.client import Client, WorkflowExecutionStatus, WorkflowFailureError, WorkflowHandle
from durable_nb.common import RetryPolicy
from durable_nb.exceptions import ApplicationError
from durable_nb.worker import Worker
from tests.chaos.killing import DIRECTORY, arm, note, noted
from tests.waiting import until

MINUTE = timedelta(minutes=1)
MENDED = DIRECTORY / "mended"
"""While this file is missing, the second activity of ``failed`` and of ``waiting`` fails."""

VERBS: dict[str, tuple[str, Callable[[WorkflowHandle[Any, Any]], Awaitable[Any]]]] = {
    "open": ("reset", lambda handle: handle.reset(activity_id="2", reason="chaos")),
    "failed": ("retry", lambda handle: handle.retry()),
    "waiting": ("retry", lambda handle: handle.retry()),
    "done": ("fork", lambda handle: handle.fork(activity_id="2", id="copy")),
    "replaced": ("reset", lambda handle: handle.reset(activity_id="2", reason="chaos")),
}
"""What is done to which run."""


@activity.defn
async def first(name: str) -> str:
    note("ran", os.getpid(), activity.info().workflow_id, "first")
    return f"first {name}"


@activity.defn
async def second(name: str) -> str:
    note("ran", os.getpid(), activity.info().workflow_id, "second")
    if name in ("failed", "waiting") and not MENDED.exists():
        raise ApplicationError("not yet", non_retryable=name == "failed")
    return f"second {name}"


@workflow.defn
class Branched:
    def __init__(self) -> None:
        self.go = False

    @workflow.run
    async def run(self, name: str) -> list[str]:
        patient = RetryPolicy(initial_interval=timedelta(hours=1))
        one = await workflow.execute_activity(first, name, start_to_close_timeout=MINUTE)
        two = await workflow.execute_activity(second, name, start_to_close_timeout=MINUTE, retry_policy=patient)
        if name == "open" or (name == "replaced" and workflow.memo_value("later", default=False)):
            await workflow.wait_condition(lambda: self.go)
        return [one, two]

    @workflow.signal
    def approve(self) -> None:
        self.go = True


async def main(phase: str, number: int) -> None:
    client = await Client.connect(f"sqlite:///{DIRECTORY}/runs.db")
    if phase != "prepare":
        MENDED.touch()
        arm(client, phase, number)
    async with Worker(client, task_queue="q", workflows=[Branched], activities=[first, second]):
        for name in VERBS:  # one after the other: a commit holds nothing but what one of them decided
            await (prepare(client, name) if phase == "prepare" else branch(client, name))


async def prepare(client: Client, name: str) -> None:
    handle = await client.start_workflow(Branched.run, name, id=name, task_queue="q")
    if name == "waiting":
        await until(lambda: backs_off(client))
    elif name == "failed":
        with contextlib.suppress(WorkflowFailureError):
            await handle.result()
    elif name == "open":
        await stands(handle)
    else:
        await handle.result()
    if name == "replaced":
        note("first", handle.result_run_id)
        await stands(await client.start_workflow(Branched.run, name, id=name, task_queue="q", memo={"later": True}))


async def stands(handle: WorkflowHandle[Any, Any]) -> None:
    """Wait until both activities of a run are complete."""
    async for event in handle.fetch_history_events(wait_new_event=True):
        if event.event_type.title == "ActivityTaskCompleted" and event.event_id > 10:
            return


async def branch(client: Client, name: str) -> None:
    first = [line.split()[1] for line in noted() if line.startswith("first ")]
    handle = client.get_workflow_handle(name, run_id=first[0] if name == "replaced" else None)
    if not await was_made(client, name):
        await VERBS[name][1](handle)
    note("made", name)
    made = client.get_workflow_handle("copy" if name == "done" else name)
    if name == "open" and (await made.describe()).status == WorkflowExecutionStatus.RUNNING:
        await made.signal(Branched.approve)
    assert await made.result() == [f"first {name}", f"second {name}"]
    note("finished", name)


async def was_made(client: Client, name: str) -> bool:
    """What somebody asks who does not know whether the verb was done before the process died."""
    if name == "waiting":
        return not await backs_off(client)
    if name == "done":
        return [each async for each in client.list_workflows("WorkflowId = 'copy'")] != []
    return bool(await client.get_workflow_handle(name).lineage())


async def backs_off(client: Client) -> bool:
    described = await client.get_workflow_handle("waiting").describe()
    return any(each.next_attempt_at and each.attempt == 2 for each in described.pending_activities)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[2], int(sys.argv[3])))
