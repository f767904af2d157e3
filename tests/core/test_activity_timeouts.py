"""The four timeouts of activities, and attempts whose process died."""

from __future__ import annotations

import msgspec

from durable_nb.core import activities
from durable_nb.core.transition import LEASED, NOT_LEASED, OWNER_EXTERNAL
from durable_nb.model.attributes import (
    ActivityTaskTimedOut,
    RetryPolicyAttributes,
)
from durable_nb.model.enums import RetryState, TimeoutType
from durable_nb.model.failure import Failure
from durable_nb.model.tasks import HeartbeatReply
from tests.core.attempts import DOWN, FIRST, ONCE, fail, request_cancel, running
from tests.core.world import ME, NOON, SECOND, World, activity, text

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
