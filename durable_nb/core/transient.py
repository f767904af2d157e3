"""What a run's state holds beyond its history, and its stored form.

That form is JSON in the columns ``runs.transient`` and ``activities.state``. A run at rest has nothing
here: the column is NULL for nearly every run.
"""

from __future__ import annotations

import msgspec

from durable_nb.core.state import ActivityState, BufferedEvent, ExecutionState, WorkflowTaskState
from durable_nb.model.events import decode_attributes, encode_attributes
from durable_nb.model.failure import Failure
from durable_nb.model.payload import Payload
from durable_nb.model.tasks import UpdateRequest


class _StoredTask(msgspec.Struct, omit_defaults=True, rename="camel"):
    """An open workflow task beyond its events: retries, and a task that is being worked on."""

    attempt: int = 1
    scheduled_time: int = 0
    visible_at: int = 0
    started_time: int = 0
    last_failure: Failure | None = None


class _StoredBuffered(msgspec.Struct, rename="camel"):
    event_type: int
    event_time: int
    attributes: msgspec.Raw


class _Stored(msgspec.Struct, omit_defaults=True, rename="camel"):
    task: _StoredTask | None = None
    buffered: list[_StoredBuffered] = []
    admitted: list[UpdateRequest] = []


class _StoredActivity(msgspec.Struct, omit_defaults=True, rename="camel"):
    started_time: int = 0
    identity: str = ""
    heartbeat_time: int = 0
    heartbeat_details: list[Payload] | None = None
    last_failure: Failure | None = None
    backs_off: bool = False
    reset_time: int = 0


# No decoders: to make them would cost every start, and ``decode`` with a type is as quick.
_encoder = msgspec.json.Encoder()


def encode(state: ExecutionState) -> bytes | None:
    """Stored form; None when the history says everything."""
    task = state.workflow_task
    plain = task is None or (task.attempt == 1 and not task.started_time and task.last_failure is None)
    if plain and not state.buffered and not state.admitted:
        return None
    stored = _Stored()
    if task is not None:
        stored.task = _StoredTask(
            task.attempt, task.scheduled_time, task.visible_at, task.started_time, task.last_failure
        )
    stored.buffered = [_stored_buffered(fact) for fact in state.buffered]
    stored.admitted = list(state.admitted.values())
    return _encoder.encode(stored)


def _stored_buffered(fact: BufferedEvent) -> _StoredBuffered:
    if fact.stored is None:
        fact.stored = encode_attributes(fact.attributes)
    return _StoredBuffered(fact.attributes.event_type, fact.event_time, msgspec.Raw(fact.stored))


def restore(state: ExecutionState, stored: bytes | None) -> None:
    """Put the stored form back into a state that was folded from the history."""
    if stored is None:
        return
    value = msgspec.json.decode(stored, type=_Stored)
    if value.task is not None:
        task = state.workflow_task
        if task is None:
            task = WorkflowTaskState(0, value.task.attempt, value.task.scheduled_time, value.task.visible_at)
            state.workflow_task = task
        task.attempt = value.task.attempt
        task.visible_at = value.task.visible_at
        task.started_time = value.task.started_time
        task.last_failure = value.task.last_failure
        state.add_deadline(state.workflow_task_deadline(), "workflow_task", 0)
    if value.admitted:
        state.admitted = {each.update_id: each for each in value.admitted}
    state.buffered = [
        BufferedEvent(decode_attributes(b.event_type, bytes(b.attributes)), b.event_time) for b in value.buffered
    ]


def encode_activity(activity: ActivityState) -> bytes:
    """Stored form of an attempt."""
    return _encoder.encode(
        _StoredActivity(
            activity.started_time,
            activity.identity,
            activity.heartbeat_time,
            activity.heartbeat_details,
            activity.last_failure,
            activity.backs_off,
            activity.reset_time,
        )
    )


def restore_activity(activity: ActivityState, stored: bytes) -> None:
    """Put the stored form of an attempt back."""
    value = msgspec.json.decode(stored, type=_StoredActivity)
    activity.started_time = value.started_time
    activity.identity = value.identity
    activity.heartbeat_time = value.heartbeat_time
    activity.heartbeat_details = value.heartbeat_details
    activity.last_failure = value.last_failure
    activity.backs_off = value.backs_off
    activity.reset_time = value.reset_time
