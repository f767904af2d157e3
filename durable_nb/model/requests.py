"""Requests of callers to the engine and its answers (the *frontend* port).

``client`` builds these from users' calls; ``engine.frontend`` answers them. All values are encoded already; all
durations and instants are microseconds. An empty ``run_id`` means the current run of the workflow ID.
"""

from __future__ import annotations

from collections.abc import Collection
from enum import Enum

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
from durable_nb.model.progress import Progress
from durable_nb.model.records import AttemptRow, DefinitionRow, LoadedRun, OutputRow


class SignalInput(msgspec.Struct, gc=False):
    """A signal: by itself or delivered with a start."""

    name: str
    args: list[Payload] = []
    header: dict[str, Payload] = {}
    request_id: str = ""
    """Two signals with the same non-empty id are one (within a run)."""


class StartWorkflow(msgspec.Struct, gc=False):
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


class StartedWorkflow(msgspec.Struct, gc=False):
    """Answer to a start. ``started`` is False when an open run was used instead."""

    run_id: str
    first_execution_run_id: str
    started: bool


class Target(msgspec.Struct, gc=False):
    """Which run a request is for.

    ``first_execution_run_id`` guards cancel and terminate: the request fails with NOT_FOUND when the current run
    belongs to another chain.
    """

    namespace: str
    workflow_id: str
    run_id: str = ""
    first_execution_run_id: str = ""


class SignalWorkflow(msgspec.Struct, gc=False):
    target: Target
    signal: SignalInput
    identity: str = ""


class QueryWorkflow(msgspec.Struct, gc=False):
    target: Target
    name: str
    args: list[Payload] = []
    header: dict[str, Payload] = {}
    reject_condition: int = 1
    """1 never, 2 when the run is not open, 3 when it did not complete cleanly."""


class QueryResult(msgspec.Struct, gc=False):
    """Exactly one field is set. ``rejected`` is the status that the reject condition refused."""

    result: list[Payload] | None = None
    failure: Failure | None = None
    rejected: WorkflowExecutionStatus | None = None


class UpdateWorkflow(msgspec.Struct, gc=False):
    """Start an update and wait until it is accepted (``wait_completed`` False) or completed."""

    target: Target
    update_id: str
    name: str
    args: list[Payload] = []
    header: dict[str, Payload] = {}
    identity: str = ""
    wait_completed: bool = False


class UpdateResult(msgspec.Struct, gc=False):
    """``outcome`` is None when the update is accepted but not completed yet."""

    run_id: str
    outcome: UpdateOutcome | None = None


class UpdateWithStart(msgspec.Struct, gc=False):
    start: StartWorkflow
    update: UpdateWorkflow


class UpdateWithStartResult(msgspec.Struct, gc=False):
    started: StartedWorkflow
    update: UpdateResult


class PollUpdate(msgspec.Struct, gc=False):
    """Wait for the outcome of an update that was accepted before."""

    target: Target
    update_id: str


class CancelWorkflow(msgspec.Struct, gc=False):
    target: Target
    reason: str = ""
    identity: str = ""


class TerminateWorkflow(msgspec.Struct, gc=False):
    target: Target
    reason: str = ""
    details: list[Payload] | None = None
    identity: str = ""


class ResetTo(Enum):
    """Workflow tasks that need no event id."""

    FIRST_TASK = "first_task"
    LAST_TASK = "last_task"


class ResetWorkflow(msgspec.Struct, gc=False):
    """Start a new run from the history up to (not including the completion of) a workflow task.

    Exactly one of the event id, ``activity_id`` (the task that scheduled it) and ``to`` says which. What others sent
    after the point comes again: signals, and accepted updates as requests that the code validates anew.
    """

    target: Target
    workflow_task_finish_event_id: int = 0
    """Id of a WorkflowTaskCompleted, …Failed or …TimedOut event, or of a WorkflowTaskStarted event."""
    reason: str = ""
    reapply_signals: bool = True
    identity: str = ""
    reapply_updates: bool = True
    activity_id: str = ""
    to: ResetTo | None = None
    definition: str = ""
    """Digest of the version of the workflow that the new run is pinned to; "" for the current one."""


