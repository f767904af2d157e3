"""A timer::

    none ──Started──▶ pending ──Fired / Canceled──▶ none

A timer born and canceled within one workflow task leaves no event and so never gets here.
"""

from __future__ import annotations

from durable_nb.core.machines.machine import IllegalTransitionError, Table
from durable_nb.core.state import ExecutionState, TimerState
from durable_nb.model.attributes import TimerCanceled, TimerFired, TimerStarted
from durable_nb.model.events import Event

TABLE = Table(
    "timer",
    {
        ("none", TimerStarted): "pending",
        ("pending", TimerFired): "none",
        ("pending", TimerCanceled): "none",
    },
)


def state_of(state: ExecutionState, timer_id: str) -> str:
    """``none`` or ``pending``."""
    return "pending" if timer_id in state.timers else "none"


def _started(state: ExecutionState, event: Event) -> None:
    attributes: TimerStarted = event.attributes  # type: ignore[assignment]
    if attributes.timer_id in state.timers:
        raise IllegalTransitionError("timer", "pending", TimerStarted, event.event_id)
    fire_at = event.event_time + attributes.start_to_fire_timeout
    state.timers[attributes.timer_id] = TimerState(attributes.timer_id, event.event_id, fire_at)
    state.add_deadline(fire_at, "timer", attributes.timer_id)


def _ended(state: ExecutionState, event: Event) -> None:
    if state.timers.pop(event.attributes.timer_id, None) is None:  # type: ignore[attr-defined]
        raise IllegalTransitionError("timer", "none", type(event.attributes), event.event_id)


APPLY = {TimerStarted: _started, TimerFired: _ended, TimerCanceled: _ended}
