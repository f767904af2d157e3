"""Commands → events: what each intent of workflow code writes and sets in motion (temporal-semantics 8.2).

All commands were checked before (``refusals``), so nothing here can fail. Reactions to a command (an activity canceled
before it started) stand after the last command, as the history format demands.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from durable_nb.core import activities, closing, retry
from durable_nb.core.state import NEVER
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
from durable_nb.model.commands import Command
from durable_nb.model.enums import ParentClosePolicy, WorkflowIDReusePolicy

START_CHILD = "start_child"
SIGNAL_EXTERNAL = "signal_external"
CANCEL_EXTERNAL = "cancel_external"

Append = Callable[[Transition, Command, int, int], None]


def append_all(tx: Transition, asked: list[Command], completed_event_id: int, scheduled_event_id: int) -> None:
    """Write the commands in order; a terminal command ends the run, whatever stands after it."""
    tx.buffering = True
    for command in asked:
        _APPEND[type(command.attributes)](tx, command, completed_event_id, scheduled_event_id)
        if not tx.state.is_open:
            break
    tx.buffering = False


def _schedule_activity(tx: Transition, command: Command, completed: int, _: int) -> None:
    attributes: Any = command.attributes
    attributes.workflow_task_completed_event_id = completed
    attributes.retry_policy = retry.complete_policy(attributes.retry_policy)
    if not attributes.task_queue:
        attributes.task_queue = tx.state.started.task_queue
    _complete_timeouts(attributes, tx.state.started.workflow_run_timeout)
    event = tx.append(attributes, command.user_metadata)
    activities.lease(tx, tx.state.activities[event.event_id])


def _complete_timeouts(attributes: ActivityTaskScheduled, run_timeout: int) -> None:
    """No timeout of an activity is longer than the one around it (temporal-semantics 3.1)."""
    whole = attributes.schedule_to_close_timeout
    if run_timeout and (not whole or whole > run_timeout):
        whole = attributes.schedule_to_close_timeout = run_timeout
    attempt = attributes.start_to_close_timeout
    if whole:
        if not attempt or attempt > whole:
            attempt = attributes.start_to_close_timeout = whole
        attributes.schedule_to_start_timeout = min(attributes.schedule_to_start_timeout, whole)
    attributes.heartbeat_timeout = min(attributes.heartbeat_timeout, attempt)


def _cancel_activity(tx: Transition, command: Command, completed: int, _: int) -> None:
    attributes: Any = command.attributes
    attributes.workflow_task_completed_event_id = completed
    tx.append(attributes)
    activity = tx.state.activities.get(attributes.scheduled_event_id)
    if activity is None or activity.is_over:
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
    if timer.fire_at == NEVER:
        # The timer fired while the code ran: the cancel wins and the firing is forgotten.
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
    update_id = attributes.accepted_request.meta.update_id
    attributes.protocol_instance_id = attributes.protocol_instance_id or update_id
    attributes.accepted_request_message_id = attributes.accepted_request_message_id or f"{update_id}/request"
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
