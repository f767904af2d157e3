"""The systems of the article that this project starts from, as a user would write them."""

from __future__ import annotations

import asyncio
import builtins
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest

from durable_nb import activity, workflow
from durable_nb.client import Client, WorkflowFailureError
from durable_nb.common import RetryPolicy, SearchAttributeKey, SearchAttributePair, TypedSearchAttributes
from durable_nb.exceptions import (
    ActivityError,
    ApplicationError,
    ChildWorkflowError,
    TerminatedError,
)
from durable_nb.testing import WorkflowEnvironment
from tests.acceptance.world import MINUTE, QUEUE, fresh_id, kinds, outcome, serving, start
from tests.waiting import until


@dataclass
class Item:
    sku: str
    quantity: int
    price: float


@dataclass
class Order:
    id: str
    items: list[Item]
    card: str = "good"


@dataclass
class Receipt:
    order: str
    status: str
    total: float = 0.0
    shipment: str = ""
    completed_at: datetime | None = None


def an_order(**changes: Any) -> Order:
    return Order(**({"id": "order-1", "items": [Item("WIDGET", 2, 29.5), Item("BOLT", 1, 1.0)]} | changes))


@dataclass
class Shop:
    """The services around an order, with what went through them."""

    calls: list[str] = field(default_factory=list)
    bad_days: int = 0
    ships: bool = True

    @activity.defn
    async def validate(self, order: Order) -> float | None:
        self.calls.append("validate")
        return sum(i.quantity * i.price for i in order.items) if all(i.quantity < 10 for i in order.items) else None

    @activity.defn
    async def pay(self, order: Order, amount: float) -> str:
        self.calls.append("pay")
        if order.card == "stolen":
            raise ApplicationError("card refused", type="InvalidCreditCard")
        if self.bad_days:
            self.bad_days -= 1
            raise ConnectionError("payment service unavailable")
        return f"payment of {amount}"

    @activity.defn
    async def ship(self, order: Order) -> str:
        self.calls.append("ship")
        if not self.ships:
            raise ApplicationError("no carrier", non_retryable=True)
        return f"shipment of {order.id}"

    @activity.defn
    def refund(self, payment: str) -> None:
        self.calls.append(f"refund {payment}")

    @activity.defn
    async def confirm(self, order_id: str) -> None:
        self.calls.append("confirm")
        raise ApplicationError("mail server is down", non_retryable=True)

    @property
    def activities(self) -> list[Any]:
        return [self.validate, self.pay, self.ship, self.refund, self.confirm]


@workflow.defn
class OrderWorkflow:
    @workflow.run
    async def run(self, order: Order) -> Receipt:
        options: Any = {
            "start_to_close_timeout": MINUTE,
            "retry_policy": RetryPolicy(
                initial_interval=timedelta(seconds=1),
                maximum_interval=MINUTE,
                maximum_attempts=5,
                non_retryable_error_types=["InvalidCreditCard"],
            ),
        }
        total = await workflow.execute_activity_method(Shop.validate, order, **options)
        if total is None:
            return Receipt(order.id, "REJECTED")
        try:
            payment = await workflow.execute_activity_method(Shop.pay, args=[order, total], **options)
        except ActivityError:
            return Receipt(order.id, "PAYMENT_FAILED")
        try:
            shipment = await workflow.execute_activity_method(Shop.ship, order, **options)
        except ActivityError:
            await workflow.execute_activity_method(Shop.refund, payment, **options)
            return Receipt(order.id, "SHIPMENT_FAILED")
        try:
            await workflow.execute_activity_method(Shop.confirm, order.id, **options)
        except ActivityError:
            workflow.logger.warning("no confirmation was sent")
        return Receipt(order.id, "COMPLETED", total, shipment, workflow.now())


async def test_an_order_is_paid_after_retries_and_shipped_although_the_confirmation_fails(
    skipping: WorkflowEnvironment,
) -> None:
    shop = Shop(bad_days=3)
    async with serving(skipping.client, OrderWorkflow, activities=shop.activities):
        receipt = await outcome(skipping.client, OrderWorkflow.run, an_order())
    assert (receipt.status, receipt.total, receipt.shipment) == ("COMPLETED", 60.0, "shipment of order-1")
    assert receipt.completed_at is not None
    assert receipt.completed_at.tzinfo is not None
    assert shop.calls == ["validate", "pay", "pay", "pay", "pay", "ship", "confirm"]


