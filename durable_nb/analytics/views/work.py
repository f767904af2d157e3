"""``workflow_tasks``, ``workers``, ``definitions`` and ``schedules``: who ran what code, and when it was woken."""

# ruff: noqa: S608 - texts are put together from constants of this package; no value of a user is ever part of one
from __future__ import annotations

from durable_nb.analytics.views.view import Column, View
from durable_nb.analytics.views.words import (
    BRANCHED,
    columns,
    events,
    failures,
    inherited,
    instant,
    json,
    length,
    number,
    of_run,
    referring,
    text,
    truth,
)
from durable_nb.model.enums import EventType

_COMPLETED, _FAILED, _TIMED_OUT = (
    EventType.WORKFLOW_TASK_COMPLETED,
    EventType.WORKFLOW_TASK_FAILED,
    EventType.WORKFLOW_TASK_TIMED_OUT,
)

# The second part: a task that is tried again has left no event; its row and the run's transient state tell of it.
_TASKS = f"""(SELECT s.run_key, s.event_id AS scheduled_event_id, b.event_id AS started_event_id,
        c.event_id AS closed_event_id, coalesce(TRY_CAST((s.attributes->>'$.attempt') AS BIGINT), 1) AS attempt,
        CASE c.event_type WHEN {int(_COMPLETED)} THEN 'Completed' WHEN {int(_FAILED)} THEN 'Failed'
            WHEN {int(_TIMED_OUT)} THEN 'TimedOut' ELSE CASE WHEN o.status <> 1 THEN 'Abandoned'
            WHEN b.event_id IS NULL THEN 'Scheduled' ELSE 'Started' END END AS status,
        s.event_time AS scheduled_at, b.event_time AS started_at, c.event_time AS closed_at, 0 AS next_attempt_at,
        coalesce((b.attributes->>'$.identity'), '') AS worker_identity, s.task_queue,
        TRY_CAST((c.attributes->>'$.cause') AS INTEGER) AS cause, (c.attributes->'$.failure') AS failure,
        (c.attributes->>'$.baseRunId') AS base_run_id, c.event_type AS closed_type
    FROM {events(EventType.WORKFLOW_TASK_SCHEDULED, task_queue="taskQueue")} AS s
    JOIN mirror.main.runs AS o ON o.run_key = s.run_key
    LEFT JOIN {referring("scheduledEventId", EventType.WORKFLOW_TASK_STARTED)} AS b
        ON b.run_key = s.run_key AND b.ref = s.event_id
    LEFT JOIN {referring("scheduledEventId", _COMPLETED, _FAILED, _TIMED_OUT)} AS c
        ON c.run_key = s.run_key AND c.ref = s.event_id
    UNION ALL
    SELECT t.run_key, NULL, NULL, NULL, t.attempt,
        CASE WHEN coalesce(CAST((d.task->>'$.startedTime') AS BIGINT), 0) > 0 THEN 'Started' ELSE 'BackingOff' END,
        coalesce(CAST((d.task->>'$.scheduledTime') AS BIGINT), t.visible_at),
        CAST((d.task->>'$.startedTime') AS BIGINT), NULL, t.visible_at, '', t.task_queue, NULL,
        (d.task->'$.lastFailure'), NULL, NULL
    FROM mirror.main.pending_tasks AS t
    JOIN (SELECT run_key, (document(transient)->'$.task') AS task
        FROM mirror.main.runs WHERE transient IS NOT NULL) AS d
        ON d.run_key = t.run_key
    WHERE t.attempt > 1)"""

WORKFLOW_TASKS = View(
    "workflow_tasks",
    "One row per workflow task: each time workflow code was woken. A task that keeps failing leaves events for its "
    "first attempt only; its present attempt is a row without event ids, with the last failure.",
    columns(
        of_run(),
        number("scheduled_event_id", "Its WorkflowTaskScheduled event", "x.scheduled_event_id"),
        number("started_event_id", "Its WorkflowTaskStarted event", "x.started_event_id"),
        number("closed_event_id", "Its WorkflowTaskCompleted, …Failed or …TimedOut event", "x.closed_event_id"),
        number("attempt", "From 1", "x.attempt"),
        Column(
            "status",
            "VARCHAR",
            "Completed, Failed, TimedOut; pending: Scheduled, Started, BackingOff; Abandoned: the run closed first",
            "x.status",
        ),
        instant("scheduled_at", "When there was something to do", "x.scheduled_at"),
        instant("started_at", "When a worker began", "x.started_at"),
        instant("closed_at", "When it ended", "x.closed_at"),
        instant("next_attempt_at", "Of an attempt after a failure: when it may start", "x.next_attempt_at"),
        length("queue_us", "From scheduled_at to started_at", "x.started_at - x.scheduled_at"),
        length("run_us", "From started_at to closed_at", "x.closed_at - x.started_at"),
        text("worker_identity", "Who ran it", "x.worker_identity"),
        text("task_queue", "Queue that workers serve", "x.task_queue"),
        text(
            "cause",
            "Why it failed: WorkflowWorkerUnhandledFailure, NonDeterministicError, ResetWorkflow, …",
            f"CASE WHEN x.closed_type = {int(_FAILED)} THEN task_failure_name(coalesce(x.cause, 0)) END",
        ),
        text("base_run_id", "Of a reset: the run that the history was taken from", "x.base_run_id"),
        failures("x.failure", "the task (of an attempt after a failure: the last one)"),
        inherited("x.closed_event_id"),
    ),
    f"{_TASKS} AS x JOIN mirror.main.runs AS r ON r.run_key = x.run_key",
    (BRANCHED,),
)