class ForkWorkflow(msgspec.Struct, gc=False):
    """Start a copy of a run under another workflow ID; the original is not touched.

    Exactly one of ``event_id``, ``activity_id`` and ``input`` says from where: through the event; the activity anew
    or, with ``result``, ended by that; or from the very beginning with another input.
    """

    target: Target
    new_workflow_id: str = ""
    """"" for ``<workflow ID>-fork-<n>``, the first that is free."""
    event_id: int = 0
    activity_id: str = ""
    input: list[Payload] | None = None
    result: list[Payload] | None = None
    reason: str = ""
    identity: str = ""
    reapply_signals: bool = False
    reapply_updates: bool = False
    definition: str = ""
    memo: dict[str, Payload] = {}
    """Added to that of the original."""


class RetryWorkflow(msgspec.Struct, gc=False):
    """Try again now what failed: activities in back-off and a failed workflow task of an open run, or a closed run.

    ``activity_id`` limits it to one activity.
    """

    target: Target
    activity_id: str = ""
    reason: str = ""
    identity: str = ""
    definition: str = ""


class Branched(msgspec.Struct, gc=False):
    """What a reset, fork or retry did, or, asked for a preview, would do.

    ``run_id`` is "" in a preview and where an open run was retried in place. ``events`` is filled in previews only:
    the beginning of the new history.
    """

    verb: str
    workflow_id: str
    run_id: str
    base_run_id: str
    event_id: int = 0
    """Last event of the old history that the new run keeps."""
    changed: str = ""
    """What was edited, in words."""
    ends_open_run: str = ""
    """Run ID of the open run that is terminated."""
    activities: list[str] = []
    """Activities that run again, or are tried now, as ``type (id)``."""
    workflow_task: bool = False
    """Whether workflow code is tried now."""
    children: list[str] = []
    """Workflow IDs of children that report to the new run."""
    signals: int = 0
    updates: int = 0
    events: list[Event] = []


class ReadHistory(msgspec.Struct, gc=False):
    """Events of a run from ``first_event_id`` on.

    With ``wait_new_event`` the answer waits until there is an event with an id of at least ``first_event_id`` or
    the run is closed.
    """

    target: Target
    first_event_id: int = 1
    wait_new_event: bool = False
    close_event_only: bool = False


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


class ImportedRun(msgspec.Struct):
    """A run as another store held it. ``as_of``: when it was read there, microseconds since the epoch."""

    loaded: LoadedRun
    attempts: list[AttemptRow] = []
    as_of: int = 0
    outputs: list[OutputRow] = []


class ImportRuns(msgspec.Struct):
    """Runs of other stores, to be written together or not at all.

    Closed runs are copied as they are, under their own run ID. An open one goes on here with ``resume``, else its copy
    ends with WorkflowExecutionTerminated; either way it gets a new run ID, for the original may go on elsewhere, and
    the open runs of the import that name it follow.

    ``runs`` may be gone through twice, one run in memory at a time, so it may read them from a file. ``open_runs``:
    run IDs of those that are open.
    """

    namespace: str
    runs: Collection[ImportedRun]
    definitions: list[DefinitionRow] = []
    resume: bool = False
    open_runs: list[str] = []


class ImportOutcome(msgspec.Struct):
    """What became of a run: ``copied``, ``present`` (it was here already), ``resumed`` or ``terminated``."""

    workflow_id: str
    workflow_type: str
    run_id: str
    original_run_id: str
    outcome: str


class MetricSample(msgspec.Struct):
    """One measurement, named as Prometheus does. ``kind`` is ``counter``, ``gauge`` or ``histogram``."""

    name: str
    labels: dict[str, str]
    kind: str
    value: float
    unit: str = ""
    """``seconds``, ``units`` or "" for a number of things."""


class ActivityReference(msgspec.Struct, gc=False):
    """An activity named from outside: by task token, or by workflow, run and activity ids."""

    namespace: str
    task_token: bytes = b""
    workflow_id: str = ""
    run_id: str = ""
    activity_id: str = ""


class HistoryPage(msgspec.Struct, gc=False):
    """Answer to ReadHistory. ``closed`` says whether the run is closed."""

    run_id: str
    events: list[Event]
    closed: bool
