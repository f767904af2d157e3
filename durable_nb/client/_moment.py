"""A run as it was at an event: what ``WorkflowHandle.at`` gives."""

from __future__ import annotations

import linecache
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from durable_nb.core import describe
from durable_nb.core.fold import apply
from durable_nb.core.state import ExecutionState
from durable_nb.model.attributes import ActivityTaskScheduled, WorkflowExecutionStarted
from durable_nb.model.events import Event
from durable_nb.model.payload import Payload
from durable_nb.model.requests import PendingChild, PendingTimer
from durable_nb.runtime.travel import RUN_TASK, ConditionState, TaskState, Visit

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_CONTEXT = 3
"""Lines of source above and below the one that is shown."""


class SourceLine(NamedTuple):
    """A line of source; ``current`` marks the one where the code stands."""

    number: int
    text: str
    current: bool


class Frame(NamedTuple):
    """Where code stands: ``file`` is a path or a cell (``cell [3]``), ``variables`` are the frame's own."""

    file: str
    line: int
    function: str
    variables: Mapping[str, Any]
    source: Sequence[SourceLine]


class Waiting(NamedTuple):
    """A task of the workflow that waits; frames outermost first. ``name`` is ``run``, ``signal: approve``, …

    ``raised`` names the stack of the error in which a workflow task fails.
    """

    name: str
    frames: Sequence[Frame]


class ScheduledActivity(NamedTuple):
    """An activity that has no outcome yet."""

    activity_id: str
    activity_type: str
    input: Sequence[Payload]
    scheduled_event_id: int


