"""What a reset, fork or retry does to the run that it begins at. See ``inputs``."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from durable_nb.core import activities, closing, workflow_tasks
from durable_nb.core.state import JOIN_CHILD, ActivityState, ExecutionState
from durable_nb.core.transition import Transition
from durable_nb.engine.inputs import Input, closed_error
from durable_nb.engine.slot import RunSlot
from durable_nb.model.events import Event
from durable_nb.service import RPCError, RPCStatusCode


class StaleBranchError(RPCError):
    """The run has moved since its history was read: read it again."""

    def __init__(self) -> None:
        super().__init__("the run went on meanwhile", RPCStatusCode.ABORTED)


class EndByBranch(Input):
    """Terminate the run and store the one that takes its place, in one unit.

    ``make`` gets the state, the version that the history before this step belongs to, and the events of this step.
    Where the new run is made from this very one (``is_heir``), children that it takes over go on.
    """

    __slots__ = ("is_heir", "make", "reason")

    def __init__(
        self,
        reason: str,
        make: Callable[[ExecutionState, int, list[Event]], Transition],
        is_heir: bool,
        future: asyncio.Future[Any] | None,
    ) -> None:
        super().__init__(future)
        self.reason = reason
        self.make = make
        self.is_heir = is_heir

    def apply(self, tx: Transition, slot: RunSlot) -> None:
        if not tx.state.is_open:
            raise StaleBranchError
        successor = self.make(tx.state, tx.expected_version, tx.events)
        tx.successor = successor
        self.result = successor.state.run_id
        joined = [initiated for initiated, kind in successor.transfers.items() if kind == JOIN_CHILD]
        kept = joined if self.is_heir else []
        closing.terminate(tx, self.reason, None, tx.context.identity, kept)


def to_retry(state: ExecutionState, activity_id: str) -> tuple[list[ActivityState], bool]:
    """Activities that back off, and whether a failed workflow task waits; of one activity where an id is given."""
    waiting = [
        each
        for each in state.activities.values()
        if each.backs_off and (not activity_id or each.attributes.activity_id == activity_id)
    ]
    task = state.workflow_task
    fails = task is not None and not task.is_started and task.last_failure is not None
    return waiting, fails and not activity_id


class RetryNow(Input):
    """Do not wait for the end of a back-off, nor of the delay after a failed workflow task."""

    __slots__ = ("activity_id",)

    def __init__(self, activity_id: str, future: asyncio.Future[Any] | None) -> None:
        super().__init__(future)
        self.activity_id = activity_id

    def apply(self, tx: Transition, slot: RunSlot) -> None:
        if not tx.state.is_open:
            raise closed_error(slot)
        waiting, fails = to_retry(tx.state, self.activity_id)
        for activity in waiting:
            activities.retry_now(tx, activity)
        if fails:
            workflow_tasks.retry_now(tx)
        self.result = [f"{each.attributes.activity_type} ({each.attributes.activity_id})" for each in waiting], fails
