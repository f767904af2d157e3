"""Attempts of activities: retries, timeouts, cancellation, late answers (temporal-semantics 3.1, 3.2, 7)."""

from __future__ import annotations

import msgspec
import pytest

from durable_nb.core import activities, deadlines
from durable_nb.core.transition import LEASED, NOT_LEASED, OWNER_EXTERNAL
from durable_nb.model.attributes import (
    ActivityTaskCanceled,
    ActivityTaskCancelRequested,
    ActivityTaskCompleted,
    ActivityTaskFailed,
    ActivityTaskStarted,
    ActivityTaskTimedOut,
    RetryPolicyAttributes,
)
from durable_nb.model.enums import RetryState, TimeoutType
from durable_nb.model.failure import ApplicationFailureInfo, Failure, TimeoutFailureInfo
from durable_nb.model.tasks import HeartbeatReply
from tests.core.world import ME, NOON, SECOND, World, activity, text

DOWN = Failure(message="down", application_failure_info=ApplicationFailureInfo(type="ConnectionError"))
ONCE = RetryPolicyAttributes(maximum_attempts=1)
FIRST = 5
"""Event id of the first activity that a run schedules."""


def running(**options) -> World:
    world = World().start()
    world.task(activity(**options))
    return world


def fail(world: World, failure: Failure = DOWN) -> None:
    found = world.attempt()
    world.do(lambda tx: activities.fail(tx, found, failure, "me@here"))


def request_cancel(world: World) -> None:
    """Have the workflow ask for the activity's cancellation: a signal wakes it."""
    world.do(lambda tx: tx.schedule_workflow_task())
    world.task(ActivityTaskCancelRequested(FIRST))


# -- leases ------------------------------------------------------------------------------------------------------------


def test_an_activity_that_is_served_here_starts_in_the_transition_that_schedules_it():
    world = World().start()
    tx = world.task(activity())
    assert [a.scheduled_event_id for a in tx.started_activities] == [FIRST]
    row = world.rows.activities[FIRST]
    assert (row.owner, row.token, row.attempt, row.visible_at) == (ME, 1, 1, NOON)


def test_an_activity_without_a_free_slot_is_ours_and_waits():
    world = World(lease=LEASED).start()
    tx = world.task(activity())
    assert (tx.started_activities, len(tx.queued_activities)) == ([], 1)
    assert world.rows.activities[FIRST].owner == ME
    assert world.do(lambda tx: activities.start_queued(tx, FIRST))
    assert world.transitions[-1].started_activities == [world.attempt()]
    assert not world.do(lambda tx: activities.start_queued(tx, FIRST))


def test_an_activity_that_nobody_serves_here_has_no_owner_and_no_attempt_begins():
    world = World(lease=NOT_LEASED).start()
    tx = world.task(activity())
    assert (tx.started_activities, tx.queued_activities) == ([], [])
    assert world.rows.activities[FIRST].owner == 0
    assert not world.do(lambda tx: activities.start_queued(tx, FIRST))
    world.lease = LEASED
    world.do(lambda tx: activities.lease(tx, world.attempt()))
    assert world.rows.activities[FIRST].owner == ME


def test_an_attempt_that_is_not_started_cannot_be_completed():
    world = World(lease=LEASED).start()
    world.task(activity())
    assert activities.find_attempt(world.state, FIRST, 1) is None


# -- retries -----------------------------------------------------------------------------------------------------------


def test_failed_attempts_leave_no_event_but_are_kept_beside_the_history():
    world = running()
    length = len(world.events)
    fail(world)
    assert len(world.events) == length
    kept = world.rows.attempts[0]
    assert (kept.attempt, kept.outcome, kept.next_attempt_at) == (1, "failed", NOON + SECOND)
    assert msgspec.json.decode(kept.failure, type=Failure) == DOWN
    world.pass_time(1)
    world.complete_activity()
    started = world.last(ActivityTaskStarted)
    assert (started.attempt, started.last_failure) == (2, DOWN)
    assert world.titles(length + 1) == ["ActivityTaskStarted", "ActivityTaskCompleted", "WorkflowTaskScheduled"]
    assert world.outcomes() == [(1, "failed"), (2, "completed")]


