"""What a run hears of the runs that it has to do with: children, and targets of its signals. See ``inputs``."""

from __future__ import annotations

import asyncio
from typing import Any

from durable_nb.core import others
from durable_nb.core.transition import Transition
from durable_nb.engine.inputs import Input
from durable_nb.engine.slot import RunSlot
from durable_nb.model.attributes import Attributes
from durable_nb.model.failure import WorkflowExecution


class ChildStarted(Input):
    __slots__ = ("execution", "initiated_event_id")

    def __init__(self, initiated_event_id: int, execution: WorkflowExecution | None) -> None:
        super().__init__(None)
        self.initiated_event_id = initiated_event_id
        self.execution = execution

    def apply(self, tx: Transition, slot: RunSlot) -> None:
        if self.execution is None:
            others.child_not_started(tx, self.initiated_event_id)
        else:
            others.child_started(tx, self.initiated_event_id, self.execution)


class ChildClosed(Input):
    """The end of a child; the answer is whether the run was open to hear of it."""

    __slots__ = ("closing", "execution", "initiated_event_id")

    def __init__(
        self,
        initiated_event_id: int,
        execution: WorkflowExecution,
        closing_attributes: Attributes,
        future: asyncio.Future[Any] | None,
    ) -> None:
        super().__init__(future)
        self.initiated_event_id = initiated_event_id
        self.execution = execution
        self.closing = closing_attributes

    def apply(self, tx: Transition, slot: RunSlot) -> None:
        self.result = tx.state.is_open
        others.child_closed(tx, self.initiated_event_id, self.execution, self.closing)


class ExternalDelivered(Input):
    """The answer to a signal or cancel request that this run sent to another."""

    __slots__ = ("found", "initiated_event_id", "is_signal")

    def __init__(self, initiated_event_id: int, is_signal: bool, found: bool) -> None:
        super().__init__(None)
        self.initiated_event_id = initiated_event_id
        self.is_signal = is_signal
        self.found = found

    def apply(self, tx: Transition, slot: RunSlot) -> None:
        deliver = others.signal_delivered if self.is_signal else others.cancel_delivered
        deliver(tx, self.initiated_event_id, self.found)


class TransferDone(Input):
    """Another run has heard what this one had to tell."""

    __slots__ = ("transfer_id",)

    def __init__(self, transfer_id: int) -> None:
        super().__init__(None)
        self.transfer_id = transfer_id

    def apply(self, tx: Transition, slot: RunSlot) -> None:
        tx.finish_transfer(self.transfer_id)
