"""Work that the engine hands out, and the values that travel with it.

*Workflow task*: history in, commands out; *activity task*: one attempt of one activity. Both are Temporal's
boundary between history service and worker, so that another kind of worker can stand behind them.
"""

from __future__ import annotations

import msgspec

from durable_nb.model.attributes import PriorityAttributes, RetryPolicyAttributes
from durable_nb.model.events import Event
from durable_nb.model.failure import Failure
from durable_nb.model.payload import Payload


class UpdateRequest(msgspec.Struct, gc=False):
    """An admitted update, not yet accepted and so not durable."""

    update_id: str
    name: str
    args: list[Payload] = []
    header: dict[str, Payload] = {}
    identity: str = ""


class QueryRequest(msgspec.Struct, gc=False):
    """A question to workflow code."""

    name: str
    args: list[Payload] = []
    header: dict[str, Payload] = {}


class QueryAnswer(msgspec.Struct, gc=False):
    """Exactly one of ``result`` and ``failure`` is set."""

    result: list[Payload] | None = None
    failure: Failure | None = None


class WorkflowTask(msgspec.Struct, gc=False):
    """One wake-up of workflow code.

    ``events`` ends with the WorkflowTaskStarted event of this task. It begins with event 1, or, where the handler
    still holds the run's instance, with the first event after ``previous_started_event_id`` (the started event of
    the last task that this very instance completed).
    """

    namespace: str
    workflow_id: str
    run_id: str
    workflow_type: str
    task_queue: str
    attempt: int
    events: list[Event]
    previous_started_event_id: int
    started_event_id: int
    history_length: int
    history_size: int
    suggest_continue_as_new: bool = False
    updates: list[UpdateRequest] = []
    definition: str = ""
    """Digest of the source of the workflow definition that the run was started with; "" when unknown."""


class ActivityTask(msgspec.Struct, gc=False):
    """One attempt of one activity. Instants and durations in microseconds."""

    task_token: bytes
    """Opaque; names the run, the activity and the attempt, and is what completes it."""
    namespace: str
    workflow_id: str
    run_id: str
    workflow_type: str
    task_queue: str
    activity_id: str
    activity_type: str
    input: list[Payload]
    header: dict[str, Payload]
    attempt: int
    scheduled_time: int
    current_attempt_scheduled_time: int
    started_time: int
    schedule_to_close_timeout: int = 0
    start_to_close_timeout: int = 0
    heartbeat_timeout: int = 0
    heartbeat_details: list[Payload] = []
    retry_policy: RetryPolicyAttributes | None = None
    priority: PriorityAttributes | None = None
    is_local: bool = False


class HeartbeatReply(msgspec.Struct, gc=False):
    """Answer to a heartbeat. ``not_found``: the attempt is over or belongs to somebody else; stop working."""

    cancel_requested: bool = False
    not_found: bool = False
    timed_out: bool = False
    reset: bool = False
    paused: bool = False


class ActivityOutcome(msgspec.Struct, gc=False):
    """How an attempt ended: exactly one of ``result``, ``failure``, ``canceled`` is set; ``pending`` for an
    activity that will be completed asynchronously.
    """

    result: list[Payload] | None = None
    failure: Failure | None = None
    canceled: bool = False
    canceled_details: list[Payload] | None = None
    pending: bool = False
    last_heartbeat_details: list[Payload] | None = None
    """Details that throttling held back; flushed with the outcome."""
