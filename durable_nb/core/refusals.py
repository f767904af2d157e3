"""Why the commands of a workflow task cannot be carried out (temporal-semantics 8.3, rule 6, and 2.9).

All commands are looked at before the first is written, each as it stands after those before it, so that a refused
task leaves no half of its work. A refusal fails the workflow *task*; the run stays open for code that asks better.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from durable_nb.core import cron
from durable_nb.core.machines.execution import CLOSING
from durable_nb.core.state import ExecutionState
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
    WorkflowExecutionCompleted,
    WorkflowExecutionContinuedAsNew,
    WorkflowExecutionTerminated,
    WorkflowExecutionTimedOut,
    WorkflowExecutionUpdateAccepted,
    WorkflowExecutionUpdateCompleted,
    WorkflowPropertiesModified,
)
from durable_nb.model.commands import Command, WorkflowTaskFailure
from durable_nb.model.enums import WorkflowTaskFailedCause as Cause
from durable_nb.model.failure import ApplicationFailureInfo, Failure
from durable_nb.model.storable import why_not_attributes


def check(state: ExecutionState, asked: list[Command]) -> WorkflowTaskFailure | None:
    """Why these commands cannot be carried out; None when they can. What stands after a terminal one is ignored."""
    if len(asked) == 1 and type(asked[0].attributes) is WorkflowExecutionCompleted:
        return None
    plan = _Plan(state)
    for command in asked:
        kind = type(command.attributes)
        if kind in _TERMINAL:
            return _unstorable(command.attributes)
        look = _CHECKS.get(kind, _unknown)
        refusal = look(plan, command.attributes)
        if refusal is not None:
            return refusal
    return None


def overlooks(state: ExecutionState, asked: list[Command]) -> bool:
    """Whether the commands close the run over something that arrived while the code ran.

    The firing of a timer that they cancel does not count: it is forgotten with the timer.
    """
    kinds = {type(command.attributes) for command in asked}
    if kinds.isdisjoint(_TERMINAL):
        return False
    canceled = {c.attributes.timer_id for c in asked if isinstance(c.attributes, TimerCanceled)}
    return any(
        not (isinstance(fact.attributes, TimerFired) and fact.attributes.timer_id in canceled)
        for fact in state.buffered
    )


class _Plan:
    """The state as the commands looked at so far would leave it."""

    __slots__ = ("activity_ids", "state", "timers", "updates")

    def __init__(self, state: ExecutionState) -> None:
        self.state = state
        self.activity_ids: set[str] = set()
        self.timers: dict[str, bool] = {}
        self.updates: dict[str, bool] = {}

    def has_timer(self, timer_id: str) -> bool:
        return self.timers.get(timer_id, timer_id in self.state.timers)


def _activity(plan: _Plan, attributes: Any) -> WorkflowTaskFailure | None:
    name, cause = attributes.activity_type, Cause.BAD_SCHEDULE_ACTIVITY_ATTRIBUTES
    activity_id = attributes.activity_id
    if not activity_id or not name:
        return refused(cause, "an activity needs an activity_id and an activity type")
    # Its payloads are the converter's, its policy has been looked at: what is left is looked at without encoding it.
    if not (_is_plain(activity_id) and _is_plain(name) and _is_plain(attributes.task_queue)) or attributes.priority:
        refusal = _unstorable(attributes)
        if refusal is not None:
            return refusal
    if activity_id in plan.state.activity_ids or activity_id in plan.activity_ids:
        return refused(
            Cause.SCHEDULE_ACTIVITY_DUPLICATE_ID,
            f"activity ID {activity_id!r} is in use; give another activity_id, or none",
        )
    close, start = attributes.start_to_close_timeout, attributes.schedule_to_start_timeout
    if min(close, start, attributes.schedule_to_close_timeout, attributes.heartbeat_timeout) < 0:
        return refused(cause, f"a timeout of activity {name!r} is negative")
    if not close and not attributes.schedule_to_close_timeout:
        return refused(cause, f"activity {name!r} needs start_to_close_timeout or schedule_to_close_timeout")
    plan.activity_ids.add(activity_id)
    return None


def _cancel_activity(plan: _Plan, attributes: Any) -> WorkflowTaskFailure | None:
    scheduled = attributes.scheduled_event_id
    if scheduled not in plan.state.activities:
        return refused(
            Cause.BAD_REQUEST_CANCEL_ACTIVITY_ATTRIBUTES, f"no activity scheduled by event {scheduled} is pending"
        )
    return None


def _start_timer(plan: _Plan, attributes: Any) -> WorkflowTaskFailure | None:
    timer_id = attributes.timer_id
    if not timer_id or attributes.start_to_fire_timeout < 0:
        return refused(Cause.BAD_START_TIMER_ATTRIBUTES, "a timer needs an ID and a duration that is not negative")
    if plan.has_timer(timer_id):
        return refused(Cause.START_TIMER_DUPLICATE_ID, f"timer ID {timer_id!r} is in use")
    plan.timers[timer_id] = True
    return None


def _cancel_timer(plan: _Plan, attributes: Any) -> WorkflowTaskFailure | None:
    timer_id = attributes.timer_id
    # A timer started by this very task is not in history yet: code that changes its mind leaves no event at all.
    if plan.timers.get(timer_id, False) or not plan.has_timer(timer_id):
        return refused(Cause.BAD_CANCEL_TIMER_ATTRIBUTES, f"no timer {timer_id!r} is running")
    plan.timers[timer_id] = False
    return None


def _child(_: _Plan, attributes: Any) -> WorkflowTaskFailure | None:
    if not attributes.workflow_id or not attributes.workflow_type:
        return refused(Cause.BAD_START_CHILD_EXECUTION_ATTRIBUTES, "a child needs a workflow ID and a workflow type")
    if attributes.cron_schedule:
        try:
            cron.check(attributes.cron_schedule)
        except ValueError as error:
            return refused(Cause.BAD_START_CHILD_EXECUTION_ATTRIBUTES, str(error))
    return _unstorable(attributes)


def _signal_external(_: _Plan, attributes: Any) -> WorkflowTaskFailure | None:
    target = attributes.workflow_execution
    if target is None or not target.workflow_id or not attributes.signal_name:
        return refused(
            Cause.BAD_SIGNAL_WORKFLOW_EXECUTION_ATTRIBUTES, "a signal needs a workflow ID and the signal's name"
        )
    return _unstorable(attributes)


def _cancel_external(_: _Plan, attributes: Any) -> WorkflowTaskFailure | None:
    target = attributes.workflow_execution
    if target is None or not target.workflow_id:
        return refused(
            Cause.BAD_REQUEST_CANCEL_EXTERNAL_WORKFLOW_EXECUTION_ATTRIBUTES, "a cancel request needs a workflow ID"
        )
    return _unstorable(attributes)


def _accept_update(plan: _Plan, attributes: Any) -> WorkflowTaskFailure | None:
    request = attributes.accepted_request
    update_id = request.meta.update_id if request is not None and request.meta is not None else ""
    if not update_id:
        return refused(Cause.BAD_UPDATE_WORKFLOW_EXECUTION_MESSAGE, "the accepted update has no ID")
    if update_id in plan.state.updates or update_id in plan.updates:
        return refused(Cause.BAD_UPDATE_WORKFLOW_EXECUTION_MESSAGE, f"update {update_id!r} was accepted before")
    plan.updates[update_id] = False
    return None


def _complete_update(plan: _Plan, attributes: Any) -> WorkflowTaskFailure | None:
    update_id = attributes.meta.update_id if attributes.meta is not None else ""
    known = plan.state.updates.get(update_id)
    is_completed = plan.updates.get(update_id, known is not None and known.outcome is not None)
    if is_completed or (known is None and update_id not in plan.updates):
        return refused(
            Cause.BAD_UPDATE_WORKFLOW_EXECUTION_MESSAGE, f"no update {update_id!r} is accepted and not completed"
        )
    plan.updates[update_id] = True
    return None


def _nothing_to_check(_: _Plan, __: Attributes) -> None:
    return None  # A marker holds payloads only; a local activity's may be large.


def _nothing_else(_: _Plan, attributes: Attributes) -> WorkflowTaskFailure | None:
    return _unstorable(attributes)


def _is_plain(text: object) -> bool:
    return type(text) is str and text.isascii()


def _unstorable(attributes: Attributes) -> WorkflowTaskFailure | None:
    """A refusal of what could be written but never read again, such as a number for an ID."""
    problem = why_not_attributes(attributes)
    if not problem:
        return None
    kind = type(attributes).__name__
    return refused(_CAUSES.get(type(attributes), Cause.UNSPECIFIED), f"{kind} cannot be recorded: {problem}")


def _unknown(_: _Plan, attributes: Attributes) -> WorkflowTaskFailure:
    return refused(Cause.UNSPECIFIED, f"{type(attributes).__name__} is not a command")


def refused(cause: Cause, message: str) -> WorkflowTaskFailure:
    """A workflow task failure that says what is wrong with a command."""
    failure = Failure(message=message, source="durable_nb", application_failure_info=ApplicationFailureInfo(cause.name))
    return WorkflowTaskFailure(cause, failure)


_TERMINAL = frozenset(CLOSING) - {WorkflowExecutionTerminated, WorkflowExecutionTimedOut}

_CHECKS: dict[type[Attributes], Callable[[_Plan, Any], WorkflowTaskFailure | None]] = {
    ActivityTaskScheduled: _activity,
    ActivityTaskCancelRequested: _cancel_activity,
    TimerStarted: _start_timer,
    TimerCanceled: _cancel_timer,
    StartChildWorkflowExecutionInitiated: _child,
    SignalExternalWorkflowExecutionInitiated: _signal_external,
    RequestCancelExternalWorkflowExecutionInitiated: _cancel_external,
    WorkflowExecutionUpdateAccepted: _accept_update,
    WorkflowExecutionUpdateCompleted: _complete_update,
    MarkerRecorded: _nothing_to_check,
    UpsertWorkflowSearchAttributes: _nothing_else,
    WorkflowPropertiesModified: _nothing_else,
}

_CAUSES: dict[type[Attributes], Cause] = {
    ActivityTaskScheduled: Cause.BAD_SCHEDULE_ACTIVITY_ATTRIBUTES,
    StartChildWorkflowExecutionInitiated: Cause.BAD_START_CHILD_EXECUTION_ATTRIBUTES,
    SignalExternalWorkflowExecutionInitiated: Cause.BAD_SIGNAL_WORKFLOW_EXECUTION_ATTRIBUTES,
    RequestCancelExternalWorkflowExecutionInitiated: Cause.BAD_REQUEST_CANCEL_EXTERNAL_WORKFLOW_EXECUTION_ATTRIBUTES,
    UpsertWorkflowSearchAttributes: Cause.BAD_SEARCH_ATTRIBUTES,
    WorkflowPropertiesModified: Cause.BAD_MODIFY_WORKFLOW_PROPERTIES_ATTRIBUTES,
    WorkflowExecutionContinuedAsNew: Cause.BAD_CONTINUE_AS_NEW_ATTRIBUTES,
}
