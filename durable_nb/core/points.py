"""Where a new history leaves an old one: which events it keeps, and what is edited in them. Pure.

Two kinds of point. *A task again*: the prefix ends with the start of a workflow task, whose code then runs anew: that
is Temporal's reset. *Through an event*: everything up to the event stays, and the workflow task in which it stands is
kept whole, because a replay of half the commands of a task would not fit the code. Either way the prefix is a valid
history of a run that goes on.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import msgspec

from durable_nb.core.machines.execution import CLOSING
from durable_nb.model.attributes import (
    ActivityTaskCanceled,
    ActivityTaskCompleted,
    ActivityTaskFailed,
    ActivityTaskScheduled,
    ActivityTaskStarted,
    ActivityTaskTimedOut,
    Attributes,
    StartChildWorkflowExecutionInitiated,
    WorkflowExecutionCanceled,
    WorkflowExecutionCompleted,
    WorkflowExecutionFailed,
    WorkflowExecutionStarted,
    WorkflowExecutionTerminated,
    WorkflowExecutionTimedOut,
    WorkflowTaskCompleted,
    WorkflowTaskFailed,
    WorkflowTaskScheduled,
    WorkflowTaskStarted,
    WorkflowTaskTimedOut,
)
from durable_nb.model.enums import EventType
from durable_nb.model.events import Event
from durable_nb.model.payload import Payload

TASK_ENDS = (WorkflowTaskCompleted, WorkflowTaskFailed, WorkflowTaskTimedOut)
_ACTIVITY_ENDS = (ActivityTaskCompleted, ActivityTaskFailed, ActivityTaskTimedOut, ActivityTaskCanceled)
_FROM_OUTSIDE = (WorkflowExecutionTerminated, WorkflowExecutionTimedOut)


class PointError(ValueError):
    """There is no such point in this history; the message says why and what can be done."""


class Prefix(NamedTuple):
    """The beginning of a new history.

    ``events`` has ids 1..n; ``kept`` is the id of the last event of the old history that it covers: what came later
    is not in it, and may be applied again. ``changed`` says in words what was edited.
    """

    events: list[Event]
    kept: int
    changed: str = ""


def where(workflow_id: str, run_id: str) -> str:
    """The run, for messages."""
    return f"workflow {workflow_id!r}, run {run_id}"


# -- a task again ------------------------------------------------------------------------------------------------------


def task_again(events: Sequence[Event], event_id: int, run: str) -> Prefix:
    """Through the WorkflowTaskStarted that the chosen event stands for.

    Raises
    ------
    PointError
        The event is none of a workflow task.
    """
    chosen = _event(events, event_id, run).attributes
    if isinstance(chosen, WorkflowTaskStarted):
        return Prefix(list(events[:event_id]), event_id)
    if isinstance(chosen, TASK_ENDS) and chosen.started_event_id:
        return Prefix(list(events[: chosen.started_event_id]), chosen.started_event_id)
    ends = [event.event_id for event in events if isinstance(event.attributes, TASK_ENDS)]
    nearest = sorted(ends, key=lambda candidate: abs(candidate - event_id))[:3]
    choice = ", ".join(map(str, sorted(nearest))) or "none yet: no workflow task has ended"
    raise PointError(
        f"event {event_id} of {run} is {type(chosen).__name__}, and a run can be reset to a WorkflowTaskStarted, "
        f"…Completed, …Failed or …TimedOut event only; near it: {choice}"
    )


def first_task(events: Sequence[Event], run: str) -> int:
    """Id of the first WorkflowTaskCompleted: a reset there begins anew with the same input."""
    return _completed(events, run)[0]


def last_task(events: Sequence[Event], run: str) -> int:
    """Id of the last WorkflowTaskCompleted: a reset there runs the latest code of the workflow anew."""
    return _completed(events, run)[-1]


def task_of_activity(events: Sequence[Event], activity_id: str, run: str) -> int:
    """Id of the WorkflowTaskCompleted that scheduled the activity: a reset there has the code schedule it anew."""
    scheduled: Any = scheduled_activity(events, activity_id, run).attributes
    return int(scheduled.workflow_task_completed_event_id)


def _completed(events: Sequence[Event], run: str) -> list[int]:
    found = [event.event_id for event in events if isinstance(event.attributes, WorkflowTaskCompleted)]
    if not found:
        raise PointError(f"no workflow task of {run} has completed: there is nothing to go back to")
    return found


# -- through an event --------------------------------------------------------------------------------------------------


def through(events: Sequence[Event], event_id: int, run: str) -> Prefix:
    """Through the event, its workflow task whole; events of a workflow task itself mean ``task_again``.

    The event that closes the run cannot be kept: through it means before it, and for what code itself did to end
    the run, its last task again.

    Raises
    ------
    PointError
        No such event.
    """
    chosen = _event(events, event_id, run).attributes
    if isinstance(chosen, (WorkflowTaskStarted, *TASK_ENDS)):
        return task_again(events, event_id, run)
    if isinstance(chosen, _FROM_OUTSIDE):
        return _before(events, event_id, run)
    if isinstance(chosen, ActivityTaskStarted):
        # Never between the two: the pair is written together.
        following = events[event_id].attributes if event_id < len(events) else None
        pair = isinstance(following, _ACTIVITY_ENDS) and following.scheduled_event_id == chosen.scheduled_event_id
        kept = event_id + 1 if pair else event_id - 1
        return Prefix(list(events[:kept]), kept)
    completed = completed_by(events, event_id)
    if completed is None:
        return Prefix(list(events[:event_id]), event_id)
    last = block_end(events, completed.event_id)
    if type(events[last - 1].attributes) in CLOSING:
        return task_again(events, completed.event_id, run)
    return Prefix(list(events[:last]), last)


def _before(events: Sequence[Event], event_id: int, run: str) -> Prefix:
    """Before an event that came from outside."""
    if event_id <= 1:
        raise PointError(f"nothing of {run} comes before event {event_id}")
    if isinstance(events[event_id - 2].attributes, WorkflowExecutionStarted | WorkflowTaskStarted):
        return Prefix(list(events[: event_id - 1]), event_id - 1)
    return through(events, event_id - 1, run)


def completed_by(events: Sequence[Event], event_id: int) -> Event | None:
    """The WorkflowTaskCompleted among whose commands an event stands; None for one that is no command's."""
    at = event_id - 1
    while at > 0 and is_command(events[at].attributes):
        at -= 1
    return events[at] if at < event_id - 1 and isinstance(events[at].attributes, WorkflowTaskCompleted) else None


