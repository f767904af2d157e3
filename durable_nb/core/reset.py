"""Reset: a new run that has the history of an old one up to a workflow task, and goes on from there otherwise.

The new history is the old one's prefix through WorkflowTaskStarted, then WorkflowTaskFailed with cause
RESET_WORKFLOW, then the signals that came later, then a new workflow task. Event 1 keeps the original run ID, so that
the random numbers of the prefix replay; what happens after the reset is seeded by the new run ID (temporal-semantics
2.5). Ending the old run is the caller's business.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from durable_nb.core import activities
from durable_nb.core.state import NEVER, ExecutionState
from durable_nb.core.transition import Context, Transition
from durable_nb.model.attributes import (
    WorkflowExecutionSignaled,
    WorkflowExecutionStarted,
    WorkflowTaskCompleted,
    WorkflowTaskFailed,
    WorkflowTaskStarted,
    WorkflowTaskTimedOut,
)
from durable_nb.model.enums import WorkflowTaskFailedCause
from durable_nb.model.events import Event
from durable_nb.model.failure import Failure
from durable_nb.model.requests import ResetWorkflow

_ENDS = (WorkflowTaskCompleted, WorkflowTaskFailed, WorkflowTaskTimedOut)


class ResetError(ValueError):
    """The run cannot be reset to that event; the message says why and what can be done."""


def reset(
    context: Context,
    old: ExecutionState,
    events: list[Event],
    request: ResetWorkflow,
    run_key: int,
    run_id: str,
    now: int,
) -> Transition:
    """First transition of the new run. ``events`` is the whole history of the old one.

    Pending activities of the prefix start anew at their first attempt, with all their timeouts; timers keep the
    instant at which they fire, and the run and execution timeouts count from the reset.

    Raises
    ------
    ResetError
        The event is not part of a workflow task, or a child, a signal or a cancel request to another workflow was
        under way there.
    """
    started = _task_started(old, events, request.workflow_task_finish_event_id)
    prefix = events[: started.event_id]
    state = ExecutionState(run_key, old.namespace, old.workflow_id, run_id)
    tx = Transition(state, max(now, prefix[-1].event_time), context)
    tx.append_event(_first_event(old, prefix[0], tx.now))
    for event in prefix[1:]:
        tx.append_event(event)
    _check_resettable(state, started.event_id)
    state.start_time = tx.now
    state.begin_execution_at(tx.now)
    scheduled_event_id = started.attributes.scheduled_event_id  # type: ignore[attr-defined]
    tx.append(
        WorkflowTaskFailed(
            scheduled_event_id=scheduled_event_id,
            started_event_id=started.event_id,
            cause=WorkflowTaskFailedCause.RESET_WORKFLOW,
            failure=Failure(message=request.reason, source="Server"),
            identity=request.identity,
            base_run_id=old.run_id,
            new_run_id=run_id,
        )
    )
    for activity in list(state.activities.values()):
        activity.reset_time = activity.visible_at = tx.now
        if activity.cancel_requested_event_id:
            activities.cancel_waiting(tx, activity)
        else:
            activities.lease(tx, activity)
    if request.reapply_signals:
        for signal in _later_signals(old, events, started.event_id):
            if not signal.request_id or signal.request_id not in state.signal_request_ids:
                tx.append(signal)
    tx.schedule_workflow_task()
    return tx


def _task_started(old: ExecutionState, events: list[Event], event_id: int) -> Event:
    """The WorkflowTaskStarted event that the chosen event stands for."""
    where = f"workflow {old.workflow_id!r}, run {old.run_id}"
    if not 1 <= event_id <= len(events):
        raise ResetError(f"there is no event {event_id} in {where}: its history has events 1 to {len(events)}")
    chosen = events[event_id - 1].attributes
    if isinstance(chosen, WorkflowTaskStarted):
        return events[event_id - 1]
    if isinstance(chosen, _ENDS) and chosen.started_event_id:
        return events[chosen.started_event_id - 1]
    ends = [event.event_id for event in events if isinstance(event.attributes, _ENDS)]
    nearest = sorted(ends, key=lambda candidate: abs(candidate - event_id))[:3]
    choice = ", ".join(map(str, sorted(nearest))) or "none yet: no workflow task has ended"
    raise ResetError(
        f"event {event_id} of {where} is {type(chosen).__name__}, and a run can be reset to a WorkflowTaskStarted, "
        f"…Completed, …Failed or …TimedOut event only; near it: {choice}"
    )


def _first_event(old: ExecutionState, event: Event, now: int) -> Event:
    """Event 1 with the chain's ids, and with a new deadline for the chain."""
    attributes: WorkflowExecutionStarted = event.attributes  # type: ignore[assignment]
    timeout = attributes.workflow_execution_timeout
    changed = msgspec.structs.replace(
        attributes,
        original_execution_run_id=attributes.original_execution_run_id or old.run_id,
        first_execution_run_id=old.first_execution_run_id,
        workflow_execution_expiration_time=now + timeout if timeout else NEVER,
    )
    return Event(event.event_id, event.event_time, changed, event.user_metadata)


def _check_resettable(state: ExecutionState, event_id: int) -> None:
    if state.children:
        names = ", ".join(repr(child.attributes.workflow_id) for child in list(state.children.values())[:3])
        raise ResetError(
            f"cannot reset to event {event_id}: a child workflow was running there ({names}), and it can neither be "
            f"joined nor started again; choose a point before it was started or after it ended"
        )
    if state.external_signals or state.external_cancels:
        raise ResetError(
            f"cannot reset to event {event_id}: a signal or cancel request to another workflow was under way there; "
            f"choose a point before it was sent or after it was acknowledged"
        )


def _later_signals(old: ExecutionState, events: list[Event], after: int) -> Iterator[WorkflowExecutionSignaled]:
    """Signals that the new history has not: those after the prefix, and those that the old run still buffers."""
    for event in events[after:]:
        if isinstance(event.attributes, WorkflowExecutionSignaled):
            yield event.attributes
    for fact in old.buffered:
        if isinstance(fact.attributes, WorkflowExecutionSignaled):
            yield fact.attributes
