"""What can happen to a run: each input decides by ``core`` when its turn comes and answers once that is durable.

``apply`` may raise ``RPCError``: then the input is refused and has changed nothing. An input without a caller
(``future`` None) is the engine's own and is repeated after a fault of the store; a caller's is answered with the fault.
Here is what comes from callers and from workers of workflows; ``attempt_inputs``, ``transfer_inputs`` and
``branch_inputs`` hold the rest.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from durable_nb.core import closing, requests, workflow_tasks
from durable_nb.core.transition import Transition
from durable_nb.core.workflow_tasks import OpenTask
from durable_nb.engine.slot import PendingUpdate, RunSlot
from durable_nb.model.commands import WorkflowTaskCompletion, WorkflowTaskFailure
from durable_nb.model.failure import WorkflowExecution
from durable_nb.model.records import Conflict
from durable_nb.model.requests import SignalInput
from durable_nb.model.tasks import QueryAnswer, QueryRequest, UpdateRequest
from durable_nb.service import RPCError, RPCStatusCode


class Input:
    """One thing to take in. ``result`` is what the caller gets after the commit."""

    __slots__ = ("future", "result")

    def __init__(self, future: asyncio.Future[Any] | None = None) -> None:
        self.future = future
        self.result: Any = None

    def apply(self, tx: Transition, slot: RunSlot) -> None:
        """Decide; called again after a lost race, with the state as it then is."""

    def succeed(self) -> None:
        """The transition is durable."""
        if self.future is not None and not self.future.done():
            self.future.set_result(self.result)

    def fail(self, error: BaseException) -> None:
        """The input was refused."""
        if self.future is not None and not self.future.done():
            self.future.set_exception(error)

    def conflict(self, conflict: Conflict) -> None:
        """The run that this was for has lost its workflow ID to another one and never came to be."""
        self.fail(RPCError("workflow execution not found", RPCStatusCode.NOT_FOUND))

    def refused(self, error: RPCError) -> Input | None:
        """The input cannot be written. What to take in instead; None where the caller's refusal is all."""
        self.fail(error)
        return None


def closed_error(slot: RunSlot) -> RPCError:
    """The answer to a request that needs an open run."""
    state = slot.state
    what = f"workflow {state.workflow_id!r}" if state else "workflow"
    status = state.status.name.lower().replace("_", " ") if state else "gone"
    return RPCError(f"workflow execution already completed: {what} is {status}", RPCStatusCode.NOT_FOUND)


class Wake(Input):
    """Look at the run: something may be due, or a definition has come."""

    __slots__ = ()


class Signal(Input):
    __slots__ = ("identity", "request", "sender")

    def __init__(
        self,
        request: SignalInput,
        identity: str,
        future: asyncio.Future[Any] | None,
        sender: WorkflowExecution | None = None,
    ) -> None:
        super().__init__(future)
        self.request = request
        self.identity = identity
        self.sender = sender

    def apply(self, tx: Transition, slot: RunSlot) -> None:
        if not tx.state.is_open:
            raise closed_error(slot)
        requests.signal(tx, self.request, self.identity, self.sender)


class CancelRequest(Input):
    __slots__ = ("identity", "reason", "sender", "sender_event_id")

    def __init__(
        self,
        reason: str,
        identity: str,
        future: asyncio.Future[Any] | None,
        sender: WorkflowExecution | None = None,
        sender_event_id: int = 0,
    ) -> None:
        super().__init__(future)
        self.reason = reason
        self.identity = identity
        self.sender = sender
        self.sender_event_id = sender_event_id

    def apply(self, tx: Transition, slot: RunSlot) -> None:
        if not tx.state.is_open:
            raise closed_error(slot)
        requests.request_cancel(tx, self.reason, self.identity, self.sender, self.sender_event_id)


class Terminate(Input):
    __slots__ = ("details", "identity", "reason")

    def __init__(self, reason: str, details: Any, identity: str, future: asyncio.Future[Any] | None) -> None:
        super().__init__(future)
        self.reason = reason
        self.details = details
        self.identity = identity

    def apply(self, tx: Transition, slot: RunSlot) -> None:
        if not tx.state.is_open:
            raise closed_error(slot)
        closing.terminate(tx, self.reason, self.details, self.identity)


class Query(Input):
    """Answered by the step itself, after the workflow task, from the then current state."""

    __slots__ = ("query",)

    def __init__(self, query: QueryRequest, future: asyncio.Future[QueryAnswer]) -> None:
        super().__init__(future)
        self.query = query


