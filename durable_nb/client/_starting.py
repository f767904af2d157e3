"""``start_workflow`` and ``execute_workflow``."""

from __future__ import annotations

import warnings
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Concatenate, overload

from durable_nb.client._defaults import DEFAULT_TASK_QUEUE, UNNAMED_TASK_QUEUE
from durable_nb.client._inputs import StartWorkflowInput
from durable_nb.client._naming import SIGNAL, WORKFLOW, arg_unset, called, id_missing, named, require_id
from durable_nb.client._typing import MultiParamSpec, ParamType, ReturnType, SelfType
from durable_nb.common import (
    Priority,
    RetryPolicy,
    SearchAttributes,
    TypedSearchAttributes,
    WorkflowIDConflictPolicy,
    WorkflowIDReusePolicy,
)

if TYPE_CHECKING:
    from typing import Unpack

    from durable_nb.client._handle import WorkflowHandle
    from durable_nb.client._interceptor import OutboundInterceptor
    from durable_nb.client._typing import (
        FunctionAsyncNoParam,
        FunctionAsyncSingleParam,
        MethodAsyncNoParam,
        MethodAsyncSingleParam,
        StartOptions,
    )

_DEFAULT_PRIORITY = Priority.default


def warn_of_untyped(search_attributes: Any, stack_level: int) -> None:
    """Deprecate search attributes given as a dict; ``stack_level`` as for a warning of the calling function."""
    if search_attributes and isinstance(search_attributes, Mapping):
        warnings.warn(
            "Dictionary-based search attributes are deprecated: use TypedSearchAttributes",
            DeprecationWarning,
            stacklevel=stack_level + 1,
        )


