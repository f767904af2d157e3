"""Commands of workflow code against the events that history has for them (temporal-semantics 2.8).

Compared: kind of command and order; activity id and type; child id and type; timer id; patch id; marker name; type of
local activities; update id; terminal kind. Never compared: inputs, results, options, durations. Ids and types are
compared even where an old history lacks the flag that asks for it, since equal code gives equal ids.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from durable_nb.model.attributes import (
    ActivityTaskCancelRequested,
    ActivityTaskScheduled,
    Attributes,
    MarkerRecorded,
    RequestCancelExternalWorkflowExecutionInitiated,
    SignalExternalWorkflowExecutionInitiated,
    StartChildWorkflowExecutionInitiated,
    TimerCanceled,
    TimerStarted,
    UpsertWorkflowSearchAttributes,
    WorkflowExecutionUpdateAccepted,
    WorkflowExecutionUpdateCompleted,
    WorkflowPropertiesModified,
)
from durable_nb.runtime import local_activities, patches
from durable_nb.runtime.issued import TERMINAL, Issued

if TYPE_CHECKING:
    from durable_nb.model.events import Event
    from durable_nb.runtime.instance import WorkflowInstance

COMMAND_EVENTS: frozenset[type[Attributes]] = frozenset(
    {
        ActivityTaskScheduled,
        ActivityTaskCancelRequested,
        TimerStarted,
        TimerCanceled,
        StartChildWorkflowExecutionInitiated,
        RequestCancelExternalWorkflowExecutionInitiated,
        SignalExternalWorkflowExecutionInitiated,
        MarkerRecorded,
        UpsertWorkflowSearchAttributes,
        WorkflowPropertiesModified,
        WorkflowExecutionUpdateAccepted,
        WorkflowExecutionUpdateCompleted,
        *TERMINAL,
    }
)
"""Events that commands become."""


def match_commands(run: WorkflowInstance, events: list[Event], at: int) -> int:
    """Pair ``run.unmatched`` with the command events from index ``at`` on; give the index after them.

    Raises
    ------
    NondeterminismError
        They do not fit.
    """
    queue = run.unmatched
    run.unmatched = []
    markers: dict[int, Issued] | None = None
    if run.locals is not None:
        # Markers of local activities stand where the activity finished, which a replay need not hit exactly.
        markers = {each.local_seq: each for each in queue if each.local_seq}
        queue = [each for each in queue if not each.local_seq]
    position, count, end = 0, len(queue), len(events)
    while at < end:
        event = events[at]
        attributes = event.attributes
        kind = type(attributes)
        if kind not in COMMAND_EVENTS:
            break
        if kind is MarkerRecorded:
            name = attributes.marker_name  # type: ignore[attr-defined]
            if name == local_activities.MARKER_NAME:
                _match_local(run, event, markers or {})
                at += 1
                continue
            if name == patches.MARKER_NAME:
                position, at = _match_patch(run, events, at, queue, position)
                continue
        while position < count and patches.is_patch(queue[position]):
            position += 1  # A call of patched() that found no marker: the old path.
        if position == count:
            raise run.diverged(event, "nothing")
        issued = queue[position]
        position += 1
        check = _CHECKS.get(kind)
        if type(issued.attributes) is not kind or (check is not None and not check(attributes, issued.attributes)):
            raise run.diverged(event, issued=issued)
        if issued.owner is not None:
            issued.owner.recorded(event)
        at += 1
    if at < end:
        left = [*queue[position:], *(markers.values() if markers else ())]
        extra = next((each for each in left if not patches.is_patch(each)), None)
        if extra is not None:
            raise run.diverged(events[at], issued=extra)
    return at


def _match_patch(
    run: WorkflowInstance, events: list[Event], at: int, queue: list[Issued], position: int
) -> tuple[int, int]:
    """Marker of a patch: either the code called ``patched`` here, or the marker is deprecated and may be skipped."""
    event = events[at]
    read = patches.read_marker(event.attributes)
    if read is None:
        raise run.diverged(event, "", "the marker of a patch cannot be read")
    patch_id, deprecated = read
    if position < len(queue) and patches.is_patch(queue[position]):
        own = patches.read_marker(queue[position].attributes)
        if own is not None and own[0] == patch_id:
            return position + 1, at + 1
    if not deprecated:
        issued = queue[position] if position < len(queue) else None
        raise run.diverged(event, "" if issued else "nothing", issued=issued)
    at += 1
    if at < len(events) and patches.is_version_upsert(events[at].attributes):
        at += 1
    return position, at


def _match_local(run: WorkflowInstance, event: Event, markers: dict[int, Issued]) -> None:
    try:
        marker = local_activities.read_marker(event.attributes)  # type: ignore[arg-type]
    except ValueError as error:
        raise run.diverged(event, "", str(error)) from error
    issued = markers.pop(marker.seq, None)
    if issued is None:
        raise run.diverged(event, "nothing")
    own = local_activities.read_marker(issued.attributes)  # type: ignore[arg-type]
    if own.activity_type != marker.activity_type:
        raise run.diverged(event, issued=issued)


def _same_activity(recorded: Any, issued: Any) -> bool:
    return bool(recorded.activity_id == issued.activity_id and recorded.activity_type == issued.activity_type)


def _same_timer(recorded: Any, issued: Any) -> bool:
    return not recorded.timer_id or recorded.timer_id == issued.timer_id


def _same_child(recorded: Any, issued: Any) -> bool:
    return bool(recorded.workflow_id == issued.workflow_id and recorded.workflow_type == issued.workflow_type)


def _same_acceptance(recorded: Any, issued: Any) -> bool:
    return not recorded.protocol_instance_id or recorded.protocol_instance_id == issued.protocol_instance_id


def _same_completion(recorded: Any, issued: Any) -> bool:
    return recorded.meta is None or not recorded.meta.update_id or recorded.meta.update_id == issued.meta.update_id


def _same_marker(recorded: Any, issued: Any) -> bool:
    return bool(recorded.marker_name == issued.marker_name)


_CHECKS: dict[type[Attributes], Callable[[Any, Any], bool]] = {
    ActivityTaskScheduled: _same_activity,
    TimerStarted: _same_timer,
    TimerCanceled: _same_timer,
    StartChildWorkflowExecutionInitiated: _same_child,
    WorkflowExecutionUpdateAccepted: _same_acceptance,
    WorkflowExecutionUpdateCompleted: _same_completion,
    MarkerRecorded: _same_marker,
}


def show(attributes: Attributes) -> str:
    """A command or its event in one line of a message."""
    kind = type(attributes).__name__
    match attributes:
        case ActivityTaskScheduled():
            what = f"{attributes.activity_type} (id {attributes.activity_id})"
        case ActivityTaskCancelRequested():
            what = f"of the activity scheduled by event {attributes.scheduled_event_id}"
        case TimerStarted():
            what = f"{attributes.start_to_fire_timeout / 1e6:g} s (id {attributes.timer_id})"
        case TimerCanceled():
            what = f"(id {attributes.timer_id})"
        case StartChildWorkflowExecutionInitiated():
            what = f"{attributes.workflow_type} (id {attributes.workflow_id})"
        case SignalExternalWorkflowExecutionInitiated():
            what = f"{attributes.signal_name} to {_target(attributes)}"
        case RequestCancelExternalWorkflowExecutionInitiated():
            what = f"to {_target(attributes)}"
        case MarkerRecorded():
            what = _show_marker(attributes)
        case UpsertWorkflowSearchAttributes():
            what = ", ".join(attributes.search_attributes or {})
        case WorkflowPropertiesModified():
            what = ", ".join(attributes.upserted_memo or {})
        case WorkflowExecutionUpdateAccepted():
            what = f"(id {attributes.protocol_instance_id})"
        case WorkflowExecutionUpdateCompleted():
            what = f"(id {attributes.meta.update_id if attributes.meta else ''})"
        case _:
            what = ""
    return f"{kind} {what}".rstrip()


def _target(attributes: Any) -> str:
    execution = attributes.workflow_execution
    return execution.workflow_id if execution is not None else "another workflow"


def _show_marker(attributes: MarkerRecorded) -> str:
    if attributes.marker_name == local_activities.MARKER_NAME:
        try:
            marker = local_activities.read_marker(attributes)
        except ValueError:
            return "of a local activity, unreadable"
        return f"of local activity {marker.activity_type} (number {marker.seq})"
    patch = patches.read_marker(attributes)
    return f"of patch {patch[0]!r}" if patch is not None else attributes.marker_name