@pytest.mark.parametrize(
    ("order", "shop", "status", "calls"),
    [
        (an_order(items=[Item("W", 10, 1.0)]), Shop(), "REJECTED", ["validate"]),
        (an_order(card="stolen"), Shop(), "PAYMENT_FAILED", ["validate", "pay"]),
        (an_order(), Shop(bad_days=99), "PAYMENT_FAILED", ["validate"] + 5 * ["pay"]),
        (an_order(), Shop(ships=False), "SHIPMENT_FAILED", ["validate", "pay", "ship", "refund payment of 60.0"]),
    ],
)
async def test_an_order_that_goes_wrong_ends_in_its_named_state(
    skipping: WorkflowEnvironment, order: Order, shop: Shop, status: str, calls: list[str]
) -> None:
    async with serving(skipping.client, OrderWorkflow, activities=shop.activities):
        assert (await outcome(skipping.client, OrderWorkflow.run, order)).status == status
    assert shop.calls == calls


done: list[str] = []


@activity.defn
async def step(name: str, good: bool) -> None:
    if not good:
        raise ApplicationError(f"{name} failed", non_retryable=True)
    done.append(name)


@workflow.defn
class Saga:
    @workflow.run
    async def run(self, broken: str) -> None:
        compensations: list[str] = []
        try:
            for name, undo in [("reserve", "release"), ("pay", "refund"), ("ship", "recall"), ("notify", "")]:
                await workflow.execute_activity(step, args=[name, name != broken], start_to_close_timeout=MINUTE)
                compensations.append(undo)
        except ActivityError as error:
            for undo in reversed(compensations):
                await workflow.execute_activity(step, args=[undo, True], start_to_close_timeout=MINUTE)
            raise ApplicationError("the order was undone") from error


async def test_a_saga_undoes_what_was_done_in_reverse_order(client: Client) -> None:
    done.clear()
    async with serving(client, Saga, activities=[step]):
        with pytest.raises(WorkflowFailureError) as raised:
            await outcome(client, Saga.run, "ship")
        assert done == ["reserve", "pay", "refund", "release"]
        assert str(raised.value.cause) == "the order was undone"
        assert isinstance(raised.value.cause.__cause__, ActivityError)
        assert str(raised.value.cause.__cause__.cause) == "ship failed"
        done.clear()
        await outcome(client, Saga.run, "none")
    assert done == ["reserve", "pay", "ship", "notify"]


@workflow.defn
class Batch:
    @workflow.run
    async def run(self, orders: int) -> list[str]:
        parts = [
            workflow.start_activity(step, args=[f"order {i}", i % 3 != 0], start_to_close_timeout=MINUTE)
            for i in range(orders)
        ]
        results = await asyncio.gather(*parts, return_exceptions=True)
        return [str(r.cause) if isinstance(r, ActivityError) else "good" for r in results]


async def test_a_fan_out_collects_results_and_failures_in_order(client: Client) -> None:
    async with serving(client, Batch, activities=[step]):
        results = await outcome(client, Batch.run, 20)
    assert results == [f"order {i} failed" if i % 3 == 0 else "good" for i in range(20)]


@workflow.defn
class Payment:
    @workflow.run
    async def run(self, order: str) -> str:
        return f"{order} paid in {workflow.info().workflow_id}"


@workflow.defn
class Inventory:
    @workflow.run
    async def run(self, order: str, available: bool) -> str:
        if not available:
            raise ApplicationError("out of stock", type="Stock")
        return f"{order} reserved"


@workflow.defn
class Fulfilment:
    @workflow.run
    async def run(self, order: str, available: bool) -> list[str]:
        payment = await workflow.start_child_workflow(Payment.run, order, id=f"payment-{order}")
        inventory = await workflow.start_child_workflow(Inventory.run, args=[order, available], id=f"inventory-{order}")
        paid = await payment
        try:
            return [paid, await inventory]
        except ChildWorkflowError as error:
            await workflow.execute_activity(step, args=["refund", True], start_to_close_timeout=MINUTE)
            return [paid, f"{error.workflow_type}: {getattr(error.cause, 'type', None)}"]


async def test_a_parent_waits_for_its_children_and_compensates_for_a_failed_one(client: Client) -> None:
    done.clear()
    async with serving(client, Fulfilment, Payment, Inventory, activities=[step]):
        assert await outcome(client, Fulfilment.run, "o1", True) == ["o1 paid in payment-o1", "o1 reserved"]
        assert await outcome(client, Fulfilment.run, "o2", False) == ["o2 paid in payment-o2", "Inventory: Stock"]
    assert done == ["refund"]


@dataclass
class Decision:
    approved: bool
    reason: str = ""


