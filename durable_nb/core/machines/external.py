"""Signals and cancel requests to other workflows (and to children), each until it is acknowledged::

    none ──SignalExternalInitiated──▶ pending ──ExternalSignaled / SignalExternalFailed──▶ none
    none ──RequestCancelExternalInitiated──▶ pending ──ExternalCancelRequested / RequestCancelExternalFailed──▶ none

Each request is named by the id of its Initiated event.
"""

from __future__ import annotations

from durable_nb.core.machines.machine import IllegalTransitionError, Table
from durable_nb.core.state import ExecutionState
from durable_nb.model.attributes import (
    ExternalWorkflowExecutionCancelRequested,
    ExternalWorkflowExecutionSignaled,
    RequestCancelExternalWorkflowExecutionFailed,
    RequestCancelExternalWorkflowExecutionInitiated,
    SignalExternalWorkflowExecutionFailed,
    SignalExternalWorkflowExecutionInitiated,
)
from durable_nb.model.events import Event

TABLE = Table(
    "external request",
    {
        ("none", SignalExternalWorkflowExecutionInitiated): "signal pending",
        ("signal pending", ExternalWorkflowExecutionSignaled): "none",
        ("signal pending", SignalExternalWorkflowExecutionFailed): "none",
        ("none", RequestCancelExternalWorkflowExecutionInitiated): "cancel pending",
        ("cancel pending", ExternalWorkflowExecutionCancelRequested): "none",
        ("cancel pending", RequestCancelExternalWorkflowExecutionFailed): "none",
    },
)


def state_of(state: ExecutionState, initiated_event_id: int) -> str:
    """``none``, ``signal pending`` or ``cancel pending``."""
    if initiated_event_id in state.external_signals:
        return "signal pending"
    return "cancel pending" if initiated_event_id in state.external_cancels else "none"


def _signal(state: ExecutionState, event: Event) -> None:
    state.external_signals[event.event_id] = event.attributes  # type: ignore[assignment]


def _signal_done(state: ExecutionState, event: Event) -> None:
    if state.external_signals.pop(event.attributes.initiated_event_id, None) is None:  # type: ignore[attr-defined]
        raise IllegalTransitionError("external request", "none", type(event.attributes), event.event_id)


def _cancel(state: ExecutionState, event: Event) -> None:
    state.external_cancels[event.event_id] = event.attributes  # type: ignore[assignment]


def _cancel_done(state: ExecutionState, event: Event) -> None:
    if state.external_cancels.pop(event.attributes.initiated_event_id, None) is None:  # type: ignore[attr-defined]
        raise IllegalTransitionError("external request", "none", type(event.attributes), event.event_id)


APPLY = {
    SignalExternalWorkflowExecutionInitiated: _signal,
    ExternalWorkflowExecutionSignaled: _signal_done,
    SignalExternalWorkflowExecutionFailed: _signal_done,
    RequestCancelExternalWorkflowExecutionInitiated: _cancel,
    ExternalWorkflowExecutionCancelRequested: _cancel_done,
    RequestCancelExternalWorkflowExecutionFailed: _cancel_done,
}
