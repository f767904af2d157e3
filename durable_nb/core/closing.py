"""Closing a run: what becomes of its activities, children and parent, and which run follows it.

A run is followed by another on continue-as-new, on a retry of the workflow, and on its cron schedule; both runs
commit together (temporal-semantics 3.8, 3.10, 3.13).
"""

from __future__ import annotations

from collections.abc import Collection

from durable_nb.core import cron, retry
from durable_nb.core.start import start_successor
from durable_nb.core.state import CLOSE_CHILD, NOTIFY_PARENT
from durable_nb.core.transition import Transition
from durable_nb.model.attributes import (
    Attributes,
    RetryPolicyAttributes,
    UserMetadata,
    WorkflowExecutionCompleted,
    WorkflowExecutionContinuedAsNew,
    WorkflowExecutionFailed,
    WorkflowExecutionTerminated,
    WorkflowExecutionTimedOut,
    WorkflowTaskFailed,
)
from durable_nb.model.enums import (
    ContinueAsNewInitiator,
    ParentClosePolicy,
    RetryState,
    TimeoutType,
    WorkflowTaskFailedCause,
)
from durable_nb.model.failure import Failure, TimeoutFailureInfo
from durable_nb.model.payload import Payload

__all__ = ["CLOSE_CHILD", "NOTIFY_PARENT", "close", "complete", "continue_as_new", "fail", "terminate", "time_out"]


def close(tx: Transition, attributes: Attributes, kept_children: Collection[int] = ()) -> None:
    """Append a closing event and settle everything that was pending.

    A child whose start is under way keeps its transfer: whoever carries that out asks ``others.may_start_child``, and
    a child that had started nevertheless is closed when its start is told (``others.child_started``). ``kept_children``
    (initiated event ids) go on under another run.
    """
    state = tx.state
    state.buffered = []
    tx.append(attributes)
    unused = {id(activity) for activity in tx.started_activities}
    for activity in state.activities.values():
        if activity.is_over:
            continue
        tx.drop_activity(activity)
        if activity.is_started and id(activity) not in unused:
            tx.add_attempt(activity, "canceled")
    tx.unused_leases += tx.started_activities
    tx.started_activities = []
    tx.queued_activities = []
    for child in state.children.values():
        policy = child.attributes.parent_close_policy
        if child.initiated_event_id in kept_children:
            continue
        if child.execution is not None and policy is not ParentClosePolicy.ABANDON:
            tx.add_transfer(-child.initiated_event_id, CLOSE_CHILD)
    if state.started.parent_workflow_execution is not None and tx.successor is None:
        tx.add_transfer(state.close_event_id, NOTIFY_PARENT)


def complete(tx: Transition, attributes: WorkflowExecutionCompleted) -> None:
    """``run`` returned; with a cron schedule the next run follows."""
    backoff = _cron_backoff(tx)
    if backoff is not None:
        result = attributes.result
        attributes.new_execution_run_id = _follow(
            tx, ContinueAsNewInitiator.CRON_SCHEDULE, backoff, last_result=result, attempt=1
        )
    close(tx, attributes)


def fail(tx: Transition, attributes: WorkflowExecutionFailed) -> None:
    """``run`` failed: retry by the workflow's policy, else by its cron schedule, else for good."""
    failure = attributes.failure or Failure()
    attributes.retry_state, attributes.new_execution_run_id = _retry_or_cron(tx, failure)
    close(tx, attributes)


def time_out(tx: Transition, whole_chain: bool) -> None:
    """The run timeout or, with ``whole_chain``, the execution timeout struck; code does not see it."""
    _settle_buffered(tx)
    attributes = WorkflowExecutionTimedOut(retry_state=RetryState.TIMEOUT)
    if not whole_chain:
        failure = Failure(
            message="workflow run timeout",
            source="Server",
            timeout_failure_info=TimeoutFailureInfo(TimeoutType.START_TO_CLOSE),
        )
        attributes.retry_state, attributes.new_execution_run_id = _retry_or_cron(tx, failure)
    close(tx, attributes)


def terminate(
    tx: Transition,
    reason: str,
    details: list[Payload] | None,
    identity: str,
    kept_children: Collection[int] = (),
) -> None:
    """Close at once; no code runs, nothing follows. ``kept_children`` as for ``close``."""
    _settle_buffered(tx)
    close(tx, WorkflowExecutionTerminated(reason, details, identity), kept_children)


