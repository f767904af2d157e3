"""The first transition of a run: from a caller's request, for a parent, or after a predecessor."""

from __future__ import annotations

from durable_nb.core import cron
from durable_nb.core.state import NEVER, ChildState, ExecutionState
from durable_nb.core.transition import Context, Transition
from durable_nb.model.attributes import (
    RetryPolicyAttributes,
    UserMetadata,
    WorkflowExecutionSignaled,
    WorkflowExecutionStarted,
)
from durable_nb.model.enums import ContinueAsNewInitiator
from durable_nb.model.failure import Failure
from durable_nb.model.payload import Payload
from durable_nb.model.requests import SignalInput, StartWorkflow

DEFAULT_TASK_TIMEOUT = 10_000_000
"""Workflow task timeout where none is given: 10 s."""


def start(context: Context, request: StartWorkflow, run_key: int, run_id: str, now: int) -> Transition:
    """A new run for a caller; with ``request.signal`` the signal stands right after the started event."""
    state = ExecutionState(run_key, request.namespace, request.workflow_id, run_id)
    tx = Transition(state, now, context)
    backoff = request.start_delay
    if request.cron_schedule and not backoff:
        backoff = max(cron.next_time(request.cron_schedule, now, now) - now, 1)
    attributes = WorkflowExecutionStarted(
        workflow_type=request.workflow_type,
        task_queue=request.task_queue,
        input=request.input or None,
        workflow_execution_timeout=request.execution_timeout,
        workflow_run_timeout=request.run_timeout,
        workflow_task_timeout=request.task_timeout or DEFAULT_TASK_TIMEOUT,
        original_execution_run_id=run_id,
        identity=request.identity,
        first_execution_run_id=run_id,
        retry_policy=request.retry_policy,
        workflow_execution_expiration_time=now + request.execution_timeout if request.execution_timeout else NEVER,
        cron_schedule=request.cron_schedule,
        first_workflow_task_backoff=backoff,
        memo=request.memo,
        search_attributes=request.search_attributes,
        header=request.header or None,
        workflow_id=request.workflow_id,
        priority=request.priority,
    )
    tx.append(attributes, request.user_metadata)
    if request.signal is not None:
        _signal(tx, request.signal, request.identity)
    tx.schedule_workflow_task()
    return tx


def start_child(
    context: Context, parent: ExecutionState, child: ChildState, run_key: int, run_id: str, now: int
) -> Transition:
    """A new run for a parent's StartChildWorkflowExecutionInitiated."""
    asked = child.attributes
    state = ExecutionState(run_key, asked.namespace or parent.namespace, asked.workflow_id, run_id)
    tx = Transition(state, now, context)
    backoff = max(cron.next_time(asked.cron_schedule, now, now) - now, 1) if asked.cron_schedule else 0
    timeout = asked.workflow_execution_timeout
    tx.append(
        WorkflowExecutionStarted(
            workflow_type=asked.workflow_type,
            parent_workflow_namespace=parent.namespace,
            parent_workflow_execution=parent.execution,
            parent_initiated_event_id=child.initiated_event_id,
            task_queue=asked.task_queue or parent.started.task_queue,
            input=asked.input,
            workflow_execution_timeout=timeout,
            workflow_run_timeout=asked.workflow_run_timeout,
            workflow_task_timeout=asked.workflow_task_timeout or DEFAULT_TASK_TIMEOUT,
            original_execution_run_id=run_id,
            identity=context.identity,
            first_execution_run_id=run_id,
            retry_policy=asked.retry_policy,
            workflow_execution_expiration_time=now + timeout if timeout else NEVER,
            cron_schedule=asked.cron_schedule,
            first_workflow_task_backoff=backoff,
            memo=asked.memo,
            search_attributes=asked.search_attributes,
            header=asked.header,
            workflow_id=asked.workflow_id,
            root_workflow_execution=parent.started.root_workflow_execution or parent.execution,
            priority=asked.priority,
        ),
        child.user_metadata,
    )
    tx.schedule_workflow_task()
    return tx


def start_successor(
    previous: Transition,
    *,
    run_id: str,
    initiator: ContinueAsNewInitiator,
    workflow_type: str,
    task_queue: str,
    input: list[Payload] | None,
    header: dict[str, Payload] | None,
    run_timeout: int,
    task_timeout: int,
    backoff: int,
    policy: RetryPolicyAttributes | None,
    memo: dict[str, Payload] | None,
    search_attributes: dict[str, Payload] | None,
    attempt: int = 1,
    failure: Failure | None = None,
    last_result: list[Payload] | None = None,
    user_metadata: UserMetadata | None = None,
) -> Transition:
    """The run that follows ``previous`` under its workflow ID; parent, root, cron and the chain's deadline stay."""
    old = previous.state
    started = old.started
    context = previous.context
    state = ExecutionState(context.new_run_key(), old.namespace, old.workflow_id, run_id)
    tx = Transition(state, previous.now, context)
    tx.append(
        WorkflowExecutionStarted(
            workflow_type=workflow_type,
            parent_workflow_namespace=started.parent_workflow_namespace,
            parent_workflow_execution=started.parent_workflow_execution,
            parent_initiated_event_id=started.parent_initiated_event_id,
            task_queue=task_queue,
            input=input,
            workflow_execution_timeout=started.workflow_execution_timeout,
            workflow_run_timeout=run_timeout,
            workflow_task_timeout=task_timeout,
            continued_execution_run_id=old.run_id,
            initiator=initiator,
            continued_failure=failure,
            last_completion_result=last_result,
            original_execution_run_id=run_id,
            identity=started.identity,
            first_execution_run_id=old.first_execution_run_id,
            retry_policy=policy,
            attempt=attempt,
            workflow_execution_expiration_time=started.workflow_execution_expiration_time,
            cron_schedule=started.cron_schedule,
            first_workflow_task_backoff=backoff,
            memo=memo,
            search_attributes=search_attributes,
            header=header,
            workflow_id=old.workflow_id,
            root_workflow_execution=started.root_workflow_execution,
            priority=started.priority,
        ),
        user_metadata,
    )
    tx.schedule_workflow_task()
    return tx


def _signal(tx: Transition, signal: SignalInput, identity: str) -> None:
    tx.append(
        WorkflowExecutionSignaled(
            signal_name=signal.name,
            input=signal.args,
            identity=identity,
            header=signal.header or None,
            request_id=signal.request_id,
        )
    )
