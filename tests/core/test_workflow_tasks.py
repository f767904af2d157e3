"""Workflow tasks: completion, failures and their delays."""

from __future__ import annotations

import pytest

from durable_nb.core import workflow_tasks
from durable_nb.core.transition import Transition
from durable_nb.model.attributes import (
    SdkMetadata,
    TimerStarted,
    WorkflowTaskCompleted,
    WorkflowTaskFailed,
    WorkflowTaskScheduled,
    WorkflowTaskStarted,
)
from tests.core.messages import BUG, DONE, OPENING, idle, signal
from tests.core.world import NOON, SECOND, World

# -- completion --------------------------------------------------------------------------------------------------------


def test_a_task_that_is_begun_and_ended_in_one_step_is_one_commit():
    world = World().start()
    world.task(TimerStarted("1", SECOND))
    assert len(world.transitions) == 2
    assert world.titles() == [*OPENING, "WorkflowTaskStarted", "WorkflowTaskCompleted", "TimerStarted"]


def test_flags_of_the_sdk_are_recorded_with_the_task_that_took_them():
    world = World().start()
    world.task(sdk_metadata=SdkMetadata([1, 2, 3]))
    assert world.last(WorkflowTaskCompleted).sdk_metadata == SdkMetadata([1, 2, 3])
    signal(world.reload())
    world.task()
    assert world.last(WorkflowTaskCompleted).sdk_metadata is None
    signal(world)
    world.task(sdk_metadata=SdkMetadata([], [1]))
    assert world.last(WorkflowTaskCompleted).sdk_metadata == SdkMetadata([], [1])


def test_an_empty_completion_that_asks_for_another_task_is_a_heartbeat():
    world = World().start()
    world.task(force_new_task=True)
    assert world.titles(3) == ["WorkflowTaskStarted", "WorkflowTaskCompleted", "WorkflowTaskScheduled"]


@pytest.mark.parametrize(("length", "suggested"), [(4, False), (3, True), (2, True)])
def test_continue_as_new_is_suggested_once_the_history_is_longer_than_the_setting(length, suggested):
    world = World()
    world.context.suggest_continue_as_new_at = length - 1
    world.start().task()
    assert world.last(WorkflowTaskStarted).suggest_continue_as_new is suggested


def test_continue_as_new_is_suggested_for_a_big_history_too():
    world = World().start()
    world.state.history_size = workflow_tasks.SUGGEST_CONTINUE_AS_NEW_SIZE + 1
    open_task = workflow_tasks.begin(Transition(world.state, world.now, world.context))
    assert open_task.events[-1].attributes.suggest_continue_as_new


def test_the_started_event_says_how_big_the_history_was():
    world = World().start()
    size = world.rows.run.history_size
    world.task()
    assert world.last(WorkflowTaskStarted).history_size_bytes == size > 0


def test_a_task_that_is_not_open_cannot_begin():
    world = idle()
    assert not workflow_tasks.can_begin(world.state, world.now)
    with pytest.raises(AssertionError, match="none is open"):
        workflow_tasks.begin(Transition(world.state, world.now, world.context))


# -- failures ----------------------------------------------------------------------------------------------------------


def test_the_first_failure_is_recorded_and_the_run_stays_open():
    world = World().start()
    world.fail_task(BUG)
    failed = world.last(WorkflowTaskFailed)
    assert (failed.cause, failed.failure) == (BUG.cause, BUG.failure)
    assert (failed.scheduled_event_id, failed.started_event_id) == (2, 3)
    assert world.state.is_open
    assert world.state.workflow_task.last_failure == BUG.failure


def test_further_failures_leave_no_event_and_wait_longer_each_time():
    world = World().start()
    world.fail_task(BUG)
    length, waits = len(world.events), []
    for _ in range(9):
        task = world.state.workflow_task
        waits.append((task.visible_at - world.now) / SECOND)
        assert not workflow_tasks.can_begin(world.state, world.now)
        world.reload().pass_time(waits[-1])
        assert workflow_tasks.can_begin(world.state, world.now)
        world.fail_task(BUG)
    assert len(world.events) == length
    assert waits == [1, 2, 4, 8, 16, 32, 60, 60, 60]
    assert world.state.workflow_task.attempt == 11


def test_the_attempt_that_succeeds_writes_its_own_events_with_its_number():
    world = World().start()
    world.fail_task(BUG)
    world.pass_time(1)
    world.fail_task(BUG)
    world.pass_time(2)
    world.task(DONE())
    assert world.titles(4) == [
        "WorkflowTaskFailed",
        "WorkflowTaskScheduled",
        "WorkflowTaskStarted",
        "WorkflowTaskCompleted",
        "WorkflowExecutionCompleted",
    ]
    assert world.last(WorkflowTaskScheduled).attempt == 3
    completed = world.last(WorkflowTaskCompleted)
    assert (completed.scheduled_event_id, completed.started_event_id) == (5, 6)


def test_signals_between_attempts_stand_before_the_events_of_the_next():
    world = World().start()
    world.fail_task(BUG)
    signal(world)
    world.pass_time(1)
    world.task(DONE())
    assert world.titles(4)[:3] == ["WorkflowTaskFailed", "WorkflowExecutionSignaled", "WorkflowTaskScheduled"]


def test_a_failed_task_can_be_tried_again_before_its_delay_is_over():
    world = World().start()
    assert not world.do(workflow_tasks.retry_now)
    world.fail_task(BUG)
    assert world.do(workflow_tasks.retry_now)
    assert workflow_tasks.can_begin(world.state, world.now)
    assert world.reload().state.next_deadline() == 0


def test_the_end_of_the_delay_is_looked_at_once():
    world = World().start()
    world.fail_task(BUG)
    world.pass_time(1)
    version = world.state.version
    world.reload().pass_time(5)
    assert world.state.version == version


def test_a_clock_that_goes_back_does_not_make_event_times_go_back():
    world = World().start()
    world.now -= 3600 * SECOND
    world.task(TimerStarted("1", SECOND))
    assert {event.event_time for event in world.events} == {NOON}
    assert world.state.timers["1"].fire_at == NOON + SECOND


def test_a_held_retry_ends_no_earlier_than_it_began_when_the_clock_goes_back():
    world = World().start()
    world.fail_task(BUG)
    world.pass_time(1)
    open_task = world.hold()
    world.now -= 3600 * SECOND
    world.end(open_task, TimerStarted("1", SECOND))
    assert {event.event_time for event in world.events[4:]} == {NOON + SECOND}
