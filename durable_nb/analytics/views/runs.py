"""``runs`` and ``events``: what ran, and everything that was recorded."""

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
    json,
    length,
    number,
    of_run,
    payload,
    summary,
    text,
)
from durable_nb.model.enums import EventType
from durable_nb.model.events import TERMINAL_EVENT_TYPES

_CLOSING = events(*sorted(TERMINAL_EVENT_TYPES))
_FAILURE = "(c.attributes->'$.failure')"

RUNS = View(
    "runs",
    "One row per run. A workflow that continued as new, was retried, or runs by cron has several, linked by "
    "continued_from_run_id and first_execution_run_id; a reset or a fork by reset_from_run_id; children by parent_ and "
    "root_ columns.",
    columns(
        of_run(),
        text("task_queue", "Queue of its workflow tasks", "r.task_queue"),
        Column(
            "status",
            "VARCHAR",
            "Running, Completed, Failed, Canceled, Terminated, ContinuedAsNew or TimedOut",
            "status_name(r.status)",
        ),
        instant("start_time", "When it was started", "r.start_time"),
        instant(
            "execution_time",
            "When its first workflow task may start: start time plus delay or back-off",
            "r.execution_time",
        ),
        instant("close_time", "When it closed; NULL while it is open", "r.close_time"),
        length(
            "duration_us",
            "From execution_time to close_time; 0 where it was closed before that; NULL while it is open",
            "CASE WHEN r.close_time <> 0 THEN greatest(r.close_time - r.execution_time, 0) END",
        ),
        number("history_length", "Number of events", "r.next_event_id - 1"),
        number("history_size_bytes", "Size of the events' attributes as stored", "r.history_size", "bytes"),
        text("parent_workflow_id", "Workflow ID of the parent; NULL for none", "r.parent_workflow_id"),
        text("parent_run_id", "Run ID of the parent", "r.parent_run_id"),
        number(
            "parent_initiated_event_id",
            "Event of the parent that asked for this run",
            "positive(r.parent_initiated_event_id)",
        ),
        text(
            "root_workflow_id",
            "Workflow ID of the top of the tree of children; its own for the top",
            "coalesce(nullif(r.root_workflow_id, ''), r.workflow_id)",
        ),
        text(
            "root_run_id", "Run ID of the top of the tree of children", "coalesce(nullif(r.root_run_id, ''), r.run_id)"
        ),
        text(
            "first_execution_run_id",
            "First run of the chain of retries, cron runs and continue-as-new",
            "r.first_execution_run_id",
        ),
        text(
            "continued_from_run_id", "Run before this one in its chain", "(s.attributes->>'$.continuedExecutionRunId')"
        ),
        text("continued_to_run_id", "Run after this one in its chain", "(c.attributes->>'$.newExecutionRunId')"),
        text(
            "initiator",
            "What made this run follow another: Workflow (continue-as-new), Retry or CronSchedule",
            "initiator_name(TRY_CAST((s.attributes->>'$.initiator') AS INTEGER))",
        ),
        text("reset_from_run_id", "Run that this one was reset or forked from", "branched.base_run_id"),
        number(
            "reset_event_id",
            "Event (WorkflowTaskFailed, cause ResetWorkflow) at which it left that run",
            "branched.event_id",
        ),
        number(
            "attempt",
            "Attempt of the workflow's own retry policy, from 1",
            "coalesce(TRY_CAST((s.attributes->>'$.attempt') AS BIGINT), 1)",
        ),
        text("cron_schedule", "Cron expression; NULL for none", "(s.attributes->>'$.cronSchedule')"),
        text(
            "definition_digest",
            "Digest of the definition's source that the run is bound to; see definitions",
            "r.definition",
        ),
        text("identity", "Who started it", "(s.attributes->>'$.identity')"),
        length(
            "execution_timeout_us",
            "Timeout of the chain; NULL for none",
            "positive(CAST((s.attributes->>'$.workflowExecutionTimeout') AS BIGINT))",
        ),
        length(
            "run_timeout_us",
            "Timeout of the run; NULL for none",
            "positive(CAST((s.attributes->>'$.workflowRunTimeout') AS BIGINT))",
        ),
        arguments("input", "(s.attributes->'$.input')", "Arguments of the run"),
        payload("result", "(c.attributes->'$.result')", "What the workflow returned"),
        failures(_FAILURE, "the run"),
        text(
            "close_reason",
            "Reason that was given for a termination",
            "(c.attributes->>'$.reason')",
        ),
        json("memo", "Memo: a JSON object by name", "fields_json(r.memo)"),
        json("search_attributes", "Search attributes: a JSON object by name", "fields_json(r.search_attributes)"),
        summary("s.user_metadata", "the run"),
    ),
    "mirror.main.runs AS r",
    (
        Join(
            "s",
            f"(FROM {events(EventType.WORKFLOW_EXECUTION_STARTED)} WHERE event_id = 1) AS s ON s.run_key = r.run_key",
        ),
        Join("c", f"{_CLOSING} AS c ON c.run_key = r.run_key"),
        BRANCHED,
    ),
)

EVENTS = View(
    "events",
    "One row per event of every history.",
    columns(
        of_run(),
        number("seq", "Order in which events were committed to the store; grows, with holes", "e.seq"),
        number("event_id", "1..n in the run, without a hole", "e.event_id"),
        Column(
            "event_type", "VARCHAR", "Temporal's name: ActivityTaskScheduled, TimerFired, …", "event_name(e.event_type)"
        ),
        instant("event_time", "When it happened", "e.event_time"),
        length(
            "since_start_us",
            "From the start of the run; negative where is_inherited",
            "e.event_time - r.start_time",
        ),
        json(
            "attributes",
            "Attributes under Temporal's lowerCamelCase names, defaults left out, durations and instants in µs; "
            "a payload over the store's limit is a reference (durableBlob) that durable_nb.analytics.decode follows",
            "e.attributes",
        ),
        number("size_bytes", "Size of the attributes as stored", "strlen(e.attributes)", "bytes"),
        summary("e.user_metadata", "what the event began"),
        text("error", "Why the attributes cannot be read; then attributes is an empty object", "e.error"),
        inherited("e.event_id"),
    ),
    "mirror.main.events AS e JOIN mirror.main.runs AS r ON r.run_key = e.run_key",
    (BRANCHED,),
)