class Moment:
    """A run as its code was at an event. Holds live objects: look at them, nothing that is done to them has effect.

    Attributes
    ----------
    workflow_id, run_id, workflow_type
        Which run.
    code
        Which code was replayed: the version of the run, or, where that is not to be had, which other and why; "" where
        versions are not known.
    event
        The event that was asked for.
    task_completed
        Id of the WorkflowTaskCompleted at whose end the state was taken; 0 for none.
    seen
        Whether the code had taken the event in by then.
    note
        In words, which moment that is.
    time
        Workflow time: what ``workflow.now()`` says.
    workflow
        The object of the workflow class; None for function workflows and before ``__init__``.
    locals
        Local variables of ``run``, without ``self``.
    tasks
        What waits, with its stack: ``run`` first, handlers, tasks that the code made.
    activities, timers, children, conditions, handlers, buffered_signals
        Pending work. ``buffered_signals`` counts signals without a handler by name.
    is_closed
        Whether the code had ended the run.
    error
        The error in which the workflow task fails, else None.
    """

    def __init__(self, visit: Visit, state: ExecutionState, event: Event, run_id: str, code: str, seen: bool) -> None:
        self._visit = visit
        self.workflow_id = state.workflow_id
        self.run_id = run_id
        self.workflow_type = state.started.workflow_type
        self.code = code
        self.event = event
        self.task_completed = visit.stop.task_completed
        self.seen = seen
        self.time = _EPOCH + timedelta(microseconds=visit.time)
        self.workflow = visit.object
        self.error = visit.error
        self.is_closed = visit.closed
        self.tasks: Sequence[Waiting] = [_waiting(task) for task in visit.tasks]
        self.conditions: Sequence[Frame] = [_condition(each) for each in visit.conditions]
        self.handlers: Sequence[str] = visit.handlers
        self.buffered_signals: Mapping[str, int] = visit.buffered_signals
        self.activities: Sequence[ScheduledActivity] = [
            _scheduled(each.attributes, each.scheduled_event_id) for each in state.activities.values()
        ]
        self.timers: Sequence[PendingTimer] = describe.pending_timers(state)
        self.children: Sequence[PendingChild] = describe.pending_children(state)
        self.current_details = visit.current_details
        self.note = self._note()

    @classmethod
    def _from_visit(
        cls,
        visit: Visit,
        workflow_id: str,
        run_id: str,
        events: Sequence[Event],
        event_id: int,
        code: str,
    ) -> Moment:
        state = ExecutionState(0, "", workflow_id, run_id)
        for event in events[: visit.stop.end]:
            apply(state, event)
        if not visit.stop.end:
            state.started = events[0].attributes  # type: ignore[assignment]
        seen = event_id <= visit.stop.end or visit.stop.fails
        return cls(visit, state, events[event_id - 1], run_id, code, seen)

    def _note(self) -> str:
        ident = self.event.event_id
        if self.error is not None:
            return (
                f"the workflow task behind event {self._visit.stop.end} fails; the code was run once more to see where"
            )
        if not self.task_completed:
            return "no workflow task has completed yet: none of the code has run"
        if not self.seen:
            return (
                f"the code has not taken in event {ident} yet: this is the end of its last workflow task, "
                f"completed by event {self.task_completed}"
            )
        return f"the end of the workflow task that took in event {ident}, completed by event {self.task_completed}"

    # -- looking ---------------------------------------------------------------------------------------------------

    @property
    def event_id(self) -> int:
        """Id of the event that was asked for."""
        return self.event.event_id

    @property
    def locals(self) -> dict[str, Any]:
        """Local variables of ``run``, without ``self``; {} where ``run`` has not begun."""
        frame = self._run_frame()
        return {} if frame is None else {k: v for k, v in frame.variables.items() if k != "self"}

    @property
    def attributes(self) -> dict[str, Any]:
        """Attributes of the workflow object."""
        if self.workflow is None:
            return {}
        slots = [name for cls in type(self.workflow).__mro__ for name in getattr(cls, "__slots__", ())]
        found = {name: getattr(self.workflow, name) for name in slots if hasattr(self.workflow, name)}
        return {**found, **getattr(self.workflow, "__dict__", {})}

    @property
    def stack(self) -> Sequence[Frame]:
        """Stack of ``run`` (of the error, where the code fails), outermost first."""
        return self.tasks[0].frames if self.tasks else []

    @property
    def where(self) -> Frame | None:
        """The innermost frame of ``run``: the line at which it waits."""
        return self.stack[-1] if self.stack else None

    def _run_frame(self) -> Frame | None:
        return next((task.frames[0] for task in self.tasks if task.name in (RUN_TASK, "raised")), None)

    def close(self) -> None:
        """Let go of the coroutines now, not when the last reference goes."""
        self._visit.close()

    def __repr__(self) -> str:
        frame = self.where
        at = f": {frame.function} at {frame.file}, line {frame.line}" if frame is not None else ""
        return f"<Moment of {self.workflow_id!r} at event {self.event_id} {self.event.event_type.title}{at}>"


def _waiting(task: TaskState) -> Waiting:
    return Waiting(task.name, [_frame(each.filename, each.line, each.function, each.variables) for each in task.frames])


def _frame(filename: str, line: int, function: str, variables: Mapping[str, Any]) -> Frame:
    return Frame(filename, line, function, variables, source_lines(filename, line))


def _condition(state: ConditionState) -> Frame:
    return _frame(state.filename, state.line, "condition", {})


def source_lines(filename: str, line: int) -> list[SourceLine]:
    """A line of a file or cell with those around it; none where the source is gone."""
    lines = linecache.getlines(filename)
    if not 1 <= line <= len(lines):
        return []
    first, last = max(1, line - _CONTEXT), min(len(lines), line + _CONTEXT)
    return [SourceLine(n, lines[n - 1].rstrip("\r\n"), n == line) for n in range(first, last + 1)]


def _scheduled(attributes: ActivityTaskScheduled, event_id: int) -> ScheduledActivity:
    return ScheduledActivity(attributes.activity_id, attributes.activity_type, attributes.input or [], event_id)


__all__ = ["Frame", "Moment", "ScheduledActivity", "SourceLine", "Waiting", "WorkflowExecutionStarted"]
