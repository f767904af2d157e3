"""Workflow tasks that are held while something arrives, and facts that come twice or together."""

from __future__ import annotations

from durable_nb.core import activities, deadlines, requests, workflow_tasks
from durable_nb.model.attributes import (
    ActivityTaskCancelRequested,
    TimerCanceled,
    TimerFired,
    TimerStarted,
    WorkflowExecutionSignaled,
    WorkflowTaskFailed,
    WorkflowTaskScheduled,
    WorkflowTaskTimedOut,
)
from durable_nb.model.enums import TimeoutType, WorkflowTaskFailedCause
from durable_nb.model.requests import SignalInput
from tests.core.messages import BUG, DONE, idle, signal
from tests.core.world import ME, SECOND, World, activity, completion, text

# -- held tasks and what arrives meanwhile -----------------------------------------------------------------------------


def test_a_held_task_is_durable_and_nobody_else_can_begin_it():
    world = World().start()
    world.hold()
    assert world.titles(3) == ["WorkflowTaskStarted"]
    assert world.rows.workflow_task.owner == ME
    assert not workflow_tasks.can_begin(world.reload().state, world.now)


def test_what_arrives_during_a_task_is_written_after_its_commands_and_wakes_the_workflow():
    world = World().start()
    world.task(activity(), TimerStarted("t", 5 * SECOND))
    signal(world)
    open_task = world.hold()
    before = len(world.events)
    world.complete_activity()
    signal(world, "late")
    world.pass_time(5)
    assert len(world.events) == before
    assert world.end(open_task, TimerStarted("u", SECOND)) is None
    assert world.titles(before + 1) == [
        "WorkflowTaskCompleted",
        "TimerStarted",
        "ActivityTaskStarted",
        "ActivityTaskCompleted",
        "WorkflowExecutionSignaled",
        "TimerFired",
        "WorkflowTaskScheduled",
    ]


def test_what_is_buffered_survives_a_restart():
    world = World().start()
    world.task(activity())
    signal(world)
    world.hold()
    world.complete_activity()
    signal(world, "late", "once")
    world.reload()
    assert not signal(world, "late", "once")
    world.pass_time(10)
    assert world.titles()[-4:] == [
        "WorkflowTaskTimedOut",
        "ActivityTaskStarted",
        "ActivityTaskCompleted",
        "WorkflowExecutionSignaled",
    ]


def test_a_run_is_not_closed_over_something_that_its_code_has_not_seen():
    world = World().start()
    open_task = world.hold()
    signal(world)
    refusal = world.end(open_task, DONE(text("too early")))
    assert refusal.cause is WorkflowTaskFailedCause.UNHANDLED_COMMAND
    assert world.titles(4) == ["WorkflowTaskFailed", "WorkflowExecutionSignaled", "WorkflowTaskScheduled"]
    failed = world.last(WorkflowTaskFailed)
    assert (failed.cause, failed.failure) == (WorkflowTaskFailedCause.UNHANDLED_COMMAND, None)
    assert world.last(WorkflowTaskScheduled).attempt == 1
    world.task(DONE())
    assert not world.state.is_open


def test_other_commands_are_not_refused_for_what_arrived():
    world = World().start()
    open_task = world.hold()
    signal(world)
    assert world.end(open_task, TimerStarted("1", SECOND)) is None


def test_a_timer_that_fired_while_the_code_cancelled_it_is_cancelled_and_does_not_stand_in_the_way_of_the_end():
    world = World().start()
    world.task(TimerStarted("t", 5 * SECOND))
    signal(world)
    open_task = world.hold()
    world.pass_time(5)
    assert len(world.state.buffered) == 1
    assert world.end(open_task, TimerCanceled("t"), DONE()) is None
    assert world.titles()[-3:] == ["WorkflowTaskCompleted", "TimerCanceled", "WorkflowExecutionCompleted"]


def test_the_firing_of_a_timer_that_the_code_cancels_meanwhile_is_forgotten_and_nothing_else_is():
    world = World().start()
    world.task(TimerStarted("t", 5 * SECOND), TimerStarted("u", 5 * SECOND))
    signal(world)
    open_task = world.hold()
    world.pass_time(5)
    world.end(open_task, TimerCanceled("t"))
    assert world.titles()[-4:] == ["WorkflowTaskCompleted", "TimerCanceled", "TimerFired", "WorkflowTaskScheduled"]
    assert world.last(TimerFired).timer_id == "u"


def test_a_timer_that_fired_during_a_task_does_not_fire_again_after_a_restart():
    world = World().start()
    world.task(TimerStarted("t", 5 * SECOND))
    signal(world)
    world.hold()
    world.pass_time(5).reload().pass_time(3)
    assert len(world.state.buffered) == 1