def test_the_next_attempt_starts_when_the_back_off_is_over_and_not_before():
    world = running()
    fail(world)
    world.pass_time(0.9)
    assert not world.attempt().is_started
    world.pass_time(0.1)
    assert world.attempt().is_started
    assert world.transitions[-1].started_activities == [world.attempt()]


def test_a_back_off_survives_a_restart_that_comes_after_its_end():
    world = running()
    fail(world)
    world.reload()
    world.pass_time(3600)
    assert world.attempt().is_started
    assert world.attempt().attempt == 2


def test_a_back_off_can_be_skipped_but_a_running_attempt_cannot():
    world = running()
    assert not world.do(lambda tx: activities.retry_now(tx, world.attempt()))
    fail(world)
    assert world.do(lambda tx: activities.retry_now(tx, world.attempt()))
    assert world.attempt().is_started


def test_an_attempt_that_backs_off_is_not_leased_early():
    world = running()
    fail(world)
    world.do(lambda tx: activities.lease(tx, world.attempt()))
    assert not world.attempt().is_started
    assert world.attempt().backs_off
    assert not world.do(lambda tx: activities.start_queued(tx, FIRST))


def test_the_error_may_say_when_to_try_again():
    world = running()
    fail(world, Failure(application_failure_info=ApplicationFailureInfo(next_retry_delay=90 * SECOND)))
    assert world.attempt().visible_at == NOON + 90 * SECOND
    world.pass_time(89)
    assert world.attempt().backs_off
    world.pass_time(1)
    assert world.attempt().is_started


