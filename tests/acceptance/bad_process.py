"""A process of its own with a worker, for tests that pause it: prints what its activity does.

Arguments: URL of the store, seconds that the activity takes, name to print.
"""

from __future__ import annotations

import asyncio
import sys
from datetime import timedelta

from durable_nb import activity, workflow
from durable_nb.client import Client
from durable_nb.worker import Worker

NAME, TAKES = (sys.argv[3], float(sys.argv[2])) if __name__ == "__main__" else ("test", 0.0)


@activity.defn
async def slow() -> str:
    print(f"begun {activity.info().attempt}", flush=True)
    await asyncio.sleep(TAKES)
    print("ended", flush=True)
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


async def main() -> None:
    client = await Client.connect(sys.argv[1])
    async with Worker(client, task_queue="q", workflows=[OneStep, Counts], activities=[slow]):
        print("ready", flush=True)
        if NAME.startswith("signals"):
            handle = client.get_workflow_handle("counts")
            for number in range(50):
                await handle.signal("add", f"{NAME} {number}")
            print("sent", flush=True)
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())
