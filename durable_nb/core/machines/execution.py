"""The run itself::

    new ──Started──▶ running ──Completed / Failed / Canceled / Terminated / TimedOut / ContinuedAsNew──▶ closed
                       │  ▲
                       └──┘ Signaled, CancelRequested, UpsertSearchAttributes, PropertiesModified, MarkerRecorded

A closed run accepts no event (invariant of this table).
"""

from __future__ import annotations

from collections.abc import Callable

from durable_nb.core.machines.machine import Table
from durable_nb.core.state import ExecutionState
from durable_nb.model.attributes import (
    Attributes,
    MarkerRecorded,
    UpsertWorkflowSearchAttributes,
    WorkflowExecutionCanceled,
    WorkflowExecutionCancelRequested,
    WorkflowExecutionCompleted,
    WorkflowExecutionContinuedAsNew,
    WorkflowExecutionFailed,
    WorkflowExecutionSignaled,
    WorkflowExecutionStarted,
    WorkflowExecutionTerminated,
    WorkflowExecutionTimedOut,
    WorkflowPropertiesModified,
)
from durable_nb.model.enums import WorkflowExecutionStatus
from durable_nb.model.events import Event
from durable_nb.model.payload import Payload

CLOSING: dict[type[Attributes], WorkflowExecutionStatus] = {
    WorkflowExecutionCompleted: WorkflowExecutionStatus.COMPLETED,
    WorkflowExecutionFailed: WorkflowExecutionStatus.FAILED,
    WorkflowExecutionCanceled: WorkflowExecutionStatus.CANCELED,
    WorkflowExecutionTerminated: WorkflowExecutionStatus.TERMINATED,
    WorkflowExecutionTimedOut: WorkflowExecutionStatus.TIMED_OUT,
    WorkflowExecutionContinuedAsNew: WorkflowExecutionStatus.CONTINUED_AS_NEW,
}
"""Status that each closing event gives."""

TABLE = Table(
    "execution",
    {
        ("new", WorkflowExecutionStarted): "running",
        ("running", WorkflowExecutionSignaled): "running",
        ("running", WorkflowExecutionCancelRequested): "running",
        ("running", UpsertWorkflowSearchAttributes): "running",
        ("running", WorkflowPropertiesModified): "running",
        ("running", MarkerRecorded): "running",
        **{("running", closing): "closed" for closing in CLOSING},
    },
)


def state_of(state: ExecutionState) -> str:
    """``new``, ``running`` or ``closed``."""
    if state.next_event_id == 1:
        return "new"
    return "running" if state.is_open else "closed"


def _started(state: ExecutionState, event: Event) -> None:
    TABLE.next_state(state_of(state), WorkflowExecutionStarted, event.event_id)
    attributes: WorkflowExecutionStarted = event.attributes  # type: ignore[assignment]
    state.started = attributes
    state.user_metadata = event.user_metadata
    state.start_time = event.event_time
    state.first_execution_run_id = attributes.first_execution_run_id or state.run_id
    if attributes.memo:
        state.memo = dict(attributes.memo)
        state.memo_changed = True
    if attributes.search_attributes:
        state.search_attributes = dict(attributes.search_attributes)
        state.search_attributes_changed = True
    state.add_deadline(attributes.workflow_execution_expiration_time, "execution", 0)
    state.begin_execution_at(event.event_time + attributes.first_workflow_task_backoff)


def _signaled(state: ExecutionState, event: Event) -> None:
    TABLE.next_state(state_of(state), WorkflowExecutionSignaled, event.event_id)
    request_id = event.attributes.request_id  # type: ignore[attr-defined]
    if request_id:
        state.signal_request_ids.add(request_id)


def _cancel_requested(state: ExecutionState, event: Event) -> None:
    TABLE.next_state(state_of(state), WorkflowExecutionCancelRequested, event.event_id)
    state.cancel_requested = True


def _marker(state: ExecutionState, event: Event) -> None:
    TABLE.next_state(state_of(state), MarkerRecorded, event.event_id)


def _search_attributes(state: ExecutionState, event: Event) -> None:
    TABLE.next_state(state_of(state), UpsertWorkflowSearchAttributes, event.event_id)
    changes: dict[str, Payload] = event.attributes.search_attributes or {}  # type: ignore[attr-defined]
    for name, payload in changes.items():
        if _is_null(payload) or payload.data == b"[]":  # The old, untyped way to unset one is an empty list.
            state.search_attributes.pop(name, None)
        else:
            state.search_attributes[name] = payload
    state.search_attributes_changed = True


def _memo(state: ExecutionState, event: Event) -> None:
    TABLE.next_state(state_of(state), WorkflowPropertiesModified, event.event_id)
    changes: dict[str, Payload] = event.attributes.upserted_memo or {}  # type: ignore[attr-defined]
    for name, payload in changes.items():
        if _is_null(payload):
            state.memo.pop(name, None)
        else:
            state.memo[name] = payload
    state.memo_changed = True


def _is_null(payload: Payload) -> bool:
    """Whether the payload is None, which removes what it is upserted over."""
    encoding = payload.metadata.get("encoding")
    return encoding == b"binary/null" or (encoding == b"json/plain" and payload.data == b"null")


def _closed(state: ExecutionState, event: Event) -> None:
    kind = type(event.attributes)
    TABLE.next_state(state_of(state), kind, event.event_id)
    state.status = CLOSING[kind]
    state.close_time = event.event_time
    state.close_event_id = event.event_id
    state.workflow_task = None


APPLY: dict[type[Attributes], Callable[[ExecutionState, Event], None]] = {
    WorkflowExecutionStarted: _started,
    WorkflowExecutionSignaled: _signaled,
    WorkflowExecutionCancelRequested: _cancel_requested,
    MarkerRecorded: _marker,
    UpsertWorkflowSearchAttributes: _search_attributes,
    WorkflowPropertiesModified: _memo,
    **dict.fromkeys(CLOSING, _closed),
}
