"""Attempts of activities: lease, heartbeat, end, retry (temporal-semantics 3.1, 3.2, 7 and 8.3 rule 5).

An attempt is named by (scheduled event id, token). The token grows whenever the attempt changes hands or is replaced,
so a completion that comes too late finds no attempt (invariant 'a stale worker cannot complete a task').
"""

from __future__ import annotations

from durable_nb.core import retry
from durable_nb.core.state import NEVER, ActivityState, ExecutionState
from durable_nb.core.transition import LEASED_AND_STARTED, NOT_LEASED, OWNER_EXTERNAL, Transition
from durable_nb.model.attributes import (
    ActivityTaskCanceled,
    ActivityTaskCompleted,
    ActivityTaskFailed,
    ActivityTaskStarted,
    ActivityTaskTimedOut,
    Attributes,
)
from durable_nb.model.enums import RetryState, TimeoutType
from durable_nb.model.failure import ApplicationFailureInfo, Failure, TimeoutFailureInfo
from durable_nb.model.payload import Payload
from durable_nb.model.tasks import HeartbeatReply

CLOSED_TOKEN = -1
"""Token of an activity whose closing is buffered: nothing can complete it again."""

TIMED_OUT = "timed_out"
"""Outcome of an attempt that a timeout ended."""


def find_attempt(state: ExecutionState, scheduled_event_id: int, token: int) -> ActivityState | None:
    """The attempt that this token may complete; None when it is over, timed out or somebody else's."""
    activity = state.activities.get(scheduled_event_id)
    if activity is None or activity.token != token or token == CLOSED_TOKEN or not activity.is_started:
        return None
    return activity


def set_deadline(state: ExecutionState, activity: ActivityState) -> None:
    """Recompute when the activity next needs attention: a timeout, or the end of its back-off."""
    attributes = activity.attributes
    deadline = NEVER
    if activity.started_time:
        if attributes.start_to_close_timeout:
            deadline = activity.started_time + attributes.start_to_close_timeout
        if attributes.heartbeat_timeout:
            at = max(activity.started_time, activity.heartbeat_time) + attributes.heartbeat_timeout
            deadline = at if deadline == NEVER or at < deadline else deadline
    elif activity.backs_off:
        deadline = activity.visible_at
    elif attributes.schedule_to_start_timeout:
        deadline = activity.visible_at + attributes.schedule_to_start_timeout
    if attributes.schedule_to_close_timeout:
        at = activity.expires_at
        deadline = at if deadline == NEVER or at < deadline else deadline
    if deadline != activity.deadline:
        activity.deadline = deadline
        state.add_deadline(deadline, "activity", activity.scheduled_event_id)


def lease(tx: Transition, activity: ActivityState) -> None:
    """Give a waiting attempt to this process if it serves it; start it if there is a slot.

    An attempt whose time has not come backs off: the process that decided so wakes it, and nobody else sees it.
    """
    context = tx.context
    attributes = activity.attributes
    activity.backs_off = activity.visible_at > tx.now
    if activity.backs_off:
        activity.owner = context.process_key
        tx.put_activity(activity)
        set_deadline(tx.state, activity)
        return
    answer = context.lease(attributes.task_queue, attributes.activity_type)
    if answer == NOT_LEASED:
        activity.owner = 0
    else:
        activity.owner = context.process_key
        if answer == LEASED_AND_STARTED:
            _start(tx, activity)
        else:
            tx.queued_activities.append(activity)
    tx.put_activity(activity)
    set_deadline(tx.state, activity)


def _start(tx: Transition, activity: ActivityState) -> None:
    activity.started_time = tx.now
    activity.identity = tx.context.identity
    activity.heartbeat_time = 0
    tx.started_activities.append(activity)


def start_queued(tx: Transition, scheduled_event_id: int) -> bool:
    """A slot came free for an attempt that is ours; False when the attempt is over or no longer ours."""
    activity = tx.state.activities.get(scheduled_event_id)
    if activity is None or activity.is_started or activity.backs_off or activity.is_over:
        return False
    if activity.owner != tx.context.process_key:
        return False
    _start(tx, activity)
    tx.put_activity(activity)
    set_deadline(tx.state, activity)
    return True


