"""Where a new history leaves an old one: through an event, with another result or input, before a failure."""

from __future__ import annotations

import pytest

from durable_nb.core import activities, closing, others, points, requests
from durable_nb.core.points import PointError
from durable_nb.model.attributes import (
    ActivityTaskCompleted,
    ActivityTaskStarted,
    StartChildWorkflowExecutionInitiated,
    TimerStarted,
    WorkflowExecutionCompleted,
    WorkflowExecutionFailed,
    WorkflowExecutionStarted,
    WorkflowTaskStarted,
)
from durable_nb.model.failure import (
    ActivityFailureInfo,
    ApplicationFailureInfo,
    ChildWorkflowExecutionFailureInfo,
    Failure,
    WorkflowExecution,
)
from durable_nb.model.requests import SignalInput
from tests.core.world import SECOND, World, activity, text

FATAL = Failure("down", application_failure_info=ApplicationFailureInfo("Down", non_retryable=True))


def two_steps() -> World:
    """Activity "1" (5-7), task (8-10), activity "2" (11) and timer (12), end of "2" (13-14), task (15-17), end."""
    world = World().start(input=text("in"))
    world.task(activity("1"))
    world.complete_activity("1")
    world.task(activity("2"), TimerStarted("t", 10 * SECOND))
    world.complete_activity("2")
    world.task(WorkflowExecutionCompleted())
    return world


def kinds(events) -> list[str]:
    return [event.event_type.title for event in events]


@pytest.mark.parametrize(
    ("event_id", "kept"),
    [
        (1, 1),
        (2, 2),
        (3, 3),  # of a workflow task: that task again
        (4, 3),
        (5, 5),
        (6, 7),  # never between Started and Completed of an activity
        (7, 7),
        (8, 8),
        (10, 9),
        (11, 12),  # a workflow task is kept whole
        (12, 12),
        (14, 14),
        (17, 16),
        (18, 16),  # what the code itself did to end the run: its last task again
    ],
)
def test_through_an_event_keeps_workflow_tasks_whole(event_id, kept):
    events = two_steps().events
    prefix = points.through(events, event_id, "r")
    assert prefix.kept == kept
    assert prefix.events == events[:kept]


def test_a_run_that_was_terminated_is_kept_up_to_then():
    world = World().start()
    world.task(activity("1"))
    world.do(lambda tx: closing.terminate(tx, "no more", None, "me"))
    assert points.through(world.events, len(world.events), "r").kept == len(world.events) - 1


def test_a_signal_right_behind_a_workflow_task_is_no_command_of_it():
    world = World().start()
    world.task()
    world.do(lambda tx: requests.signal(tx, SignalInput("s"), "me"))
    assert points.through(world.events, 5, "r").kept == 5


def test_another_result_takes_the_place_of_the_end_whatever_it_was():
    world = World().start()
    world.task(activity("1"))
    found = world.attempt("1")
    world.do(lambda tx: activities.fail(tx, found, FATAL, "me"))
    prefix = points.with_result(world.events, "1", text("edited"), "r")
    assert kinds(prefix.events[4:]) == ["ActivityTaskScheduled", "ActivityTaskStarted", "ActivityTaskCompleted"]
    assert prefix.events[-1].attributes == ActivityTaskCompleted(text("edited"), 5, 6, "me")
    assert (prefix.kept, prefix.changed) == (7, "the result of activity 1 (act)")
    assert world.events[6].event_type.title == "ActivityTaskFailed"


def test_an_activity_that_never_started_gets_a_start_before_its_result():
    world = World().start()
    world.task(activity("1", schedule_to_start_timeout=SECOND))
    prefix = points.with_result(world.events, "1", text("edited"), "r")
    assert prefix.events[5].attributes == ActivityTaskStarted(5, attempt=1)
    assert prefix.events[6].attributes.started_event_id == 6


def test_another_input_begins_with_the_first_workflow_task():
    events = two_steps().events
    prefix = points.with_input(events, text("other"))
    assert kinds(prefix.events) == ["WorkflowExecutionStarted", "WorkflowTaskScheduled", "WorkflowTaskStarted"]
    assert prefix.events[0].attributes.input == text("other")
    assert events[0].attributes.input == text("in")


def failed_beside(world: World) -> WorkflowExecutionFailed:
    info = ActivityFailureInfo(scheduled_event_id=5)
    return WorkflowExecutionFailed(failure=Failure("Activity task failed", activity_failure_info=info, cause=FATAL))


def test_before_a_failure_siblings_that_completed_stay_and_ids_move_down():
    world = World().start()
    world.task(activity("1"), activity("2"))
    one = world.attempt("1")
    world.do(lambda tx: activities.fail(tx, one, FATAL, "me"))
    world.complete_activity("2")
    world.task(failed_beside(world))
    prefix = points.last_good(world.events, "", "r")
    assert kinds(prefix.events[4:]) == [
        "ActivityTaskScheduled",
        "ActivityTaskScheduled",
        "ActivityTaskStarted",
        "ActivityTaskCompleted",
    ]
    completed = prefix.events[7].attributes
    assert (completed.scheduled_event_id, completed.started_event_id) == (6, 7)


def test_code_that_raised_runs_its_last_task_again():
    world = World().start()
    world.task(activity("1"))
    world.complete_activity("1")
    world.task(WorkflowExecutionFailed(failure=Failure("no", application_failure_info=ApplicationFailureInfo("No"))))
    prefix = points.last_good(world.events, "", "r")
    assert isinstance(prefix.events[-1].attributes, WorkflowTaskStarted)
    assert prefix.kept == 9


def test_a_run_that_did_not_fail_is_not_retried():
    world = World().start()
    world.task(WorkflowExecutionCompleted())
    with pytest.raises(PointError, match="completed: there is nothing to retry"):
        points.last_good(world.events, "", "r")


def test_an_unknown_event_or_activity_is_refused_with_those_that_there_are():
    events = two_steps().events
    with pytest.raises(PointError, match="events 1 to 18"):
        points.through(events, 99, "r")
    with pytest.raises(PointError, match=r"its activities are 1 \(act\), 2 \(act\)"):
        points.with_result(events, "x", None, "r")
    assert isinstance(events[0].attributes, WorkflowExecutionStarted)


def test_before_the_failure_of_a_child_the_task_that_started_it_runs_again():
    world = World().start()
    world.task(activity("1"))
    world.complete_activity("1")
    world.task(StartChildWorkflowExecutionInitiated(workflow_id="c", workflow_type="C"))
    child = WorkflowExecution("c", "r")
    initiated = world.events[-1].event_id
    world.do(lambda tx: others.child_started(tx, initiated, child))
    world.task()
    world.do(lambda tx: others.child_closed(tx, initiated, child, WorkflowExecutionFailed(failure=FATAL)))
    info = ChildWorkflowExecutionFailureInfo(initiated_event_id=initiated)
    world.task(
        WorkflowExecutionFailed(failure=Failure("child", child_workflow_execution_failure_info=info, cause=FATAL))
    )
    prefix = points.last_good(world.events, "", "r")
    assert prefix.kept == initiated - 2
    assert isinstance(prefix.events[-1].attributes, WorkflowTaskStarted)


def test_a_run_that_was_followed_by_another_is_not_retried():
    world = World().start()
    world.task(WorkflowExecutionFailed(failure=FATAL))
    world.events[-1].attributes.new_execution_run_id = "next"
    with pytest.raises(PointError, match="was followed by run next: retry that one"):
        points.last_good(world.events, "", "r")
