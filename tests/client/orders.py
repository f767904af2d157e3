"""Definitions that the tests of the client talk about; none of their code ever runs here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from durable_nb import workflow
from durable_nb.common import RawValue


@dataclass
class Order:
    number: int
    item: str = "book"


@dataclass
class Receipt:
    total: int


@workflow.defn
class OrderWorkflow:
    @workflow.run
    async def run(self, order: Order) -> Receipt:
        return Receipt(order.number)

    @workflow.signal
    def approve(self, by: str) -> None: ...

    @workflow.signal(name="close-it")
    async def close(self) -> None: ...

    @workflow.signal
    def note(self, text: str, level: int = 0) -> None: ...

    @workflow.signal(dynamic=True)
    def anything(self, name: str, args: Sequence[RawValue]) -> None: ...

    @workflow.query
    def receipt(self) -> Receipt:
        return Receipt(1)

    @workflow.query
    def item_at(self, position: int) -> str:
        return str(position)

    @workflow.update
    async def reprice(self, total: int) -> Receipt:
        return Receipt(total)

    @workflow.update(name="clear-it")
    def clear(self) -> int:
        return 0

    def aprove(self) -> None:
        """No handler: its name is a misspelt one."""

    def helper(self) -> None:
        """No handler."""


@workflow.defn(name="transfer")
class TransferWorkflow:
    @workflow.run
    async def run(self, source: str, target: str, amount: int = 1) -> None: ...


@workflow.defn
class PingWorkflow:
    @workflow.run
    async def run(self) -> str:
        return "pong"


@workflow.defn(dynamic=True)
class AnythingWorkflow:
    @workflow.run
    async def run(self, args: Sequence[RawValue]) -> None: ...


class ChildOfOrder(OrderWorkflow):
    """Not decorated itself."""
