"""Child workflows, other workflows, and continue-as-new (temporal-semantics 3.8 - 3.10)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Concatenate, NoReturn, overload

from durable_nb.model.enums import ParentClosePolicy, WorkflowIDReusePolicy
from durable_nb.policies import Priority, RetryPolicy
from durable_nb.runtime import starting as _starting
from durable_nb.runtime.external import OtherWorkflow
from durable_nb.runtime.handles import (
    ChildWorkflowCancellationType,
    ChildWorkflowHandle,
    ContinueAsNewVersioningBehavior,
    ExternalWorkflowHandle,
    VersioningIntent,
    arg_unset,
    arguments,
)
from durable_nb.runtime.loop import current
from durable_nb.runtime.upserts import warn_untyped
from durable_nb.search_attributes import SearchAttributes, TypedSearchAttributes
from durable_nb.workflow._context import uuid4
from durable_nb.workflow._typing import (
    CallableAsyncNoParam,
    CallableAsyncSingleParam,
    MethodAsyncNoParam,
    MethodAsyncSingleParam,
    MultiParamSpec,
    ParamType,
    ReturnType,
    SelfType,
)

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from durable_nb.workflow._configs import ChildWorkflowConfig, ContinueAsNewConfig


@overload
async def start_child_workflow(
    workflow: MethodAsyncNoParam[SelfType, ReturnType],
    **options: Unpack[ChildWorkflowConfig],
) -> ChildWorkflowHandle[SelfType, ReturnType]: ...


@overload
async def start_child_workflow(
    workflow: MethodAsyncSingleParam[SelfType, ParamType, ReturnType],
    arg: ParamType,
    **options: Unpack[ChildWorkflowConfig],
) -> ChildWorkflowHandle[SelfType, ReturnType]: ...


@overload
async def start_child_workflow(
    workflow: CallableAsyncNoParam[ReturnType],
    **options: Unpack[ChildWorkflowConfig],
) -> ChildWorkflowHandle[Any, ReturnType]: ...


@overload
async def start_child_workflow(
    workflow: CallableAsyncSingleParam[ParamType, ReturnType],
    arg: ParamType,
    **options: Unpack[ChildWorkflowConfig],
) -> ChildWorkflowHandle[Any, ReturnType]: ...


@overload
async def start_child_workflow(
    workflow: Callable[Concatenate[SelfType, MultiParamSpec], Awaitable[ReturnType]],
    *,
    args: Sequence[Any],
    **options: Unpack[ChildWorkflowConfig],
) -> ChildWorkflowHandle[SelfType, ReturnType]: ...


@overload
async def start_child_workflow(
    workflow: str,
    arg: Any = arg_unset,
    *,
    args: Sequence[Any] = [],
    result_type: type | None = None,
    **options: Unpack[ChildWorkflowConfig],
) -> ChildWorkflowHandle[Any, Any]: ...


async def start_child_workflow(
    workflow: Any,
    arg: Any = arg_unset,
    *,
    args: Sequence[Any] = [],
    id: str | None = None,
    task_queue: str | None = None,
    result_type: type | None = None,
    cancellation_type: ChildWorkflowCancellationType = ChildWorkflowCancellationType.WAIT_CANCELLATION_COMPLETED,
    parent_close_policy: ParentClosePolicy = ParentClosePolicy.TERMINATE,
    execution_timeout: timedelta | None = None,
    run_timeout: timedelta | None = None,
    task_timeout: timedelta | None = None,
    id_reuse_policy: WorkflowIDReusePolicy = WorkflowIDReusePolicy.ALLOW_DUPLICATE,
    retry_policy: RetryPolicy | None = None,
    cron_schedule: str = "",
    memo: Mapping[str, Any] | None = None,
    search_attributes: SearchAttributes | TypedSearchAttributes | None = None,
    versioning_intent: VersioningIntent | None = None,
    static_summary: str | None = None,
    static_details: str | None = None,
    event_groups: Sequence[Any] | None = None,
    priority: Priority = Priority.default,
    versioning_override: Any | None = None,
) -> ChildWorkflowHandle[Any, Any]:
    """Start a child and return its handle once it has started.

    Parameters
    ----------
    workflow
        A run method, a workflow that is a function, or the name of a workflow.
    arg, args
        One argument, or all of them.
    id
        Workflow ID; a UUID from the run's random numbers by default.
    task_queue
        The parent's by default.
    result_type
        Type of the result where only a name is given.
    cancellation_type, parent_close_policy
        What becomes of the child when the wait for it is cancelled, and when the parent closes.
    execution_timeout, run_timeout, task_timeout
        Limits for the chain of runs, for a run, for a workflow task.
    id_reuse_policy
        Whether the ID may have been used by a closed run.
    retry_policy
        None: a child that fails is not tried again.
    cron_schedule, memo, search_attributes, static_summary, static_details, priority
        As for ``Client.start_workflow``.

    Raises
    ------
    WorkflowAlreadyStartedError
        The ID is in use.
    """
    warn_untyped(search_attributes)
    return await _starting.start_child_workflow(
        current(),
        workflow,
        arguments(arg, args),
        id=id or str(uuid4()),
        task_queue=task_queue,
        result_type=result_type,
        cancellation_type=cancellation_type,
        parent_close_policy=parent_close_policy,
        execution_timeout=execution_timeout,
        run_timeout=run_timeout,
        task_timeout=task_timeout,
        id_reuse_policy=id_reuse_policy,
        retry_policy=retry_policy,
        cron_schedule=cron_schedule,
        memo=memo,
        search_attributes=search_attributes,
        versioning_intent=versioning_intent,
        static_summary=static_summary,
        static_details=static_details,
        event_groups=event_groups,
        priority=priority,
        versioning_override=versioning_override,
    )


@overload
async def execute_child_workflow(
    workflow: MethodAsyncNoParam[SelfType, ReturnType],
    **options: Unpack[ChildWorkflowConfig],
) -> ReturnType: ...


@overload
async def execute_child_workflow(
    workflow: MethodAsyncSingleParam[SelfType, ParamType, ReturnType],
    arg: ParamType,
    **options: Unpack[ChildWorkflowConfig],
) -> ReturnType: ...


@overload
async def execute_child_workflow(
    workflow: CallableAsyncNoParam[ReturnType],
    **options: Unpack[ChildWorkflowConfig],
) -> ReturnType: ...


@overload
async def execute_child_workflow(
    workflow: CallableAsyncSingleParam[ParamType, ReturnType],
    arg: ParamType,
    **options: Unpack[ChildWorkflowConfig],
) -> ReturnType: ...


@overload
async def execute_child_workflow(
    workflow: Callable[Concatenate[SelfType, MultiParamSpec], Awaitable[ReturnType]],
    *,
    args: Sequence[Any],
    **options: Unpack[ChildWorkflowConfig],
) -> ReturnType: ...


@overload
async def execute_child_workflow(
    workflow: str,
    arg: Any = arg_unset,
    *,
    args: Sequence[Any] = [],
    result_type: type | None = None,
    **options: Unpack[ChildWorkflowConfig],
) -> Any: ...


async def execute_child_workflow(
    workflow: Any,
    arg: Any = arg_unset,
    *,
    args: Sequence[Any] = [],
    id: str | None = None,
    task_queue: str | None = None,
    result_type: type | None = None,
    cancellation_type: ChildWorkflowCancellationType = ChildWorkflowCancellationType.WAIT_CANCELLATION_COMPLETED,
    parent_close_policy: ParentClosePolicy = ParentClosePolicy.TERMINATE,
    execution_timeout: timedelta | None = None,
    run_timeout: timedelta | None = None,
    task_timeout: timedelta | None = None,
    id_reuse_policy: WorkflowIDReusePolicy = WorkflowIDReusePolicy.ALLOW_DUPLICATE,
    retry_policy: RetryPolicy | None = None,
    cron_schedule: str = "",
    memo: Mapping[str, Any] | None = None,
    search_attributes: SearchAttributes | TypedSearchAttributes | None = None,
    versioning_intent: VersioningIntent | None = None,
    static_summary: str | None = None,
    static_details: str | None = None,
    event_groups: Sequence[Any] | None = None,
    priority: Priority = Priority.default,
    versioning_override: Any | None = None,
) -> Any:
    """``start_child_workflow`` and wait for the result.

    Raises
    ------
    ChildWorkflowError
        The child did not complete; ``cause`` says why.
    WorkflowAlreadyStartedError
        The ID is in use.
    """
    warn_untyped(search_attributes)
    handle = await _starting.start_child_workflow(
        current(),
        workflow,
        arguments(arg, args),
        id=id or str(uuid4()),
        task_queue=task_queue,
        result_type=result_type,
        cancellation_type=cancellation_type,
        parent_close_policy=parent_close_policy,
        execution_timeout=execution_timeout,
        run_timeout=run_timeout,
        task_timeout=task_timeout,
        id_reuse_policy=id_reuse_policy,
        retry_policy=retry_policy,
        cron_schedule=cron_schedule,
        memo=memo,
        search_attributes=search_attributes,
        versioning_intent=versioning_intent,
        static_summary=static_summary,
        static_details=static_details,
        event_groups=event_groups,
        priority=priority,
        versioning_override=versioning_override,
    )
    return await handle


def get_external_workflow_handle(workflow_id: str, *, run_id: str | None = None) -> ExternalWorkflowHandle[Any]:
    """Handle of another workflow, by its ID; whether it exists shows when it is used."""
    return OtherWorkflow(current(), workflow_id, run_id)


def get_external_workflow_handle_for(
    workflow: MethodAsyncNoParam[SelfType, Any] | MethodAsyncSingleParam[SelfType, Any, Any],
    workflow_id: str,
    *,
    run_id: str | None = None,
) -> ExternalWorkflowHandle[SelfType]:
    """``get_external_workflow_handle`` for type checkers; ``workflow`` is not looked at."""
    return get_external_workflow_handle(workflow_id, run_id=run_id)


@overload
def continue_as_new(
    arg: Any = arg_unset, *, args: Sequence[Any] = [], **options: Unpack[ContinueAsNewConfig]
) -> NoReturn: ...


@overload
def continue_as_new(
    *, workflow: MethodAsyncNoParam[SelfType, Any], **options: Unpack[ContinueAsNewConfig]
) -> NoReturn: ...


@overload
def continue_as_new(
    arg: ParamType,
    *,
    workflow: MethodAsyncSingleParam[SelfType, ParamType, Any],
    **options: Unpack[ContinueAsNewConfig],
) -> NoReturn: ...


@overload
def continue_as_new(
    *,
    workflow: Callable[Concatenate[SelfType, MultiParamSpec], Awaitable[Any]],
    args: Sequence[Any],
    **options: Unpack[ContinueAsNewConfig],
) -> NoReturn: ...


@overload
def continue_as_new(*, workflow: str, args: Sequence[Any] = [], **options: Unpack[ContinueAsNewConfig]) -> NoReturn: ...


def continue_as_new(
    arg: Any = arg_unset,
    *,
    args: Sequence[Any] = [],
    workflow: Callable[..., Any] | str | None = None,
    task_queue: str | None = None,
    run_timeout: timedelta | None = None,
    task_timeout: timedelta | None = None,
    backoff_start_interval: timedelta | None = None,
    retry_policy: RetryPolicy | None = None,
    memo: Mapping[str, Any] | None = None,
    search_attributes: SearchAttributes | TypedSearchAttributes | None = None,
    versioning_intent: VersioningIntent | None = None,
    initial_versioning_behavior: ContinueAsNewVersioningBehavior | None = None,
    event_groups: Sequence[Any] | None = None,
) -> NoReturn:
    """Close this run and go on in a new one with the same workflow ID and an empty history.

    What is not given is taken over from this run, except the arguments.

    Parameters
    ----------
    arg, args
        Arguments of the new run: one, or all of them.
    workflow
        Another workflow to go on with.
    task_queue, run_timeout, task_timeout, retry_policy, memo, search_attributes
        Options of the new run.
    backoff_start_interval
        Delay before the new run begins.

    Raises
    ------
    ContinueAsNewError
        Always; let it pass.
    """
    warn_untyped(search_attributes)
    _starting.continue_as_new(
        current(),
        workflow,
        arguments(arg, args),
        task_queue=task_queue,
        run_timeout=run_timeout,
        task_timeout=task_timeout,
        backoff_start_interval=backoff_start_interval,
        retry_policy=retry_policy,
        memo=memo,
        search_attributes=search_attributes,
        versioning_intent=versioning_intent,
        initial_versioning_behavior=initial_versioning_behavior,
        event_groups=event_groups,
    )