def block_end(events: Sequence[Event], completed_event_id: int) -> int:
    """Id of the last command event of a workflow task, or of its Completed where it has none."""
    last = completed_event_id
    while last < len(events) and is_command(events[last].attributes):
        last += 1
    return last


def is_command(attributes: Attributes) -> bool:
    """Whether workflow code asked for this event."""
    return attributes.event_type in _COMMANDS


_COMMANDS = frozenset(
    {
        EventType.ACTIVITY_TASK_SCHEDULED,
        EventType.ACTIVITY_TASK_CANCEL_REQUESTED,
        EventType.TIMER_STARTED,
        EventType.TIMER_CANCELED,
        EventType.START_CHILD_WORKFLOW_EXECUTION_INITIATED,
        EventType.REQUEST_CANCEL_EXTERNAL_WORKFLOW_EXECUTION_INITIATED,
        EventType.SIGNAL_EXTERNAL_WORKFLOW_EXECUTION_INITIATED,
        EventType.MARKER_RECORDED,
        EventType.UPSERT_WORKFLOW_SEARCH_ATTRIBUTES,
        EventType.WORKFLOW_PROPERTIES_MODIFIED,
        EventType.WORKFLOW_EXECUTION_UPDATE_ACCEPTED,
        EventType.WORKFLOW_EXECUTION_UPDATE_COMPLETED,
        EventType.WORKFLOW_EXECUTION_COMPLETED,
        EventType.WORKFLOW_EXECUTION_FAILED,
        EventType.WORKFLOW_EXECUTION_CANCELED,
        EventType.WORKFLOW_EXECUTION_CONTINUED_AS_NEW,
    }
)
"""Events that commands become (temporal-semantics 8.2)."""


