"""What happened to a run at an instant: signals, updates, workflow tasks, requests to cancel, its start and close.

Pure: a history in, ``Mark`` objects out, in the order of the history.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from durable_nb.analytics.lanes import error_line
from durable_nb.model import attributes as a
from durable_nb.model.enums import EventType
from durable_nb.model.events import TERMINAL_EVENT_TYPES, Event


class Mark(NamedTuple):
    """An instant, or for a workflow task and an update the stretch from its beginning to its end.

    ``kind`` is ``start``, ``close``, ``signal``, ``update``, ``task``, ``cancel``, ``marker`` or ``external``.
    """

    start: int
    end: int
    kind: str
    label: str
    event_id: int
    outcome: str = ""
    """As of a segment: ``completed``, ``failed``…; empty for what is open or has no outcome."""
    note: str = ""


_OUTCOMES = {
    EventType.WORKFLOW_EXECUTION_COMPLETED: "completed",
    EventType.WORKFLOW_EXECUTION_FAILED: "failed",
    EventType.WORKFLOW_EXECUTION_TIMED_OUT: "timed_out",
    EventType.WORKFLOW_EXECUTION_CANCELED: "canceled",
    EventType.WORKFLOW_EXECUTION_TERMINATED: "failed",
    EventType.WORKFLOW_EXECUTION_CONTINUED_AS_NEW: "completed",
}


def run_marks(events: Iterable[Event], *, end: int = 0) -> list[Mark]:
    """Marks of a history. ``end`` (0: the last event) is up to when an open workflow task or update goes."""
    reader = _Marks()
    reader.read(events)
    return reader.finish(end)


class _Marks:
    def __init__(self) -> None:
        self._marks: list[Mark] = []
        self._open: dict[int, int] = {}
        """Event ID of what is open, to its index in the marks."""
        self._last = 0

    def read(self, events: Iterable[Event]) -> None:
        readers: dict[type[Any], Callable[[Any, Event], None]] = {
            a.WorkflowExecutionStarted: self._started,
            a.WorkflowExecutionSignaled: lambda body, event: self._add("signal", body.signal_name, event),
            a.WorkflowExecutionCancelRequested: lambda body, event: self._add("cancel", body.cause, event),
            a.WorkflowExecutionUpdateAccepted: self._update,
            a.WorkflowExecutionUpdateCompleted: self._update_done,
            a.WorkflowTaskScheduled: self._task,
            a.WorkflowTaskCompleted: lambda body, event: self._end(body.scheduled_event_id, event, "completed"),
            a.WorkflowTaskFailed: self._task_failed,
            a.WorkflowTaskTimedOut: lambda body, event: self._end(body.scheduled_event_id, event, "timed_out"),
            a.MarkerRecorded: lambda body, event: self._add("marker", body.marker_name, event),
            a.SignalExternalWorkflowExecutionInitiated: lambda body, event: self._add(
                "external", f"signal {body.signal_name}", event
            ),
            a.RequestCancelExternalWorkflowExecutionInitiated: lambda body, event: self._add(
                "external", "cancel another workflow", event
            ),
        }
        for event in events:
            body = event.attributes
            read = readers.get(type(body))
            if read is not None:
                read(body, event)
            elif body.event_type in TERMINAL_EVENT_TYPES:
                outcome = _OUTCOMES[body.event_type]
                note = error_line(getattr(body, "failure", None)) or str(getattr(body, "reason", ""))
                self._add("close", body.event_type.title, event, outcome, note)
            self._last = event.event_time

    def finish(self, end: int) -> list[Mark]:
        for index in self._open.values():
            mark = self._marks[index]
            self._marks[index] = mark._replace(end=max(end, self._last, mark.start))
        return self._marks

    def _add(self, kind: str, label: str, event: Event, outcome: str = "", note: str = "") -> None:
        self._marks.append(Mark(event.event_time, event.event_time, kind, label, event.event_id, outcome, note))

    def _begin(self, kind: str, label: str, event: Event) -> None:
        self._open[event.event_id] = len(self._marks)
        self._add(kind, label, event)

    def _end(self, event_id: int, event: Event, outcome: str, note: str = "") -> None:
        index = self._open.pop(event_id, None)
        if index is not None:
            self._marks[index] = self._marks[index]._replace(end=event.event_time, outcome=outcome, note=note)

    def _started(self, body: a.WorkflowExecutionStarted, event: Event) -> None:
        self._add("start", body.workflow_type, event)

    def _task(self, body: a.WorkflowTaskScheduled, event: Event) -> None:
        self._begin("task", "workflow task", event)

    def _task_failed(self, body: a.WorkflowTaskFailed, event: Event) -> None:
        self._end(body.scheduled_event_id, event, "failed", error_line(body.failure))

    def _update(self, body: a.WorkflowExecutionUpdateAccepted, event: Event) -> None:
        request = body.accepted_request.input if body.accepted_request is not None else None
        self._begin("update", request.name if request is not None else "", event)

    def _update_done(self, body: a.WorkflowExecutionUpdateCompleted, event: Event) -> None:
        failure = body.outcome.failure if body.outcome is not None else None
        self._end(body.accepted_event_id, event, "completed" if failure is None else "failed", error_line(failure))
