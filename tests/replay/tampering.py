"""Ways to change a history so that its workflow could not have made it."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from typing import Any

Events = list[dict[str, Any]]
Change = Callable[[Events], None]


def attributes(event: dict[str, Any]) -> dict[str, Any]:
    value: dict[str, Any] = next(value for key, value in event.items() if key.endswith("EventAttributes"))
    return value


def first(events: Events, kind: str) -> int:
    return next(n for n, event in enumerate(events) if event["eventType"] == f"EVENT_TYPE_{kind}")


def tampered(text: str, change: Change) -> str:
    """The history with a change, its events numbered anew."""
    events: Events = copy.deepcopy(json.loads(text)["events"])
    change(events)
    moved = {event["eventId"]: str(number) for number, event in enumerate(events, 1)}
    for event in events:
        event["eventId"] = moved[event["eventId"]]
        for key, value in attributes(event).items():
            if key.endswith("EventId") and value in moved:
                attributes(event)[key] = moved[value]
    return json.dumps({"events": events})


def set_in(kind: str, *path: str, value: Any) -> Change:
    def change(events: Events) -> None:
        place = attributes(events[first(events, kind)])
        for key in path[:-1]:
            place = place[key]
        place[path[-1]] = value

    return change


def drop(kind: str) -> Change:
    return lambda events: events.pop(first(events, kind)) and None


def swap_first_two(kind: str) -> Change:
    def change(events: Events) -> None:
        at = first(events, kind)
        assert events[at + 1]["eventType"] == events[at]["eventType"]
        events[at]["eventId"], events[at + 1]["eventId"] = events[at + 1]["eventId"], events[at]["eventId"]
        events[at], events[at + 1] = events[at + 1], events[at]

    return change


def repeat(kind: str) -> Change:
    def change(events: Events) -> None:
        at = first(events, kind)
        events.insert(at + 1, {**copy.deepcopy(events[at]), "eventId": "again"})

    return change


def into_timer(kind: str) -> Change:
    def change(events: Events) -> None:
        at = first(events, kind)
        events[at] = {
            "eventId": events[at]["eventId"],
            "eventTime": events[at]["eventTime"],
            "eventType": "EVENT_TYPE_TIMER_STARTED",
            "timerStartedEventAttributes": {"timerId": "1", "startToFireTimeout": "1s"},
        }

    return change


def ends_in_failure(events: Events) -> None:
    last = events[-1]
    events[-1] = {
        "eventId": last["eventId"],
        "eventTime": last["eventTime"],
        "eventType": "EVENT_TYPE_WORKFLOW_EXECUTION_FAILED",
        "workflowExecutionFailedEventAttributes": {"failure": {"message": "no"}},
    }


CHANGES: dict[str, tuple[str, Change]] = {
    "activity-type": ("fan-out", set_in("ACTIVITY_TASK_SCHEDULED", "activityType", "name", value="other")),
    "activity-id": ("fan-out", set_in("ACTIVITY_TASK_SCHEDULED", "activityId", value="other")),
    "permuted": ("fan-out", swap_first_two("ACTIVITY_TASK_SCHEDULED")),
    "extra-activity": ("fan-out", repeat("ACTIVITY_TASK_SCHEDULED")),
    "kind": ("outcomes", into_timer("ACTIVITY_TASK_SCHEDULED")),
    "terminal-kind": ("fan-out", ends_in_failure),
    "timer-id": ("timers", set_in("TIMER_FIRED", "timerId", value="77")),
    "no-timer-canceled": ("timers", drop("TIMER_CANCELED")),
    "no-timer-started": ("timers", drop("TIMER_STARTED")),
    "no-cancel-request": ("cancels-activity-1", drop("ACTIVITY_TASK_CANCEL_REQUESTED")),
    "child-type": ("family", set_in("START_CHILD_WORKFLOW_EXECUTION_INITIATED", "workflowType", "name", value="Other")),
    "child-id": ("family", set_in("START_CHILD_WORKFLOW_EXECUTION_INITIATED", "workflowId", value="other")),
    "no-signal": ("mailbox", drop("WORKFLOW_EXECUTION_SIGNALED")),
    "no-marker": ("locals", drop("MARKER_RECORDED")),
    "other-patch": ("patched", drop("MARKER_RECORDED")),
    "other-seed": ("dice", set_in("WORKFLOW_EXECUTION_STARTED", "originalExecutionRunId", value="other")),
}
"""What was done: the workflow ID of the history, and how to change it."""

STRICT_CHANGES: dict[str, tuple[str, Change]] = {
    "input": ("outcomes", set_in("ACTIVITY_TASK_SCHEDULED", "input", "payloads", value=[])),
    "timeout": ("outcomes", set_in("ACTIVITY_TASK_SCHEDULED", "startToCloseTimeout", value="7s")),
    "result": ("fan-out", set_in("WORKFLOW_EXECUTION_COMPLETED", "result", "payloads", value=[])),
    "child-input": ("family", set_in("START_CHILD_WORKFLOW_EXECUTION_INITIATED", "input", "payloads", value=[])),
}
"""What only the strict comparison finds."""