# -- activities --------------------------------------------------------------------------------------------------------


def scheduled_activity(events: Sequence[Event], activity_id: str, run: str) -> Event:
    """The last ActivityTaskScheduled with this activity id.

    Raises
    ------
    PointError
        There is none; names those that there are.
    """
    known = []
    for event in reversed(events):
        attributes = event.attributes
        if isinstance(attributes, ActivityTaskScheduled):
            if attributes.activity_id == activity_id:
                return event
            known.append(f"{attributes.activity_id} ({attributes.activity_type})")
    listed = ", ".join(reversed(known[:10])) or "none"
    raise PointError(
        f"{run} has no activity with id {activity_id!r}; its activities are {listed} "
        f"(a local activity has no events of its own: choose an event before it)"
    )


def activity_again(events: Sequence[Event], activity_id: str, run: str) -> Prefix:
    """Through the workflow task that scheduled the activity: it is pending there, and so it runs anew."""
    return through(events, scheduled_activity(events, activity_id, run).event_id, run)


def with_result(events: Sequence[Event], activity_id: str, result: list[Payload] | None, run: str) -> Prefix:
    """Through the end of the activity, which ends with another result; one that has not ended, ends now."""
    scheduled = scheduled_activity(events, activity_id, run)
    changed = f"the result of activity {activity_id} ({scheduled.attributes.activity_type})"  # type: ignore[attr-defined]
    scheduled_id = scheduled.event_id
    completed = ActivityTaskCompleted(result, scheduled_id, 0, "")
    started_id, last = 0, 0
    for event in events[scheduled_id:]:
        attributes: Any = event.attributes
        if isinstance(attributes, ActivityTaskStarted) and attributes.scheduled_event_id == scheduled_id:
            started_id = event.event_id
        elif isinstance(attributes, _ACTIVITY_ENDS) and attributes.scheduled_event_id == scheduled_id:
            last = event.event_id
            break
    if last:
        kept, time = list(events[: last - 1]), events[last - 1].event_time
        completed.identity = getattr(events[last - 1].attributes, "identity", "")
    else:
        kept, last = _whole(events, run)
        time = kept[-1].event_time
    if not started_id:
        kept.append(Event(len(kept) + 1, time, ActivityTaskStarted(scheduled_id, attempt=1)))
        started_id = len(kept)
    completed.started_event_id = started_id
    kept.append(Event(len(kept) + 1, time, completed))
    return Prefix(kept, last, changed)


def _whole(events: Sequence[Event], run: str) -> tuple[list[Event], int]:
    """All that can be kept of a history without an open workflow task, and the id of its last event."""
    kept = list(events)
    if type(kept[-1].attributes) in CLOSING:
        kept = through(events, len(events), run).events
    if isinstance(kept[-1].attributes, WorkflowTaskStarted):
        kept.pop()
    return kept, len(kept)


def with_input(events: Sequence[Event], values: list[Payload] | None) -> Prefix:
    """The very beginning with another input: all that the code did with the old one is left out."""
    for event in events:
        if isinstance(event.attributes, WorkflowTaskStarted):
            kept = list(events[: event.event_id])
            break
    else:
        kept = list(events)
        if type(kept[-1].attributes) in CLOSING:
            kept.pop()
    started = msgspec.structs.replace(kept[0].attributes, input=values or None)
    kept[0] = Event(1, kept[0].event_time, started, kept[0].user_metadata)
    return Prefix(kept, len(kept), "the input of the workflow")


# -- the last good point -----------------------------------------------------------------------------------------------


