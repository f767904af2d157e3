"""durable_nb as a system under test: public API only, engine on the running loop, defaults throughout."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path

from benchmarks.system import Ledger
from durable_nb import activity, workflow
from durable_nb.client import Client
from durable_nb.worker import Worker

QUEUE = "benchmarks"
LIMIT = timedelta(minutes=1)


@activity.defn
async def add_one(number: int) -> int:
    return number + 1


@activity.defn
async def marked(workflow_id: str, step: int) -> int:
    Ledger.note(workflow_id, step)
    while not Ledger.released:
        await asyncio.sleep(0.001)
    return step


@workflow.defn
class One:
    @workflow.run
    async def run(self, number: int) -> int:
        return await workflow.execute_activity(add_one, number, start_to_close_timeout=LIMIT)


@workflow.defn
class Chain:
    @workflow.run
    async def run(self, steps: int) -> int:
        number = 0
        for _ in range(steps):
            number = await workflow.execute_activity(add_one, number, start_to_close_timeout=LIMIT)
        return number


@workflow.defn
class Fan:
    @workflow.run
    async def run(self, width: int) -> int:
        handles = [workflow.start_activity(add_one, n, start_to_close_timeout=LIMIT) for n in range(width)]
        return sum(await asyncio.gather(*handles))


@workflow.defn
class MarkedChain:
    @workflow.run
    async def run(self, steps: int) -> int:
        workflow_id = workflow.info().workflow_id
        for step in range(steps):
            await workflow.execute_activity(marked, args=[workflow_id, step], start_to_close_timeout=LIMIT)
        return steps


_asleep: set[str] = set()


@workflow.defn
class Sleeper:
    @workflow.run
    async def run(self, seconds: float) -> None:
        _asleep.add(workflow.info().workflow_id)
        await workflow.sleep(seconds)


class DurableNb:
    def __init__(self, folder: Path) -> None:
        self.url = f"sqlite:///{folder / 'durable.db'}"

    async def open(self) -> None:
        self.client = await Client.connect(self.url)
        self.worker = Worker(
            self.client,
            task_queue=QUEUE,
            workflows=[One, Chain, Fan, MarkedChain, Sleeper],
            activities=[add_one, marked],
        )
        await self.worker.__aenter__()

    async def close(self) -> None:
        await self.worker.__aexit__(None, None, None)

    async def run_one(self, key: str) -> None:
        await self.client.execute_workflow(One.run, 1, id=key, task_queue=QUEUE)

    async def run_chain(self, key: str, steps: int) -> None:
        await self.client.execute_workflow(Chain.run, steps, id=key, task_queue=QUEUE)

    async def run_fan(self, key: str, width: int) -> None:
        await self.client.execute_workflow(Fan.run, width, id=key, task_queue=QUEUE)

    async def start_one(self, key: str) -> None:
        await self.client.start_workflow(One.run, 1, id=key, task_queue=QUEUE)

    async def start_marked_chain(self, key: str, steps: int) -> None:
        await self.client.start_workflow(MarkedChain.run, steps, id=key, task_queue=QUEUE)

    async def start_sleeper(self, key: str, seconds: float) -> None:
        await self.client.start_workflow(Sleeper.run, seconds, id=key, task_queue=QUEUE)

    async def wait(self, key: str) -> None:
        await self.client.get_workflow_handle(key).result()

    def sleepers(self) -> int:
        return len(_asleep)


def make(folder: Path) -> DurableNb:
    return DurableNb(folder)