def heartbeat(tx: Transition, scheduled_event_id: int, token: int, details: list[Payload] | None) -> HeartbeatReply:
    """Note that the attempt is alive; the answer is how an activity learns of a cancel request."""
    activity = find_attempt(tx.state, scheduled_event_id, token)
    if activity is None:
        return HeartbeatReply(not_found=True)
    activity.heartbeat_time = tx.now
    if details is not None:
        activity.heartbeat_details = details
    tx.put_activity(activity)
    set_deadline(tx.state, activity)
    return HeartbeatReply(cancel_requested=activity.cancel_requested_event_id != 0)


def hand_over(tx: Transition, scheduled_event_id: int, token: int, details: list[Payload] | None) -> bool:
    """The attempt goes on outside: it will be completed asynchronously, and no process's death ends it."""
    activity = find_attempt(tx.state, scheduled_event_id, token)
    if activity is None:
        return False
    activity.owner = OWNER_EXTERNAL
    if details is not None:
        activity.heartbeat_details = details
    tx.put_activity(activity)
    return True


def complete(tx: Transition, activity: ActivityState, result: list[Payload] | None, identity: str) -> None:
    """The attempt returned."""
    tx.add_attempt(activity, "completed")
    _close(tx, activity, ActivityTaskCompleted(result, activity.scheduled_event_id, 0, identity))


def cancel(tx: Transition, activity: ActivityState, details: list[Payload] | None, identity: str) -> None:
    """The attempt reported itself canceled. Without a request it is an ordinary failure (section 7)."""
    if not activity.cancel_requested_event_id:
        failure = Failure(
            message="Cancelled without request",
            source="PythonSDK",
            application_failure_info=ApplicationFailureInfo(type="CancelledError"),
        )
        fail(tx, activity, failure, identity)
        return
    tx.add_attempt(activity, "canceled")
    _close_canceled(tx, activity, details, identity)


def cancel_waiting(tx: Transition, activity: ActivityState) -> None:
    """A cancel request met an attempt that has not started (or backs off): it is canceled at once."""
    _close_canceled(tx, activity, None, tx.context.identity)


def _close_canceled(tx: Transition, activity: ActivityState, details: list[Payload] | None, identity: str) -> None:
    _close(
        tx,
        activity,
        ActivityTaskCanceled(details, activity.cancel_requested_event_id, activity.scheduled_event_id, 0, identity),
    )


def fail(tx: Transition, activity: ActivityState, failure: Failure, identity: str, outcome: str = "failed") -> None:
    """The attempt failed: try again by its policy, or close the activity with this failure."""
    attributes = activity.attributes
    policy = attributes.retry_policy or retry.DEFAULT_ACTIVITY_RETRY_POLICY
    if activity.cancel_requested_event_id:
        state, next_at = RetryState.CANCEL_REQUESTED, 0
    else:
        state, next_at = retry.decide(failure, policy, activity.attempt, tx.now, activity.expires_at)
    if state is RetryState.IN_PROGRESS:
        tx.add_attempt(activity, outcome, failure, next_at)
        _next_attempt(tx, activity, failure, next_at)
        return
    tx.add_attempt(activity, outcome, failure)
    if outcome == TIMED_OUT:
        _close(tx, activity, ActivityTaskTimedOut(failure, activity.scheduled_event_id, 0, state))
    else:
        _close(tx, activity, ActivityTaskFailed(failure, activity.scheduled_event_id, 0, identity, state))


