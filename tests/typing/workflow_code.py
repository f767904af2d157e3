"""Calls of workflow code as a type checker sees them; checked by ``mypy --strict``, never run. See ``calls``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, assert_type

from durable_nb import activity, workflow
from durable_nb.common import RawValue

MINUTE = timedelta(minutes=1)


@dataclass
class Order:
    number: int


@activity.defn
async def charge(order: Order) -> str:
    return str(order.number)


@activity.defn
def weigh(order: Order, scale: int) -> float:
    return order.number / scale


@activity.defn
def ping() -> bytes:
    return b""


class Warehouse:
    @activity.defn
    async def pick(self, order: Order) -> list[int]:
        return [order.number]


@activity.defn
class Pack:
    async def __call__(self, order: Order) -> tuple[int, str]:
        return order.number, ""


@workflow.defn
class Shipping:
    @workflow.run
    async def run(self, order: Order) -> float:
        return float(order.number)

    @workflow.signal
    async def hurry(self, by: str) -> None: ...

    @workflow.signal
    def stop(self) -> None: ...

    @workflow.signal(name="both")
    def both(self, one: int, two: str) -> None: ...

    @workflow.update
    async def address(self, text: str) -> bool:
        return bool(text)

    @address.validator
    def check_address(self, text: str) -> None: ...


@workflow.defn(name="any")
class Named:
    @workflow.run
    async def run(self) -> None: ...


@workflow.defn(dynamic=True)
class Dynamic:
    @workflow.run
    async def run(self, args: Sequence[RawValue]) -> Any: ...


async def activities(order: Order) -> None:
    assert_type(await workflow.execute_activity(charge, order, start_to_close_timeout=MINUTE), str)
    assert_type(await workflow.execute_activity(weigh, args=[order, 2], start_to_close_timeout=MINUTE), float)
    assert_type(await workflow.execute_activity(ping, schedule_to_close_timeout=MINUTE), bytes)
    assert_type(await workflow.execute_activity("charge", order, result_type=str, start_to_close_timeout=MINUTE), Any)
    assert_type(await workflow.execute_activity_method(Warehouse.pick, order, start_to_close_timeout=MINUTE), list[int])
    assert_type(await workflow.execute_activity_class(Pack, order, start_to_close_timeout=MINUTE), tuple[int, str])
    assert_type(workflow.start_activity(charge, order, start_to_close_timeout=MINUTE), workflow.ActivityHandle[str])
    assert_type(await workflow.execute_local_activity(charge, order, start_to_close_timeout=MINUTE), str)
    await workflow.execute_activity(charge, 5, start_to_close_timeout=MINUTE)  # type: ignore[misc]
    await workflow.execute_activity(charge, order, start_to_close_timeout=60)  # type: ignore[call-overload]


async def children(order: Order) -> None:
    assert_type(await workflow.execute_child_workflow(Shipping.run, order, id="s"), float)
    child = await workflow.start_child_workflow(Shipping.run, order, id="s")
    assert_type(child, workflow.ChildWorkflowHandle[Shipping, float])
    assert_type(await child, float)
    await child.signal(Shipping.stop)
    await child.signal(Shipping.hurry, "me")
    await child.signal(Shipping.both, args=[1, "two"])
    await child.signal("any", 1)
    await child.signal(Shipping.hurry)  # type: ignore[call-overload]
    await child.signal(Shipping.hurry, 5)  # type: ignore[call-overload]
    await child.signal(5)  # type: ignore[call-overload]


async def others(raw: RawValue) -> None:
    converter = workflow.payload_converter()
    assert_type(converter.from_payload(raw.payload, Order), Order)
    assert_type(activity.payload_converter().from_payload(raw.payload, str), str)
    assert_type(converter.from_payload(raw.payload), Any)
    handle = workflow.get_external_workflow_handle_for(Shipping.run, "s")
    assert_type(handle, workflow.ExternalWorkflowHandle[Shipping])
    await handle.signal(Shipping.stop)
    await handle.signal(Shipping.hurry, "me")
    await handle.signal(Shipping.both, args=[1, "two"])
    await handle.signal(Shipping.hurry)  # type: ignore[call-overload]
    await handle.signal(Shipping.hurry, 5)  # type: ignore[call-overload]
    await handle.signal(5)  # type: ignore[call-overload]
    anybody = workflow.get_external_workflow_handle("s")
    await anybody.signal("any", args=[1, 2])
    await anybody.signal(Shipping.stop)
    await anybody.cancel(reason="late")


async def the_rest() -> None:
    await workflow.wait_condition(lambda: True, timeout=MINUTE, timeout_summary="waits")
    assert_type(workflow.memo_value("k", 1, type_hint=str), int | str)
    assert_type(workflow.get_last_completion_result(type_hint=int), int | None)
    done, waiting = await workflow.wait([workflow.start_activity(ping, start_to_close_timeout=MINUTE)])
    assert_type(await done[0], bytes)
    assert_type(len(waiting), int)
    workflow.continue_as_new(Order(1), workflow=Shipping.run)