def continue_as_new(
    tx: Transition,
    attributes: WorkflowExecutionContinuedAsNew,
    policy: RetryPolicyAttributes | None,
    user_metadata: UserMetadata | None = None,
) -> None:
    """The code asked for a fresh run: same workflow ID, new history. What is not given is carried over, but input."""
    started = tx.state.started
    attributes.workflow_type = attributes.workflow_type or started.workflow_type
    attributes.task_queue = attributes.task_queue or started.task_queue
    attributes.workflow_run_timeout = attributes.workflow_run_timeout or started.workflow_run_timeout
    attributes.workflow_task_timeout = attributes.workflow_task_timeout or started.workflow_task_timeout
    attributes.initiator = ContinueAsNewInitiator.WORKFLOW
    if attributes.memo is None:
        attributes.memo = dict(tx.state.memo) or None
    if attributes.search_attributes is None:
        attributes.search_attributes = dict(tx.state.search_attributes) or None
    attributes.new_execution_run_id = tx.context.new_run_id()
    tx.successor = start_successor(
        tx,
        run_id=attributes.new_execution_run_id,
        initiator=ContinueAsNewInitiator.WORKFLOW,
        workflow_type=attributes.workflow_type,
        task_queue=attributes.task_queue,
        input=attributes.input,
        header=attributes.header,
        run_timeout=attributes.workflow_run_timeout,
        task_timeout=attributes.workflow_task_timeout,
        backoff=attributes.backoff_start_interval,
        policy=policy if policy is not None else started.retry_policy,
        memo=attributes.memo,
        search_attributes=attributes.search_attributes,
        last_result=started.last_completion_result,
        user_metadata=user_metadata or tx.state.user_metadata,
    )
    close(tx, attributes)


def _settle_buffered(tx: Transition) -> None:
    """Write what arrived during a running workflow task before the run is closed over it: no signal is lost."""
    task = tx.state.workflow_task
    if not tx.state.buffered:
        return
    if task is not None and task.started_event_id:
        tx.append(
            WorkflowTaskFailed(
                scheduled_event_id=task.scheduled_event_id,
                started_event_id=task.started_event_id,
                cause=WorkflowTaskFailedCause.FORCE_CLOSE_COMMAND,
                identity=tx.context.identity,
            )
        )
    tx.state.workflow_task = None
    tx.flush_buffered()


def _retry_or_cron(tx: Transition, failure: Failure) -> tuple[RetryState, str]:
    """Retry state to record and run ID of the successor ("" for none)."""
    started = tx.state.started
    policy = started.retry_policy
    state = RetryState.RETRY_POLICY_NOT_SET
    if policy is not None:
        expires_at = started.workflow_execution_expiration_time
        state, next_at = retry.decide(failure, policy, started.attempt, tx.now, expires_at)
        if state is RetryState.IN_PROGRESS:
            run_id = _follow(
                tx,
                ContinueAsNewInitiator.RETRY,
                next_at - tx.now,
                attempt=started.attempt + 1,
                failure=failure,
                last_result=started.last_completion_result,
            )
            return state, run_id
    backoff = _cron_backoff(tx)
    if backoff is not None:
        run_id = _follow(
            tx,
            ContinueAsNewInitiator.CRON_SCHEDULE,
            backoff,
            attempt=1,
            failure=failure,
            last_result=started.last_completion_result,
        )
        return state, run_id
    return state, ""


def _cron_backoff(tx: Transition) -> int | None:
    """Microseconds to the next time of the cron schedule; None without one or past the execution timeout."""
    started = tx.state.started
    if not started.cron_schedule:
        return None
    next_at = cron.next_time(started.cron_schedule, tx.state.execution_time, tx.now)
    expires_at = started.workflow_execution_expiration_time
    if expires_at and next_at >= expires_at:
        return None
    return max(next_at - tx.now, 1)


def _follow(
    tx: Transition,
    initiator: ContinueAsNewInitiator,
    backoff: int,
    *,
    attempt: int,
    failure: Failure | None = None,
    last_result: list[Payload] | None = None,
) -> str:
    """Make the next run with the same input; its run ID."""
    started = tx.state.started
    run_id = tx.context.new_run_id()
    tx.successor = start_successor(
        tx,
        run_id=run_id,
        initiator=initiator,
        workflow_type=started.workflow_type,
        task_queue=started.task_queue,
        input=started.input,
        header=started.header,
        run_timeout=started.workflow_run_timeout,
        task_timeout=started.workflow_task_timeout,
        backoff=backoff,
        policy=started.retry_policy,
        memo=dict(tx.state.memo) or None,
        search_attributes=dict(tx.state.search_attributes) or None,
        attempt=attempt,
        failure=failure,
        last_result=last_result,
        user_metadata=tx.state.user_metadata,
    )
    return run_id
