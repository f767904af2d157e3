"""A process of its own with a worker, for tests that pause it: prints what its activity does.

Arguments: URL of the store, name to print. The activity takes until there is a line to read.
"""

from __future__ import annotations

import asyncio
import sys
from datetime import timedelta

from durable_nb import activity, workflow
from durable_nb.client import Client
from durable_nb.worker import Worker

NAME = sys.argv[2] if __name__ == "__main__" else "test"
ended = asyncio.Event()


@activity.defn
async def slow() -> str:
    print(f"begun {activity.info().attempt}", flush=True)
    if __name__ == "__main__":
        await asyncio.to_thread(sys.stdin.readline)
    print("ended", flush=True)
    ended.set()
    return NAME


@workflow.defn
class OneStep:
    @workflow.run
    async def run(self) -> str:
        return await workflow.execute_activity(slow, start_to_close_timeout=timedelta(minutes=1))


@workflow.defn
class Counts:
    def __init__(self) -> None:
        self.seen: list[str] = []

    @workflow.run
    async def run(self, count: int) -> list[str]:
        await workflow.wait_condition(lambda: len(self.seen) >= count)
        return self.seen

    @workflow.signal
    def add(self, text: str) -> None:
        self.seen.append(text)


@workflow.defn
class StepThenSignal:
    def __init__(self) -> None:
        self.seen: list[str] = []

    @workflow.run
    async def run(self) -> list[str]:
        self.seen.append(await workflow.execute_activity(slow, start_to_close_timeout=timedelta(minutes=1)))
        await workflow.wait_condition(lambda: len(self.seen) > 1)
        return self.seen

    @workflow.signal
    def add(self, text: str) -> None:
        self.seen.append(text)

    @workflow.query
    def so_far(self) -> list[str]:
        return self.seen


WORKFLOWS = [OneStep, Counts, StepThenSignal]


async def main() -> None:
    client = await Client.connect(sys.argv[1])
    async with Worker(client, task_queue="q", workflows=WORKFLOWS, activities=[slow]):
        print("ready", flush=True)
        if NAME.startswith("signals"):
            handle = client.get_workflow_handle("counts")
            for number in range(50):
                await handle.signal("add", f"{NAME} {number}")
            print("sent", flush=True)
        if NAME == "paused in an open run":
            await ended.wait()
            handle = client.get_workflow_handle("w")
            await handle.signal("add", NAME)
            await handle.query("so_far")  # Its turn comes after that of the outcome of the attempt.
            print("sent", flush=True)
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())
