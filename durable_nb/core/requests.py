"""Requests from outside to an open run: signal, cancel, and the acknowledgements of other runs.

Each function takes in a fact; the caller has made sure that the run is open.
"""

from __future__ import annotations

from durable_nb.core.state import ExecutionState
from durable_nb.core.transition import Transition
from durable_nb.model.attributes import UpdateOutcome, WorkflowExecutionCancelRequested, WorkflowExecutionSignaled
from durable_nb.model.failure import ApplicationFailureInfo, Failure, WorkflowExecution
from durable_nb.model.requests import SignalInput


def signal(tx: Transition, request: SignalInput, identity: str, sender: WorkflowExecution | None = None) -> bool:
    """Deliver a signal; False when one with the same request id was delivered before."""
    state = tx.state
    request_id = request.request_id
    if request_id:
        if request_id in state.signal_request_ids:
            return False
        # Remembered now and again when the event is folded: the event may be buffered for a while.
        state.signal_request_ids.add(request_id)
    # A signal ends a start delay; the back-off of a retry or a cron schedule stays (temporal-semantics 3.13, 6).
    if state.waits_for_backoff and state.started.initiator is None and not state.started.cron_schedule:
        end_waiting(tx)
    tx.record(
        WorkflowExecutionSignaled(
            signal_name=request.name,
            input=request.args,
            identity=identity,
            header=request.header or None,
            external_workflow_execution=sender,
            request_id=request_id,
        )
    )
    return True


def request_cancel(
    tx: Transition,
    reason: str,
    identity: str,
    sender: WorkflowExecution | None = None,
    sender_event_id: int = 0,
) -> bool:
    """Ask the workflow to cancel itself; False when that was asked before (a second request changes nothing)."""
    state = tx.state
    if state.cancel_requested:
        return False
    state.cancel_requested = True
    if state.waits_for_backoff:
        end_waiting(tx)  # A cancel does not wait for the next time of a cron schedule.
    tx.record(
        WorkflowExecutionCancelRequested(
            cause=reason,
            external_initiated_event_id=sender_event_id,
            external_workflow_execution=sender,
            identity=identity,
        )
    )
    return True


def end_waiting(tx: Transition) -> None:
    """The start delay or back-off is over now: the first workflow task may be scheduled."""
    tx.state.begin_execution_at(tx.now)
    tx.listed = True


def update_outcome(state: ExecutionState, update_id: str) -> UpdateOutcome | None:
    """Outcome of an accepted update; None while it is open.

    An update that was accepted but not completed when the run closed has failed (temporal-semantics 3.7).

    Raises
    ------
    KeyError
        No update with that ID was accepted.
    """
    update = state.updates[update_id]
    if update.outcome is not None or state.is_open:
        return update.outcome
    return UpdateOutcome(
        failure=Failure(
            message="Workflow Update failed because the Workflow completed before the Update completed.",
            source="Server",
            application_failure_info=ApplicationFailureInfo(type="AcceptedUpdateCompletedWorkflow", non_retryable=True),
        )
    )
