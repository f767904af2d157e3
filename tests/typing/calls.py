"""Calls of a client as a type checker sees them; checked by ``mypy --strict``, never run.

``assert_type`` holds what must be inferred; each ``type: ignore`` holds an error that must be found, for mypy
complains about those it does not need.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any, assert_type

from durable_nb import workflow
from durable_nb.client import (
    Client,
    WithStartWorkflowOperation,
    WorkflowHandle,
    WorkflowUpdateHandle,
    WorkflowUpdateStage,
)
from durable_nb.common import WorkflowIDConflictPolicy


@dataclass
class Order:
    number: int


@workflow.defn
class OrderWorkflow:
    @workflow.run
    async def run(self, order: Order) -> int:
        return order.number

    @workflow.signal
    async def approve(self, by: str) -> None: ...

    @workflow.signal
    def close(self) -> None: ...

    @workflow.query
    def total(self) -> float:
        return 1.0

    @workflow.query
    def item_at(self, position: int) -> str:
        return str(position)

    @workflow.update
    async def reprice(self, total: int) -> bytes:
        return bytes(total)

    @workflow.update
    def clear(self) -> bool:
        return True


@workflow.defn
class PingWorkflow:
    @workflow.run
    async def run(self) -> str:
        return "pong"


@workflow.defn
class TransferWorkflow:
    @workflow.run
    async def run(self, source: str, target: str) -> float:
        return 1.0


@workflow.defn
async def report(order: Order) -> list[str]:
    return [str(order.number)]


async def starts(client: Client) -> None:
    assert_type(await client.start_workflow(PingWorkflow.run, id="p"), WorkflowHandle[PingWorkflow, str])
    assert_type(await client.start_workflow(OrderWorkflow.run, Order(1), id="o"), WorkflowHandle[OrderWorkflow, int])
    assert_type(await client.execute_workflow(OrderWorkflow.run, Order(1), id="o", task_queue="q"), int)
    assert_type(
        await client.execute_workflow(TransferWorkflow.run, args=["a", "b"], id="t", run_timeout=timedelta(1)), float
    )
    assert_type(await client.execute_workflow(report, Order(1), id="r"), list[str])
    assert_type(await client.execute_workflow("Any", 1, id="a", result_type=int), Any)
    handle = await client.start_workflow(PingWorkflow.run, id="p")
    assert_type(await handle.result(), str)
    assert_type(client.get_workflow_handle_for(OrderWorkflow.run, "o"), WorkflowHandle[OrderWorkflow, int])
    assert_type(await client.get_workflow_handle_for(TransferWorkflow.run, "t").result(), float)
    assert_type(await client.get_workflow_handle_for(report, "r").result(), list[str])
    assert_type(client.get_workflow_handle("o"), WorkflowHandle[Any, Any])


async def mistakes(client: Client, handle: WorkflowHandle[OrderWorkflow, int]) -> None:
    await client.start_workflow(PingWorkflow.run)  # type: ignore[call-overload]
    await client.start_workflow(PingWorkflow.run, id=1)  # type: ignore[call-overload]
    await client.start_workflow(OrderWorkflow.run, id="o")  # type: ignore[arg-type]
    await client.start_workflow(OrderWorkflow.run, "no order", id="o")  # type: ignore[misc]
    await client.start_workflow(PingWorkflow.run, id="p", run_timeout=3)  # type: ignore[call-overload]
    await handle.signal(OrderWorkflow.approve)  # type: ignore[call-overload]
    await handle.query(PingWorkflow.run)  # type: ignore[call-overload]


async def messages(handle: WorkflowHandle[OrderWorkflow, int]) -> None:
    await handle.signal(OrderWorkflow.close)
    await handle.signal(OrderWorkflow.approve, "me", rpc_timeout=timedelta(seconds=1))
    await handle.signal("any", args=[1, 2])
    assert_type(await handle.query(OrderWorkflow.total), float)
    assert_type(await handle.query(OrderWorkflow.item_at, 1), str)
    assert_type(await handle.query("total", result_type=float), Any)
    assert_type(await handle.execute_update(OrderWorkflow.reprice, 3), bytes)
    assert_type(await handle.execute_update(OrderWorkflow.clear), bool)
    update = await handle.start_update(OrderWorkflow.reprice, 3, wait_for_stage=WorkflowUpdateStage.ACCEPTED)
    assert_type(update, WorkflowUpdateHandle[bytes])
    assert_type(handle.get_update_handle_for(OrderWorkflow.clear, "u"), WorkflowUpdateHandle[bool])


async def update_with_start(client: Client) -> None:
    operation = WithStartWorkflowOperation(
        OrderWorkflow.run, Order(1), id="o", id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING
    )
    assert_type(operation, WithStartWorkflowOperation[OrderWorkflow, int])
    assert_type(
        await client.execute_update_with_start_workflow(OrderWorkflow.reprice, 3, start_workflow_operation=operation),
        bytes,
    )
    assert_type(await operation.workflow_handle(), WorkflowHandle[OrderWorkflow, int])