WORKERS = View(
    "workers",
    "One row per identity that ran an attempt or has the store open now.",
    columns(
        text("identity", "How the process calls itself: pid@host unless it was named", "x.identity"),
        truth("is_open", "Whether a process of that identity has the store open", "p.process_key IS NOT NULL"),
        number("process_key", "What the store calls the process; NULL when it is gone", "p.process_key"),
        text("hostname", "Its machine", "p.hostname"),
        number("pid", "The operating system's process id", "p.pid"),
        instant("opened_at", "When it opened the store", "p.started_at"),
        instant("heartbeat_at", "When it last said that it lives (every 5 s)", "p.heartbeat_at"),
        number("attempts", "Activity attempts that it finished", "coalesce(a.attempts, 0)"),
        number("failed_attempts", "Of these, those that did not complete", "coalesce(a.failed_attempts, 0)"),
        number("running", "Activity attempts that it runs now", "coalesce(a.running, 0)"),
        length(
            "busy_us",
            "Running time of its finished attempts, summed; attempts side by side count each",
            "coalesce(a.busy_us, 0)",
        ),
        instant("first_attempt_at", "When it started its first attempt", "a.first_started_at"),
        instant("last_attempt_at", "When it started its last attempt", "a.last_started_at"),
    ),
    """(SELECT identity FROM mirror.main.processes UNION
        SELECT worker_identity FROM internal.attempts WHERE worker_identity <> '') AS x
    LEFT JOIN (SELECT * FROM mirror.main.processes QUALIFY row_number() OVER (
        PARTITION BY identity ORDER BY process_key DESC) = 1) AS p ON p.identity = x.identity
    LEFT JOIN (SELECT worker_identity, count(*) FILTER (NOT is_pending) AS attempts,
        count(*) FILTER (NOT is_pending AND status <> 'Completed') AS failed_attempts,
        count(*) FILTER (status = 'Started') AS running,
        sum(ended_at - started_at) FILTER (started_at > 0 AND ended_at > 0) AS busy_us,
        min(positive(started_at)) AS first_started_at, max(started_at) AS last_started_at
        FROM internal.attempts GROUP BY worker_identity) AS a ON a.worker_identity = x.identity""",
)

DEFINITIONS = View(
    "definitions",
    "One row per source of a workflow or activity that the store keeps; the same name has one row for each edit.",
    columns(
        text("digest", "Digest of the source; runs.definition_digest refers to it", "d.digest"),
        text("kind", "workflow or activity", "d.kind"),
        text("name", "Name of the definition", "d.name"),
        text("origin", "Notebook and cell, or file", "d.origin"),
        instant("created_at", "When it was stored", "d.created_at"),
        number("edition", "1 for the first source of that name, 2 for the next, …", "d.edition"),
        truth("is_latest", "Whether it is the newest source of that name", "d.edition = d.editions"),
        truth("is_signed", "Whether it bears a user's mark", "d.signature <> ''"),
        number("runs", "Runs that are bound to it", "coalesce(n.runs, 0)"),
        number("open_runs", "Of these, those that are open", "coalesce(n.open_runs, 0)"),
        Column("source", "VARCHAR", "Source text", "d.source"),
    ),
    """(SELECT *, row_number() OVER (PARTITION BY kind, name ORDER BY created_at, seq) AS edition,
        count(*) OVER (PARTITION BY kind, name) AS editions FROM mirror.main.definitions) AS d
    LEFT JOIN (SELECT definition, count(*) AS runs, count(*) FILTER (status = 1) AS open_runs
        FROM mirror.main.runs WHERE definition <> '' GROUP BY definition) AS n ON n.definition = d.digest""",
)

SCHEDULES = View(
    "schedules",
    "One row per schedule. Empty: this version of the store has no schedules yet; the columns are reserved.",
    columns(
        text("namespace", "Namespace", "CAST(NULL AS VARCHAR)"),
        text("schedule_id", "Id of the schedule", "CAST(NULL AS VARCHAR)"),
        text("workflow_type", "Workflow that it starts", "CAST(NULL AS VARCHAR)"),
        text("workflow_id", "Prefix of the workflow IDs", "CAST(NULL AS VARCHAR)"),
        text("task_queue", "Queue of the runs", "CAST(NULL AS VARCHAR)"),
        json("spec", "When it starts runs", "NULL"),
        truth("is_paused", "Whether it is paused", "CAST(NULL AS BOOLEAN)"),
        text("note", "Note of whoever changed it last", "CAST(NULL AS VARCHAR)"),
        instant("created_at", "When it was made", "NULL"),
        instant("next_run_at", "When it starts its next run", "NULL"),
        instant("last_run_at", "When it started its last run", "NULL"),
        number("runs", "Runs that it started", "NULL"),
        number("missed_runs", "Runs that were due and not started", "NULL"),
    ),
    "(SELECT 1) AS nothing WHERE FALSE",
)
