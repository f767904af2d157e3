"""Activities: leases, retries, late answers, cancellation."""

from __future__ import annotations

import msgspec
import pytest

from durable_nb.core import activities, deadlines
from durable_nb.core.transition import LEASED, NOT_LEASED
from durable_nb.model.attributes import (
    ActivityTaskCanceled,
    ActivityTaskCompleted,
    ActivityTaskFailed,
    ActivityTaskStarted,
    RetryPolicyAttributes,
)
from durable_nb.model.enums import RetryState, TimeoutType
from durable_nb.model.failure import ApplicationFailureInfo, Failure, TimeoutFailureInfo
from durable_nb.model.tasks import HeartbeatReply
from tests.core.attempts import DOWN, FIRST, ONCE, fail, request_cancel, running
from tests.core.world import ME, NOON, SECOND, World, activity, text

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
