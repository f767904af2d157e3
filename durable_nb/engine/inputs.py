"""What can happen to a run: each input decides by ``core`` when its turn comes and answers once that is durable.

``apply`` may raise ``RPCError``: then the input is refused and has changed nothing. An input without a caller
(``future`` None) is the engine's own and is repeated after a fault of the store; a caller's is answered with the fault.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from durable_nb.core import activities, closing, others, requests, workflow_tasks
from durable_nb.core.state import ExecutionState
from durable_nb.core.transition import OWNER_EXTERNAL, Transition
from durable_nb.core.workflow_tasks import OpenTask
from durable_nb.engine.slot import PendingUpdate, RunSlot
from durable_nb.model.attributes import Attributes
from durable_nb.model.commands import WorkflowTaskCompletion, WorkflowTaskFailure
from durable_nb.model.failure import WorkflowExecution
from durable_nb.model.requests import SignalInput
from durable_nb.model.tasks import ActivityOutcome, HeartbeatReply, QueryAnswer, QueryRequest, UpdateRequest
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

    __slots__ = ("request", "waiter", "waits_for_completion")

    def __init__(self, request: UpdateRequest, waiter: asyncio.Future[Any], waits_for_completion: bool) -> None:
        super().__init__(None)
        self.request = request
        self.waiter = waiter
        self.waits_for_completion = waits_for_completion

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
            pending = slot.updates[update_id] = PendingUpdate(None if known else self.request)
        (pending.completed if self.waits_for_completion else pending.accepted).append(self.waiter)

    def fail(self, error: BaseException) -> None:
        if not self.waiter.done():
            self.waiter.set_exception(error)


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
        if not known and pending is None:
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


class ActivityEnded(Input):
    """An attempt reported its outcome; ignored when the attempt is no longer the current one."""

    __slots__ = ("identity", "outcome", "scheduled_event_id", "token")

    def __init__(
        self,
        scheduled_event_id: int,
        token: int,
        outcome: ActivityOutcome,
        identity: str,
        future: asyncio.Future[Any] | None = None,
    ) -> None:
        super().__init__(future)
        self.scheduled_event_id = scheduled_event_id
        self.token = token
        self.outcome = outcome
        self.identity = identity

    def apply(self, tx: Transition, slot: RunSlot) -> None:
        outcome = self.outcome
        if outcome.pending:
            activities.hand_over(tx, self.scheduled_event_id, self.token, outcome.last_heartbeat_details)
            return
        activity = activities.find_attempt(tx.state, self.scheduled_event_id, self.token)
        if activity is None or not tx.state.is_open:
            if self.future is not None:
                raise RPCError(
                    "no such activity is pending: it is over or was given to another", RPCStatusCode.NOT_FOUND
                )
            return
        if outcome.last_heartbeat_details is not None:
            activity.heartbeat_details = outcome.last_heartbeat_details
        if outcome.failure is not None:
            activities.fail(tx, activity, outcome.failure, self.identity)
        elif outcome.canceled:
            activities.cancel(tx, activity, outcome.canceled_details, self.identity)
        else:
            activities.complete(tx, activity, outcome.result, self.identity)


class Heartbeat(Input):
    __slots__ = ("details", "scheduled_event_id", "token")

    def __init__(
        self, scheduled_event_id: int, token: int, details: Any, future: asyncio.Future[HeartbeatReply]
    ) -> None:
        super().__init__(future)
        self.scheduled_event_id = scheduled_event_id
        self.token = token
        self.details = details

    def apply(self, tx: Transition, slot: RunSlot) -> None:
        if not tx.state.is_open:
            self.result = HeartbeatReply(not_found=True)
            return
        self.result = activities.heartbeat(tx, self.scheduled_event_id, self.token, self.details)


class StartQueued(Input):
    """A slot came free for a waiting attempt; ``give_back`` returns the slot when the attempt is over."""

    __slots__ = ("give_back", "scheduled_event_id")

    def __init__(self, scheduled_event_id: int, give_back: Callable[[], None]) -> None:
        super().__init__(None)
        self.scheduled_event_id = scheduled_event_id
        self.give_back = give_back

    def apply(self, tx: Transition, slot: RunSlot) -> None:
        if not tx.state.is_open or not activities.start_queued(tx, self.scheduled_event_id):
            self.give_back()


class Adopt(Input):
    """Take over what nobody holds: attempts without an owner, and all that dead processes held."""

    __slots__ = ("dead",)

    def __init__(self, dead: frozenset[int]) -> None:
        super().__init__(None)
        self.dead = dead

    def apply(self, tx: Transition, slot: RunSlot) -> None:
        state = tx.state
        if not state.is_open:
            return
        for activity in list(state.activities.values()):
            if activity.owner == OWNER_EXTERNAL or activity.token == activities.CLOSED_TOKEN:
                continue
            if activity.owner in self.dead:
                activities.lose(tx, activity)
            elif activity.owner == 0 and activity.visible_at <= tx.now:
                activities.lease(tx, activity)
        task = state.workflow_task
        if task is not None and task.is_started and task.owner in self.dead:
            workflow_tasks.time_out(tx)


class Release(Input):
    """A worker left: let others have the attempts that waited for its slots."""

    __slots__ = ("scheduled_event_id",)

    def __init__(self, scheduled_event_id: int) -> None:
        super().__init__(None)
        self.scheduled_event_id = scheduled_event_id

    def apply(self, tx: Transition, slot: RunSlot) -> None:
        activity = tx.state.activities.get(self.scheduled_event_id)
        if activity is not None and not activity.is_started:
            activities.lease(tx, activity)


class TaskEnded(Input):
    """A held workflow task has its outcome."""

    __slots__ = ("open_task", "outcome")

    def __init__(self, open_task: OpenTask, outcome: WorkflowTaskCompletion | WorkflowTaskFailure) -> None:
        super().__init__(None)
        self.open_task = open_task
        self.outcome = outcome


class EndByReset(Input):
    """Terminate the run and store the one that was made from its history, in one unit."""

    __slots__ = ("make", "reason")

    def __init__(
        self, reason: str, make: Callable[[ExecutionState], Transition], future: asyncio.Future[Any] | None
    ) -> None:
        super().__init__(future)
        self.reason = reason
        self.make = make

    def apply(self, tx: Transition, slot: RunSlot) -> None:
        if not tx.state.is_open:
            raise closed_error(slot)
        successor = self.make(tx.state)
        tx.successor = successor
        self.result = successor.state.run_id
        closing.terminate(tx, self.reason, None, tx.context.identity)


class RetryWorkflowTask(Input):
    """The code was fixed: do not wait for the end of the delay after a failed workflow task."""

    __slots__ = ()

    def apply(self, tx: Transition, slot: RunSlot) -> None:
        workflow_tasks.retry_now(tx)


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


class Describe(Input):
    """Look at the state without changing it; answered at once."""

    __slots__ = ("look",)

    def __init__(self, look: Callable[[RunSlot], Any], future: asyncio.Future[Any]) -> None:
        super().__init__(future)
        self.look = look

    def apply(self, tx: Transition, slot: RunSlot) -> None:
        self.result = self.look(slot)
