"""Child workflows, as their parent sees them."""

from __future__ import annotations

from durable_nb.model.attributes.parts import Attributes, PriorityAttributes, RetryPolicyAttributes
from durable_nb.model.enums import (
    EventType,
    ParentClosePolicy,
    RetryState,
    StartChildWorkflowExecutionFailedCause,
    WorkflowIDReusePolicy,
)
from durable_nb.model.failure import Failure, WorkflowExecution
from durable_nb.model.scalars import (
    DurationUs,
    EventId,
    Header,
    Memo,
    Payloads,
    SearchAttributes,
    TaskQueueName,
    TypeName,
)


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
