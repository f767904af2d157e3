"""Where a reset, fork or retry begins: the prefix of the old history that the request asks for (see ``branch``)."""

from __future__ import annotations

from collections.abc import Sequence

from durable_nb.core import points
from durable_nb.core.points import PointError, Prefix
from durable_nb.core.state import ExecutionState
from durable_nb.model.events import Event
from durable_nb.model.requests import ForkWorkflow, ResetTo, ResetWorkflow, RetryWorkflow


def beginning(
    old: ExecutionState, events: Sequence[Event], request: ResetWorkflow | ForkWorkflow | RetryWorkflow
) -> Prefix:
    """What the new run has in common with the old one.

    Raises
    ------
    PointError
        There is no such point, or the request does not say which; the message says what would do.
    """
    run = points.where(old.workflow_id, old.run_id)
    if isinstance(request, ForkWorkflow):
        return _fork_point(events, request, run)
    if isinstance(request, RetryWorkflow):
        return points.last_good(events, request.activity_id, run)
    return _reset_point(events, request, run)


def _reset_point(events: Sequence[Event], request: ResetWorkflow, run: str) -> Prefix:
    event_id = request.workflow_task_finish_event_id
    if request.activity_id:
        event_id = points.task_of_activity(events, request.activity_id, run)
    elif request.to is ResetTo.FIRST_TASK:
        event_id = points.first_task(events, run)
    elif request.to is ResetTo.LAST_TASK:
        event_id = points.last_task(events, run)
    return points.task_again(events, event_id, run)


def _fork_point(events: Sequence[Event], request: ForkWorkflow, run: str) -> Prefix:
    if request.result is not None and not request.activity_id:
        raise PointError("an edited result needs the activity that it is of: give activity_id, too")
    if request.input is not None:
        if request.activity_id or request.event_id:
            raise PointError("an edited input changes all that follows: such a fork begins anew and has no other point")
        return points.with_input(events, request.input)
    if request.activity_id:
        if request.event_id:
            raise PointError("give event_id or activity_id, not both")
        if request.result is not None:
            return points.with_result(events, request.activity_id, request.result, run)
        return points.activity_again(events, request.activity_id, run)
    if not request.event_id:
        raise PointError("say where to fork: event_id, activity_id (with or without a result), or an input")
    return points.through(events, request.event_id, run)