@pytest.mark.parametrize(
    ("options", "failure", "state"),
    [
        ({"retry_policy": ONCE}, DOWN, RetryState.MAXIMUM_ATTEMPTS_REACHED),
        ({"schedule_to_close_timeout": SECOND // 2}, DOWN, RetryState.TIMEOUT),
        (
            {"retry_policy": RetryPolicyAttributes(non_retryable_error_types=["ConnectionError"])},
            DOWN,
            RetryState.NON_RETRYABLE_FAILURE,
        ),
    ],
)
def test_the_closing_event_says_why_there_is_no_other_attempt(options, failure, state):
    world = running(**options)
    fail(world, failure)
    closed = world.last(ActivityTaskFailed)
    assert (closed.failure, closed.retry_state) == (failure, state)
    assert (closed.scheduled_event_id, closed.started_event_id) == (FIRST, FIRST + 1)
    assert world.rows.activities == {}


def test_a_timeout_that_the_code_itself_reports_is_a_failure_of_the_activity():
    world = running(retry_policy=ONCE)
    fail(world, Failure(timeout_failure_info=TimeoutFailureInfo(TimeoutType.START_TO_CLOSE)))
    assert world.titles()[-3:-1] == ["ActivityTaskStarted", "ActivityTaskFailed"]


def test_the_recorded_policy_has_every_field():
    scheduled = running(retry_policy=RetryPolicyAttributes(maximum_attempts=3)).events[FIRST - 1].attributes
    assert scheduled.retry_policy == RetryPolicyAttributes(SECOND, 2.0, 100 * SECOND, 3)


# -- late and false answers --------------------------------------------------------------------------------------------


def test_a_completion_with_the_token_of_an_earlier_attempt_finds_nothing():
    world = running()
    token = world.attempt().token
    fail(world)
    world.pass_time(1)
    assert world.attempt().is_started
    assert activities.find_attempt(world.state, FIRST, token) is None
    assert activities.find_attempt(world.state, FIRST, token + 1) is world.attempt()


def test_the_answer_of_a_timed_out_attempt_is_refused():
    world = running(start_to_close_timeout=5 * SECOND)
    token = world.attempt().token
    world.pass_time(5)
    assert activities.find_attempt(world.state, FIRST, token) is None
    assert world.do(lambda tx: activities.heartbeat(tx, FIRST, token, None)) == HeartbeatReply(not_found=True)
    assert not world.do(lambda tx: activities.hand_over(tx, FIRST, token, None))


def test_an_activity_whose_end_is_buffered_cannot_end_again_by_any_token():
    world = running()
    world.do(lambda tx: tx.schedule_workflow_task())
    world.hold()
    world.complete_activity()
    closed = world.attempt()
    assert activities.find_attempt(world.state, FIRST, closed.token) is None
    world.do(lambda tx: activities.lose(tx, closed))
    world.reload().pass_time(3600)
    assert world.outcomes() == [(1, "completed")]
    assert world.titles()[-3:] == ["WorkflowTaskTimedOut", "ActivityTaskStarted", "ActivityTaskCompleted"]


# -- the four timeouts -------------------------------------------------------------------------------------------------


def test_schedule_to_start_ends_the_activity_without_a_start_and_without_an_attempt():
    world = World(lease=NOT_LEASED).start()
    world.task(activity(schedule_to_start_timeout=10 * SECOND))
    world.pass_time(9.9)
    assert world.attempt()
    world.pass_time(0.1)
    closed = world.last(ActivityTaskTimedOut)
    assert closed.failure.timeout_failure_info.timeout_type is TimeoutType.SCHEDULE_TO_START
    assert (closed.started_event_id, closed.retry_state) == (0, RetryState.NON_RETRYABLE_FAILURE)
    assert world.titles()[-2:] == ["ActivityTaskTimedOut", "WorkflowTaskScheduled"]
    assert world.outcomes() == []


def test_an_attempt_that_waits_in_vain_through_a_long_sleep_is_not_promised_to_a_worker():
    world = running(schedule_to_start_timeout=10 * SECOND)
    fail(world)
    world.lease = LEASED
    world.pass_time(60)
    assert world.titles()[-2:] == ["ActivityTaskTimedOut", "WorkflowTaskScheduled"]
    assert (world.transitions[-1].queued_activities, world.transitions[-1].started_activities) == ([], [])


def test_start_to_close_counts_from_the_start_of_the_attempt_and_is_tried_again():
    world = running(start_to_close_timeout=5 * SECOND, retry_policy=RetryPolicyAttributes(maximum_attempts=2))
    world.pass_time(5)
    assert (world.attempt().attempt, world.attempt().backs_off) == (2, True)
    world.pass_time(1)
    world.pass_time(4.9)
    assert world.attempt().is_started
    world.pass_time(0.1)
    closed = world.last(ActivityTaskTimedOut)
    assert closed.failure.timeout_failure_info.timeout_type is TimeoutType.START_TO_CLOSE
    assert (closed.started_event_id, closed.retry_state) == (FIRST + 1, RetryState.MAXIMUM_ATTEMPTS_REACHED)
    assert world.outcomes() == [(1, "timed_out"), (2, "timed_out")]


def test_a_heartbeat_postpones_the_heartbeat_timeout_and_its_details_go_to_the_next_attempt():
    world = running(heartbeat_timeout=3 * SECOND)
    world.pass_time(2)
    reply = world.do(lambda tx: activities.heartbeat(tx, FIRST, 1, text("half")))
    assert reply == HeartbeatReply()
    world.pass_time(2.9)
    assert world.attempt().attempt == 1
    world.pass_time(0.1)
    assert (world.attempt().attempt, world.attempt().heartbeat_details) == (2, text("half"))
    kept = world.rows.attempts[0]
    assert kept.outcome == "timed_out"
    info = msgspec.json.decode(kept.failure, type=Failure).timeout_failure_info
    assert (info.timeout_type, info.last_heartbeat_details) == (TimeoutType.HEARTBEAT, text("half"))


def test_without_a_heartbeat_timeout_silence_is_no_fault():
    world = running(start_to_close_timeout=3600 * SECOND)
    world.pass_time(3599)
    assert world.attempt().is_started


def test_schedule_to_close_ends_all_attempts_with_the_last_failure_as_cause():
    policy = RetryPolicyAttributes(initial_interval=4 * SECOND)
    world = running(schedule_to_close_timeout=10 * SECOND, start_to_close_timeout=0, retry_policy=policy)
    fail(world)
    world.pass_time(4)
    world.pass_time(6)
    closed = world.last(ActivityTaskTimedOut)
    assert closed.failure.timeout_failure_info.timeout_type is TimeoutType.SCHEDULE_TO_CLOSE
    assert (closed.failure.cause, closed.retry_state) == (DOWN, RetryState.TIMEOUT)
    assert world.outcomes() == [(1, "failed"), (2, "timed_out")]


def test_schedule_to_close_strikes_during_a_back_off_too_and_then_nothing_had_started():
    world = running(
        schedule_to_close_timeout=10 * SECOND, retry_policy=RetryPolicyAttributes(initial_interval=9 * SECOND)
    )
    fail(world)
    world.lease = NOT_LEASED
    world.pass_time(9)
    world.pass_time(1)
    assert world.titles()[-2:] == ["ActivityTaskTimedOut", "WorkflowTaskScheduled"]
    assert world.outcomes() == [(1, "failed")]


def test_timeouts_are_bounded_by_the_ones_around_them():
    world = World().start(run_timeout=50 * SECOND)
    world.task(
        activity(start_to_close_timeout=70 * SECOND, heartbeat_timeout=60 * SECOND),
        activity("2", start_to_close_timeout=0, schedule_to_close_timeout=20 * SECOND),
        activity("3", schedule_to_start_timeout=90 * SECOND, schedule_to_close_timeout=30 * SECOND),
    )
    recorded = [
        (
            a.schedule_to_close_timeout // SECOND,
            a.schedule_to_start_timeout // SECOND,
            a.start_to_close_timeout // SECOND,
            a.heartbeat_timeout // SECOND,
        )
        for a in (event.attributes for event in world.events[FIRST - 1 :])
    ]
    assert recorded == [(50, 0, 50, 50), (20, 0, 20, 0), (30, 30, 30, 0)]


# -- cancellation ------------------------------------------------------------------------------------------------------


def test_a_running_attempt_learns_of_the_request_by_its_heartbeat_and_reports_canceled():
    world = running()
    request_cancel(world)
    requested = len(world.events)
    assert world.do(lambda tx: activities.heartbeat(tx, FIRST, 1, None)) == HeartbeatReply(cancel_requested=True)
    world.do(lambda tx: activities.cancel(tx, world.attempt(), text("bye"), "me@here"))
    closed = world.last(ActivityTaskCanceled)
    assert (closed.latest_cancel_requested_event_id, closed.started_event_id) == (requested, requested + 1)
    assert closed.details == text("bye")
    assert world.outcomes() == [(1, "canceled")]


def test_a_requested_activity_may_complete_nevertheless():
    world = running()
    request_cancel(world)
    world.complete_activity()
    assert world.last(ActivityTaskCompleted).result == text("done")


def test_a_failure_after_a_request_is_not_tried_again():
    world = running()
    request_cancel(world)
    fail(world)
    assert world.last(ActivityTaskFailed).retry_state is RetryState.CANCEL_REQUESTED


def test_canceled_without_a_request_is_an_ordinary_failure():
    world = running()
    world.do(lambda tx: activities.cancel(tx, world.attempt(), None, "me@here"))
    assert (world.attempt().attempt, world.attempt().backs_off) == (2, True)
    assert world.outcomes() == [(1, "failed")]


@pytest.mark.parametrize("lease", [LEASED, NOT_LEASED])
def test_a_request_cancels_an_attempt_that_has_not_started_at_once(lease):
    world = World(lease=lease).start()
    world.task(activity())
    request_cancel(world)
    assert world.titles()[-3:] == ["ActivityTaskCancelRequested", "ActivityTaskCanceled", "WorkflowTaskScheduled"]
    assert world.last(ActivityTaskCanceled).started_event_id == 0
    assert (world.rows.activities, world.outcomes()) == ({}, [])


def test_a_request_during_a_back_off_cancels_at_once():
    world = running()
    fail(world)
    request_cancel(world)
    assert world.titles()[-2:] == ["ActivityTaskCanceled", "WorkflowTaskScheduled"]
    assert world.outcomes() == [(1, "failed")]


# -- processes that die ------------------------------------------------------------------------------------------------


def test_a_lost_attempt_counts_and_is_repeated_at_once():
    world = running()
    world.do(lambda tx: activities.lose(tx, world.attempt()))
    assert (world.attempt().attempt, world.attempt().is_started) == (2, True)
    assert world.attempt().token > 1
    assert world.outcomes() == [(1, "lost")]


def test_a_lost_attempt_that_was_the_last_one_times_the_activity_out():
    world = running(retry_policy=ONCE)
    world.do(lambda tx: activities.lose(tx, world.attempt()))
    assert world.last(ActivityTaskTimedOut).retry_state is RetryState.MAXIMUM_ATTEMPTS_REACHED


def test_a_lost_attempt_whose_cancellation_was_requested_is_canceled():
    world = running()
    request_cancel(world)
    world.do(lambda tx: activities.lose(tx, world.attempt()))
    assert world.titles()[-3:-1] == ["ActivityTaskStarted", "ActivityTaskCanceled"]


def test_a_lost_attempt_that_had_not_started_is_leased_anew_as_the_same_attempt():
    world = World(lease=LEASED).start()
    world.task(activity())
    world.do(lambda tx: activities.lose(tx, world.attempt()))
    assert (world.attempt().attempt, world.attempt().token, world.outcomes()) == (1, 2, [])


def test_a_lost_back_off_goes_on_waiting_under_its_new_owner():
    world = running()
    fail(world)
    world.reload().attempt().owner = 99
    world.do(lambda tx: activities.lose(tx, world.attempt()))
    assert (world.attempt().owner, world.attempt().backs_off) == (ME, True)
    assert world.attempt().visible_at == NOON + SECOND


def test_an_attempt_that_is_lost_after_its_deadline_is_not_started_again():
    world = running(schedule_to_close_timeout=10 * SECOND)
    world.now += 11 * SECOND
    world.do(lambda tx: activities.lose(tx, world.attempt()))
    assert world.titles()[-2] == "ActivityTaskTimedOut"
    assert world.transitions[-1].started_activities == []


def test_an_activity_that_is_completed_outside_belongs_to_no_process_and_keeps_its_timeouts():
    world = running(start_to_close_timeout=100 * SECOND)
    assert world.do(lambda tx: activities.hand_over(tx, FIRST, 1, text("token sent")))
    assert (world.attempt().owner, world.attempt().heartbeat_details) == (OWNER_EXTERNAL, text("token sent"))
    assert activities.find_attempt(world.state, FIRST, 1) is world.attempt()
    world.pass_time(100)
    assert world.attempt().attempt == 2


# -- clocks and sizes --------------------------------------------------------------------------------------------------


def test_an_attempt_never_ends_before_it_started_even_when_the_clock_goes_back():
    world = running()
    world.now += 60 * SECOND
    world.do(lambda tx: activities.lose(tx, world.attempt()))
    world.now -= 3600 * SECOND
    world.complete_activity()
    assert all(row.started_at <= row.ended_at for row in world.rows.attempts)


def test_heartbeats_do_not_make_a_run_grow():
    world = running(heartbeat_timeout=3 * SECOND, start_to_close_timeout=10**6 * SECOND)
    for _ in range(500):
        world.now += SECOND
        with world.step() as tx:
            activities.heartbeat(tx, FIRST, 1, None)
            deadlines.fire(tx)
    assert len(world.state._deadlines) < 100
