"""What workflow code asks for: the outcome of one workflow task.

A command is the attributes of the event it asks for, in the order in which workflow code made the calls. The engine
checks it, fills in the event ids it alone knows, and appends the event (temporal-semantics sections 2.4 and 8.2).
"""

from __future__ import annotations

import msgspec

from durable_nb.model.attributes import Attributes, RetryPolicyAttributes, SdkMetadata, UserMetadata
from durable_nb.model.enums import WorkflowTaskFailedCause
from durable_nb.model.failure import Failure
from durable_nb.model.payload import Payload


class Command(msgspec.Struct, gc=False):
    """One intent.

    ``attributes`` is one of: ActivityTaskScheduled, ActivityTaskCancelRequested, TimerStarted, TimerCanceled,
    StartChildWorkflowExecutionInitiated, RequestCancelExternalWorkflowExecutionInitiated,
    SignalExternalWorkflowExecutionInitiated, MarkerRecorded, UpsertWorkflowSearchAttributes,
    WorkflowPropertiesModified, WorkflowExecutionUpdateAccepted, WorkflowExecutionUpdateCompleted, and the terminal
    WorkflowExecutionCompleted, …Failed, …Canceled, …ContinuedAsNew.
    """

    attributes: Attributes
    user_metadata: UserMetadata | None = None
    retry_policy: RetryPolicyAttributes | None = None
    """Of the next run; only for WorkflowExecutionContinuedAsNew, whose event has no place for it."""


class WorkflowTaskCompletion(msgspec.Struct, gc=False):
    """A workflow task that went well."""

    commands: list[Command]
    rejected_updates: dict[str, Failure] = {}
    """By update ID; a rejected update leaves no event."""
    sdk_metadata: SdkMetadata | None = None
    """Flags that the code took for the first time, to be recorded: a replay must decide as it did."""
    current_details: str = ""
    force_new_task: bool = False
    """Schedule and start another task at once: the heartbeat of a task that waits for local activities."""


class WorkflowTaskFailure(msgspec.Struct, gc=False):
    """A workflow task whose code raised, diverged from history or blocked; it will be tried again."""

    cause: WorkflowTaskFailedCause
    failure: Failure


class LocalActivityRequest(msgspec.Struct, gc=False):
    """A local activity that must run before the workflow task can be completed."""

    seq: int
    activity_id: str
    activity_type: str
    input: list[Payload]
    header: dict[str, Payload]
    schedule_to_close_timeout: int = 0
    schedule_to_start_timeout: int = 0
    start_to_close_timeout: int = 0
    retry_policy: RetryPolicyAttributes | None = None
    local_retry_threshold: int = 0
    attempt: int = 1
    original_schedule_time: int = 0
    """Microseconds since the epoch; of the first attempt when a durable timer stood between attempts."""


class CancelLocalActivity(msgspec.Struct, gc=False):
    """Ask a running local activity to stop."""

    seq: int


class WorkflowTaskPending(msgspec.Struct, gc=False):
    """The workflow task cannot finish before these local activities have."""

    start: list[LocalActivityRequest] = []
    cancel: list[CancelLocalActivity] = []


WorkflowTaskOutcome = WorkflowTaskCompletion | WorkflowTaskFailure | WorkflowTaskPending
