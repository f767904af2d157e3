"""OrderWorkflow of the first week: its checks run one after the other, and the card service is asked again too soon."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from durable_nb import workflow
from durable_nb.common import RetryPolicy
from durable_nb.testing._simulation.shop import HOUR, MINUTE, NEEDS_APPROVAL, ShipmentWorkflow
from durable_nb.testing._simulation.shop_activities import (
    Order,
    charge_card,
    check_stock,
    pack_parcel,
    refund_card,
    send_mail,
)

DISCOUNTS = {"": 0.0, "SPRING": 0.1, "FRIEND": 0.2}


@workflow.defn
class OrderWorkflow:
    """An order from the basket to the parcel; a coupon that is not in the table is a bug that stops the run."""

    def __init__(self) -> None:
        self.approved: bool | None = None
        self.address = ""
        self.status = "new"

    @workflow.run
    async def run(self, order: Order) -> str:
        self.address = order.address
        order.amount *= 1 - DISCOUNTS[order.coupon]
        await workflow.execute_activity(check_stock, order, start_to_close_timeout=MINUTE)
        if order.amount > NEEDS_APPROVAL and not await self.is_approved():
            return "declined"
        self.status = "charging"
        receipt = await workflow.execute_activity(
            charge_card,
            order,
            task_queue="payments",
            start_to_close_timeout=timedelta(seconds=30),
            retry_policy=RetryPolicy(
                initial_interval=timedelta(seconds=1),
                backoff_coefficient=1.0,
                maximum_attempts=40,
                non_retryable_error_types=["CardDeclined"],
            ),
        )
        self.status = "shipping"
        try:
            await self.ship(order)
        except asyncio.CancelledError:
            await asyncio.shield(
                workflow.execute_activity(refund_card, receipt, task_queue="payments", start_to_close_timeout=MINUTE)
            )
            raise
        await workflow.execute_activity(send_mail, args=[order.customer, "on its way"], start_to_close_timeout=MINUTE)
        return "shipped"

    async def is_approved(self) -> bool:
        self.status = "waits for approval"
        try:
            await workflow.wait_condition(lambda: self.approved is not None, timeout=24 * HOUR)
        except TimeoutError:
            return False
        return bool(self.approved)

    async def ship(self, order: Order) -> None:
        for number in range(order.parcels):
            parcel = await workflow.execute_activity(
                pack_parcel,
                args=[order.order_id, number],
                task_queue="warehouse",
                start_to_close_timeout=20 * MINUTE,
                schedule_to_start_timeout=8 * HOUR,
            )
            await workflow.start_child_workflow(
                ShipmentWorkflow.run,
                args=[parcel, self.address],
                id=f"shipment-{order.order_id}-{number}",
                parent_close_policy=workflow.ParentClosePolicy.ABANDON,
            )

    @workflow.signal
    def approve(self, yes: bool) -> None:
        self.approved = yes

    @workflow.update
    def change_address(self, address: str) -> str:
        self.address, before = address, self.address
        return before

    @workflow.query
    def current_status(self) -> str:
        return self.status


WORKFLOWS = (OrderWorkflow,)
