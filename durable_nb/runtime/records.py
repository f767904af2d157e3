"""Failure records that the runtime itself makes of closing events, with Temporal's messages (temporal-semantics 4)."""

from __future__ import annotations

from durable_nb.model.enums import RetryState, TimeoutType
from durable_nb.model.failure import (
    ActivityFailureInfo,
    ApplicationFailureInfo,
    CanceledFailureInfo,
    ChildWorkflowExecutionFailureInfo,
    Failure,
    TerminatedFailureInfo,
    TimeoutFailureInfo,
    WorkflowExecution,
)
from durable_nb.model.payload import Payload


def activity_failure(
    message: str,
    cause: Failure | None,
    *,
    activity_id: str,
    activity_type: str,
    scheduled_event_id: int = 0,
    started_event_id: int = 0,
    identity: str = "",
    retry_state: RetryState | None = None,
) -> Failure:
    """Record of an ActivityError."""
    return Failure(
        message=message,
        cause=cause,
        activity_failure_info=ActivityFailureInfo(
            scheduled_event_id=scheduled_event_id,
            started_event_id=started_event_id,
            identity=identity,
            activity_type=activity_type,
            activity_id=activity_id,
            retry_state=retry_state,
        ),
    )


def canceled(details: list[Payload] | None = None, message: str = "") -> Failure:
    """Record of a CancelledError."""
    return Failure(message=message, canceled_failure_info=CanceledFailureInfo(details=details))


def application(message: str, kind: str = "") -> Failure:
    """Record of an ApplicationError of type ``kind`` that the engine, not user code, caused."""
    return Failure(message=message, application_failure_info=ApplicationFailureInfo(type=kind))


def child_failure(
    message: str,
    cause: Failure | None,
    *,
    namespace: str,
    execution: WorkflowExecution,
    workflow_type: str,
    initiated_event_id: int,
    started_event_id: int,
    retry_state: RetryState | None = None,
) -> Failure:
    """Record of a ChildWorkflowError."""
    return Failure(
        message=message,
        cause=cause,
        child_workflow_execution_failure_info=ChildWorkflowExecutionFailureInfo(
            namespace=namespace,
            workflow_execution=execution,
            workflow_type=workflow_type,
            initiated_event_id=initiated_event_id,
            started_event_id=started_event_id,
            retry_state=retry_state,
        ),
    )


def timed_out() -> Failure:
    """Cause of a ChildWorkflowError when the child's run or chain took too long."""
    return Failure(
        message="Timed out", timeout_failure_info=TimeoutFailureInfo(timeout_type=TimeoutType.START_TO_CLOSE)
    )


def terminated() -> Failure:
    """Cause of a ChildWorkflowError when the child was terminated."""
    return Failure(message="Terminated", terminated_failure_info=TerminatedFailureInfo())