def time_out(tx: Transition, activity: ActivityState, timeout_type: TimeoutType) -> None:
    """One of the four timeouts struck. Schedule-to-start and -to-close end the activity; the others may be retried."""
    failure = timeout_failure(timeout_type, activity.heartbeat_details)
    if timeout_type in (TimeoutType.START_TO_CLOSE, TimeoutType.HEARTBEAT):
        fail(tx, activity, failure, activity.identity, TIMED_OUT)
        return
    failure.cause = activity.last_failure
    if activity.is_started:
        tx.add_attempt(activity, TIMED_OUT, failure)
    state = RetryState.TIMEOUT if timeout_type is TimeoutType.SCHEDULE_TO_CLOSE else RetryState.NON_RETRYABLE_FAILURE
    _close(tx, activity, ActivityTaskTimedOut(failure, activity.scheduled_event_id, 0, state))


def lose(tx: Transition, activity: ActivityState) -> None:
    """The process that held the attempt is gone.

    An attempt that had started counts and is repeated at once, without back-off: it is known to be dead. Where the
    policy allows no more attempts the activity times out, as it would on a cluster when its worker dies.
    """
    if activity.is_over:
        return
    activity.token += 1
    if NEVER < activity.expires_at <= tx.now:
        time_out(tx, activity, TimeoutType.SCHEDULE_TO_CLOSE)
        return
    if not activity.is_started:
        lease(tx, activity)
        return
    failure = timeout_failure(TimeoutType.START_TO_CLOSE, activity.heartbeat_details)
    failure.message = "the process that ran this attempt died"
    policy = activity.attributes.retry_policy or retry.DEFAULT_ACTIVITY_RETRY_POLICY
    if activity.cancel_requested_event_id:
        tx.add_attempt(activity, "lost", failure)
        _close_canceled(tx, activity, None, tx.context.identity)
    elif 0 < policy.maximum_attempts <= activity.attempt:
        tx.add_attempt(activity, "lost", failure)
        closing = ActivityTaskTimedOut(failure, activity.scheduled_event_id, 0, RetryState.MAXIMUM_ATTEMPTS_REACHED)
        _close(tx, activity, closing)
    else:
        tx.add_attempt(activity, "lost", failure, tx.now)
        _next_attempt(tx, activity, failure, tx.now)


def make_ready(tx: Transition, activity: ActivityState) -> None:
    """The back-off is over: the next attempt may start."""
    lease(tx, activity)


def retry_now(tx: Transition, activity: ActivityState) -> bool:
    """Skip the rest of the back-off; False when the attempt is already running."""
    if not activity.backs_off:
        return False
    activity.visible_at = tx.now
    lease(tx, activity)
    return True


def timeout_failure(timeout_type: TimeoutType, details: list[Payload] | None = None) -> Failure:
    """Failure record of a timeout."""
    words = {
        TimeoutType.START_TO_CLOSE: "StartToClose",
        TimeoutType.SCHEDULE_TO_START: "ScheduleToStart",
        TimeoutType.SCHEDULE_TO_CLOSE: "ScheduleToClose",
        TimeoutType.HEARTBEAT: "Heartbeat",
    }
    return Failure(
        message=f"activity {words[timeout_type]} timeout",
        source="Server",
        timeout_failure_info=TimeoutFailureInfo(timeout_type, details),
    )


def _next_attempt(tx: Transition, activity: ActivityState, failure: Failure, next_at: int) -> None:
    activity.attempt += 1
    activity.token += 1
    activity.visible_at = next_at
    activity.started_time = 0
    activity.heartbeat_time = 0
    activity.last_failure = failure
    lease(tx, activity)


def mark_closed(activity: ActivityState) -> None:
    """The closing event is buffered: nothing can complete, start or time out the activity any more."""
    activity.token = CLOSED_TOKEN
    activity.deadline = NEVER


def _close(tx: Transition, activity: ActivityState, closing: Attributes) -> None:
    """Write the pair Started, Closed; Started only if the activity ever started."""
    tx.drop_activity(activity)
    started = activity.is_started
    last_failure = activity.last_failure
    facts: list[Attributes] = []
    if started:
        facts.append(
            ActivityTaskStarted(activity.scheduled_event_id, activity.identity, "", activity.attempt, last_failure)
        )
    facts.append(closing)
    if tx.must_buffer:
        mark_closed(activity)
    tx.record(*facts)
