"""What is recorded of runs, and how the engine does: questions and answers."""

from __future__ import annotations

import msgspec

from durable_nb.model.attributes import UserMetadata
from durable_nb.model.enums import WorkflowExecutionStatus
from durable_nb.model.events import Event
from durable_nb.model.failure import Failure
from durable_nb.model.payload import Payload
from durable_nb.model.progress import Progress
from durable_nb.model.requests.runs import Target


class ReadHistory(msgspec.Struct, gc=False):
    """Events of a run from ``first_event_id`` on.

    With ``wait_new_event`` the answer waits until there is an event with an id of at least ``first_event_id`` or
    the run is closed.
    """

    target: Target
    first_event_id: int = 1
    wait_new_event: bool = False
    close_event_only: bool = False


class HistoryPage(msgspec.Struct, gc=False):
    """Answer to ReadHistory. ``closed`` says whether the run is closed."""

    run_id: str
    events: list[Event]
    closed: bool


class ListWorkflows(msgspec.Struct, gc=False):
    """Runs, newest start first. Empty fields do not filter; periods include their first instant, not their last."""

    namespace: str
    workflow_id: str = ""
    workflow_type: str = ""
    statuses: list[int] = []
    limit: int = 100
    started_from: int = 0
    started_before: int = 0
    closed_from: int = 0
    closed_before: int = 0


class PendingActivity(msgspec.Struct, gc=False):
    """An activity that is not closed. ``state`` is ``scheduled`` (waiting or backing off) or ``started``."""

    activity_id: str
    activity_type: str
    state: str
    attempt: int
    maximum_attempts: int
    scheduled_at: int
    last_started_at: int = 0
    last_heartbeat_at: int = 0
    next_attempt_at: int = 0
    heartbeat_details: list[Payload] = []
    last_failure: Failure | None = None
    cancel_requested: bool = False
    worker_identity: str = ""


class PendingTimer(msgspec.Struct, gc=False):
    timer_id: str
    started_event_id: int
    fire_at: int


class PendingChild(msgspec.Struct, gc=False):
    workflow_id: str
    run_id: str
    workflow_type: str
    initiated_event_id: int


class PendingWorkflowTask(msgspec.Struct, gc=False):
    """An open workflow task. ``last_failure`` is why the attempt before this one failed."""

    attempt: int
    scheduled_at: int
    next_attempt_at: int = 0
    last_failure: Failure | None = None
    waits_for_definition: bool = False


class RunDescription(msgspec.Struct, gc=False):
    """Everything visible about one run."""

    namespace: str
    workflow_id: str
    run_id: str
    workflow_type: str
    task_queue: str
    status: WorkflowExecutionStatus
    start_time: int
    execution_time: int
    close_time: int
    history_length: int
    history_size: int
    first_execution_run_id: str
    memo: dict[str, Payload]
    search_attributes: dict[str, Payload]
    parent_workflow_id: str = ""
    parent_run_id: str = ""
    root_workflow_id: str = ""
    root_run_id: str = ""
    user_metadata: UserMetadata | None = None
    cron_schedule: str = ""
    pending_activities: list[PendingActivity] = []
    pending_timers: list[PendingTimer] = []
    pending_children: list[PendingChild] = []
    pending_workflow_task: PendingWorkflowTask | None = None
    definition: str = ""
    """Digest of the version of its code that the run is pinned to; "" for none."""
    reset_from_run_id: str = ""
    """Run that this one was made from by reset, retry or fork; "" for most."""
    reset_event_id: int = 0
    """Event (WorkflowTaskFailed, cause ResetWorkflow) at which it left that run."""


class AttemptDescription(msgspec.Struct, gc=False):
    """One finished attempt of an activity; ``outcome`` is completed, failed, timed_out or canceled."""

    scheduled_event_id: int
    activity_id: str
    activity_type: str
    attempt: int
    scheduled_at: int
    started_at: int
    ended_at: int
    outcome: str
    worker_identity: str = ""
    failure: Failure | None = None
    heartbeat_details: list[Payload] = []
    next_attempt_at: int = 0


class OutputDescription(msgspec.Struct):
    """What one attempt of an activity printed and logged, finished or not.

    ``chunks`` are pairs of stream (``stdout``, ``stderr``, ``log``, or ``cut`` for a note of what was left out) and
    text; ``written`` counts the characters in all, ``cut`` those that were not kept.
    """

    scheduled_event_id: int
    activity_id: str
    activity_type: str
    attempt: int
    chunks: list[tuple[str, str]]
    written: int
    cut: int
    progress: Progress | None = None
    updated_at: int = 0


class MetricSample(msgspec.Struct):
    """One measurement, named as Prometheus does. ``kind`` is ``counter``, ``gauge`` or ``histogram``."""

    name: str
    labels: dict[str, str]
    kind: str
    value: float
    unit: str = ""
    """``seconds``, ``units`` or "" for a number of things."""
