"""Rows to store: the smallest that are valid, with the fields a test cares about as parameters."""

from __future__ import annotations

from typing import Any

from durable_nb.model.attributes import Attributes, TimerStarted, WorkflowExecutionStarted
from durable_nb.model.enums import WorkflowExecutionStatus
from durable_nb.model.events import encode_attributes
from durable_nb.model.payload import Payload
from durable_nb.model.records import (
    ActivityRow,
    AttemptRow,
    EventRow,
    RunRow,
    RunWrite,
    TransferRow,
    Unit,
    WorkflowTaskRow,
)

RUNNING = int(WorkflowExecutionStatus.RUNNING)
COMPLETED = int(WorkflowExecutionStatus.COMPLETED)
CONTINUED = int(WorkflowExecutionStatus.CONTINUED_AS_NEW)


def run_row(run_key: int, workflow_id: str = "", **fields: Any) -> RunRow:
    defaults: dict[str, Any] = {
        "namespace": "default",
        "workflow_id": workflow_id or f"w{run_key}",
        "run_id": f"run-{run_key}",
        "workflow_type": "Order",
        "task_queue": "q",
        "status": RUNNING,
        "version": 1,
        "next_event_id": 1,
        "history_size": 0,
        "first_execution_run_id": f"run-{run_key}",
        "start_time": 1000 + run_key,
        "execution_time": 1000 + run_key,
    }
    return RunRow(run_key=run_key, **{**defaults, **fields})


def event_row(event_id: int, attributes: Attributes | None = None, **fields: Any) -> EventRow:
    value = attributes or TimerStarted(timer_id=str(event_id), start_to_fire_timeout=7)
    return EventRow(event_id, value.event_type, 5000 + event_id, encode_attributes(value), **fields)


def started(data: bytes) -> WorkflowExecutionStarted:
    payload = Payload(metadata={"encoding": b"binary/plain"}, data=data)
    return WorkflowExecutionStarted(workflow_type="Order", input=[payload])


def activity_row(scheduled_event_id: int, **fields: Any) -> ActivityRow:
    defaults: dict[str, Any] = {
        "task_queue": "q",
        "activity_type": "charge",
        "activity_id": str(scheduled_event_id),
        "attempt": 1,
        "owner": 0,
        "token": 1,
        "visible_at": 0,
        "state": b"{}",
    }
    return ActivityRow(scheduled_event_id, **{**defaults, **fields})


def attempt_row(scheduled_event_id: int, attempt: int = 1, **fields: Any) -> AttemptRow:
    return AttemptRow(scheduled_event_id, attempt, "1", "charge", 1, 2, 3, fields.pop("outcome", "completed"), **fields)


def task_row(**fields: Any) -> WorkflowTaskRow:
    defaults: dict[str, Any] = {
        "task_queue": "q",
        "workflow_type": "Order",
        "attempt": 1,
        "owner": 0,
        "visible_at": 0,
    }
    return WorkflowTaskRow(**{**defaults, **fields})


def transfer_row(transfer_id: int, owner: int = 0, body: bytes = b"{}") -> TransferRow:
    return TransferRow(transfer_id, "signal", owner, body)


def insert(run: RunRow, **fields: Any) -> RunWrite:
    return RunWrite(run, 0, **fields)


def update(run: RunRow, **fields: Any) -> RunWrite:
    """A write of the run's next version; ``run`` itself stays as it is."""
    changed = {name: fields.pop(name) for name in tuple(fields) if name in RunRow.__struct_fields__}
    values = {name: getattr(run, name) for name in RunRow.__struct_fields__}
    return RunWrite(RunRow(**{**values, "version": run.version + 1, **changed}), run.version, **fields)


def unit(*writes: RunWrite) -> Unit:
    return Unit(list(writes))
