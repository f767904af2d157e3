"""News from other runs: a child has started or ended, a signal or cancel request was delivered or not.

Deliveries between runs happen at least once; a piece of news about something that is no longer pending is ignored.
"""

from __future__ import annotations

from durable_nb.core.state import CLOSE_CHILD, ExecutionState
from durable_nb.core.transition import Transition
from durable_nb.model.attributes import (
    Attributes,
    ChildWorkflowExecutionCanceled,
    ChildWorkflowExecutionCompleted,
    ChildWorkflowExecutionFailed,
    ChildWorkflowExecutionStarted,
    ChildWorkflowExecutionTerminated,
    ChildWorkflowExecutionTimedOut,
    ExternalWorkflowExecutionCancelRequested,
    ExternalWorkflowExecutionSignaled,
    RequestCancelExternalWorkflowExecutionFailed,
    SignalExternalWorkflowExecutionFailed,
    StartChildWorkflowExecutionFailed,
    WorkflowExecutionCanceled,
    WorkflowExecutionCompleted,
    WorkflowExecutionFailed,
    WorkflowExecutionTerminated,
    WorkflowExecutionTimedOut,
)
from durable_nb.model.enums import (
    CancelExternalWorkflowExecutionFailedCause,
    ParentClosePolicy,
    SignalExternalWorkflowExecutionFailedCause,
    StartChildWorkflowExecutionFailedCause,
)
from durable_nb.model.failure import WorkflowExecution


def may_start_child(state: ExecutionState, initiated_event_id: int) -> bool:
    """Whether the child is still to be started; asked by whoever carries out START_CHILD, right before it does.

    A parent that closed first starts only children it abandons (temporal-semantics 3.8). On False the child may have
    been started already by a process that died before it told: then tell (``child_started``), else finish the transfer
    (``child_not_started``).
    """
    child = state.children.get(initiated_event_id)
    if child is None or child.execution is not None or initiated_event_id not in state.transfers:
        return False
    return state.is_open or child.attributes.parent_close_policy is ParentClosePolicy.ABANDON


def child_started(tx: Transition, initiated_event_id: int, execution: WorkflowExecution) -> None:
    """The child runs. Where the parent closed meanwhile, its policy strikes the child now."""
    state = tx.state
    child = state.children.get(initiated_event_id)
    if not tx.finish_transfer(initiated_event_id) or child is None or child.execution is not None:
        return
    child.execution = execution
    asked = child.attributes
    if not state.is_open:
        if asked.parent_close_policy is not ParentClosePolicy.ABANDON:
            tx.add_transfer(-initiated_event_id, CLOSE_CHILD)
        return
    tx.record(
        ChildWorkflowExecutionStarted(asked.namespace, initiated_event_id, execution, asked.workflow_type, asked.header)
    )


def child_not_started(tx: Transition, initiated_event_id: int) -> None:
    """The child's workflow ID is in use, or the parent closed before it could start."""
    state = tx.state
    child = state.children.get(initiated_event_id)
    if not tx.finish_transfer(initiated_event_id) or child is None or child.execution is not None or not state.is_open:
        return
    child.ended = True
    asked = child.attributes
    tx.record(
        StartChildWorkflowExecutionFailed(
            asked.namespace,
            asked.workflow_id,
            asked.workflow_type,
            StartChildWorkflowExecutionFailedCause.WORKFLOW_ALREADY_EXISTS,
            initiated_event_id,
            asked.workflow_task_completed_event_id,
        )
    )


def child_closed(tx: Transition, initiated_event_id: int, execution: WorkflowExecution, closing: Attributes) -> None:
    """The child's chain of runs has ended with this event."""
    state = tx.state
    child = state.children.get(initiated_event_id)
    if child is None or child.ended or not state.is_open:
        return
    if child.execution is not None and child.execution.run_id != execution.run_id:
        return  # Another child, of a run that this one was reset from.
    if child.execution is None:
        # The end overtook the news of the start; history needs both.
        child_started(tx, initiated_event_id, execution)
    child.ended = True
    base = (child.attributes.namespace, execution, child.attributes.workflow_type, initiated_event_id, 0)
    tx.record(_child_event(base, closing))


def _child_event(base: tuple[str, WorkflowExecution, str, int, int], closing: Attributes) -> Attributes:
    if isinstance(closing, WorkflowExecutionCompleted):
        return ChildWorkflowExecutionCompleted(*base, closing.result)
    if isinstance(closing, WorkflowExecutionFailed):
        return ChildWorkflowExecutionFailed(*base, closing.failure, closing.retry_state)
    if isinstance(closing, WorkflowExecutionCanceled):
        return ChildWorkflowExecutionCanceled(*base, closing.details)
    if isinstance(closing, WorkflowExecutionTimedOut):
        return ChildWorkflowExecutionTimedOut(*base, closing.retry_state)
    if isinstance(closing, WorkflowExecutionTerminated):
        return ChildWorkflowExecutionTerminated(*base)
    raise AssertionError(f"{type(closing).__name__} does not end a chain of runs")


def signal_delivered(tx: Transition, initiated_event_id: int, found: bool) -> None:
    """The signal to another workflow arrived, or there is no such workflow."""
    asked = tx.state.external_signals.get(initiated_event_id)
    if not tx.finish_transfer(initiated_event_id) or asked is None or not tx.state.is_open:
        return
    if found:
        tx.record(ExternalWorkflowExecutionSignaled(initiated_event_id, asked.namespace, asked.workflow_execution))
        return
    tx.record(
        SignalExternalWorkflowExecutionFailed(
            SignalExternalWorkflowExecutionFailedCause.EXTERNAL_WORKFLOW_EXECUTION_NOT_FOUND,
            asked.workflow_task_completed_event_id,
            asked.namespace,
            asked.workflow_execution,
            initiated_event_id,
        )
    )


def cancel_delivered(tx: Transition, initiated_event_id: int, found: bool) -> None:
    """The cancel request to another workflow arrived, or there is no such workflow."""
    asked = tx.state.external_cancels.get(initiated_event_id)
    if not tx.finish_transfer(initiated_event_id) or asked is None or not tx.state.is_open:
        return
    if found:
        tx.record(
            ExternalWorkflowExecutionCancelRequested(initiated_event_id, asked.namespace, asked.workflow_execution)
        )
        return
    tx.record(
        RequestCancelExternalWorkflowExecutionFailed(
            CancelExternalWorkflowExecutionFailedCause.EXTERNAL_WORKFLOW_EXECUTION_NOT_FOUND,
            asked.workflow_task_completed_event_id,
            asked.namespace,
            asked.workflow_execution,
            initiated_event_id,
        )
    )
