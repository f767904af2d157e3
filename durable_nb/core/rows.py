"""The rows in which a state is stored, beside its events."""

from __future__ import annotations

import msgspec

from durable_nb.core import transient
from durable_nb.core.state import CLOSE_CHILD, ActivityState, ExecutionState
from durable_nb.model.records import ActivityRow, RunRow

_json = msgspec.json.Encoder()


def transfer_body(state: ExecutionState, transfer_id: int, kind: str) -> bytes:
    """What the history does not say: the run ID of a child whose start came after the end of its parent."""
    if kind != CLOSE_CHILD:
        return b""
    child = state.children[-transfer_id]
    return child.execution.run_id.encode() if child.execution is not None else b""


def run_row(state: ExecutionState) -> RunRow:
    """The stored row of a run."""
    started = state.started
    parent = started.parent_workflow_execution
    root = started.root_workflow_execution
    return RunRow(
        state.run_key,
        state.namespace,
        state.workflow_id,
        state.run_id,
        started.workflow_type,
        started.task_queue,
        int(state.status),
        state.version,
        state.next_event_id,
        state.history_size,
        state.first_execution_run_id,
        state.start_time,
        state.execution_time,
        state.close_time,
        state.wake_at,
        parent.workflow_id if parent else "",
        parent.run_id if parent else "",
        started.parent_initiated_event_id,
        root.workflow_id if root else "",
        root.run_id if root else "",
        _json.encode(state.memo) if state.memo else None,
        _json.encode(state.search_attributes) if state.search_attributes else None,
        transient.encode(state),
        state.definition,
    )


def activity_row(activity: ActivityState) -> ActivityRow:
    """The stored row of a pending activity."""
    attributes = activity.attributes
    return ActivityRow(
        activity.scheduled_event_id,
        attributes.task_queue,
        attributes.activity_type,
        attributes.activity_id,
        activity.attempt,
        activity.owner,
        activity.token,
        activity.visible_at,
        transient.encode_activity(activity),
    )
