"""Activities."""

from __future__ import annotations

from durable_nb.model.attributes.parts import Attributes, PriorityAttributes, RetryPolicyAttributes
from durable_nb.model.enums import EventType, RetryState
from durable_nb.model.failure import Failure
from durable_nb.model.scalars import DurationUs, EventId, Header, Payloads, TaskQueueName, TypeName


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
