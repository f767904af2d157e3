"""An update, from its acceptance::

    none ──Accepted──▶ accepted ──Completed──▶ completed

Before it is accepted an update is not durable; a rejected one leaves no event. An ID is never used again in a run.
"""

from __future__ import annotations

from durable_nb.core.machines.machine import IllegalTransitionError, Table
from durable_nb.core.state import NO_UPDATES, ExecutionState, UpdateState
from durable_nb.model.attributes import WorkflowExecutionUpdateAccepted, WorkflowExecutionUpdateCompleted
from durable_nb.model.events import Event

TABLE = Table(
    "update",
    {
        ("none", WorkflowExecutionUpdateAccepted): "accepted",
        ("accepted", WorkflowExecutionUpdateCompleted): "completed",
    },
)


def state_of(state: ExecutionState, update_id: str) -> str:
    """``none``, ``accepted`` or ``completed``."""
    update = state.updates.get(update_id)
    if update is None:
        return "none"
    return "accepted" if update.outcome is None else "completed"


def _accepted(state: ExecutionState, event: Event) -> None:
    attributes: WorkflowExecutionUpdateAccepted = event.attributes  # type: ignore[assignment]
    request = attributes.accepted_request
    update_id = request.meta.update_id if request and request.meta else attributes.protocol_instance_id
    TABLE.next_state(state_of(state, update_id), WorkflowExecutionUpdateAccepted, event.event_id)
    state.updates[update_id] = UpdateState(event.event_id)
    if update_id in state.admitted:
        forget(state, update_id)


def forget(state: ExecutionState, update_id: str) -> None:
    """An update that a reset asked again has its answer."""
    state.admitted = {name: each for name, each in state.admitted.items() if name != update_id} or NO_UPDATES


def _completed(state: ExecutionState, event: Event) -> None:
    attributes: WorkflowExecutionUpdateCompleted = event.attributes  # type: ignore[assignment]
    update_id = attributes.meta.update_id if attributes.meta else ""
    if state_of(state, update_id) != "accepted":
        raise IllegalTransitionError(
            "update", state_of(state, update_id), WorkflowExecutionUpdateCompleted, event.event_id
        )
    state.updates[update_id].outcome = attributes.outcome


APPLY = {WorkflowExecutionUpdateAccepted: _accepted, WorkflowExecutionUpdateCompleted: _completed}
