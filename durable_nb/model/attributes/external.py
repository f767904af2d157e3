"""Other workflows that are signalled or cancelled."""

from __future__ import annotations

from durable_nb.model.attributes.parts import Attributes
from durable_nb.model.enums import (
    CancelExternalWorkflowExecutionFailedCause,
    EventType,
    SignalExternalWorkflowExecutionFailedCause,
)
from durable_nb.model.failure import WorkflowExecution
from durable_nb.model.scalars import EventId, Header, Payloads


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
