"""Workflows with handlers of every kind, for the tests of messages."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from durable_nb import workflow
from durable_nb.common import RawValue
from durable_nb.exceptions import ApplicationError
from tests.runtime.driver import Driver

SHORT = timedelta(seconds=10)


@workflow.defn
class Desk:
    def __init__(self) -> None:
        self.log: list[Any] = []
        self.open = True

    @workflow.run
    async def run(self, wait_for_handlers: bool = False) -> list[Any]:
        await workflow.wait_condition(lambda: not self.open)
        if wait_for_handlers:
            await workflow.wait_condition(workflow.all_handlers_finished)
        return self.log

    @workflow.signal
    def close(self) -> None:
        self.open = False

    @workflow.signal
    async def slow(self, number: int) -> None:
        self.log.append(f"begin {number}")
        await workflow.sleep(1)
        self.log.append(f"end {number}")

    @workflow.signal(unfinished_policy=workflow.HandlerUnfinishedPolicy.ABANDON)
    async def quiet(self) -> None:
        await workflow.sleep(1)

    @workflow.signal
    def typed(self, number: int) -> None:
        self.log.append(number)

    @workflow.signal
    def bad(self, how: str) -> None:
        if how == "fail":
            raise ApplicationError("from a signal")
        if how == "bug":
            raise KeyError("a bug")

    @workflow.signal
    def onward(self) -> None:
        workflow.continue_as_new()

    @workflow.query
    def peek(self) -> list[Any]:
        return self.log

    @workflow.query
    def commands(self, how: str) -> str:
        """Each of these must be refused."""
        if how == "activity":
            workflow.start_activity("a", start_to_close_timeout=SHORT)
        elif how == "task":
            coroutine = asyncio.sleep(1)
            try:
                asyncio.ensure_future(coroutine)  # noqa: RUF006
            finally:
                coroutine.close()
        elif how == "timer":
            asyncio.get_running_loop().call_later(1, print)
        elif how == "random":
            workflow.uuid4()
        elif how == "patch":
            workflow.patched("p")
        elif how == "handler":
            workflow.set_query_handler("x", None)
        elif how == "memo":
            workflow.upsert_memo({"a": 1})
        elif how == "details":
            workflow.set_current_details("x")
        elif how == "continue":
            workflow.continue_as_new()
        return "allowed"

    @workflow.query
    def read_only(self) -> list[bool]:
        return [workflow.unsafe.is_read_only(), workflow.unsafe.is_replaying_history_events()]

    @workflow.query(dynamic=True)
    def other(self, name: str, args: Sequence[RawValue]) -> str:
        return f"{name}({len(args)})"

    @workflow.update
    async def change(self, number: int) -> dict[str, Any]:
        info = workflow.current_update_info()
        assert info is not None
        await workflow.execute_activity("act", start_to_close_timeout=SHORT)
        self.log.append(number)
        return {"id": info.id, "name": info.name, "in_child_task": await asyncio.create_task(child_task())}

    @change.validator
    def check_change(self, number: int) -> None:
        if number < 0:
            raise ValueError("negative")
        if number == 13:
            workflow.uuid4()

    @workflow.update
    def mutable(self, given: list[int]) -> list[int]:
        return given

    @mutable.validator
    def spoil(self, given: list[int]) -> None:
        given.append(99)

    @workflow.update
    async def bad_update(self, how: str) -> None:
        await asyncio.sleep(0)
        if how == "fail":
            raise ApplicationError("no")
        if how == "bug":
            raise KeyError("a bug")
        if how == "onward":
            workflow.continue_as_new()


async def child_task() -> str:
    info = workflow.current_update_info()
    return info.id if info else ""


def desk(*args: Any) -> Driver:
    d = Driver(Desk, *args)
    d.task()
    return d


@workflow.defn
class SignalsFirst:
    def __init__(self) -> None:
        self.order: list[str] = []

    @workflow.run
    async def run(self) -> list[str]:
        await asyncio.gather(self.timer(), self.act())
        return self.order

    async def timer(self) -> None:
        await workflow.sleep(1)
        self.order.append("timer")

    async def act(self) -> None:
        await workflow.execute_activity("a", start_to_close_timeout=SHORT)
        self.order.append("activity")

    @workflow.signal
    def sig(self) -> None:
        self.order.append("signal")
