"""Workflows of the simulated shop, as they are since the second week; ``shop_before`` holds the older OrderWorkflow.

Ordinary workflow code: the simulation runs it, so the histories are those that this code makes and replay on it.
"""

from __future__ import annotations

import asyncio
from datetime import timedelta

from durable_nb import workflow
from durable_nb.common import RetryPolicy
from durable_nb.exceptions import ActivityError, ApplicationError, is_cancelled_exception
from durable_nb.testing._simulation.shop_activities import (
    Order,
    aggregate_region,
    book_carrier,
    charge_card,
    check_fraud,
    check_stock,
    download_file,
    load_rows,
    pack_parcel,
    parse_rows,
    publish_model,
    refund_card,
    render_report,
    renew_subscription,
    send_mail,
    train_epoch,
)

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
NEEDS_APPROVAL = 400.0
"""Euro above which a person looks at an order."""


@workflow.defn
class OrderWorkflow:
    """An order from the basket to the parcel; big ones wait for a person, a cancelled one gets its money back."""

    def __init__(self) -> None:
        self.approved: bool | None = None
        self.address = ""
        self.status = "new"

    @workflow.run
    async def run(self, order: Order) -> str:
        self.address = order.address
        stock = workflow.execute_activity(check_stock, order, start_to_close_timeout=MINUTE)
        fraud = workflow.execute_activity(
            check_fraud,
            order,
            start_to_close_timeout=timedelta(seconds=20),
            retry_policy=RetryPolicy(initial_interval=timedelta(milliseconds=500), maximum_attempts=5),
        )
        await asyncio.gather(stock, fraud)
        if order.amount > NEEDS_APPROVAL and not await self.is_approved():
            await workflow.execute_activity(send_mail, args=[order.customer, "declined"], start_to_close_timeout=MINUTE)
            return "declined"
        self.status = "charging"
        receipt = await workflow.execute_activity(
            charge_card,
            order,
            task_queue="payments",
            start_to_close_timeout=timedelta(seconds=30),
            retry_policy=RetryPolicy(
                initial_interval=timedelta(seconds=1),
                maximum_interval=MINUTE,
                maximum_attempts=8,
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
        parcels = [
            workflow.execute_activity(
                pack_parcel,
                args=[order.order_id, number],
                task_queue="warehouse",
                start_to_close_timeout=20 * MINUTE,
                schedule_to_start_timeout=8 * HOUR,
            )
            for number in range(order.parcels)
        ]
        packed = await asyncio.gather(*parcels)
        for number, parcel in enumerate(packed):
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

    @change_address.validator
    def check_address(self, address: str) -> None:
        if not address.strip():
            raise ValueError("an address has at least one word")
        if self.status == "shipping":
            raise ValueError("the parcel is being packed")

    @workflow.query
    def current_status(self) -> str:
        return self.status


@workflow.defn
class ShipmentWorkflow:
    """One parcel on its way; the carrier scans it."""

    def __init__(self) -> None:
        self.scans: list[str] = []

    @workflow.run
    async def run(self, parcel: str, address: str) -> int:
        await workflow.execute_activity(
            book_carrier, args=[parcel, address], task_queue="warehouse", start_to_close_timeout=5 * MINUTE
        )
        try:
            await workflow.wait_condition(lambda: "delivered" in self.scans, timeout=72 * HOUR)
        except TimeoutError:
            raise ApplicationError("lost on the way", type="ParcelLost", non_retryable=True) from None
        return len(self.scans)

    @workflow.signal
    def scan(self, place: str) -> None:
        self.scans.append(place)


@workflow.defn
class ImportFile:
    """A file of a partner: fetched, parsed, loaded; the whole run is tried again when a step gives up."""

    @workflow.run
    async def run(self, name: str) -> int:
        size = await workflow.execute_activity(
            download_file,
            name,
            start_to_close_timeout=2 * MINUTE,
            retry_policy=RetryPolicy(
                initial_interval=timedelta(seconds=2), maximum_interval=timedelta(seconds=90), maximum_attempts=4
            ),
        )
        rows = await workflow.execute_activity(
            parse_rows,
            args=[name, size],
            start_to_close_timeout=10 * MINUTE,
            retry_policy=RetryPolicy(maximum_attempts=3),
        )
        return await workflow.execute_activity(
            load_rows,
            args=[name, rows],
            start_to_close_timeout=10 * MINUTE,
            schedule_to_close_timeout=HOUR,
        )


REGIONS = ("north", "east", "south", "west")
ABROAD = ("islands", "overseas")


@workflow.defn
class RegionReport:
    """A region that keeps its own books: a child of the report."""

    @workflow.run
    async def run(self, day: str, region: str) -> dict[str, float]:
        size = await workflow.execute_activity(
            download_file,
            f"{region}-{day}.csv",
            start_to_close_timeout=2 * MINUTE,
            retry_policy=RetryPolicy(maximum_attempts=4),
        )
        rows = await workflow.execute_activity(parse_rows, args=[region, size], start_to_close_timeout=10 * MINUTE)
        return {region: float(rows)}


@workflow.defn
class DailyReport:
    """Regions in parallel, then one page; the slowest region decides how long it takes."""

    @workflow.run
    async def run(self, day: str) -> str:
        children = [
            workflow.execute_child_workflow(
                RegionReport.run, args=[day, region], id=f"{workflow.info().workflow_id}-{region}", task_queue="imports"
            )
            for region in ABROAD
        ]
        regions = [
            workflow.execute_activity(
                aggregate_region, args=[day, region], task_queue="reports", start_to_close_timeout=30 * MINUTE
            )
            for region in REGIONS
        ]
        parts = await asyncio.gather(*regions, *children)
        totals = {region: total for part in parts for region, total in part.items()}
        page: str = await workflow.execute_activity(
            render_report, args=[day, totals], task_queue="reports", start_to_close_timeout=5 * MINUTE
        )
        await workflow.execute_activity(
            send_mail, args=["board", page], task_queue="orders", start_to_close_timeout=MINUTE
        )
        return page


@workflow.defn
class TrainModel:
    """Epochs one after the other on one of few GPUs, each with heartbeats; lost processes repeat an epoch."""

    @workflow.run
    async def run(self, model: str, epochs: int) -> str:
        loss = 1.0
        for epoch in range(epochs):
            try:
                loss = await workflow.execute_activity(
                    train_epoch,
                    args=[model, epoch],
                    task_queue="gpu",
                    start_to_close_timeout=3 * HOUR,
                    heartbeat_timeout=12 * MINUTE,
                    cancellation_type=workflow.ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
                    retry_policy=RetryPolicy(initial_interval=timedelta(seconds=30), maximum_attempts=4),
                )
            except ActivityError as error:
                if is_cancelled_exception(error):
                    raise
                raise ApplicationError(f"epoch {epoch} failed", type="TrainingFailed") from error
            await workflow.sleep(MINUTE)
        return await workflow.execute_activity(publish_model, args=[model, loss], start_to_close_timeout=5 * MINUTE)


@workflow.defn
class Subscription:
    """Renewed every two days; a new run for each period keeps histories short."""

    @workflow.run
    async def run(self, customer: str, period: int, last: int) -> None:
        await workflow.execute_activity(
            renew_subscription, args=[customer, period], task_queue="payments", start_to_close_timeout=MINUTE
        )
        if period >= last:
            return
        await workflow.sleep(48 * HOUR)
        workflow.continue_as_new(args=[customer, period + 1, last])


WORKFLOWS = (OrderWorkflow, ShipmentWorkflow, ImportFile, RegionReport, DailyReport, TrainModel, Subscription)
