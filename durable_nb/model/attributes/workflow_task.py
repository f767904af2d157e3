"""Workflow tasks: the turns of workflow code."""

from __future__ import annotations

from durable_nb.model.attributes.parts import Attributes, SdkMetadata
from durable_nb.model.enums import EventType, TimeoutType, WorkflowTaskFailedCause
from durable_nb.model.failure import Failure
from durable_nb.model.scalars import DurationUs, EventId, Int64, TaskQueueName


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
