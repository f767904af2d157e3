"""What callers want of runs: start, signal, query, update, cancel, terminate; activities that others complete."""

from __future__ import annotations

import msgspec

from durable_nb.model.attributes import PriorityAttributes, RetryPolicyAttributes, UpdateOutcome, UserMetadata
from durable_nb.model.enums import WorkflowExecutionStatus, WorkflowIDConflictPolicy, WorkflowIDReusePolicy
from durable_nb.model.failure import Failure
from durable_nb.model.payload import Payload


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


class ActivityReference(msgspec.Struct, gc=False):
    """An activity named from outside: by task token, or by workflow, run and activity ids."""

    namespace: str
    task_token: bytes = b""
    workflow_id: str = ""
    run_id: str = ""
    activity_id: str = ""
