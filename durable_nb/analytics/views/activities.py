"""``activities`` and ``attempts``: what was done outside workflow code, and every try of it.

Times of an attempt: it *could start* when it was scheduled or its back-off was over; it waited in the *queue* until a
worker took it, then *ran*; where it is tried again, the *back-off* follows.
"""

# ruff: noqa: S608 - texts are put together from constants of this package; no value of a user is ever part of one
from __future__ import annotations

from durable_nb.analytics.views.view import Column, Join, View
from durable_nb.analytics.views.words import (
    BRANCHED,
    arguments,
    columns,
    events,
    failures,
    inherited,
    instant,
    length,
    number,
    of_run,
    payload,
    referring,
    summary,
    text,
    truth,
)
from durable_nb.model.enums import EventType

_SCHEDULED = events(
    EventType.ACTIVITY_TASK_SCHEDULED,
    activity_id="activityId",
    activity_type="activityType",
    task_queue="taskQueue",
)
_STARTED = referring("scheduledEventId", EventType.ACTIVITY_TASK_STARTED)
_CLOSED = referring(
    "scheduledEventId",
    EventType.ACTIVITY_TASK_COMPLETED,
    EventType.ACTIVITY_TASK_FAILED,
    EventType.ACTIVITY_TASK_TIMED_OUT,
    EventType.ACTIVITY_TASK_CANCELED,
)
_CANCEL = referring("scheduledEventId", EventType.ACTIVITY_TASK_CANCEL_REQUESTED)

ALL_ATTEMPTS = """CREATE VIEW internal.attempts AS
SELECT run_key, scheduled_event_id, attempt, activity_id, activity_type, scheduled_at, started_at, ended_at,
    CASE outcome WHEN 'completed' THEN 'Completed' WHEN 'failed' THEN 'Failed' WHEN 'timed_out' THEN 'TimedOut'
        WHEN 'canceled' THEN 'Canceled' WHEN 'lost' THEN 'Lost' ELSE outcome END AS status,
    worker_identity, failure, heartbeat_details, next_attempt_at, 0 AS heartbeat_at, FALSE AS is_pending
FROM mirror.main.attempts
UNION ALL
SELECT run_key, scheduled_event_id, attempt, activity_id, activity_type, visible_at,
    coalesce(CAST((state->>'$.startedTime') AS BIGINT), 0), 0,
    CASE WHEN coalesce(CAST((state->>'$.startedTime') AS BIGINT), 0) > 0 THEN 'Started'
        WHEN (state->>'$.backsOff') = 'true' THEN 'BackingOff' ELSE 'Scheduled' END,
    coalesce((state->>'$.identity'), ''), NULL, (state->'$.heartbeatDetails'), 0,
    coalesce(CAST((state->>'$.heartbeatTime') AS BIGINT), 0), TRUE
FROM mirror.main.pending_activities"""
"""Finished attempts and the current or next one of each pending activity, in stored units."""

# In stored units, for one row of internal.attempts.
_QUEUE = "CASE WHEN t.started_at > 0 THEN greatest(t.started_at - t.scheduled_at, 0) END"
_RUN = "CASE WHEN t.started_at > 0 AND t.ended_at > 0 THEN t.ended_at - t.started_at END"
_BACKOFF = "CASE WHEN t.next_attempt_at > 0 THEN greatest(t.next_attempt_at - t.ended_at, 0) END"

ATTEMPTS = View(
    "attempts",
    "One row per attempt of an activity: every finished one, and of a pending activity the current or next one "
    "(status Scheduled, Started or BackingOff).",
    columns(
        of_run(),
        number(
            "scheduled_event_id",
            "Its ActivityTaskScheduled event; with run_key it names the activity",
            "t.scheduled_event_id",
        ),
        text("activity_id", "Id within the run", "t.activity_id"),
        text("activity_type", "Name of the activity definition", "t.activity_type"),
        text("task_queue", "Queue of the activity", "s.task_queue"),
        number("attempt", "From 1", "t.attempt"),
        Column(
            "status",
            "VARCHAR",
            "Completed, Failed, TimedOut, Canceled, Lost (its process died); pending: Scheduled (waits for a worker), "
            "Started, BackingOff",
            "t.status",
        ),
        truth("is_pending", "Whether it is not over", "t.is_pending"),
        instant("scheduled_at", "When it could start: scheduled, or the back-off over", "t.scheduled_at"),
        instant("started_at", "When a worker began; NULL when none has", "t.started_at"),
        instant("ended_at", "When it ended; NULL while pending", "t.ended_at"),
        instant("next_attempt_at", "When the next attempt could start; NULL when there was none", "t.next_attempt_at"),
        length("queue_us", "Waiting for a worker: scheduled_at to started_at; NULL when it never started", _QUEUE),
        length("run_us", "Running: started_at to ended_at; NULL unless it started and ended", _RUN),
        length(
            "backoff_us",
            "Waiting for the next attempt: ended_at to next_attempt_at; NULL when there was none",
            _BACKOFF,
        ),
        text("worker_identity", "Who ran it", "t.worker_identity"),
        failures("document(t.failure)", "the attempt"),
        instant("heartbeat_at", "Last heartbeat of a pending attempt", "t.heartbeat_at"),
        arguments("heartbeat_details", "document(t.heartbeat_details)", "Details of the last heartbeat"),
    ),
    "internal.attempts AS t JOIN mirror.main.runs AS r ON r.run_key = t.run_key",
    (Join("s", f"{_SCHEDULED} AS s ON s.run_key = t.run_key AND s.event_id = t.scheduled_event_id"),),
)

