"""Requests of callers to the engine and its answers (the *frontend* port).

``client`` builds these from users' calls; ``engine.frontend`` answers them. All values are encoded already; all
durations and instants are microseconds. An empty ``run_id`` means the current run of the workflow ID.
"""

from __future__ import annotations

import msgspec

from durable_nb.model.attributes import PriorityAttributes, RetryPolicyAttributes, UpdateOutcome, UserMetadata
from durable_nb.model.enums import (
    WorkflowExecutionStatus,
    WorkflowIDConflictPolicy,
    WorkflowIDReusePolicy,
)
from durable_nb.model.events import Event
from durable_nb.model.failure import Failure
from durable_nb.model.payload import Payload


class SignalInput(msgspec.Struct):
    """A signal: by itself or delivered with a start."""

    name: str
    args: list[Payload] = []
    header: dict[str, Payload] = {}
    request_id: str = ""
    """Two signals with the same non-empty id are one (within a run)."""


class StartWorkflow(msgspec.Struct):
    """Start a run; with ``signal``, signal-with-start."""

    namespace: str
    workflow_id: str
    workflow_type: str
    task_queue: str
    input: list[Payload] = []
    header: dict[str, Payload] = {}
    execution_timeout: int = 0
    run_timeout: int = 0
    task_timeout: int = 0
    id_reuse_policy: WorkflowIDReusePolicy = WorkflowIDReusePolicy.ALLOW_DUPLICATE
    id_conflict_policy: WorkflowIDConflictPolicy = WorkflowIDConflictPolicy.UNSPECIFIED
    retry_policy: RetryPolicyAttributes | None = None
    cron_schedule: str = ""
    memo: dict[str, Payload] | None = None
    search_attributes: dict[str, Payload] | None = None
    start_delay: int = 0
    user_metadata: UserMetadata | None = None
    priority: PriorityAttributes | None = None
    identity: str = ""
    request_id: str = ""
    signal: SignalInput | None = None


class StartedWorkflow(msgspec.Struct):
    """Answer to a start. ``started`` is False when an open run was used instead."""

    run_id: str
    first_execution_run_id: str
    started: bool


class Target(msgspec.Struct):
    """Which run a request is for.

    ``first_execution_run_id`` guards cancel and terminate: the request fails with NOT_FOUND when the current run
    belongs to another chain.
    """

    namespace: str
    workflow_id: str
    run_id: str = ""
    first_execution_run_id: str = ""


class SignalWorkflow(msgspec.Struct):
    target: Target
    signal: SignalInput
    identity: str = ""


class QueryWorkflow(msgspec.Struct):
    target: Target
    name: str
    args: list[Payload] = []
    header: dict[str, Payload] = {}
    reject_condition: int = 1
    """1 never, 2 when the run is not open, 3 when it did not complete cleanly."""


class QueryResult(msgspec.Struct):
    """Exactly one field is set. ``rejected`` is the status that the reject condition refused."""

    result: list[Payload] | None = None
    failure: Failure | None = None
    rejected: WorkflowExecutionStatus | None = None


class UpdateWorkflow(msgspec.Struct):
    """Start an update and wait until it is accepted (``wait_completed`` False) or completed."""

    target: Target
    update_id: str
    name: str
    args: list[Payload] = []
    header: dict[str, Payload] = {}
    identity: str = ""
    wait_completed: bool = False


class UpdateResult(msgspec.Struct):
    """``outcome`` is None when the update is accepted but not completed yet."""

    run_id: str
    outcome: UpdateOutcome | None = None


class UpdateWithStart(msgspec.Struct):
    start: StartWorkflow
    update: UpdateWorkflow


class UpdateWithStartResult(msgspec.Struct):
    started: StartedWorkflow
    update: UpdateResult


class PollUpdate(msgspec.Struct):
    """Wait for the outcome of an update that was accepted before."""

    target: Target
    update_id: str


class CancelWorkflow(msgspec.Struct):
    target: Target
    reason: str = ""
    identity: str = ""


class TerminateWorkflow(msgspec.Struct):
    target: Target
    reason: str = ""
    details: list[Payload] | None = None
    identity: str = ""


class ResetWorkflow(msgspec.Struct):
    """Start a new run from the history up to (not including the completion of) a workflow task."""

    target: Target
    workflow_task_finish_event_id: int
    """Id of a WorkflowTaskCompleted, …Failed or …TimedOut event, or of a WorkflowTaskStarted event."""
    reason: str = ""
    reapply_signals: bool = True
    identity: str = ""


class ReadHistory(msgspec.Struct):
    """Events of a run from ``first_event_id`` on.

    With ``wait_new_event`` the answer waits until there is an event with an id of at least ``first_event_id`` or
    the run is closed.
    """

    target: Target
    first_event_id: int = 1
    wait_new_event: bool = False
    close_event_only: bool = False


class PendingActivity(msgspec.Struct):
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


class PendingTimer(msgspec.Struct):
    timer_id: str
    started_event_id: int
    fire_at: int


class PendingChild(msgspec.Struct):
    workflow_id: str
    run_id: str
    workflow_type: str
    initiated_event_id: int


class PendingWorkflowTask(msgspec.Struct):
    """An open workflow task. ``last_failure`` is why the attempt before this one failed."""

    attempt: int
    scheduled_at: int
    next_attempt_at: int = 0
    last_failure: Failure | None = None
    waits_for_definition: bool = False


class RunDescription(msgspec.Struct):
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


class AttemptDescription(msgspec.Struct):
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


class ListWorkflows(msgspec.Struct):
    """Runs, newest start first. Empty fields do not filter."""

    namespace: str
    workflow_id: str = ""
    workflow_type: str = ""
    statuses: list[int] = []
    limit: int = 100


class ActivityReference(msgspec.Struct):
    """An activity named from outside: by task token, or by workflow, run and activity ids."""

    namespace: str
    task_token: bytes = b""
    workflow_id: str = ""
    run_id: str = ""
    activity_id: str = ""


class HistoryPage(msgspec.Struct):
    """Answer to ReadHistory. ``closed`` says whether the run is closed."""

    run_id: str
    events: list[Event]
    closed: bool
