"""Values that cannot be stored or read back: the message names the place within the value, and the run survives."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
import pytest_asyncio

from durable_nb import activity, workflow
from durable_nb.client import Client, WorkflowFailureError, WorkflowQueryFailedError
from durable_nb.common import RetryPolicy
from durable_nb.errors import PayloadDecodeError, PayloadEncodeError
from durable_nb.exceptions import ActivityError, ApplicationError
from durable_nb.testing import WorkflowEnvironment
from durable_nb.worker import Worker

MINUTE = timedelta(minutes=1)
BAD: dict[str, Any] = {"lines": [{"price": 1}, {"price": object()}]}
PLACE = r"lines.*1.*price"


@dataclass
class Order:
    amount: int


@activity.defn
async def gives_bad_result() -> dict[str, Any]:
    return BAD


@activity.defn
async def wants_order(order: Order) -> int:
    return order.amount


@workflow.defn
class Shop:
    def __init__(self) -> None:
        self.orders: list[Order] = []

    @workflow.run
    async def run(self, how: str) -> Any:
        once = RetryPolicy(maximum_attempts=1)
        if how == "result":
            return await workflow.execute_activity(gives_bad_result, start_to_close_timeout=MINUTE, retry_policy=once)
        if how == "undecodable":
            return await workflow.execute_activity(
                "wants_order", {"amount": "many"}, start_to_close_timeout=MINUTE, retry_policy=once
            )
        await workflow.wait_condition(lambda: bool(self.orders))
        return self.orders[0].amount

    @workflow.signal
    def add(self, order: Order) -> None:
        self.orders.append(order)

    @workflow.query
    def bad_answer(self) -> dict[str, Any]:
        return BAD

    @workflow.query
    def count(self) -> int:
        return len(self.orders)


@workflow.defn
class WantsOrder:
    @workflow.run
    async def run(self, order: Order) -> int:
        return order.amount


@workflow.defn
class Echoes:
    @workflow.run
    async def run(self, text: str) -> int:
        return len(text)


@pytest_asyncio.fixture
async def client() -> AsyncIterator[Client]:
    async with (
        await WorkflowEnvironment.start_local() as environment,
        Worker(
            environment.client,
            task_queue="q",
            workflows=[Shop, WantsOrder],
            activities=[gives_bad_result, wants_order],
            graceful_shutdown_timeout=timedelta(0),
        ),
    ):
        yield environment.client


async def test_an_input_that_cannot_be_stored_names_the_place_and_starts_nothing(client: Client) -> None:
    with pytest.raises(PayloadEncodeError, match=PLACE) as caught:
        await client.start_workflow(Shop.run, BAD, id="w", task_queue="q")  # type: ignore[arg-type]
    assert caught.value.fix
    assert [run async for run in client.list_workflows()] == []


async def test_a_signal_that_cannot_be_stored_names_the_place_and_the_run_goes_on(client: Client) -> None:
    handle = await client.start_workflow(Shop.run, "waits", id="w", task_queue="q")
    with pytest.raises(PayloadEncodeError, match=PLACE):
        await handle.signal("add", BAD)
    await handle.signal(Shop.add, Order(3))
    assert await handle.result() == 3


async def test_a_signal_that_cannot_be_read_is_dropped_with_a_warning_and_the_run_goes_on(
    client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    handle = await client.start_workflow(Shop.run, "waits", id="w", task_queue="q")
    await handle.signal("add", "not an order")
    assert await handle.query(Shop.count) == 0
    await handle.signal(Shop.add, Order(4))
    assert await handle.result() == 4
    assert "add" in caplog.text


async def test_an_activity_result_that_cannot_be_stored_fails_the_attempt_and_names_the_place(client: Client) -> None:
    with pytest.raises(WorkflowFailureError) as caught:
        await client.execute_workflow(Shop.run, "result", id="w", task_queue="q")
    error = caught.value.cause
    assert isinstance(error, ActivityError)
    assert isinstance(error.cause, ApplicationError)
    assert error.cause.type == "PayloadEncodeError"
    assert "price" in str(error.cause)


async def test_an_activity_input_that_cannot_be_read_fails_the_attempt_and_names_the_place(client: Client) -> None:
    with pytest.raises(WorkflowFailureError) as caught:
        await client.execute_workflow(Shop.run, "undecodable", id="w", task_queue="q")
    error = caught.value.cause
    assert isinstance(error, ActivityError)
    assert isinstance(error.cause, ApplicationError)
    assert "amount: expected int" in str(error.cause.cause)


async def test_a_query_result_that_cannot_be_stored_is_told_to_who_asked(client: Client) -> None:
    handle = await client.start_workflow(Shop.run, "waits", id="w", task_queue="q")
    with pytest.raises(WorkflowQueryFailedError, match="price"):
        await handle.query(Shop.bad_answer)
    assert await handle.query(Shop.count) == 0


async def test_a_result_of_another_type_than_expected_names_the_place(client: Client) -> None:
    handle = await client.start_workflow("Shop", "waits", id="w", task_queue="q", result_type=Order)
    await handle.signal(Shop.add, Order(4))
    with pytest.raises(PayloadDecodeError, match="Order"):
        await handle.result()


async def test_a_workflow_input_that_cannot_be_read_fails_the_task_and_says_where(client: Client) -> None:
    handle = await client.start_workflow("WantsOrder", {"amount": "many"}, id="w", task_queue="q")
    iterator = handle.fetch_history_events(wait_new_event=True)
    failed = await anext(event async for event in iterator if event.event_type.title == "WorkflowTaskFailed")
    assert "amount" in failed.attributes.failure.message
    await handle.terminate()


async def test_ten_megabytes_and_unicode_travel_unharmed(client: Client) -> None:
    text = "Grüße, 世界 🎉 \x00 " * 700_000
    handle = await client.start_workflow("Echoes", text, id="wörk-🎉", task_queue="elsewhere")
    assert handle.id == "wörk-🎉"
    async with Worker(client, task_queue="elsewhere", workflows=[Echoes]):
        assert await handle.result() == len(text)
