"""Attributes of every history event, one struct each, field for field as Temporal's protocol names them.

A struct is also the body of the command that asks for the event (``model.commands``): the engine only adds
``workflow_task_completed_event_id``. By convention a struct is never changed once its event is appended.
Stored as JSON under the protocol's lowerCamelCase names, defaults left out, durations and instants in integer
microseconds. Fields that only clusters use (namespace ids, worker versions, nexus) are left out.
Source: temporal-semantics sections 8.1 and 8.4.
"""

from __future__ import annotations

from typing import ClassVar

import msgspec

from durable_nb.model.enums import (
    CancelExternalWorkflowExecutionFailedCause,
    ContinueAsNewInitiator,
    EventType,
    ParentClosePolicy,
    RetryState,
    SignalExternalWorkflowExecutionFailedCause,
    StartChildWorkflowExecutionFailedCause,
    TimeoutType,
    WorkflowIDReusePolicy,
    WorkflowTaskFailedCause,
)
from durable_nb.model.failure import Failure, WorkflowExecution
from durable_nb.model.payload import Payload
from durable_nb.model.scalars import (
    DurationUs,
    EventId,
    Header,
    InstantUs,
    Int64,
    MarkerDetails,
    Memo,
    Payloads,
    SearchAttributes,
    TaskQueueName,
    TypeName,
)


class RetryPolicyAttributes(msgspec.Struct, omit_defaults=True, rename="camel", gc=False):
    """Retry policy as recorded; ``common.RetryPolicy`` is what users write."""

    initial_interval: DurationUs = 0
    backoff_coefficient: float = 0.0
    maximum_interval: DurationUs = 0
    maximum_attempts: int = 0
    non_retryable_error_types: list[str] = []


class UserMetadata(msgspec.Struct, omit_defaults=True, rename="camel", gc=False):
    """Summary and details that a user attached to a run, activity, timer or child."""

    summary: Payload | None = None
    details: Payload | None = None


class PriorityAttributes(msgspec.Struct, omit_defaults=True, rename="camel", gc=False):
    """Priority as recorded."""

    priority_key: int = 0
    fairness_key: str = ""
    fairness_weight: float = 0.0


class SdkMetadata(msgspec.Struct, omit_defaults=True, rename="camel", gc=False):
    """Flags without which the offline Replayer checks almost nothing (temporal-semantics 9.3)."""

    core_used_flags: list[int] = []
    lang_used_flags: list[int] = []
    sdk_name: str = ""
    sdk_version: str = ""


class Attributes(msgspec.Struct, omit_defaults=True, rename="camel", gc=False):
    """Base of all event attributes; ``event_type`` is the kind of event the struct belongs to."""

    event_type: ClassVar[EventType]


# -- the run -------------------------------------------------------------------------------------------------------


class WorkflowExecutionStarted(Attributes):
    event_type = EventType.WORKFLOW_EXECUTION_STARTED
    workflow_type: TypeName = ""
    parent_workflow_namespace: str = ""
    parent_workflow_execution: WorkflowExecution | None = None
    parent_initiated_event_id: EventId = 0
    task_queue: TaskQueueName = ""
    input: Payloads | None = None
    workflow_execution_timeout: DurationUs = 0
    workflow_run_timeout: DurationUs = 0
    workflow_task_timeout: DurationUs = 0
    continued_execution_run_id: str = ""
    initiator: ContinueAsNewInitiator | None = None
    continued_failure: Failure | None = None
    last_completion_result: Payloads | None = None
    original_execution_run_id: str = ""
    identity: str = ""
    first_execution_run_id: str = ""
    retry_policy: RetryPolicyAttributes | None = None
    attempt: int = 1
    workflow_execution_expiration_time: InstantUs = 0
    cron_schedule: str = ""
    first_workflow_task_backoff: DurationUs = 0
    memo: Memo | None = None
    search_attributes: SearchAttributes | None = None
    header: Header | None = None
    workflow_id: str = ""
    root_workflow_execution: WorkflowExecution | None = None
    priority: PriorityAttributes | None = None


class WorkflowExecutionCompleted(Attributes):
    event_type = EventType.WORKFLOW_EXECUTION_COMPLETED
    result: Payloads | None = None
    workflow_task_completed_event_id: EventId = 0
    new_execution_run_id: str = ""


class WorkflowExecutionFailed(Attributes):
    event_type = EventType.WORKFLOW_EXECUTION_FAILED
    failure: Failure | None = None
    retry_state: RetryState | None = None
    workflow_task_completed_event_id: EventId = 0
    new_execution_run_id: str = ""