class Starting:
    """Starting runs."""

    _outbound: OutboundInterceptor
    default_task_queue = DEFAULT_TASK_QUEUE
    """Task queue of starts that name none; a notebook sets it to that of its worker."""

    @overload
    async def start_workflow(
        self, workflow: MethodAsyncNoParam[SelfType, ReturnType], **options: Unpack[StartOptions]
    ) -> WorkflowHandle[SelfType, ReturnType]: ...

    @overload
    async def start_workflow(
        self,
        workflow: MethodAsyncSingleParam[SelfType, ParamType, ReturnType],
        arg: ParamType,
        **options: Unpack[StartOptions],
    ) -> WorkflowHandle[SelfType, ReturnType]: ...

    @overload
    async def start_workflow(
        self, workflow: FunctionAsyncNoParam[ReturnType], **options: Unpack[StartOptions]
    ) -> WorkflowHandle[Any, ReturnType]: ...

    @overload
    async def start_workflow(
        self,
        workflow: FunctionAsyncSingleParam[ParamType, ReturnType],
        arg: ParamType,
        **options: Unpack[StartOptions],
    ) -> WorkflowHandle[Any, ReturnType]: ...

    @overload
    async def start_workflow(
        self,
        workflow: Callable[Concatenate[SelfType, MultiParamSpec], Awaitable[ReturnType]],
        *,
        args: Sequence[Any],
        **options: Unpack[StartOptions],
    ) -> WorkflowHandle[SelfType, ReturnType]: ...

    @overload
    async def start_workflow(
        self,
        workflow: str,
        arg: Any = ...,
        *,
        args: Sequence[Any] = ...,
        result_type: type | None = None,
        **options: Unpack[StartOptions],
    ) -> WorkflowHandle[Any, Any]: ...

    async def start_workflow(
        self,
        workflow: str | Callable[..., Awaitable[Any]],
        arg: Any = arg_unset,
        *,
        args: Sequence[Any] = [],
        id: str = id_missing,
        task_queue: str = UNNAMED_TASK_QUEUE,
        result_type: type | None = None,
        execution_timeout: timedelta | None = None,
        run_timeout: timedelta | None = None,
        task_timeout: timedelta | None = None,
        id_reuse_policy: WorkflowIDReusePolicy = WorkflowIDReusePolicy.ALLOW_DUPLICATE,
        id_conflict_policy: WorkflowIDConflictPolicy = WorkflowIDConflictPolicy.UNSPECIFIED,
        retry_policy: RetryPolicy | None = None,
        cron_schedule: str = "",
        memo: Mapping[str, Any] | None = None,
        search_attributes: TypedSearchAttributes | SearchAttributes | None = None,
        static_summary: str | None = None,
        static_details: str | None = None,
        start_delay: timedelta | None = None,
        start_signal: str | None = None,
        start_signal_args: Sequence[Any] = [],
        rpc_metadata: Mapping[str, str | bytes] = {},
        rpc_timeout: timedelta | None = None,
        request_eager_start: bool = False,
        priority: Priority = _DEFAULT_PRIORITY,
        versioning_override: Any | None = None,
        stack_level: int = 2,
    ) -> WorkflowHandle[Any, Any]:
        """Start a run; returns a handle once the start is recorded.

        Parameters
        ----------
        workflow
            The ``@workflow.run`` method, a workflow that is a function, or the name of a workflow.
        arg, args
            The one argument, or all of them as a list.
        id
            Workflow ID: your key for the run. Mandatory.
        task_queue
            Which workers may do the work; that of notebooks where none is given.
        result_type
            What to decode the result to, where ``workflow`` is a name.
        execution_timeout, run_timeout, task_timeout
            Limit of the whole chain of runs, of one run, of one workflow task (10 s where None).
        id_reuse_policy, id_conflict_policy
            Whether to start when the last run with the ID is closed, and what to do when it is open.
        retry_policy
            Try the workflow again when it fails; None means no.
        cron_schedule
            Start again and again, after each completion.
        memo, search_attributes
            Values kept with the run; search attributes are indexed.
        static_summary, static_details
            One line, and a longer text, about the run, for people.
        start_delay
            Wait before the first step.
        start_signal, start_signal_args
            Signal-with-start: sent right after the start, or to the run that is open.
        priority
            Order among waiting tasks.
        rpc_timeout
            How long to wait for the start to be recorded.
        request_eager_start, versioning_override, rpc_metadata
            Accepted for programs written for clusters; no effect.

        Raises
        ------
        WorkflowAlreadyStartedError
            The ID is in use and the policies allow no other run.
        TypeError, ValueError
            No id, no workflow, or another number of arguments than it takes.
        RPCError
            INVALID_ARGUMENT: policies or timeouts that exclude each other.
        """
        name, given, annotated = called(WORKFLOW, workflow, arg, args)
        warn_of_untyped(search_attributes, stack_level)
        request = StartWorkflowInput(
            name,
            given,
            require_id("start_workflow", id),
            self.default_task_queue if task_queue is UNNAMED_TASK_QUEUE else task_queue,
            execution_timeout,
            run_timeout,
            task_timeout,
            id_reuse_policy,
            id_conflict_policy,
            retry_policy,
            cron_schedule,
            memo,
            search_attributes,
            start_delay,
            {},
            start_signal and _signal_name(start_signal),
            start_signal_args,
            static_summary,
            static_details,
            result_type or annotated,
            rpc_metadata,
            rpc_timeout,
            request_eager_start,
            priority,
            versioning_override,
        )
        return await self._outbound.start_workflow(request)

    @overload
    async def execute_workflow(
        self, workflow: MethodAsyncNoParam[SelfType, ReturnType], **options: Unpack[StartOptions]
    ) -> ReturnType: ...

    @overload
    async def execute_workflow(
        self,
        workflow: MethodAsyncSingleParam[SelfType, ParamType, ReturnType],
        arg: ParamType,
        **options: Unpack[StartOptions],
    ) -> ReturnType: ...

    @overload
    async def execute_workflow(
        self, workflow: FunctionAsyncNoParam[ReturnType], **options: Unpack[StartOptions]
    ) -> ReturnType: ...

    @overload
    async def execute_workflow(
        self,
        workflow: FunctionAsyncSingleParam[ParamType, ReturnType],
        arg: ParamType,
        **options: Unpack[StartOptions],
    ) -> ReturnType: ...

    @overload
    async def execute_workflow(
        self,
        workflow: Callable[Concatenate[SelfType, MultiParamSpec], Awaitable[ReturnType]],
        *,
        args: Sequence[Any],
        **options: Unpack[StartOptions],
    ) -> ReturnType: ...

    @overload
    async def execute_workflow(
        self,
        workflow: str,
        arg: Any = ...,
        *,
        args: Sequence[Any] = ...,
        result_type: type | None = None,
        **options: Unpack[StartOptions],
    ) -> Any: ...

    async def execute_workflow(
        self,
        workflow: str | Callable[..., Awaitable[Any]],
        arg: Any = arg_unset,
        *,
        args: Sequence[Any] = [],
        id: str = id_missing,
        task_queue: str = UNNAMED_TASK_QUEUE,
        result_type: type | None = None,
        execution_timeout: timedelta | None = None,
        run_timeout: timedelta | None = None,
        task_timeout: timedelta | None = None,
        id_reuse_policy: WorkflowIDReusePolicy = WorkflowIDReusePolicy.ALLOW_DUPLICATE,
        id_conflict_policy: WorkflowIDConflictPolicy = WorkflowIDConflictPolicy.UNSPECIFIED,
        retry_policy: RetryPolicy | None = None,
        cron_schedule: str = "",
        memo: Mapping[str, Any] | None = None,
        search_attributes: TypedSearchAttributes | SearchAttributes | None = None,
        static_summary: str | None = None,
        static_details: str | None = None,
        start_delay: timedelta | None = None,
        start_signal: str | None = None,
        start_signal_args: Sequence[Any] = [],
        rpc_metadata: Mapping[str, str | bytes] = {},
        rpc_timeout: timedelta | None = None,
        request_eager_start: bool = False,
        priority: Priority = _DEFAULT_PRIORITY,
        versioning_override: Any | None = None,
    ) -> Any:
        """``start_workflow`` and the ``result`` of its handle; raises what either raises."""
        require_id("execute_workflow", id)
        handle: WorkflowHandle[Any, Any] = await self.start_workflow(  # type: ignore[misc, call-overload]
            workflow,
            arg,
            args=args,
            id=id,
            task_queue=task_queue,
            result_type=result_type,
            execution_timeout=execution_timeout,
            run_timeout=run_timeout,
            task_timeout=task_timeout,
            id_reuse_policy=id_reuse_policy,
            id_conflict_policy=id_conflict_policy,
            retry_policy=retry_policy,
            cron_schedule=cron_schedule,
            memo=memo,
            search_attributes=search_attributes,
            static_summary=static_summary,
            static_details=static_details,
            start_delay=start_delay,
            start_signal=start_signal,
            start_signal_args=start_signal_args,
            rpc_metadata=rpc_metadata,
            rpc_timeout=rpc_timeout,
            request_eager_start=request_eager_start,
            priority=priority,
            versioning_override=versioning_override,
            stack_level=3,
        )
        return await handle.result()


def _signal_name(signal: Any) -> str:
    """Name of a start signal; a signal method is understood too."""
    callee = named(SIGNAL, signal)
    return str(signal) if callee is None else callee.name