def test_a_held_task_times_out_and_is_tried_again_at_once_with_no_event_for_the_next_attempt():
    world = World().start()
    open_task = world.hold()
    world.pass_time(9.9)
    assert workflow_tasks.is_current(world.state, open_task)
    world.pass_time(0.1)
    timed_out = world.last(WorkflowTaskTimedOut)
    assert (timed_out.started_event_id, timed_out.timeout_type) == (3, TimeoutType.START_TO_CLOSE)
    assert not workflow_tasks.is_current(world.state, open_task)
    assert workflow_tasks.can_begin(world.state, world.now)
    assert world.state.workflow_task.attempt == 2


def test_a_task_that_was_taken_away_is_not_taken_for_a_later_one():
    world = World().start()
    old = world.hold()
    world.pass_time(10)
    world.task()
    signal(world)
    assert workflow_tasks.is_current(world.state, world.hold())
    assert not workflow_tasks.is_current(world.state, old)


def test_a_held_retry_is_current_until_it_times_out_and_leaves_no_event():
    world = World().start()
    world.fail_task(BUG)
    length = len(world.events)
    world.pass_time(1)
    open_task = world.hold()
    assert workflow_tasks.is_current(world.state, open_task)
    signal(world)
    world.reload()
    assert workflow_tasks.is_current(world.state, open_task)
    world.pass_time(10)
    assert not workflow_tasks.is_current(world.state, open_task)
    assert world.titles(length + 1) == ["WorkflowExecutionSignaled"]


def test_a_held_retry_completes_with_its_events_where_they_belong():
    world = World().start()
    world.fail_task(BUG)
    world.pass_time(1)
    open_task = world.hold()
    signal(world)
    assert world.end(open_task, TimerStarted("1", SECOND)) is None
    assert world.titles(4) == [
        "WorkflowTaskFailed",
        "WorkflowTaskScheduled",
        "WorkflowTaskStarted",
        "WorkflowTaskCompleted",
        "TimerStarted",
        "WorkflowExecutionSignaled",
        "WorkflowTaskScheduled",
    ]


def test_a_held_retry_that_would_close_the_run_over_a_signal_leaves_the_signal_and_a_plain_task():
    world = World().start()
    world.fail_task(BUG)
    world.pass_time(1)
    open_task = world.hold()
    signal(world)
    assert world.end(open_task, DONE()).cause is WorkflowTaskFailedCause.UNHANDLED_COMMAND
    assert world.titles(5) == ["WorkflowExecutionSignaled", "WorkflowTaskScheduled"]
    assert world.last(WorkflowTaskScheduled).attempt == 1


# -- the same facts again ----------------------------------------------------------------------------------------------


def test_signals_with_the_same_request_id_are_one():
    world = idle()
    assert signal(world, request_id="r")
    assert not signal(world.reload(), request_id="r")
    assert signal(world, request_id="s")
    assert [e.attributes.request_id for e in world.events if isinstance(e.attributes, WorkflowExecutionSignaled)] == [
        "r",
        "s",
    ]


def test_several_facts_before_a_task_share_one():
    world = idle()
    with world.step() as tx:
        for name in "abc":
            requests.signal(tx, SignalInput(name), "me")
    assert world.titles(5) == [
        "WorkflowExecutionSignaled",
        "WorkflowTaskScheduled",
        "WorkflowExecutionSignaled",
        "WorkflowExecutionSignaled",
    ]


def test_an_activity_that_ends_between_schedule_and_start_of_a_task_belongs_to_that_task():
    world = World().start()
    world.task(activity("1"), activity("2"))
    world.complete_activity("1")
    world.complete_activity("2")
    assert world.titles(7) == [
        "ActivityTaskStarted",
        "ActivityTaskCompleted",
        "WorkflowTaskScheduled",
        "ActivityTaskStarted",
        "ActivityTaskCompleted",
    ]


def test_commands_and_reactions_of_one_task_are_contiguous():
    world = World().start()
    world.lease = 0
    world.task(activity("1"), activity("2"))
    signal(world)
    with world.step() as tx:
        open_task = workflow_tasks.begin(tx)
        asked = completion(ActivityTaskCancelRequested(5), TimerStarted("1", SECOND), ActivityTaskCancelRequested(6))
        workflow_tasks.complete(tx, open_task, asked)
        deadlines.fire(tx)
    assert world.titles(10) == [
        "WorkflowTaskCompleted",
        "ActivityTaskCancelRequested",
        "TimerStarted",
        "ActivityTaskCancelRequested",
        "ActivityTaskCanceled",
        "ActivityTaskCanceled",
        "WorkflowTaskScheduled",
    ]
    assert activities.find_attempt(world.state, 5, 1) is None
