"""The run: how it begins and ends, what it is told, what it notes down."""

from __future__ import annotations

from durable_nb.model.attributes.parts import Attributes, PriorityAttributes, RetryPolicyAttributes
from durable_nb.model.enums import ContinueAsNewInitiator, EventType, RetryState
from durable_nb.model.failure import Failure, WorkflowExecution
from durable_nb.model.scalars import (
    DurationUs,
    EventId,
    Header,
    InstantUs,
    MarkerDetails,
    Memo,
    Payloads,
    SearchAttributes,
    TaskQueueName,
    TypeName,
)


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
