"""Commands → events: what each intent of workflow code writes and sets in motion (temporal-semantics 8.2).

All commands of a task are checked before the first is written, so a refused task leaves no half of its work. Reactions
to a command (an activity canceled before it started) stand after the last command, as the history format demands.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from durable_nb.core import activities, closing, retry
from durable_nb.core.state import ExecutionState
from durable_nb.core.transition import Transition
from durable_nb.model.attributes import (
    ActivityTaskCancelRequested,
    ActivityTaskScheduled,
    Attributes,
    MarkerRecorded,
    RequestCancelExternalWorkflowExecutionInitiated,
    SignalExternalWorkflowExecutionInitiated,
    StartChildWorkflowExecutionInitiated,
    TimerCanceled,
    TimerFired,
    TimerStarted,
    UpsertWorkflowSearchAttributes,
    WorkflowExecutionCanceled,
    WorkflowExecutionCompleted,
    WorkflowExecutionContinuedAsNew,
    WorkflowExecutionFailed,
    WorkflowExecutionUpdateAccepted,
    WorkflowExecutionUpdateCompleted,
    WorkflowPropertiesModified,
)
from durable_nb.model.commands import Command, WorkflowTaskFailure
from durable_nb.model.enums import ParentClosePolicy, WorkflowIDReusePolicy, WorkflowTaskFailedCause
from durable_nb.model.failure import ApplicationFailureInfo, Failure

START_CHILD = "start_child"
SIGNAL_EXTERNAL = "signal_external"
CANCEL_EXTERNAL = "cancel_external"

Append = Callable[[Transition, Command, int, int], None]


def check(state: ExecutionState, asked: list[Command]) -> WorkflowTaskFailure | None:
    """Why these commands cannot be carried out; None when they can."""
    if len(asked) == 1 and isinstance(asked[0].attributes, WorkflowExecutionCompleted):
        return None
    activity_ids: set[str] = set()
    timer_ids: set[str] = set()
    for command in asked:
        attributes = command.attributes
        kind = type(attributes)
        if kind is ActivityTaskScheduled:
            if attributes.activity_id in state.activity_ids or attributes.activity_id in activity_ids:
                return _refused(
                    WorkflowTaskFailedCause.SCHEDULE_ACTIVITY_DUPLICATE_ID,
                    f"activity ID {attributes.activity_id!r} is in use; give another activity_id, or none",
                )
            activity_ids.add(attributes.activity_id)
            if not (attributes.start_to_close_timeout or attributes.schedule_to_close_timeout):
                return _refused(
                    WorkflowTaskFailedCause.BAD_SCHEDULE_ACTIVITY_ATTRIBUTES,
                    f"activity {attributes.activity_type!r} needs start_to_close_timeout or schedule_to_close_timeout",
                )
        elif kind is TimerStarted:
            if attributes.timer_id in state.timers or attributes.timer_id in timer_ids:
                return _refused(
                    WorkflowTaskFailedCause.START_TIMER_DUPLICATE_ID, f"timer ID {attributes.timer_id!r} is in use"
                )
            timer_ids.add(attributes.timer_id)
        elif kind is TimerCanceled and attributes.timer_id not in state.timers:
            return _refused(
                WorkflowTaskFailedCause.BAD_CANCEL_TIMER_ATTRIBUTES, f"no timer {attributes.timer_id!r} is running"
            )
        elif kind not in _APPEND:
            return _refused(WorkflowTaskFailedCause.UNSPECIFIED, f"{kind.__name__} is not a command")
    return None


def append_all(tx: Transition, asked: list[Command], completed_event_id: int, scheduled_event_id: int) -> None:
    """Write the commands in order; a terminal command ends the run, whatever stands after it."""
    tx.buffering = True
    for command in asked:
        _APPEND[type(command.attributes)](tx, command, completed_event_id, scheduled_event_id)
        if not tx.state.is_open:
            break
    tx.buffering = False


def _refused(cause: WorkflowTaskFailedCause, message: str) -> WorkflowTaskFailure:
    failure = Failure(message=message, source="durable_nb", application_failure_info=ApplicationFailureInfo(cause.name))
    return WorkflowTaskFailure(cause, failure)


def _schedule_activity(tx: Transition, command: Command, completed: int, _: int) -> None:
    attributes: Any = command.attributes
    attributes.workflow_task_completed_event_id = completed
    attributes.retry_policy = retry.complete_policy(attributes.retry_policy)
    if not attributes.task_queue:
        attributes.task_queue = tx.state.started.task_queue
    if not attributes.start_to_close_timeout:
        attributes.start_to_close_timeout = attributes.schedule_to_close_timeout
    event = tx.append(attributes, command.user_metadata)
    activities.lease(tx, tx.state.activities[event.event_id])


def _cancel_activity(tx: Transition, command: Command, completed: int, _: int) -> None:
    attributes: Any = command.attributes
    attributes.workflow_task_completed_event_id = completed
    tx.append(attributes)
    activity = tx.state.activities.get(attributes.scheduled_event_id)
    if activity is None or activity.token == activities.CLOSED_TOKEN:
        return
    if activity.is_started:
        tx.put_activity(activity)
    else:
        activities.cancel_waiting(tx, activity)


def _start_timer(tx: Transition, command: Command, completed: int, _: int) -> None:
    command.attributes.workflow_task_completed_event_id = completed  # type: ignore[attr-defined]
    tx.append(command.attributes, command.user_metadata)


def _cancel_timer(tx: Transition, command: Command, completed: int, _: int) -> None:
    attributes: Any = command.attributes
    timer = tx.state.timers[attributes.timer_id]
    attributes.started_event_id = timer.started_event_id
    attributes.workflow_task_completed_event_id = completed
    attributes.identity = tx.context.identity
    # The timer may have fired while the code ran; then the cancel wins and the firing is forgotten.
    tx.state.buffered = [
        fact
        for fact in tx.state.buffered
        if not (isinstance(fact.attributes, TimerFired) and fact.attributes.timer_id == attributes.timer_id)
    ]
    tx.append(attributes)


def _start_child(tx: Transition, command: Command, completed: int, _: int) -> None:
    attributes: Any = command.attributes
    attributes.workflow_task_completed_event_id = completed
    attributes.namespace = attributes.namespace or tx.state.namespace
    attributes.task_queue = attributes.task_queue or tx.state.started.task_queue
    if attributes.parent_close_policy is ParentClosePolicy.UNSPECIFIED:
        attributes.parent_close_policy = ParentClosePolicy.TERMINATE
    if attributes.workflow_id_reuse_policy is None:
        attributes.workflow_id_reuse_policy = WorkflowIDReusePolicy.ALLOW_DUPLICATE
    event = tx.append(attributes, command.user_metadata)
    tx.add_transfer(event.event_id, START_CHILD)


def _signal_external(tx: Transition, command: Command, completed: int, _: int) -> None:
    attributes: Any = command.attributes
    attributes.workflow_task_completed_event_id = completed
    attributes.namespace = attributes.namespace or tx.state.namespace
    tx.add_transfer(tx.append(attributes).event_id, SIGNAL_EXTERNAL)


def _cancel_external(tx: Transition, command: Command, completed: int, _: int) -> None:
    attributes: Any = command.attributes
    attributes.workflow_task_completed_event_id = completed
    attributes.namespace = attributes.namespace or tx.state.namespace
    tx.add_transfer(tx.append(attributes).event_id, CANCEL_EXTERNAL)


def _plain(tx: Transition, command: Command, completed: int, _: int) -> None:
    command.attributes.workflow_task_completed_event_id = completed  # type: ignore[attr-defined]
    tx.append(command.attributes, command.user_metadata)


def _accept_update(tx: Transition, command: Command, _: int, scheduled: int) -> None:
    attributes: Any = command.attributes
    attributes.accepted_request_sequencing_event_id = scheduled
    tx.append(attributes)


def _complete_update(tx: Transition, command: Command, _: int, __: int) -> None:
    attributes: Any = command.attributes
    attributes.accepted_event_id = tx.state.updates[attributes.meta.update_id].accepted_event_id
    tx.append(attributes)


def _complete_run(tx: Transition, command: Command, completed: int, _: int) -> None:
    attributes: Any = command.attributes
    attributes.workflow_task_completed_event_id = completed
    closing.complete(tx, attributes)


def _fail_run(tx: Transition, command: Command, completed: int, _: int) -> None:
    attributes: Any = command.attributes
    attributes.workflow_task_completed_event_id = completed
    closing.fail(tx, attributes)


def _cancel_run(tx: Transition, command: Command, completed: int, _: int) -> None:
    attributes: Any = command.attributes
    attributes.workflow_task_completed_event_id = completed
    closing.close(tx, attributes)


def _continue_as_new(tx: Transition, command: Command, completed: int, _: int) -> None:
    attributes: Any = command.attributes
    attributes.workflow_task_completed_event_id = completed
    closing.continue_as_new(tx, attributes, command.retry_policy, command.user_metadata)


_APPEND: dict[type[Attributes], Append] = {
    ActivityTaskScheduled: _schedule_activity,
    ActivityTaskCancelRequested: _cancel_activity,
    TimerStarted: _start_timer,
    TimerCanceled: _cancel_timer,
    StartChildWorkflowExecutionInitiated: _start_child,
    SignalExternalWorkflowExecutionInitiated: _signal_external,
    RequestCancelExternalWorkflowExecutionInitiated: _cancel_external,
    MarkerRecorded: _plain,
    UpsertWorkflowSearchAttributes: _plain,
    WorkflowPropertiesModified: _plain,
    WorkflowExecutionUpdateAccepted: _accept_update,
    WorkflowExecutionUpdateCompleted: _complete_update,
    WorkflowExecutionCompleted: _complete_run,
    WorkflowExecutionFailed: _fail_run,
    WorkflowExecutionCanceled: _cancel_run,
    WorkflowExecutionContinuedAsNew: _continue_as_new,
}
