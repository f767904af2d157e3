"""Workflows that are exported half way, and activities whose end the test decides, on each side apart."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from durable_nb import activity, workflow
from durable_nb.common import RetryPolicy
from durable_nb.worker import Worker

MINUTE = timedelta(minutes=1)


@workflow.defn
class Traveller:
    """One activity that ends, one that is under way, a timer that runs, a signal that comes."""

    def __init__(self) -> None:
        self.greetings: list[str] = []

    @workflow.run
    async def run(self, seconds: float) -> list[str]:
        seen = [await workflow.execute_activity("quick", "here", start_to_close_timeout=MINUTE)]
        timer = asyncio.create_task(workflow.sleep(seconds))
        slow = workflow.start_activity(
            "slow",
            start_to_close_timeout=MINUTE,
            retry_policy=RetryPolicy(initial_interval=timedelta(milliseconds=1)),
        )
        await workflow.wait_condition(lambda: bool(self.greetings))
        seen.append(str(await slow))
        await timer
        return [*seen, *self.greetings, str(workflow.random().random()), str(workflow.uuid4())]

    @workflow.signal
    def greet(self, name: str) -> None:
        self.greetings.append(name)


@workflow.defn
class Guide:
    """Waits for a child; its result comes from there."""

    @workflow.run
    async def run(self) -> list[str]:
        return await workflow.execute_child_workflow("Traveller", 0, id="traveller", result_type=list)


class Side:
    """The activities of one store: what they did, and when the slow one may end."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.ran: list[str] = []
        self.arrived = asyncio.Event()
        self.gate = asyncio.Event()

    @activity.defn
    async def quick(self, value: str) -> str:
        self.ran.append("quick")
        return f"{value} {self.name}"

    @activity.defn
    async def slow(self) -> str:
        self.ran.append(f"slow {activity.info().attempt}")
        self.arrived.set()
        await self.gate.wait()
        return f"slow {self.name}"

    def worker(self, client: object) -> Worker:
        return Worker(
            client,  # type: ignore[arg-type]
            task_queue="q",
            workflows=[Traveller, Guide],
            activities=[self.quick, self.slow],
            graceful_shutdown_timeout=timedelta(0),
        )
