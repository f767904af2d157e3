"""Commands that cannot be carried out fail the workflow task as a whole; the run stays open."""

from __future__ import annotations

import pytest

from durable_nb.core import requests
from durable_nb.model.attributes import (
    ActivityTaskCancelRequested,
    ActivityTaskCompleted,
    MarkerRecorded,
    RequestCancelExternalWorkflowExecutionInitiated,
    SignalExternalWorkflowExecutionInitiated,
    StartChildWorkflowExecutionInitiated,
    TimerCanceled,
    TimerStarted,
    UpdateMeta,
    UpdateOutcome,
    UpdateRequestAttributes,
    UpsertWorkflowSearchAttributes,
    WorkflowExecutionCompleted,
    WorkflowExecutionUpdateAccepted,
    WorkflowExecutionUpdateCompleted,
    WorkflowPropertiesModified,
    WorkflowTaskFailed,
)
from durable_nb.model.enums import WorkflowTaskFailedCause as Cause
from durable_nb.model.failure import WorkflowExecution
from durable_nb.model.requests import SignalInput
from tests.core.world import SECOND, World, activity, copy

TIMER = TimerStarted("t", SECOND)


def accepted(update_id: str) -> WorkflowExecutionUpdateAccepted:
    return WorkflowExecutionUpdateAccepted(accepted_request=UpdateRequestAttributes(UpdateMeta(update_id)))


def completed(update_id: str) -> WorkflowExecutionUpdateCompleted:
    return WorkflowExecutionUpdateCompleted(UpdateMeta(update_id), outcome=UpdateOutcome(success=[]))


def child(**options) -> StartChildWorkflowExecutionInitiated:
    return StartChildWorkflowExecutionInitiated(**{"workflow_id": "c", "workflow_type": "C", **options})


def prepared() -> World:
    """A run with activity "a" (event 5), timer "old" and updates "u" (accepted) and "v" (completed) pending."""
    world = World().start()
    world.task(activity("a"), TimerStarted("old", 100 * SECOND), accepted("u"), accepted("v"), completed("v"))
    world.do(lambda tx: requests.signal(tx, SignalInput("go"), "me"))
    return world


