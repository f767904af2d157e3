"""Forks of recorded histories, made by the core alone: what a fork at an event would begin with."""

from __future__ import annotations

from collections.abc import Sequence

from durable_nb.core import points
from durable_nb.core.branch import Branch, branch
from durable_nb.core.fold import apply
from durable_nb.core.points import Prefix
from durable_nb.core.state import ExecutionState
from durable_nb.core.transition import NOT_LEASED, Context
from durable_nb.model.attributes import WorkflowTaskStarted
from durable_nb.model.events import Event

LATER = 4_000_000_000_000_000
"""Microseconds; after every event of the scenes."""


def folded(workflow_id: str, events: Sequence[Event]) -> ExecutionState:
    """State at the end of a history."""
    state = ExecutionState(1, "default", workflow_id, "old-run")
    for event in events:
        apply(state, event)
    return state


def forked(workflow_id: str, events: Sequence[Event], prefix: Prefix, *, reset: bool = False) -> list[Event]:
    """The new history up to where its next workflow task has started."""
    context = Context(1, "me", lambda queue, kind: NOT_LEASED, lambda: 3, lambda: "newer-run", 10_000)
    old = folded(workflow_id, events)
    asked = Branch(prefix, "" if reset else workflow_id, reapply_signals=reset, reapply_updates=reset)
    tx = branch(context, old, events, asked, 2, "new-run", LATER)
    task = tx.state.workflow_task
    assert task is not None
    assert task.scheduled_event_id == tx.events[-1].event_id
    folded(workflow_id, tx.events)
    started = Event(len(tx.events) + 1, LATER, WorkflowTaskStarted(task.scheduled_event_id, "me"))
    return [*tx.events, started]


def through(workflow_id: str, events: Sequence[Event], event_id: int) -> Prefix:
    return points.through(events, event_id, points.where(workflow_id, "old-run"))