class WorkflowExecutionTimedOut(Attributes):
    event_type = EventType.WORKFLOW_EXECUTION_TIMED_OUT
    retry_state: RetryState | None = None
    new_execution_run_id: str = ""


class WorkflowExecutionCanceled(Attributes):
    event_type = EventType.WORKFLOW_EXECUTION_CANCELED
    workflow_task_completed_event_id: EventId = 0
    details: Payloads | None = None


class WorkflowExecutionTerminated(Attributes):
    event_type = EventType.WORKFLOW_EXECUTION_TERMINATED
    reason: str = ""
    details: Payloads | None = None
    identity: str = ""


class WorkflowExecutionContinuedAsNew(Attributes):
    event_type = EventType.WORKFLOW_EXECUTION_CONTINUED_AS_NEW
    new_execution_run_id: str = ""
    workflow_type: TypeName = ""
    task_queue: TaskQueueName = ""
    input: Payloads | None = None
    workflow_run_timeout: DurationUs = 0
    workflow_task_timeout: DurationUs = 0
    workflow_task_completed_event_id: EventId = 0
    backoff_start_interval: DurationUs = 0
    initiator: ContinueAsNewInitiator | None = None
    failure: Failure | None = None
    last_completion_result: Payloads | None = None
    header: Header | None = None
    memo: Memo | None = None
    search_attributes: SearchAttributes | None = None


class WorkflowExecutionCancelRequested(Attributes):
    event_type = EventType.WORKFLOW_EXECUTION_CANCEL_REQUESTED
    cause: str = ""
    external_initiated_event_id: EventId = 0
    external_workflow_execution: WorkflowExecution | None = None
    identity: str = ""


class WorkflowExecutionSignaled(Attributes):
    event_type = EventType.WORKFLOW_EXECUTION_SIGNALED
    signal_name: str = ""
    input: Payloads | None = None
    identity: str = ""
    header: Header | None = None
    external_workflow_execution: WorkflowExecution | None = None
    request_id: str = ""


# -- workflow task -------------------------------------------------------------------------------------------------


class WorkflowTaskScheduled(Attributes):
    event_type = EventType.WORKFLOW_TASK_SCHEDULED
    task_queue: TaskQueueName = ""
    start_to_close_timeout: DurationUs = 0
    attempt: int = 1


class WorkflowTaskStarted(Attributes):
    event_type = EventType.WORKFLOW_TASK_STARTED
    scheduled_event_id: EventId = 0
    identity: str = ""
    request_id: str = ""
    suggest_continue_as_new: bool = False
    history_size_bytes: Int64 = 0


class WorkflowTaskCompleted(Attributes):
    event_type = EventType.WORKFLOW_TASK_COMPLETED
    scheduled_event_id: EventId = 0
    started_event_id: EventId = 0
    identity: str = ""
    sdk_metadata: SdkMetadata | None = None


class WorkflowTaskTimedOut(Attributes):
    event_type = EventType.WORKFLOW_TASK_TIMED_OUT
    scheduled_event_id: EventId = 0
    started_event_id: EventId = 0
    timeout_type: TimeoutType | None = None


class WorkflowTaskFailed(Attributes):
    event_type = EventType.WORKFLOW_TASK_FAILED
    scheduled_event_id: EventId = 0
    started_event_id: EventId = 0
    cause: WorkflowTaskFailedCause = WorkflowTaskFailedCause.UNSPECIFIED
    failure: Failure | None = None
    identity: str = ""
    base_run_id: str = ""
    new_run_id: str = ""


# -- activities ----------------------------------------------------------------------------------------------------


class ActivityTaskScheduled(Attributes):
    event_type = EventType.ACTIVITY_TASK_SCHEDULED
    activity_id: str = ""
    activity_type: TypeName = ""
    task_queue: TaskQueueName = ""
    header: Header | None = None
    input: Payloads | None = None
    schedule_to_close_timeout: DurationUs = 0
    schedule_to_start_timeout: DurationUs = 0
    start_to_close_timeout: DurationUs = 0
    heartbeat_timeout: DurationUs = 0
    workflow_task_completed_event_id: EventId = 0
    retry_policy: RetryPolicyAttributes | None = None
    priority: PriorityAttributes | None = None


class ActivityTaskStarted(Attributes):
    event_type = EventType.ACTIVITY_TASK_STARTED
    scheduled_event_id: EventId = 0
    identity: str = ""
    request_id: str = ""
    attempt: int = 0
    last_failure: Failure | None = None


class ActivityTaskCompleted(Attributes):
    event_type = EventType.ACTIVITY_TASK_COMPLETED
    result: Payloads | None = None
    scheduled_event_id: EventId = 0
    started_event_id: EventId = 0
    identity: str = ""