class Update(Input):
    """Admit an update; its waiters are answered when its events are durable, not when this input is."""

    __slots__ = ("comes_with_start", "request", "waiter", "waits_for_completion")

    def __init__(self, request: UpdateRequest, waiter: asyncio.Future[Any], waits_for_completion: bool) -> None:
        super().__init__(None)
        self.request = request
        self.waiter = waiter
        self.waits_for_completion = waits_for_completion
        self.comes_with_start = False

    def apply(self, tx: Transition, slot: RunSlot) -> None:
        update_id = self.request.update_id
        known = update_id in tx.state.updates
        outcome = requests.update_outcome(tx.state, update_id) if known else None
        if known and (outcome is not None or not self.waits_for_completion):
            if not self.waiter.done():
                self.waiter.set_result((tx.state.run_id, outcome))
            return
        if not tx.state.is_open:
            self.fail(closed_error(slot))
            return
        pending = slot.updates.get(update_id)
        if pending is None:
            asked = known or update_id in tx.state.admitted
            pending = slot.updates[update_id] = PendingUpdate(None if asked else self.request)
        (pending.completed if self.waits_for_completion else pending.accepted).append(self.waiter)

    def fail(self, error: BaseException) -> None:
        if not self.waiter.done():
            self.waiter.set_exception(error)

    def conflict(self, conflict: Conflict) -> None:
        if not self.comes_with_start:  # Else the start takes it along to the other run.
            super().conflict(conflict)


class PollUpdate(Input):
    """Wait for the outcome of an update that was accepted before."""

    __slots__ = ("update_id", "waiter")

    def __init__(self, update_id: str, waiter: asyncio.Future[Any]) -> None:
        super().__init__(None)
        self.update_id = update_id
        self.waiter = waiter

    def apply(self, tx: Transition, slot: RunSlot) -> None:
        known = self.update_id in tx.state.updates
        outcome = requests.update_outcome(tx.state, self.update_id) if known else None
        if outcome is not None:
            if not self.waiter.done():
                self.waiter.set_result((tx.state.run_id, outcome))
            return
        pending = slot.updates.get(self.update_id)
        if not known and pending is None and self.update_id not in tx.state.admitted:
            self.fail(RPCError(f"no update {self.update_id!r} on this run", RPCStatusCode.NOT_FOUND))
            return
        if not tx.state.is_open:
            self.fail(closed_error(slot))
            return
        if pending is None:
            pending = slot.updates[self.update_id] = PendingUpdate(None)
        pending.completed.append(self.waiter)

    def fail(self, error: BaseException) -> None:
        if not self.waiter.done():
            self.waiter.set_exception(error)


class AnswerUpdates(Input):
    """Another process has written: what it accepted or completed of the updates that are waited for here is told."""

    __slots__ = ()

    def __init__(self) -> None:
        super().__init__(None)

    def apply(self, tx: Transition, slot: RunSlot) -> None:
        state = tx.state
        for update_id, pending in list(slot.updates.items()):
            known = update_id in state.updates
            if not known and state.is_open:
                continue
            outcome = requests.update_outcome(state, update_id) if known else None
            told = [*pending.accepted, *(pending.completed if outcome is not None or not known else ())]
            for waiter in told:
                if not waiter.done() and known:
                    waiter.set_result((state.run_id, outcome))
                elif not waiter.done():
                    waiter.set_exception(closed_error(slot))
            pending.accepted.clear()
            if outcome is not None or not known:
                del slot.updates[update_id]


class TaskEnded(Input):
    """A held workflow task has its outcome."""

    __slots__ = ("open_task", "outcome")

    def __init__(self, open_task: OpenTask, outcome: WorkflowTaskCompletion | WorkflowTaskFailure) -> None:
        super().__init__(None)
        self.open_task = open_task
        self.outcome = outcome


class RetryWorkflowTask(Input):
    """The code was fixed: do not wait for the end of the delay after a failed workflow task."""

    __slots__ = ()

    def apply(self, tx: Transition, slot: RunSlot) -> None:
        workflow_tasks.retry_now(tx)


class Describe(Input):
    """Look at the state without changing it; answered at once."""

    __slots__ = ("look",)

    def __init__(self, look: Callable[[RunSlot], Any], future: asyncio.Future[Any]) -> None:
        super().__init__(future)
        self.look = look

    def apply(self, tx: Transition, slot: RunSlot) -> None:
        self.result = self.look(slot)
