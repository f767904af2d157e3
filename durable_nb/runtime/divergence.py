"""The messages of histories that do not fit: what is recorded, what the code did, where, and how to fix it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from durable_nb.runtime.errors import NondeterminismError
from durable_nb.runtime.issued import Issued
from durable_nb.runtime.matching import COMMAND_EVENTS, show
from durable_nb.runtime.place import describe, waiting_place

if TYPE_CHECKING:
    from durable_nb.model.events import Event
    from durable_nb.runtime.instance import WorkflowInstance

_FIX = (
    'keep the old path for runs that are open, if workflow.patched("some-id"): new path, else: old path; or start '
    "a new workflow ID"
)


def diverged(
    run: WorkflowInstance, event: Event, actual: str = "", problem: str = "", issued: Issued | None = None
) -> NondeterminismError:
    """The error for an event that the code did not ask for, or a command that has no event.

    Parameters
    ----------
    event
        Where history and code part.
    actual
        What the code did, when it is not a command.
    problem
        What is wrong with the event itself, when the code is not to blame.
    issued
        The command that stands where the event should.
    """
    attributes = event.attributes
    if issued is not None and type(attributes) not in COMMAND_EVENTS:
        recorded = f"no further command in that workflow task (event {event.event_id} is {type(attributes).__name__})"
    else:
        recorded = show(attributes)
    place = None if issued is None else issued.place
    if issued is not None:
        actual = show(issued.attributes)
        where = describe(place)
    else:
        place = waiting_place(run.loop.tasks)
        where = f"waits at {describe(place)}" if place else ""
    what = f"replay of workflow '{run.workflow_id}' ({run.workflow_type}) diverged at event {event.event_id}"
    lines = [f"[TMPRL1100] Nondeterminism error: {what}"]
    lines += [f"  recorded   {recorded}", f"  your code  {problem or actual}"]
    if where:
        lines.append(f"  where      {where}")
    lines.append(f"  fix        {_FIX}")
    return NondeterminismError(
        "\n".join(lines), event_id=event.event_id, recorded=recorded, actual=problem or actual, where=where
    )


def malformed(run: WorkflowInstance, event: Event, problem: str) -> NondeterminismError:
    """The error for a history that no engine would write."""
    kind = type(event.attributes).__name__
    message = (
        f"[TMPRL1100] Nondeterminism error: the history of workflow '{run.workflow_id}' ({run.workflow_type}) cannot "
        f"be replayed: event {event.event_id}, {kind}, {problem}"
    )
    return NondeterminismError(message, event_id=event.event_id, recorded=kind)