class ActivityTaskFailed(Attributes):
    event_type = EventType.ACTIVITY_TASK_FAILED
    failure: Failure | None = None
    scheduled_event_id: EventId = 0
    started_event_id: EventId = 0
    identity: str = ""
    retry_state: RetryState | None = None


class ActivityTaskTimedOut(Attributes):
    event_type = EventType.ACTIVITY_TASK_TIMED_OUT
    failure: Failure | None = None
    scheduled_event_id: EventId = 0
    started_event_id: EventId = 0
    retry_state: RetryState | None = None


class ActivityTaskCancelRequested(Attributes):
    event_type = EventType.ACTIVITY_TASK_CANCEL_REQUESTED
    scheduled_event_id: EventId = 0
    workflow_task_completed_event_id: EventId = 0


class ActivityTaskCanceled(Attributes):
    event_type = EventType.ACTIVITY_TASK_CANCELED
    details: Payloads | None = None
    latest_cancel_requested_event_id: EventId = 0
    scheduled_event_id: EventId = 0
    started_event_id: EventId = 0
    identity: str = ""


# -- timers and markers --------------------------------------------------------------------------------------------


class TimerStarted(Attributes):
    event_type = EventType.TIMER_STARTED
    timer_id: str = ""
    start_to_fire_timeout: DurationUs = 0
    workflow_task_completed_event_id: EventId = 0


class TimerFired(Attributes):
    event_type = EventType.TIMER_FIRED
    timer_id: str = ""
    started_event_id: EventId = 0


class TimerCanceled(Attributes):
    event_type = EventType.TIMER_CANCELED
    timer_id: str = ""
    started_event_id: EventId = 0
    workflow_task_completed_event_id: EventId = 0
    identity: str = ""


class MarkerRecorded(Attributes):
    event_type = EventType.MARKER_RECORDED
    marker_name: str = ""
    details: MarkerDetails | None = None
    workflow_task_completed_event_id: EventId = 0
    header: Header | None = None
    failure: Failure | None = None


class UpsertWorkflowSearchAttributes(Attributes):
    event_type = EventType.UPSERT_WORKFLOW_SEARCH_ATTRIBUTES
    workflow_task_completed_event_id: EventId = 0
    search_attributes: SearchAttributes | None = None


class WorkflowPropertiesModified(Attributes):
    event_type = EventType.WORKFLOW_PROPERTIES_MODIFIED
    workflow_task_completed_event_id: EventId = 0
    upserted_memo: Memo | None = None


# -- children ------------------------------------------------------------------------------------------------------


class StartChildWorkflowExecutionInitiated(Attributes):
    event_type = EventType.START_CHILD_WORKFLOW_EXECUTION_INITIATED
    namespace: str = ""
    workflow_id: str = ""
    workflow_type: TypeName = ""
    task_queue: TaskQueueName = ""
    input: Payloads | None = None
    workflow_execution_timeout: DurationUs = 0
    workflow_run_timeout: DurationUs = 0
    workflow_task_timeout: DurationUs = 0
    parent_close_policy: ParentClosePolicy = ParentClosePolicy.UNSPECIFIED
    workflow_task_completed_event_id: EventId = 0
    workflow_id_reuse_policy: WorkflowIDReusePolicy | None = None
    retry_policy: RetryPolicyAttributes | None = None
    cron_schedule: str = ""
    header: Header | None = None
    memo: Memo | None = None
    search_attributes: SearchAttributes | None = None
    priority: PriorityAttributes | None = None


class StartChildWorkflowExecutionFailed(Attributes):
    event_type = EventType.START_CHILD_WORKFLOW_EXECUTION_FAILED
    namespace: str = ""
    workflow_id: str = ""
    workflow_type: TypeName = ""
    cause: StartChildWorkflowExecutionFailedCause | None = None
    initiated_event_id: EventId = 0
    workflow_task_completed_event_id: EventId = 0


class ChildWorkflowExecutionStarted(Attributes):
    event_type = EventType.CHILD_WORKFLOW_EXECUTION_STARTED
    namespace: str = ""
    initiated_event_id: EventId = 0
    workflow_execution: WorkflowExecution | None = None
    workflow_type: TypeName = ""
    header: Header | None = None


class _ChildClosed(Attributes):
    """Fields common to the five ways a child can end."""

    namespace: str = ""
    workflow_execution: WorkflowExecution | None = None
    workflow_type: TypeName = ""
    initiated_event_id: EventId = 0
    started_event_id: EventId = 0