REFUSED = [
    ([activity("a")], Cause.SCHEDULE_ACTIVITY_DUPLICATE_ID, "activity ID 'a' is in use"),
    ([activity("b"), activity("b")], Cause.SCHEDULE_ACTIVITY_DUPLICATE_ID, "activity ID 'b' is in use"),
    ([activity("")], Cause.BAD_SCHEDULE_ACTIVITY_ATTRIBUTES, "needs an activity_id"),
    ([activity("b", activity_type="")], Cause.BAD_SCHEDULE_ACTIVITY_ATTRIBUTES, "activity type"),
    (
        [activity("b", start_to_close_timeout=0)],
        Cause.BAD_SCHEDULE_ACTIVITY_ATTRIBUTES,
        "needs start_to_close_timeout or schedule_to_close_timeout",
    ),
    ([activity("b", heartbeat_timeout=-1)], Cause.BAD_SCHEDULE_ACTIVITY_ATTRIBUTES, "negative"),
    ([ActivityTaskCancelRequested(6)], Cause.BAD_REQUEST_CANCEL_ACTIVITY_ATTRIBUTES, "event 6"),
    ([TimerStarted("old", SECOND)], Cause.START_TIMER_DUPLICATE_ID, "timer ID 'old' is in use"),
    ([TIMER, TimerStarted("t", 5)], Cause.START_TIMER_DUPLICATE_ID, "timer ID 't' is in use"),
    ([TimerStarted("t", -1)], Cause.BAD_START_TIMER_ATTRIBUTES, "not negative"),
    ([TimerStarted("", 1)], Cause.BAD_START_TIMER_ATTRIBUTES, "needs an ID"),
    ([TimerCanceled("none")], Cause.BAD_CANCEL_TIMER_ATTRIBUTES, "no timer 'none'"),
    ([TimerCanceled("old"), TimerCanceled("old")], Cause.BAD_CANCEL_TIMER_ATTRIBUTES, "no timer 'old'"),
    ([TIMER, TimerCanceled("t")], Cause.BAD_CANCEL_TIMER_ATTRIBUTES, "no timer 't'"),
    ([child(workflow_id="")], Cause.BAD_START_CHILD_EXECUTION_ATTRIBUTES, "workflow ID"),
    ([child(workflow_type="")], Cause.BAD_START_CHILD_EXECUTION_ATTRIBUTES, "workflow type"),
    ([child(cron_schedule="never")], Cause.BAD_START_CHILD_EXECUTION_ATTRIBUTES, "'never'"),
    (
        [SignalExternalWorkflowExecutionInitiated(signal_name="s")],
        Cause.BAD_SIGNAL_WORKFLOW_EXECUTION_ATTRIBUTES,
        "workflow ID",
    ),
    (
        [SignalExternalWorkflowExecutionInitiated(workflow_execution=WorkflowExecution("x"))],
        Cause.BAD_SIGNAL_WORKFLOW_EXECUTION_ATTRIBUTES,
        "name",
    ),
    (
        [RequestCancelExternalWorkflowExecutionInitiated()],
        Cause.BAD_REQUEST_CANCEL_EXTERNAL_WORKFLOW_EXECUTION_ATTRIBUTES,
        "workflow ID",
    ),
    ([WorkflowExecutionUpdateAccepted()], Cause.BAD_UPDATE_WORKFLOW_EXECUTION_MESSAGE, "no ID"),
    ([accepted("u")], Cause.BAD_UPDATE_WORKFLOW_EXECUTION_MESSAGE, "'u' was accepted before"),
    ([accepted("w"), accepted("w")], Cause.BAD_UPDATE_WORKFLOW_EXECUTION_MESSAGE, "'w' was accepted before"),
    ([completed("w")], Cause.BAD_UPDATE_WORKFLOW_EXECUTION_MESSAGE, "no update 'w'"),
    ([completed("v")], Cause.BAD_UPDATE_WORKFLOW_EXECUTION_MESSAGE, "no update 'v'"),
    ([completed("u"), completed("u")], Cause.BAD_UPDATE_WORKFLOW_EXECUTION_MESSAGE, "no update 'u'"),
    ([ActivityTaskCompleted()], Cause.UNSPECIFIED, "ActivityTaskCompleted is not a command"),
]


@pytest.mark.parametrize(("asked", "cause", "words"), REFUSED, ids=lambda value: value if type(value) is str else "")
def test_a_bad_command_fails_the_task_and_none_of_its_commands_is_carried_out(asked, cause, words):
    world = prepared()
    before = len(world.events)
    world.task(TimerStarted("first", SECOND), *map(copy, asked))
    assert world.titles(before + 1) == ["WorkflowTaskStarted", "WorkflowTaskFailed"]
    failed = world.last(WorkflowTaskFailed)
    assert failed.cause is cause
    assert words in failed.failure.message
    assert failed.failure.application_failure_info.type == cause.name
    assert "first" not in world.state.timers
    assert world.state.workflow_task.attempt == 2


ALLOWED = [
    [TimerCanceled("old"), TimerStarted("old", SECOND)],
    [TimerStarted("zero", 0)],
    [ActivityTaskCancelRequested(5), ActivityTaskCancelRequested(5)],
    [accepted("w"), completed("w"), completed("u")],
    [child(cron_schedule="@daily")],
    [MarkerRecorded("m"), UpsertWorkflowSearchAttributes(), WorkflowPropertiesModified()],
    [WorkflowExecutionCompleted(), TimerCanceled("none"), ActivityTaskCompleted()],
]


@pytest.mark.parametrize("asked", ALLOWED)
def test_these_commands_are_carried_out_in_their_order(asked):
    world = prepared()
    before = len(world.events)
    world.task(*map(copy, asked))
    kinds = [type(item) for item in asked]
    if WorkflowExecutionCompleted in kinds:  # What stands behind the end of the run is dropped.
        kinds = kinds[: kinds.index(WorkflowExecutionCompleted) + 1]
    written = [type(event.attributes) for event in world.events[before + 2 :]]
    assert written[: len(kinds)] == kinds