_SUMS = f"""(SELECT run_key, scheduled_event_id, max(attempt) AS attempts,
        min(positive(started_at)) AS first_started_at,
        max(started_at) AS last_started_at, sum({_QUEUE}) AS queue_us, sum({_RUN}) AS run_us,
        sum({_BACKOFF}) AS backoff_us,
        arg_max(worker_identity, attempt) AS worker_identity, bool_or(is_pending) AS is_pending,
        arg_max(status, attempt) AS status, max(heartbeat_at) AS heartbeat_at,
        max(CASE WHEN status = 'BackingOff' THEN scheduled_at END) AS next_attempt_at
    FROM internal.attempts AS t GROUP BY run_key, scheduled_event_id)"""

_NORMAL = f"""SELECT s.run_key, s.event_id AS scheduled_event_id, b.event_id AS started_event_id,
        c.event_id AS closed_event_id, FALSE AS is_local, s.attributes AS a, c.attributes AS ca, s.user_metadata,
        s.activity_id, s.activity_type, s.task_queue,
        CASE c.event_type WHEN {int(EventType.ACTIVITY_TASK_COMPLETED)} THEN 'Completed'
            WHEN {int(EventType.ACTIVITY_TASK_FAILED)} THEN 'Failed'
            WHEN {int(EventType.ACTIVITY_TASK_TIMED_OUT)} THEN 'TimedOut'
            WHEN {int(EventType.ACTIVITY_TASK_CANCELED)} THEN 'Canceled'
            ELSE CASE WHEN t.is_pending THEN t.status ELSE 'Abandoned' END END AS status,
        s.event_time AS scheduled_at, coalesce(t.first_started_at, b.event_time) AS first_started_at,
        greatest(t.last_started_at, 0) AS last_started_at, c.event_time AS closed_at,
        coalesce(t.attempts, CAST((b.attributes->>'$.attempt') AS BIGINT),
            CASE WHEN b.run_key IS NOT NULL THEN 1 ELSE 0 END) AS attempts,
        t.queue_us, t.run_us, t.backoff_us, coalesce(nullif(t.worker_identity, ''), (b.attributes->>'$.identity'))
            AS worker_identity, t.heartbeat_at, t.next_attempt_at, k.run_key IS NOT NULL AS cancel_requested,
        coalesce((c.attributes->'$.failure'), (document(p.state)->'$.lastFailure')) AS failure,
        (c.attributes->'$.result') AS result
    FROM {_SCHEDULED} AS s
    LEFT JOIN {_STARTED} AS b ON b.run_key = s.run_key AND b.ref = s.event_id
    LEFT JOIN {_CLOSED} AS c ON c.run_key = s.run_key AND c.ref = s.event_id
    LEFT JOIN {_CANCEL} AS k ON k.run_key = s.run_key AND k.ref = s.event_id
    LEFT JOIN {_SUMS} AS t ON t.run_key = s.run_key AND t.scheduled_event_id = s.event_id
    LEFT JOIN mirror.main.pending_activities AS p ON p.run_key = s.run_key AND p.scheduled_event_id = s.event_id"""


def _marked(field: str) -> str:
    """An instant or duration in the data of a local activity's marker, in µs."""
    return (
        f"CAST((data->>'$.{field}.seconds') AS BIGINT) * 1000000 + CAST((data->>'$.{field}.nanos') AS BIGINT) // 1000"
    )


