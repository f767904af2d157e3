"""The workflow task: what its end writes, what waits for it, how it is tried again (temporal-semantics 8.3)."""

from __future__ import annotations

import pytest

from durable_nb.core import activities, deadlines, requests, workflow_tasks
from durable_nb.core.transition import Transition
from durable_nb.model.attributes import (
    ActivityTaskCancelRequested,
    SdkMetadata,
    TimerCanceled,
    TimerFired,
    TimerStarted,
    UpdateInput,
    UpdateMeta,
    UpdateOutcome,
    UpdateRequestAttributes,
    WorkflowExecutionCompleted,
    WorkflowExecutionSignaled,
    WorkflowExecutionUpdateAccepted,
    WorkflowExecutionUpdateCompleted,
    WorkflowTaskCompleted,
    WorkflowTaskFailed,
    WorkflowTaskScheduled,
    WorkflowTaskStarted,
    WorkflowTaskTimedOut,
)
from durable_nb.model.commands import WorkflowTaskFailure
from durable_nb.model.enums import TimeoutType, WorkflowTaskFailedCause
from durable_nb.model.failure import Failure
from durable_nb.model.requests import SignalInput
from tests.core.world import ME, NOON, SECOND, World, activity, completion, text

BUG = WorkflowTaskFailure(WorkflowTaskFailedCause.WORKFLOW_WORKER_UNHANDLED_FAILURE, Failure(message="KeyError"))
DONE = WorkflowExecutionCompleted
OPENING = ["WorkflowExecutionStarted", "WorkflowTaskScheduled"]


def signal(world: World, name: str = "go", request_id: str = "") -> bool:
    return world.do(lambda tx: requests.signal(tx, SignalInput(name, request_id=request_id), "me"))


def idle() -> World:
    """A run that waits for something, without an open workflow task."""
    world = World().start()
    world.task()
    return world


def accept(update_id: str) -> WorkflowExecutionUpdateAccepted:
    return WorkflowExecutionUpdateAccepted(
        accepted_request=UpdateRequestAttributes(UpdateMeta(update_id), UpdateInput(name="add"))
    )


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


# -- updates -----------------------------------------------------------------------------------------------------------


def test_an_update_of_an_idle_run_gets_a_task_of_its_own():
    world = idle()
    world.task(accept("u"), TimerStarted("1", SECOND))
    assert world.titles(5) == [
        "WorkflowTaskScheduled",
        "WorkflowTaskStarted",
        "WorkflowTaskCompleted",
        "WorkflowExecutionUpdateAccepted",
        "TimerStarted",
    ]
    accepted = world.last(WorkflowExecutionUpdateAccepted)
    assert accepted.accepted_request_sequencing_event_id == 5
    assert (accepted.protocol_instance_id, accepted.accepted_request_message_id) == ("u", "u/request")


def test_a_rejected_update_leaves_nothing():
    world = idle()
    length, version = len(world.events), world.state.version
    tx = world.task(rejected_updates={"u": Failure(message="no")})
    assert tx.is_empty
    assert (len(world.events), world.state.version, world.state.workflow_task) == (length, version, None)


def test_a_held_task_whose_updates_are_all_rejected_stays_in_history():
    world = idle()
    open_task = world.hold(speculative=True)
    world.end(open_task, rejected_updates={"u": Failure()})
    assert world.titles(5) == ["WorkflowTaskScheduled", "WorkflowTaskStarted", "WorkflowTaskCompleted"]


def test_a_task_for_updates_that_fails_is_tried_again():
    world = idle()
    with world.step() as tx:
        workflow_tasks.fail(tx, workflow_tasks.begin(tx, speculative=True), BUG)
    assert world.titles(5) == ["WorkflowTaskScheduled", "WorkflowTaskStarted", "WorkflowTaskFailed"]
    assert world.state.workflow_task.attempt == 2


def test_a_completed_update_refers_to_its_acceptance():
    world = idle()
    outcome = UpdateOutcome(success=text("7"))
    world.task(accept("u"), WorkflowExecutionUpdateCompleted(UpdateMeta("u"), outcome=outcome))
    completed = world.last(WorkflowExecutionUpdateCompleted)
    assert completed.accepted_event_id == len(world.events) - 1
    assert requests.update_outcome(world.state, "u") == outcome


def test_an_accepted_update_that_the_end_of_the_run_overtook_has_failed():
    world = idle()
    world.task(accept("u"))
    assert requests.update_outcome(world.state, "u") is None
    signal(world)
    world.task(DONE())
    outcome = requests.update_outcome(world.reload().state, "u")
    assert outcome.failure.application_failure_info.type == "AcceptedUpdateCompletedWorkflow"
    with pytest.raises(KeyError):
        requests.update_outcome(world.state, "never accepted")


def test_an_update_can_be_accepted_in_the_task_that_closes_the_run():
    world = idle()
    world.task(accept("u"), DONE())
    assert world.titles(8) == ["WorkflowExecutionUpdateAccepted", "WorkflowExecutionCompleted"]
    assert requests.update_outcome(world.state, "u").failure is not None


def test_updates_wait_for_the_end_of_a_start_delay():
    world = World().start(start_delay=10 * SECOND)
    assert not workflow_tasks.can_begin_speculative(world.state)
    world.pass_time(10)
    assert not workflow_tasks.can_begin_speculative(world.state)
    world.task()
    assert workflow_tasks.can_begin_speculative(world.state)


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
