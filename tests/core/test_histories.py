"""Whole histories, event by event, as temporal-semantics section 8 demands them."""

from __future__ import annotations

from durable_nb.core import activities, others, requests, workflow_tasks
from durable_nb.model.attributes import (
    ActivityTaskCancelRequested,
    ActivityTaskCompleted,
    ActivityTaskStarted,
    MarkerRecorded,
    RequestCancelExternalWorkflowExecutionInitiated,
    RetryPolicyAttributes,
    SignalExternalWorkflowExecutionInitiated,
    StartChildWorkflowExecutionInitiated,
    TimerCanceled,
    TimerFired,
    TimerStarted,
    UpdateInput,
    UpdateMeta,
    UpdateOutcome,
    UpdateRequestAttributes,
    UpsertWorkflowSearchAttributes,
    WorkflowExecutionCanceled,
    WorkflowExecutionCompleted,
    WorkflowExecutionFailed,
    WorkflowExecutionUpdateAccepted,
    WorkflowExecutionUpdateCompleted,
    WorkflowTaskCompleted,
    WorkflowTaskFailed,
    WorkflowTaskStarted,
)
from durable_nb.model.commands import WorkflowTaskFailure
from durable_nb.model.enums import WorkflowTaskFailedCause
from durable_nb.model.failure import Failure, WorkflowExecution
from durable_nb.model.requests import SignalInput
from tests.core.world import SECOND, World, activity, completion, text

TASK = ["WorkflowTaskScheduled", "WorkflowTaskStarted", "WorkflowTaskCompleted"]


def signal(world: World, name: str = "go") -> None:
    world.do(lambda tx: requests.signal(tx, SignalInput(name), "me"))


def test_the_smallest_run():
    world = World().start()
    size = world.rows.run.history_size
    world.task(WorkflowExecutionCompleted(text("r")))
    assert world.titles() == ["WorkflowExecutionStarted", *TASK, "WorkflowExecutionCompleted"]
    assert world.events[2].attributes == WorkflowTaskStarted(2, "me@here", history_size_bytes=size)
    assert world.events[3].attributes == WorkflowTaskCompleted(2, 3, "me@here")
    assert world.events[4].attributes == WorkflowExecutionCompleted(text("r"), 4)


def test_one_activity():
    world = World().start()
    world.task(activity(input=text("in")))
    world.complete_activity()
    world.task(WorkflowExecutionCompleted(text("r")))
    assert world.titles() == [
        "WorkflowExecutionStarted",
        *TASK,
        "ActivityTaskScheduled",
        "ActivityTaskStarted",
        "ActivityTaskCompleted",
        *TASK,
        "WorkflowExecutionCompleted",
    ]
    scheduled = world.events[4].attributes
    assert (scheduled.task_queue, scheduled.workflow_task_completed_event_id) == ("q", 4)
    assert world.events[5].attributes == ActivityTaskStarted(5, "me@here", attempt=1)
    assert world.events[6].attributes == ActivityTaskCompleted(text("done"), 5, 6, "me@here")


def test_activities_in_parallel_that_end_in_another_order():
    world = World().start()
    world.task(activity("a"), activity("b"), activity("c"))
    for name in "cab":
        world.complete_activity(name)
    assert [
        (event.event_type.title, getattr(event.attributes, "scheduled_event_id", None)) for event in world.events[4:]
    ] == [
        ("ActivityTaskScheduled", None),
        ("ActivityTaskScheduled", None),
        ("ActivityTaskScheduled", None),
        ("ActivityTaskStarted", 7),
        ("ActivityTaskCompleted", 7),
        ("WorkflowTaskScheduled", None),
        ("ActivityTaskStarted", 5),
        ("ActivityTaskCompleted", 5),
        ("ActivityTaskStarted", 6),
        ("ActivityTaskCompleted", 6),
    ]


def test_an_activity_that_fails_for_good_after_three_attempts():
    policy = RetryPolicyAttributes(maximum_attempts=3)
    world = World().start()
    world.task(activity(retry_policy=policy))
    for seconds in (1, 2, 0):
        found = world.attempt()
        world.do(lambda tx, found=found: activities.fail(tx, found, Failure(message="down"), "me@here"))
        world.pass_time(seconds)
    world.task(WorkflowExecutionFailed(Failure(message="gave up")))
    assert world.titles(5) == [
        "ActivityTaskScheduled",
        "ActivityTaskStarted",
        "ActivityTaskFailed",
        *TASK,
        "WorkflowExecutionFailed",
    ]
    assert world.events[5].attributes.attempt == 3


def test_a_timer_that_fires_and_one_that_is_cancelled():
    world = World().start()
    world.task(TimerStarted("1", 5 * SECOND), TimerStarted("2", 50 * SECOND))
    world.pass_time(5)
    world.task(TimerCanceled("2"), WorkflowExecutionCompleted())
    assert world.titles(5) == [
        "TimerStarted",
        "TimerStarted",
        "TimerFired",
        *TASK,
        "TimerCanceled",
        "WorkflowExecutionCompleted",
    ]
    assert world.events[6].attributes == TimerFired("1", 5)
    assert world.events[10].attributes == TimerCanceled("2", 6, 10, "me@here")


