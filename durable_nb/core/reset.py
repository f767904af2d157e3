"""Reset: the same chain goes on from the start of an earlier workflow task, whose code runs anew (see ``branch``)."""

from __future__ import annotations

from collections.abc import Sequence

from durable_nb.core import points
from durable_nb.core.branch import Branch, branch
from durable_nb.core.points import PointError, Prefix
from durable_nb.core.state import ExecutionState
from durable_nb.core.transition import Context, Transition
from durable_nb.model.events import Event
from durable_nb.model.requests import ResetTo, ResetWorkflow

ResetError = PointError
"""The run cannot be reset to that event; the message says why and what can be done."""


def reset_point(old: ExecutionState, events: Sequence[Event], request: ResetWorkflow) -> Prefix:
    """The beginning that the request asks for.

    Raises
    ------
    PointError
        There is no such point.
    """
    run = points.where(old.workflow_id, old.run_id)
    event_id = request.workflow_task_finish_event_id
    if request.activity_id:
        event_id = points.task_of_activity(events, request.activity_id, run)
    elif request.to is ResetTo.FIRST_TASK:
        event_id = points.first_task(events, run)
    elif request.to is ResetTo.LAST_TASK:
        event_id = points.last_task(events, run)
    return points.task_again(events, event_id, run)


def reset(
    context: Context,
    old: ExecutionState,
    events: Sequence[Event],
    request: ResetWorkflow,
    run_key: int,
    run_id: str,
    now: int,
    following: Sequence[Event] = (),
) -> Transition:
    """First transition of the new run; see ``branch``.

    Raises
    ------
    PointError
        There is no such point, or something was just being sent there.
    """
    asked = Branch(
        reset_point(old, events, request),
        reason=request.reason,
        identity=request.identity,
        reapply_signals=request.reapply_signals,
        reapply_updates=request.reapply_updates,
        following=following,
    )
    return branch(context, old, events, asked, run_key, run_id, now)
