"""The retry decision, for activities and for workflows (temporal-semantics 3.1 and 3.13)."""

from __future__ import annotations

from durable_nb.model.attributes import RetryPolicyAttributes
from durable_nb.model.enums import RetryState, TimeoutType
from durable_nb.model.failure import Failure

SECOND = 1_000_000
DEFAULT_ACTIVITY_RETRY_POLICY = RetryPolicyAttributes(
    initial_interval=SECOND, backoff_coefficient=2.0, maximum_interval=100 * SECOND
)
"""What an activity gets when its policy is unset: unlimited attempts. Workflows have no default."""

_RETRYABLE_TIMEOUTS: dict[TimeoutType | None, str] = {
    TimeoutType.START_TO_CLOSE: "TemporalTimeout:StartToClose",
    TimeoutType.HEARTBEAT: "TemporalTimeout:Heartbeat",
}
"""Timeouts after which there is another attempt, and the names by which a policy can forbid it."""

_LONGEST = 10 * 365 * 86_400 * SECOND


def complete_policy(policy: RetryPolicyAttributes | None) -> RetryPolicyAttributes:
    """The activity retry policy with every unset field at its default."""
    if policy is None:
        return DEFAULT_ACTIVITY_RETRY_POLICY
    initial = policy.initial_interval or SECOND
    return RetryPolicyAttributes(
        initial_interval=initial,
        backoff_coefficient=policy.backoff_coefficient or 2.0,
        maximum_interval=policy.maximum_interval or 100 * initial,
        maximum_attempts=policy.maximum_attempts,
        non_retryable_error_types=policy.non_retryable_error_types,
    )


def is_retryable(failure: Failure, policy: RetryPolicyAttributes) -> bool:
    """Whether the kind of failure allows another attempt."""
    if failure.canceled_failure_info is not None or failure.terminated_failure_info is not None:
        return False
    if failure.timeout_failure_info is not None:
        name = _RETRYABLE_TIMEOUTS.get(failure.timeout_failure_info.timeout_type)
        return name is not None and name not in policy.non_retryable_error_types
    if failure.server_failure_info is not None:
        return not failure.server_failure_info.non_retryable
    info = failure.application_failure_info
    if info is None:
        return True
    return not info.non_retryable and info.type not in policy.non_retryable_error_types


def next_interval(failure: Failure, policy: RetryPolicyAttributes, attempt: int) -> int:
    """Microseconds to wait after ``attempt`` failed."""
    info = failure.application_failure_info
    if info is not None and info.next_retry_delay:
        return info.next_retry_delay
    initial = policy.initial_interval or SECOND
    limit = min(policy.maximum_interval or 100 * initial, _LONGEST)
    try:
        interval = initial * (policy.backoff_coefficient or 2.0) ** (attempt - 1)
    except OverflowError:
        return limit
    return limit if interval > limit else int(interval)


def decide(
    failure: Failure, policy: RetryPolicyAttributes, attempt: int, now: int, expires_at: int
) -> tuple[RetryState, int]:
    """Whether to try again, and when.

    Returns
    -------
    ``(RetryState.IN_PROGRESS, instant of the next attempt)``, or the reason for giving up and 0.
    ``expires_at`` is the deadline over all attempts; 0 when there is none.
    """
    if not is_retryable(failure, policy):
        return RetryState.NON_RETRYABLE_FAILURE, 0
    if 0 < policy.maximum_attempts <= attempt:
        return RetryState.MAXIMUM_ATTEMPTS_REACHED, 0
    next_at = now + next_interval(failure, policy, attempt)
    if expires_at and next_at > expires_at:
        return RetryState.TIMEOUT, 0
    return RetryState.IN_PROGRESS, next_at
