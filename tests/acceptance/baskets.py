"""A workflow whose activities can be broken, for tests of what people do with its past."""

from __future__ import annotations

from typing import Any

from durable_nb import activity, workflow
from durable_nb.client import Client
from durable_nb.common import RetryPolicy
from durable_nb.exceptions import ApplicationError
from tests.acceptance.world import MINUTE, start
from tests.waiting import recorded

TALLY: list[str] = []

BROKEN: dict[str, bool] = {}


@activity.defn
async def price(item: str) -> int:
    TALLY.append(item)
    if BROKEN.get(item):
        raise ApplicationError(f"{item} is out of stock", non_retryable=True)
    return len(item)


@activity.defn
async def flaky(item: str) -> str:
    TALLY.append(item)
    if BROKEN.get(item):
        raise RuntimeError("not today")
    return item.upper()


@workflow.defn
class Basket:
    """Two activities, one after the other, then a wait for a signal."""

    def __init__(self) -> None:
        self.total = 0
        self.paid = False
        self.notes: list[str] = []

    @workflow.run
    async def run(self, items: list[str]) -> str:
        for position, item in enumerate(items):
            cost = await workflow.execute_activity(price, item, start_to_close_timeout=MINUTE)
            self.total += cost
            self.notes.append(f"{position}:{cost}")
        limit = 100
        if self.total > limit:
            return f"too dear: {self.total}"
        await workflow.wait_condition(lambda: self.paid)
        return f"paid {self.total}"

    @workflow.signal
    async def pay(self, how: str) -> None:
        receipt = f"receipt {how}"
        await workflow.sleep(0.001)
        self.notes.append(receipt)
        self.paid = True

    @workflow.update
    async def note(self, text: str) -> int:
        self.notes.append(text)
        return len(self.notes)


async def event_of(handle: Any, name: str, number: int = 1) -> int:
    found = [e.event_id for e in (await handle.fetch_history()).events if e.event_type.title == name]
    return found[number - 1]


async def paid_basket(client: Client) -> Any:
    handle = await start(client, Basket.run, ["ab", "cde"])
    await has_prices(handle, 2)
    await handle.signal(Basket.pay, "card")
    assert await handle.result() == "paid 5"
    return handle


async def has_prices(handle: Any, count: int) -> None:
    """Wait until the prices are known and the run waits for its payment: one workflow task for each, and the first."""
    await recorded(handle, "WorkflowTaskCompleted", count + 1)


@workflow.defn
class Patient:
    @workflow.run
    async def run(self) -> str:
        policy = RetryPolicy(initial_interval=MINUTE * 60)
        return await workflow.execute_activity(flaky, "slow", start_to_close_timeout=MINUTE, retry_policy=policy)
