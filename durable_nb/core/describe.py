"""State and rows → what people are shown of a run (``model.requests``). Nothing here decides anything.

What has ended but waits for the end of a running workflow task to be written is not shown as pending any more.
"""

from __future__ import annotations

import msgspec

from durable_nb.core.state import NEVER, ActivityState, ExecutionState
from durable_nb.model.enums import WorkflowExecutionStatus
from durable_nb.model.failure import Failure
from durable_nb.model.payload import Payload
from durable_nb.model.records import AttemptRow, RunRow
from durable_nb.model.requests import (
    AttemptDescription,
    PendingActivity,
    PendingChild,
    PendingTimer,
    PendingWorkflowTask,
    RunDescription,
)

_fields: msgspec.json.Decoder[dict[str, Payload]] = msgspec.json.Decoder(dict[str, Payload])
_failure: msgspec.json.Decoder[Failure] = msgspec.json.Decoder(Failure)
_payloads: msgspec.json.Decoder[list[Payload]] = msgspec.json.Decoder(list[Payload])


def describe(state: ExecutionState, row: RunRow) -> RunDescription:
    """Everything visible about a run. ``row`` may be older than ``state``; what the state knows comes from it."""
    description = describe_row(row)
    description.status = state.status
    description.start_time = state.start_time
    description.execution_time = state.execution_time
    description.close_time = state.close_time
    description.history_length = state.next_event_id - 1
    description.history_size = state.history_size
    description.memo = dict(state.memo)
    description.search_attributes = dict(state.search_attributes)
    description.user_metadata = state.user_metadata
    description.cron_schedule = state.started.cron_schedule
    if state.is_open:
        description.pending_activities = pending_activities(state)
        description.pending_timers = pending_timers(state)
        description.pending_children = pending_children(state)
        description.pending_workflow_task = pending_workflow_task(state)
    return description


def describe_row(row: RunRow) -> RunDescription:
    """What the run's row alone tells: all that lists show, and all there is to a closed run's present."""
    return RunDescription(
        namespace=row.namespace,
        workflow_id=row.workflow_id,
        run_id=row.run_id,
        workflow_type=row.workflow_type,
        task_queue=row.task_queue,
        status=WorkflowExecutionStatus(row.status),
        start_time=row.start_time,
        execution_time=row.execution_time,
        close_time=row.close_time,
        history_length=row.next_event_id - 1,
        history_size=row.history_size,
        first_execution_run_id=row.first_execution_run_id,
        memo=_fields.decode(row.memo) if row.memo else {},
        search_attributes=_fields.decode(row.search_attributes) if row.search_attributes else {},
        parent_workflow_id=row.parent_workflow_id,
        parent_run_id=row.parent_run_id,
        root_workflow_id=row.root_workflow_id,
        root_run_id=row.root_run_id,
        definition=row.definition,
    )


def describe_attempt(row: AttemptRow) -> AttemptDescription:
    """One finished attempt of an activity."""
    return AttemptDescription(
        scheduled_event_id=row.scheduled_event_id,
        activity_id=row.activity_id,
        activity_type=row.activity_type,
        attempt=row.attempt,
        scheduled_at=row.scheduled_at,
        started_at=row.started_at,
        ended_at=row.ended_at,
        outcome=row.outcome,
        worker_identity=row.worker_identity,
        failure=_failure.decode(row.failure) if row.failure else None,
        heartbeat_details=_payloads.decode(row.heartbeat_details) if row.heartbeat_details else [],
        next_attempt_at=row.next_attempt_at,
    )


def pending_activities(state: ExecutionState) -> list[PendingActivity]:
    """Activities that are not over, in the order in which they were scheduled."""
    return [_activity(a) for a in state.activities.values() if not a.is_over]


def _activity(activity: ActivityState) -> PendingActivity:
    attributes = activity.attributes
    policy = attributes.retry_policy
    return PendingActivity(
        activity_id=attributes.activity_id,
        activity_type=attributes.activity_type,
        state="started" if activity.is_started else "scheduled",
        attempt=activity.attempt,
        maximum_attempts=policy.maximum_attempts if policy is not None else 0,
        scheduled_at=activity.reset_time or activity.scheduled_time,
        last_started_at=activity.started_time,
        last_heartbeat_at=activity.heartbeat_time,
        next_attempt_at=activity.visible_at if activity.backs_off else 0,
        heartbeat_details=list(activity.heartbeat_details or ()),
        last_failure=activity.last_failure,
        cancel_requested=activity.cancel_requested_event_id != 0,
        worker_identity=activity.identity,
    )


def pending_timers(state: ExecutionState) -> list[PendingTimer]:
    """Timers that have not fired, the next to fire first."""
    running = [timer for timer in state.timers.values() if timer.fire_at != NEVER]
    running.sort(key=lambda timer: (timer.fire_at, timer.started_event_id))
    return [PendingTimer(timer.timer_id, timer.started_event_id, timer.fire_at) for timer in running]


def pending_children(state: ExecutionState) -> list[PendingChild]:
    """Children that have not ended; ``run_id`` is empty for one that has not started, else that of its first run."""
    return [
        PendingChild(
            child.attributes.workflow_id,
            child.execution.run_id if child.execution is not None else "",
            child.attributes.workflow_type,
            child.initiated_event_id,
        )
        for child in state.children.values()
        if not child.ended
    ]


def pending_workflow_task(state: ExecutionState) -> PendingWorkflowTask | None:
    """The open workflow task; ``next_attempt_at`` only while the delay after a failure lasts."""
    task = state.workflow_task
    if task is None:
        return None
    waits = not task.is_started and task.visible_at > task.scheduled_time
    return PendingWorkflowTask(
        attempt=task.attempt,
        scheduled_at=task.scheduled_time,
        next_attempt_at=task.visible_at if waits else 0,
        last_failure=task.last_failure,
    )
