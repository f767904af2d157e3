"""The retry decision (temporal-semantics 3.1): what may be tried again, how often, when."""

from __future__ import annotations

import pytest

from durable_nb.core import retry
from durable_nb.model.attributes import RetryPolicyAttributes
from durable_nb.model.enums import RetryState, TimeoutType
from durable_nb.model.failure import (
    ActivityFailureInfo,
    ApplicationFailureInfo,
    CanceledFailureInfo,
    Failure,
    ServerFailureInfo,
    TerminatedFailureInfo,
    TimeoutFailureInfo,
)

SECOND = 1_000_000
POLICY = retry.complete_policy(None)
PLAIN = Failure(application_failure_info=ApplicationFailureInfo(type="ConnectionError"))


def timeout(kind: TimeoutType) -> Failure:
    return Failure(timeout_failure_info=TimeoutFailureInfo(kind))


@pytest.mark.parametrize(
    "failure",
    [
        PLAIN,
        Failure(message="no info at all"),
        Failure(application_failure_info=ApplicationFailureInfo()),
        Failure(server_failure_info=ServerFailureInfo()),
        Failure(activity_failure_info=ActivityFailureInfo()),
        timeout(TimeoutType.START_TO_CLOSE),
        timeout(TimeoutType.HEARTBEAT),
    ],
)
def test_these_failures_are_tried_again(failure):
    assert retry.decide(failure, POLICY, 1, 0, 0) == (RetryState.IN_PROGRESS, SECOND)


@pytest.mark.parametrize(
    "failure",
    [
        Failure(canceled_failure_info=CanceledFailureInfo()),
        Failure(terminated_failure_info=TerminatedFailureInfo()),
        Failure(application_failure_info=ApplicationFailureInfo(non_retryable=True)),
        Failure(server_failure_info=ServerFailureInfo(non_retryable=True)),
        timeout(TimeoutType.SCHEDULE_TO_START),
        timeout(TimeoutType.SCHEDULE_TO_CLOSE),
    ],
)
def test_these_failures_are_final(failure):
    assert retry.decide(failure, POLICY, 1, 0, 0) == (RetryState.NON_RETRYABLE_FAILURE, 0)


def test_a_listed_error_type_is_final_and_only_that():
    policy = RetryPolicyAttributes(non_retryable_error_types=["ValueError", "ConnectionError"])
    assert retry.decide(PLAIN, policy, 1, 0, 0)[0] is RetryState.NON_RETRYABLE_FAILURE
    other = Failure(application_failure_info=ApplicationFailureInfo(type="OSError"))
    assert retry.decide(other, policy, 1, 0, 0)[0] is RetryState.IN_PROGRESS


def test_a_timeout_can_be_listed_as_final_by_its_own_name():
    policy = RetryPolicyAttributes(non_retryable_error_types=["TemporalTimeout:StartToClose"])
    assert retry.decide(timeout(TimeoutType.START_TO_CLOSE), policy, 1, 0, 0)[0] is RetryState.NON_RETRYABLE_FAILURE
    assert retry.decide(timeout(TimeoutType.HEARTBEAT), policy, 1, 0, 0)[0] is RetryState.IN_PROGRESS


@pytest.mark.parametrize(
    ("attempt", "maximum", "state"),
    [
        (1, 0, RetryState.IN_PROGRESS),
        (10_000, 0, RetryState.IN_PROGRESS),
        (1, 2, RetryState.IN_PROGRESS),
        (2, 2, RetryState.MAXIMUM_ATTEMPTS_REACHED),
        (1, 1, RetryState.MAXIMUM_ATTEMPTS_REACHED),
    ],
)
def test_the_maximum_counts_attempts_altogether(attempt, maximum, state):
    assert retry.decide(PLAIN, RetryPolicyAttributes(maximum_attempts=maximum), attempt, 0, 0)[0] is state


def test_a_final_failure_is_named_before_the_maximum_of_attempts():
    policy = RetryPolicyAttributes(maximum_attempts=1, non_retryable_error_types=["ConnectionError"])
    assert retry.decide(PLAIN, policy, 1, 0, 0)[0] is RetryState.NON_RETRYABLE_FAILURE


def test_intervals_double_and_stop_at_a_hundred_times_the_first():
    waits = [retry.next_interval(PLAIN, POLICY, attempt) // SECOND for attempt in range(1, 10)]
    assert waits == [1, 2, 4, 8, 16, 32, 64, 100, 100]


def test_the_cap_follows_the_first_interval_or_is_given():
    long = retry.complete_policy(RetryPolicyAttributes(initial_interval=10 * SECOND))
    assert retry.next_interval(PLAIN, long, 50) == 1000 * SECOND
    capped = RetryPolicyAttributes(initial_interval=10 * SECOND, maximum_interval=15 * SECOND)
    assert retry.next_interval(PLAIN, capped, 2) == 15 * SECOND


def test_a_coefficient_of_one_waits_alike_each_time():
    policy = RetryPolicyAttributes(initial_interval=3 * SECOND, backoff_coefficient=1.0)
    assert {retry.next_interval(PLAIN, policy, attempt) for attempt in (1, 2, 500)} == {3 * SECOND}


def test_an_interval_that_no_number_can_hold_is_the_cap():
    policy = RetryPolicyAttributes(initial_interval=SECOND, backoff_coefficient=10.0, maximum_interval=7 * SECOND)
    assert retry.next_interval(PLAIN, policy, 5_000) == 7 * SECOND


def test_the_delay_that_the_error_asks_for_goes_before_the_policy_and_its_cap():
    failure = Failure(application_failure_info=ApplicationFailureInfo(next_retry_delay=500 * SECOND))
    assert retry.decide(failure, POLICY, 3, 40, 0) == (RetryState.IN_PROGRESS, 40 + 500 * SECOND)


def test_an_attempt_beyond_the_deadline_is_not_waited_for():
    assert retry.decide(PLAIN, POLICY, 1, 10, 10 + SECOND) == (RetryState.IN_PROGRESS, 10 + SECOND)
    assert retry.decide(PLAIN, POLICY, 1, 11, 10 + SECOND) == (RetryState.TIMEOUT, 0)


def test_an_unset_policy_means_the_default_for_activities():
    assert retry.complete_policy(None) == RetryPolicyAttributes(
        initial_interval=SECOND, backoff_coefficient=2.0, maximum_interval=100 * SECOND
    )


def test_fields_that_are_set_are_kept():
    policy = RetryPolicyAttributes(2 * SECOND, 1.5, 9 * SECOND, 4, ["X"])
    assert retry.complete_policy(policy) == policy