@workflow.defn
class Approval:
    def __init__(self) -> None:
        self.decision: Decision | None = None

    @workflow.run
    async def run(self, expense: str) -> str:
        try:
            await workflow.wait_condition(lambda: self.decision is not None, timeout=timedelta(days=7))
        except builtins.TimeoutError:
            self.decision = Decision(False, "timeout")
        assert self.decision is not None
        return f"{expense} {'approved' if self.decision.approved else 'rejected'} ({self.decision.reason})"

    @workflow.signal
    def decide(self, decision: Decision) -> None:
        self.decision = decision

    @workflow.query
    def state(self) -> str:
        return "waiting" if self.decision is None else "decided"


async def test_an_approval_by_signal_ends_the_wait_and_its_timer(skipping: WorkflowEnvironment) -> None:
    async with serving(skipping.client, Approval):
        handle = await start(skipping.client, Approval.run, "taxi")
        assert await handle.query(Approval.state) == "waiting"
        await handle.signal(Approval.decide, Decision(True, "fine"))
        assert await handle.result() == "taxi approved (fine)"
        assert (await kinds(handle))[-2:] == ["TIMER_CANCELED", "WORKFLOW_EXECUTION_COMPLETED"]


async def test_an_approval_without_an_answer_times_out_after_seven_days(skipping: WorkflowEnvironment) -> None:
    before = await skipping.get_current_time()
    async with serving(skipping.client, Approval):
        assert await outcome(skipping.client, Approval.run, "taxi") == "taxi rejected (timeout)"
    passed = await skipping.get_current_time() - before
    assert timedelta(days=7) <= passed < timedelta(days=7, minutes=1)


@workflow.defn
class DailyReport:
    @workflow.run
    async def run(self) -> list[str]:
        so_far: list[str] = workflow.get_last_completion_result(list[str]) or []
        return [*so_far, workflow.now().isoformat()]


async def test_a_daily_report_runs_at_nine_each_day_and_sees_the_result_before(skipping: WorkflowEnvironment) -> None:
    async with serving(skipping.client, DailyReport):
        handle = await start(skipping.client, DailyReport.run, cron_schedule="0 9 * * *")
        await skipping.sleep(timedelta(days=4))
        description = await handle.describe()
        await handle.terminate("enough")
        runs = sorted([run async for run in skipping.client.list_workflows()], key=lambda run: run.start_time)
        last = skipping.client.get_workflow_handle(handle.id, run_id=runs[-2].run_id)
        times: list[str] = await last.result(follow_runs=False)
    assert description.status is not None
    assert description.status.name == "RUNNING"
    moments = [datetime.fromisoformat(text).astimezone(UTC) for text in times]
    assert len(moments) == 4
    assert {(moment.hour, moment.minute) for moment in moments} == {(9, 0)}
    assert {b.date() - a.date() for a, b in pairwise(moments)} == {timedelta(days=1)}


STATUS = SearchAttributeKey.for_keyword("CustomOrderStatus")

CUSTOMER = SearchAttributeKey.for_keyword("CustomCustomerID")


@workflow.defn
class Searchable:
    def __init__(self) -> None:
        self.go_on = False

    @workflow.run
    async def run(self) -> str:
        workflow.upsert_search_attributes([STATUS.value_set("PENDING")])
        await workflow.wait_condition(lambda: self.go_on)
        workflow.upsert_search_attributes([STATUS.value_set("COMPLETED")])
        return workflow.info().typed_search_attributes[CUSTOMER]

    @workflow.signal
    def finish(self) -> None:
        self.go_on = True


async def test_search_attributes_follow_the_order_and_show_in_lists(client: Client) -> None:
    async with serving(client, Searchable):
        handle = await start(
            client,
            Searchable.run,
            search_attributes=TypedSearchAttributes([SearchAttributePair(CUSTOMER, "cust-123")]),
        )

        async def listed(status: str) -> bool:
            found = [run async for run in client.list_workflows() if run.typed_search_attributes.get(STATUS) == status]
            return [run.id for run in found] == [handle.id]

        await until(lambda: listed("PENDING"))
        await handle.signal(Searchable.finish)
        assert await handle.result() == "cust-123"
        assert await listed("COMPLETED")
        described = (await handle.describe()).typed_search_attributes
        assert (described[STATUS], described[CUSTOMER]) == ("COMPLETED", "cust-123")


async def test_a_terminated_workflow_raises_the_terminated_error(client: Client) -> None:
    async with serving(client, Approval):
        handle = await client.start_workflow(Approval.run, "taxi", id=fresh_id(), task_queue=QUEUE)
        await handle.terminate("detail", reason="policy")
        with pytest.raises(WorkflowFailureError) as raised:
            await handle.result()
    assert isinstance(raised.value.cause, TerminatedError)
    assert (str(raised.value.cause), raised.value.cause.details) == ("policy", ("detail",))