class ChildWorkflowExecutionCompleted(_ChildClosed):
    event_type = EventType.CHILD_WORKFLOW_EXECUTION_COMPLETED
    result: Payloads | None = None


class ChildWorkflowExecutionFailed(_ChildClosed):
    event_type = EventType.CHILD_WORKFLOW_EXECUTION_FAILED
    failure: Failure | None = None
    retry_state: RetryState | None = None


class ChildWorkflowExecutionCanceled(_ChildClosed):
    event_type = EventType.CHILD_WORKFLOW_EXECUTION_CANCELED
    details: Payloads | None = None


class ChildWorkflowExecutionTimedOut(_ChildClosed):
    event_type = EventType.CHILD_WORKFLOW_EXECUTION_TIMED_OUT
    retry_state: RetryState | None = None


class ChildWorkflowExecutionTerminated(_ChildClosed):
    event_type = EventType.CHILD_WORKFLOW_EXECUTION_TERMINATED


# -- other workflows -----------------------------------------------------------------------------------------------


class SignalExternalWorkflowExecutionInitiated(Attributes):
    event_type = EventType.SIGNAL_EXTERNAL_WORKFLOW_EXECUTION_INITIATED
    workflow_task_completed_event_id: EventId = 0
    namespace: str = ""
    workflow_execution: WorkflowExecution | None = None
    signal_name: str = ""
    input: Payloads | None = None
    child_workflow_only: bool = False
    header: Header | None = None


class SignalExternalWorkflowExecutionFailed(Attributes):
    event_type = EventType.SIGNAL_EXTERNAL_WORKFLOW_EXECUTION_FAILED
    cause: SignalExternalWorkflowExecutionFailedCause | None = None
    workflow_task_completed_event_id: EventId = 0
    namespace: str = ""
    workflow_execution: WorkflowExecution | None = None
    initiated_event_id: EventId = 0


class ExternalWorkflowExecutionSignaled(Attributes):
    event_type = EventType.EXTERNAL_WORKFLOW_EXECUTION_SIGNALED
    initiated_event_id: EventId = 0
    namespace: str = ""
    workflow_execution: WorkflowExecution | None = None


class RequestCancelExternalWorkflowExecutionInitiated(Attributes):
    event_type = EventType.REQUEST_CANCEL_EXTERNAL_WORKFLOW_EXECUTION_INITIATED
    workflow_task_completed_event_id: EventId = 0
    namespace: str = ""
    workflow_execution: WorkflowExecution | None = None
    child_workflow_only: bool = False
    reason: str = ""


class RequestCancelExternalWorkflowExecutionFailed(Attributes):
    event_type = EventType.REQUEST_CANCEL_EXTERNAL_WORKFLOW_EXECUTION_FAILED
    cause: CancelExternalWorkflowExecutionFailedCause | None = None
    workflow_task_completed_event_id: EventId = 0
    namespace: str = ""
    workflow_execution: WorkflowExecution | None = None
    initiated_event_id: EventId = 0


class ExternalWorkflowExecutionCancelRequested(Attributes):
    event_type = EventType.EXTERNAL_WORKFLOW_EXECUTION_CANCEL_REQUESTED
    initiated_event_id: EventId = 0
    namespace: str = ""
    workflow_execution: WorkflowExecution | None = None


# -- updates -------------------------------------------------------------------------------------------------------


class UpdateMeta(msgspec.Struct, omit_defaults=True, rename="camel", gc=False):
    update_id: str = ""
    identity: str = ""


class UpdateInput(msgspec.Struct, omit_defaults=True, rename="camel", gc=False):
    header: Header | None = None
    name: str = ""
    args: Payloads | None = None


class UpdateRequestAttributes(msgspec.Struct, omit_defaults=True, rename="camel", gc=False):
    meta: UpdateMeta | None = None
    input: UpdateInput | None = None


class UpdateOutcome(msgspec.Struct, omit_defaults=True, rename="camel", gc=False):
    """Exactly one of the two is set."""

    success: Payloads | None = None
    failure: Failure | None = None


class WorkflowExecutionUpdateAccepted(Attributes):
    event_type = EventType.WORKFLOW_EXECUTION_UPDATE_ACCEPTED
    protocol_instance_id: str = ""
    accepted_request_message_id: str = ""
    accepted_request_sequencing_event_id: EventId = 0
    accepted_request: UpdateRequestAttributes | None = None


class WorkflowExecutionUpdateCompleted(Attributes):
    event_type = EventType.WORKFLOW_EXECUTION_UPDATE_COMPLETED
    meta: UpdateMeta | None = None
    accepted_event_id: EventId = 0
    outcome: UpdateOutcome | None = None