# A local activity leaves nothing but its marker, written when it is over (or when a durable timer takes over).
_LOCAL = f"""SELECT run_key, NULL, NULL, event_id, TRUE, attributes, attributes, user_metadata,
        (data->>'$.activity_id'), (data->>'$.activity_type'), NULL,
        CASE WHEN (data->>'$.backoff') IS NOT NULL THEN 'BackingOff'
            WHEN (attributes->'$.failure') IS NULL THEN 'Completed'
            WHEN failure_type((attributes->'$.failure')) = 'CancelledError' THEN 'Canceled' ELSE 'Failed' END,
        {_marked("original_schedule_time")}, NULL, NULL, {_marked("complete_time")},
        CAST((data->>'$.attempt') AS BIGINT), NULL, NULL, NULL, NULL, NULL, NULL, FALSE, (attributes->'$.failure'),
        (attributes->'$.details.result')
    FROM (SELECT *, payload_json((attributes->'$.details.data[0]')) AS data FROM {events(EventType.MARKER_RECORDED)}
        WHERE (attributes->>'$.markerName') = 'core_local_activity')"""

ACTIVITIES = View(
    "activities",
    "One row per activity, pending ones included; local activities too, for which a history keeps only when they were "
    "scheduled and when they ended.",
    columns(
        of_run(),
        number(
            "scheduled_event_id", "Its ActivityTaskScheduled event; NULL for a local activity", "x.scheduled_event_id"
        ),
        number("started_event_id", "Its ActivityTaskStarted event, written when it ends", "x.started_event_id"),
        number("closed_event_id", "The event that ended it; NULL while pending", "x.closed_event_id"),
        number(
            "workflow_task_completed_event_id",
            "The workflow task that scheduled it: with closed_event_id the edges of the critical path",
            "(x.a->>'$.workflowTaskCompletedEventId')",
        ),
        text("activity_id", "Id within the run", "x.activity_id"),
        text("activity_type", "Name of the activity definition", "x.activity_type"),
        text("task_queue", "Queue that workers serve", "x.task_queue"),
        Column(
            "status",
            "VARCHAR",
            "Completed, Failed, TimedOut, Canceled; pending: Scheduled, Started, BackingOff; "
            "Abandoned: the run closed first",
            "x.status",
        ),
        truth("is_local", "Whether it is a local activity", "x.is_local"),
        truth("cancel_requested", "Whether the workflow asked to cancel it", "x.cancel_requested"),
        number("attempts", "Attempts so far, the current one included", "x.attempts"),
        instant("scheduled_at", "When it was scheduled", "x.scheduled_at"),
        instant("first_started_at", "When its first attempt started", "x.first_started_at"),
        instant(
            "last_started_at",
            "When its last attempt started",
            "coalesce(positive(x.last_started_at), x.first_started_at)",
        ),
        instant("closed_at", "When it ended; NULL while pending", "x.closed_at"),
        length(
            "duration_us",
            "From scheduled_at to closed_at; where its run was reset or forked in between, from then on; NULL while "
            "pending",
            "x.closed_at - CASE WHEN r.start_time BETWEEN x.scheduled_at AND x.closed_at THEN r.start_time "
            "ELSE x.scheduled_at END",
        ),
        length("queue_us", "Waiting for workers, summed over its attempts", "x.queue_us"),
        length("run_us", "Running, summed over its finished attempts", "x.run_us"),
        length("backoff_us", "Waiting between attempts, summed; NULL without a retry", "x.backoff_us"),
        text("worker_identity", "Who ran the last attempt", "x.worker_identity"),
        text(
            "retry_state",
            "Why it was not tried again: NonRetryableFailure, MaximumAttemptsReached, Timeout, …",
            "retry_state_name(TRY_CAST((x.ca->>'$.retryState') AS INTEGER))",
        ),
        instant("next_attempt_at", "While it backs off: when it is tried again", "x.next_attempt_at"),
        instant("heartbeat_at", "Last heartbeat of a pending attempt", "x.heartbeat_at"),
        length("schedule_to_close_timeout_us", "Timeout over all attempts", "(x.a->>'$.scheduleToCloseTimeout')"),
        length("schedule_to_start_timeout_us", "Timeout of the queue", "(x.a->>'$.scheduleToStartTimeout')"),
        length("start_to_close_timeout_us", "Timeout of one attempt", "(x.a->>'$.startToCloseTimeout')"),
        length("heartbeat_timeout_us", "Longest time between heartbeats", "(x.a->>'$.heartbeatTimeout')"),
        number(
            "maximum_attempts",
            "Most attempts that its retry policy allows; NULL for no limit",
            "positive(CAST((x.a->>'$.retryPolicy.maximumAttempts') AS BIGINT))",
        ),
        arguments("input", "(x.a->'$.input')", "Its arguments"),
        payload("result", "x.result", "What it returned"),
        failures("x.failure", "the activity (while pending, of its last attempt)"),
        summary("x.user_metadata", "the activity"),
        inherited("x.closed_event_id"),
    ),
    f"({_NORMAL}\n    UNION ALL\n    {_LOCAL}) AS x JOIN mirror.main.runs AS r ON r.run_key = x.run_key",
    (BRANCHED,),
)