def last_good(events: Sequence[Event], activity_id: str, run: str) -> Prefix:
    """Before what made a closed run fail, so that it is tried again.

    The activity that the failure names (or ``activity_id``) is pending again, and what else happened up to the next
    workflow task stays: siblings that completed meanwhile do not run again. Where a child failed, or the code itself
    raised, the workflow task that started the child, or the last one, runs again. A run that was terminated or ran
    out of time goes on where it stood.

    Raises
    ------
    PointError
        The run did not fail.
    """
    closing = events[-1].attributes
    following = getattr(closing, "new_execution_run_id", "")
    if following:
        raise PointError(f"{run} was followed by run {following}: retry that one")
    if activity_id:
        return _without_end(events, scheduled_activity(events, activity_id, run).event_id, run)
    if isinstance(closing, _FROM_OUTSIDE):
        return _before(events, len(events), run)
    if not isinstance(closing, WorkflowExecutionFailed):
        raise PointError(f"{run} {_CANNOT.get(type(closing), 'has not failed')}")
    for failure in closing.failure.chain() if closing.failure is not None else ():
        activity, child = failure.activity_failure_info, failure.child_workflow_execution_failure_info
        if activity is not None and _is(events, activity.scheduled_event_id, ActivityTaskScheduled):
            return _without_end(events, activity.scheduled_event_id, run)
        if child is not None and _is(events, child.initiated_event_id, StartChildWorkflowExecutionInitiated):
            completed = completed_by(events, child.initiated_event_id)
            if completed is not None:
                return task_again(events, completed.event_id, run)
    return task_again(events, last_task(events, run), run)


_CANNOT: dict[type[Attributes], str] = {
    WorkflowExecutionCompleted: "completed: there is nothing to retry; reset or fork it to run a part again",
    WorkflowExecutionCanceled: "was canceled as requested: reset it to a point before the request to go on",
}


def _is(events: Sequence[Event], event_id: int, kind: type[Attributes]) -> bool:
    return 0 < event_id <= len(events) and isinstance(events[event_id - 1].attributes, kind)


def _without_end(events: Sequence[Event], scheduled_id: int, run: str) -> Prefix:
    """Up to the workflow task that saw the activity's end, without that end; later ids move down."""
    pair = [event.event_id for event in events[scheduled_id:] if _belongs(event.attributes, scheduled_id)]
    if not pair or pair[-1] - pair[0] >= len(pair):
        return through(events, scheduled_id, run)
    last = pair[-1]
    while last < len(events) and not isinstance(events[last].attributes, WorkflowTaskStarted):
        last += 1
    moved: dict[int, int] = {}
    kept: list[Event] = []
    for event in events[:last]:
        attributes: Any = event.attributes
        if event.event_id in pair or type(attributes) in CLOSING:
            continue
        if event.event_id > pair[0]:
            if isinstance(attributes, WorkflowTaskScheduled):
                continue  # It is scheduled anew behind what stays.
            attributes = _moved(attributes, moved)
        kept.append(Event(len(kept) + 1, event.event_time, attributes, event.user_metadata))
        moved[event.event_id] = len(kept)
    return Prefix(kept, last)


def _belongs(attributes: Any, scheduled_id: int) -> bool:
    kinds = (ActivityTaskStarted, *_ACTIVITY_ENDS)
    return isinstance(attributes, kinds) and attributes.scheduled_event_id == scheduled_id


def _moved(attributes: Attributes, moved: dict[int, int]) -> Attributes:
    """Attributes with the ids of events that moved."""
    changes = {
        name: moved[getattr(attributes, name)]
        for name in ("started_event_id", "scheduled_event_id", "initiated_event_id")
        if getattr(attributes, name, 0) in moved
    }
    return msgspec.structs.replace(attributes, **changes) if changes else attributes


def _event(events: Sequence[Event], event_id: int, run: str) -> Event:
    if not 1 <= event_id <= len(events):
        raise PointError(f"there is no event {event_id} in {run}: its history has events 1 to {len(events)}")
    return events[event_id - 1]