def test_timers_that_are_due_together_fire_in_the_order_of_their_instants():
    world = World().start()
    world.task(TimerStarted("late", 3 * SECOND), TimerStarted("early", SECOND), TimerStarted("zero", 0))
    world.pass_time(10)
    fired = [event.attributes.timer_id for event in world.events if isinstance(event.attributes, TimerFired)]
    assert fired == ["zero", "early", "late"]
    assert world.titles(8) == ["TimerFired", "WorkflowTaskScheduled", "TimerFired", "TimerFired"]


def test_signal_with_start_then_a_signal_during_the_first_task():
    world = World().start(signal=SignalInput("first"))
    open_task = world.hold()
    signal(world, "second")
    world.end(open_task, TimerStarted("1", SECOND))
    assert world.titles() == [
        "WorkflowExecutionStarted",
        "WorkflowExecutionSignaled",
        *TASK,
        "TimerStarted",
        "WorkflowExecutionSignaled",
        "WorkflowTaskScheduled",
    ]


def test_a_cancelled_workflow_that_cancels_its_activity():
    world = World().start()
    world.task(activity())
    world.do(lambda tx: requests.request_cancel(tx, "enough", "me"))
    world.task(ActivityTaskCancelRequested(5))
    world.do(lambda tx: activities.cancel(tx, world.attempt(), None, "me@here"))
    world.task(WorkflowExecutionCanceled())
    assert world.titles(5) == [
        "ActivityTaskScheduled",
        "WorkflowExecutionCancelRequested",
        *TASK,
        "ActivityTaskCancelRequested",
        "ActivityTaskStarted",
        "ActivityTaskCanceled",
        *TASK,
        "WorkflowExecutionCanceled",
    ]


def test_a_failed_workflow_task_then_a_fixed_one():
    world = World().start()
    world.fail_task(WorkflowTaskFailure(WorkflowTaskFailedCause.NON_DETERMINISTIC_ERROR, Failure(message="x")))
    world.pass_time(1)
    world.task(WorkflowExecutionCompleted())
    assert world.titles() == [
        "WorkflowExecutionStarted",
        "WorkflowTaskScheduled",
        "WorkflowTaskStarted",
        "WorkflowTaskFailed",
        *TASK,
        "WorkflowExecutionCompleted",
    ]
    assert world.events[3].attributes == WorkflowTaskFailed(
        2, 3, WorkflowTaskFailedCause.NON_DETERMINISTIC_ERROR, Failure(message="x"), "me@here"
    )


def test_a_child_from_its_start_to_its_end():
    world = World().start()
    world.task(StartChildWorkflowExecutionInitiated(workflow_id="c", workflow_type="C"))
    child = WorkflowExecution("c", "r")
    world.do(lambda tx: others.child_started(tx, 5, child))
    world.task()
    world.do(lambda tx: others.child_closed(tx, 5, child, WorkflowExecutionCompleted(text("r"))))
    world.task(WorkflowExecutionCompleted())
    assert world.titles(5) == [
        "StartChildWorkflowExecutionInitiated",
        "ChildWorkflowExecutionStarted",
        *TASK,
        "ChildWorkflowExecutionCompleted",
        *TASK,
        "WorkflowExecutionCompleted",
    ]


def test_a_signal_and_a_cancel_request_to_another_workflow():
    other = WorkflowExecution("other")
    world = World().start()
    world.task(
        SignalExternalWorkflowExecutionInitiated(workflow_execution=other, signal_name="s"),
        RequestCancelExternalWorkflowExecutionInitiated(workflow_execution=other),
    )
    world.do(lambda tx: others.cancel_delivered(tx, 6, found=True))
    world.do(lambda tx: others.signal_delivered(tx, 5, found=True))
    assert world.titles(5) == [
        "SignalExternalWorkflowExecutionInitiated",
        "RequestCancelExternalWorkflowExecutionInitiated",
        "ExternalWorkflowExecutionCancelRequested",
        "WorkflowTaskScheduled",
        "ExternalWorkflowExecutionSignaled",
    ]


def test_a_patch_and_an_update_in_their_command_order():
    world = World().start()
    world.task(
        MarkerRecorded("core_patch"),
        UpsertWorkflowSearchAttributes(search_attributes={"TemporalChangeVersion": text("p")[0]}),
    )
    accepted = WorkflowExecutionUpdateAccepted(
        accepted_request=UpdateRequestAttributes(UpdateMeta("u"), UpdateInput(name="add"))
    )
    done = WorkflowExecutionUpdateCompleted(UpdateMeta("u"), outcome=UpdateOutcome(success=text("1")))
    world.task(accepted, activity(), done)
    assert world.titles(5) == [
        "MarkerRecorded",
        "UpsertWorkflowSearchAttributes",
        *TASK,
        "WorkflowExecutionUpdateAccepted",
        "ActivityTaskScheduled",
        "WorkflowExecutionUpdateCompleted",
    ]
    assert world.last(WorkflowExecutionUpdateCompleted).accepted_event_id == 10


def test_a_step_that_completes_an_activity_and_runs_the_next_task_is_one_commit():
    world = World().start()
    world.task(activity("1"))
    version = world.state.version
    with world.step() as tx:
        activities.complete(tx, world.attempt("1"), text("r"), "me@here")
        workflow_tasks.complete(tx, workflow_tasks.begin(tx), completion(activity("2")))
    assert world.state.version == version + 1
    assert world.titles(6) == ["ActivityTaskStarted", "ActivityTaskCompleted", *TASK, "ActivityTaskScheduled"]
    assert world.transitions[-1].started_activities == [world.attempt("2")]
