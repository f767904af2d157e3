"""``timers``, ``signals``, ``updates`` and ``children``: what a workflow waits for besides activities."""

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

_IS_OPEN = "r.status = 1"
_TASK = number(
    "workflow_task_completed_event_id",
    "The workflow task that asked for it",
    "(s.attributes->>'$.workflowTaskCompletedEventId')",
)


def _following(alias: str, field: str, *types: EventType) -> Join:
    """The event, if it is there, by which something that began with the event ``s`` goes on."""
    return Join(
        alias, f"{referring(field, *types)} AS {alias} ON {alias}.run_key = s.run_key AND {alias}.ref = s.event_id"
    )


TIMERS = View(
    "timers",
    "One row per timer.",
    columns(
        of_run(),
        text("timer_id", "Id within the run", "(s.attributes->>'$.timerId')"),
        number("started_event_id", "Its TimerStarted event", "s.event_id"),
        number("closed_event_id", "Its TimerFired or TimerCanceled event", "c.event_id"),
        _TASK,
        Column(
            "status",
            "VARCHAR",
            "Started, Fired, Canceled; Abandoned: the run closed first",
            f"CASE c.event_type WHEN {int(EventType.TIMER_FIRED)} THEN 'Fired' "
            f"WHEN {int(EventType.TIMER_CANCELED)} THEN 'Canceled' "
            f"ELSE CASE WHEN {_IS_OPEN} THEN 'Started' ELSE 'Abandoned' END END",
        ),
        instant("started_at", "When it was started", "s.event_time"),
        instant("fire_at", "When it is due", "s.event_time + CAST((s.attributes->>'$.startToFireTimeout') AS BIGINT)"),
        instant("closed_at", "When it fired or was cancelled", "c.event_time"),
        length("timeout_us", "How long it was to wait", "(s.attributes->>'$.startToFireTimeout')"),
        length(
            "late_us",
            "How much later than due it fired",
            f"CASE WHEN c.event_type = {int(EventType.TIMER_FIRED)} "
            "THEN c.event_time - s.event_time - CAST((s.attributes->>'$.startToFireTimeout') AS BIGINT) END",
        ),
        summary("s.user_metadata", "the timer"),
        inherited("c.event_id"),
    ),
    f"{events(EventType.TIMER_STARTED)} AS s JOIN mirror.main.runs AS r ON r.run_key = s.run_key",
    (_following("c", "startedEventId", EventType.TIMER_FIRED, EventType.TIMER_CANCELED), BRANCHED),
)

_SIGNALED, _SENT = int(EventType.WORKFLOW_EXECUTION_SIGNALED), EventType.SIGNAL_EXTERNAL_WORKFLOW_EXECUTION_INITIATED
_DELIVERED = EventType.EXTERNAL_WORKFLOW_EXECUTION_SIGNALED
_RECEIVED = "s.event_type = " + str(_SIGNALED)

SIGNALS = View(
    "signals",
    "One row per signal that a run received, and per signal that workflow code sent to another workflow.",
    columns(
        of_run(),
        number("event_id", "WorkflowExecutionSignaled, or SignalExternalWorkflowExecutionInitiated", "s.event_id"),
        Column("direction", "VARCHAR", "received or sent", f"CASE WHEN {_RECEIVED} THEN 'received' ELSE 'sent' END"),
        text("signal_name", "Name of the signal", "(s.attributes->>'$.signalName')"),
        instant("signaled_at", "When it was recorded", "s.event_time"),
        Column(
            "status",
            "VARCHAR",
            "Received; sent: Initiated, Delivered, Failed, or Abandoned when the run closed first",
            f"CASE WHEN {_RECEIVED} THEN 'Received' WHEN c.event_type = {int(_DELIVERED)} THEN 'Delivered' "
            f"WHEN c.event_type IS NOT NULL THEN 'Failed' WHEN {_IS_OPEN} THEN 'Initiated' ELSE 'Abandoned' END",
        ),
        instant("delivered_at", "Sent: when the other workflow had it, or delivery failed", "c.event_time"),
        text(
            "other_workflow_id",
            "Workflow at the other end; NULL when a client sent it",
            "coalesce((s.attributes->>'$.externalWorkflowExecution.workflowId'), "
            "(s.attributes->>'$.workflowExecution.workflowId'))",
        ),
        text(
            "other_run_id",
            "Its run, where that is recorded",
            "coalesce((s.attributes->>'$.externalWorkflowExecution.runId'), "
            "(s.attributes->>'$.workflowExecution.runId'))",
        ),
        text("identity", "Who sent a received signal", "(s.attributes->>'$.identity')"),
        number("closed_event_id", "Sent: the event that tells how it went", "c.event_id"),
        arguments("input", "(s.attributes->'$.input')", "Its arguments"),
        inherited(f"CASE WHEN {_RECEIVED} THEN s.event_id ELSE c.event_id END"),
    ),
    f"{events(EventType.WORKFLOW_EXECUTION_SIGNALED, _SENT)} AS s JOIN mirror.main.runs AS r ON r.run_key = s.run_key",
    (_following("c", "initiatedEventId", _DELIVERED, EventType.SIGNAL_EXTERNAL_WORKFLOW_EXECUTION_FAILED), BRANCHED),
)

