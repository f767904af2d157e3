"""History events to the jobs of an activation, and what is found by looking ahead (temporal-semantics 2.2, 8.3, 9.5).

``DISPATCH`` says what each event means to workflow code. ``look_ahead`` reads the command events that follow a
completed workflow task for what must be known before that task's code runs: patch markers, outcomes of local
activities, and updates, which are recorded only when they were accepted.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from durable_nb.model import attributes as a
from durable_nb.model.enums import WorkflowTaskFailedCause
from durable_nb.runtime import activities, children, external, local_activities, messages, patches, timers
from durable_nb.runtime.matching import COMMAND_EVENTS

if TYPE_CHECKING:
    from durable_nb.model.events import Event
    from durable_nb.runtime.instance import WorkflowInstance

Handler = Callable[["WorkflowInstance", "Event"], None]


def _on_started(run: WorkflowInstance, event: Event) -> None:
    attributes: a.WorkflowExecutionStarted = event.attributes  # type: ignore[assignment]
    run.on_started(attributes, event.event_time)


def _on_cancel_requested(run: WorkflowInstance, event: Event) -> None:
    attributes: a.WorkflowExecutionCancelRequested = event.attributes  # type: ignore[assignment]
    run.others.append((run.cancel, (attributes.cause,)))


def _on_task_failed(run: WorkflowInstance, event: Event) -> None:
    attributes: a.WorkflowTaskFailed = event.attributes  # type: ignore[assignment]
    if attributes.cause is WorkflowTaskFailedCause.RESET_WORKFLOW and attributes.new_run_id:
        run.reseeds.append(attributes.new_run_id)


def _ignored(run: WorkflowInstance, event: Event) -> None:
    """Nothing that workflow code can see."""


DISPATCH: dict[type[a.Attributes], Handler] = {
    a.WorkflowExecutionStarted: _on_started,
    a.WorkflowExecutionSignaled: messages.on_signaled,
    a.WorkflowExecutionCancelRequested: _on_cancel_requested,
    a.WorkflowExecutionTerminated: _ignored,
    a.WorkflowExecutionTimedOut: _ignored,
    a.WorkflowTaskScheduled: _ignored,
    a.WorkflowTaskFailed: _on_task_failed,
    a.WorkflowTaskTimedOut: _ignored,
    a.ActivityTaskStarted: activities.on_started,
    a.ActivityTaskCompleted: activities.on_completed,
    a.ActivityTaskFailed: activities.on_failed,
    a.ActivityTaskTimedOut: activities.on_failed,
    a.ActivityTaskCanceled: activities.on_canceled,
    a.TimerFired: timers.on_fired,
    a.ChildWorkflowExecutionStarted: children.on_started,
    a.StartChildWorkflowExecutionFailed: children.on_start_failed,
    a.ChildWorkflowExecutionCompleted: children.on_closed,
    a.ChildWorkflowExecutionFailed: children.on_closed,
    a.ChildWorkflowExecutionCanceled: children.on_closed,
    a.ChildWorkflowExecutionTimedOut: children.on_closed,
    a.ChildWorkflowExecutionTerminated: children.on_closed,
    a.ExternalWorkflowExecutionSignaled: external.on_answered,
    a.SignalExternalWorkflowExecutionFailed: external.on_answered,
    a.ExternalWorkflowExecutionCancelRequested: external.on_answered,
    a.RequestCancelExternalWorkflowExecutionFailed: external.on_answered,
}
"""What each event that is not a command's means; the workflow task events are read by the instance itself."""


def look_ahead(run: WorkflowInstance, events: list[Event], at: int) -> None:
    """Read the command events from index ``at`` on, those of the workflow task about to be replayed."""
    end = len(events)
    while at < end:
        event = events[at]
        attributes: Any = event.attributes
        kind = type(attributes)
        if kind is a.MarkerRecorded:
            _look_at_marker(run, event, attributes)
        elif kind is a.WorkflowExecutionUpdateAccepted:
            # After the signals of its task, as when it came, whatever event it names as the one before it: Temporal's
            # runtime does so too.
            request = messages.request_of(attributes)
            run.messages.append((run.started_event_id, messages.deliver_update, (run, request, False)))
        elif kind not in COMMAND_EVENTS:
            return
        at += 1


def _look_at_marker(run: WorkflowInstance, event: Event, attributes: a.MarkerRecorded) -> None:
    if attributes.marker_name == local_activities.MARKER_NAME:
        try:
            marker = local_activities.read_marker(attributes)
        except ValueError as error:
            raise run.diverged(event, "", str(error)) from error
        local_activities.locals_of(run).markers.append(marker)
        return
    patch = patches.read_marker(attributes)
    if patch is not None:
        patches.patches_of(run).in_history[patch[0]] = None
        run.patch_notified = True