UPDATES = View(
    "updates",
    "One row per accepted update; a rejected one leaves no trace in a history.",
    columns(
        of_run(),
        text("update_id", "Its id", "(s.attributes->>'$.acceptedRequest.meta.updateId')"),
        text("update_name", "Name of the update", "(s.attributes->>'$.acceptedRequest.input.name')"),
        number("accepted_event_id", "Its WorkflowExecutionUpdateAccepted event", "s.event_id"),
        number("completed_event_id", "Its WorkflowExecutionUpdateCompleted event", "c.event_id"),
        Column(
            "status",
            "VARCHAR",
            "Accepted, Completed, Failed; Abandoned: the run closed first",
            "CASE WHEN c.event_id IS NULL THEN "
            f"CASE WHEN {_IS_OPEN} THEN 'Accepted' ELSE 'Abandoned' END "
            "WHEN (c.attributes->'$.outcome.failure') IS NOT NULL THEN 'Failed' ELSE 'Completed' END",
        ),
        instant("accepted_at", "When it was accepted", "s.event_time"),
        instant("completed_at", "When it was over", "c.event_time"),
        length("duration_us", "From accepted_at to completed_at", "c.event_time - s.event_time"),
        text("identity", "Who asked for it", "(s.attributes->>'$.acceptedRequest.meta.identity')"),
        arguments("input", "(s.attributes->'$.acceptedRequest.input.args')", "Its arguments"),
        payload("result", "(c.attributes->'$.outcome.success')", "What its handler returned"),
        failures("(c.attributes->'$.outcome.failure')", "the update"),
        inherited("c.event_id"),
    ),
    f"{events(EventType.WORKFLOW_EXECUTION_UPDATE_ACCEPTED)} AS s JOIN mirror.main.runs AS r ON r.run_key = s.run_key",
    (_following("c", "acceptedEventId", EventType.WORKFLOW_EXECUTION_UPDATE_COMPLETED), BRANCHED),
)

_CHILD_CLOSED = {
    EventType.START_CHILD_WORKFLOW_EXECUTION_FAILED: "StartFailed",
    EventType.CHILD_WORKFLOW_EXECUTION_COMPLETED: "Completed",
    EventType.CHILD_WORKFLOW_EXECUTION_FAILED: "Failed",
    EventType.CHILD_WORKFLOW_EXECUTION_CANCELED: "Canceled",
    EventType.CHILD_WORKFLOW_EXECUTION_TIMED_OUT: "TimedOut",
    EventType.CHILD_WORKFLOW_EXECUTION_TERMINATED: "Terminated",
}
_CHILD_STATUS = " ".join(f"WHEN {int(kind)} THEN '{word}'" for kind, word in _CHILD_CLOSED.items())

CHILDREN = View(
    "children",
    "One row per child workflow, as its parent sees it; run_key and the other columns of the run are the parent's.",
    columns(
        of_run(),
        text("child_workflow_id", "Workflow ID of the child", "(s.attributes->>'$.workflowId')"),
        text(
            "child_run_id",
            "Run ID of the child's first run; NULL until it started",
            "(b.attributes->>'$.workflowExecution.runId')",
        ),
        number("child_run_key", "Number of that run in this store; NULL when it is not here", "d.run_key"),
        text("child_workflow_type", "Name of the child's definition", "(s.attributes->>'$.workflowType')"),
        text("task_queue", "Queue of the child's workflow tasks", "(s.attributes->>'$.taskQueue')"),
        number("initiated_event_id", "StartChildWorkflowExecutionInitiated", "s.event_id"),
        number("started_event_id", "ChildWorkflowExecutionStarted", "b.event_id"),
        number("closed_event_id", "The event that tells how the child ended", "c.event_id"),
        _TASK,
        Column(
            "status",
            "VARCHAR",
            "Initiated, Started, StartFailed, Completed, Failed, Canceled, TimedOut, Terminated; "
            "Abandoned: the parent closed first",
            f"CASE c.event_type {_CHILD_STATUS} ELSE CASE WHEN NOT ({_IS_OPEN}) THEN 'Abandoned' "
            "WHEN b.event_id IS NULL THEN 'Initiated' ELSE 'Started' END END",
        ),
        instant("initiated_at", "When the parent asked for it", "s.event_time"),
        instant("started_at", "When the parent learned of its start", "b.event_time"),
        instant("closed_at", "When the parent learned of its end", "c.event_time"),
        length("queue_us", "From initiated_at to started_at", "b.event_time - s.event_time"),
        length("run_us", "From started_at to closed_at", "c.event_time - b.event_time"),
        length("duration_us", "From initiated_at to closed_at", "c.event_time - s.event_time"),
        text(
            "parent_close_policy",
            "What happens to it when the parent closes: Terminate, Abandon, RequestCancel",
            "close_policy_name(TRY_CAST((s.attributes->>'$.parentClosePolicy') AS INTEGER))",
        ),
        truth(
            "is_abandoned_by_policy",
            "Whether it lives on when its parent closes",
            "coalesce((s.attributes->>'$.parentClosePolicy') = '2', FALSE)",
        ),
        text(
            "cause",
            "Why it could not start: WorkflowAlreadyExists, …",
            f"CASE WHEN c.event_type = {int(EventType.START_CHILD_WORKFLOW_EXECUTION_FAILED)} "
            "THEN child_failure_name(TRY_CAST((c.attributes->>'$.cause') AS INTEGER)) END",
        ),
        arguments("input", "(s.attributes->'$.input')", "Its arguments"),
        payload("result", "(c.attributes->'$.result')", "What it returned"),
        failures("(c.attributes->'$.failure')", "the child"),
        summary("s.user_metadata", "the child"),
        inherited("c.event_id"),
    ),
    f"{events(EventType.START_CHILD_WORKFLOW_EXECUTION_INITIATED)} AS s "
    "JOIN mirror.main.runs AS r ON r.run_key = s.run_key",
    (
        _following("b", "initiatedEventId", EventType.CHILD_WORKFLOW_EXECUTION_STARTED),
        _following("c", "initiatedEventId", *_CHILD_CLOSED),
        Join("d", "mirror.main.runs AS d ON d.run_id = (b.attributes->>'$.workflowExecution.runId')"),
        BRANCHED,
    ),
)
