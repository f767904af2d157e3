"""The start of an update-with-start, described before it is sent."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Concatenate, Generic, cast, overload

from durable_nb.client._defaults import UNNAMED_TASK_QUEUE
from durable_nb.client._handle import WorkflowHandle
from durable_nb.client._inputs import UpdateWithStartStartWorkflowInput
from durable_nb.client._naming import WORKFLOW, arg_unset, called, id_missing, require_id
from durable_nb.client._starting import warn_of_untyped
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

    from durable_nb.client._typing import (
        FunctionAsyncNoParam,
        FunctionAsyncSingleParam,
        MethodAsyncNoParam,
        MethodAsyncSingleParam,
        WithStartOptions,
    )

_DEFAULT_PRIORITY = Priority.default


class WithStartWorkflowOperation(Generic[SelfType, ReturnType]):
    """The start of one update-with-start; used once."""

    @overload
    def __init__(
        self, workflow: MethodAsyncNoParam[SelfType, ReturnType], **options: Unpack[WithStartOptions]
    ) -> None: ...

    @overload
    def __init__(
        self,
        workflow: MethodAsyncSingleParam[SelfType, ParamType, ReturnType],
        arg: ParamType,
        **options: Unpack[WithStartOptions],
    ) -> None: ...

    @overload
    def __init__(self, workflow: FunctionAsyncNoParam[ReturnType], **options: Unpack[WithStartOptions]) -> None: ...

    @overload
    def __init__(
        self,
        workflow: FunctionAsyncSingleParam[ParamType, ReturnType],
        arg: ParamType,
        **options: Unpack[WithStartOptions],
    ) -> None: ...

    @overload
    def __init__(
        self,
        workflow: Callable[Concatenate[SelfType, MultiParamSpec], Awaitable[ReturnType]],
        *,
        args: Sequence[Any],
        **options: Unpack[WithStartOptions],
    ) -> None: ...

    @overload
    def __init__(
        self,
        workflow: str,
        arg: Any = ...,
        *,
        args: Sequence[Any] = ...,
        result_type: type | None = None,
        **options: Unpack[WithStartOptions],
    ) -> None: ...

    def __init__(
        self,
        workflow: str | Callable[..., Awaitable[Any]],
        arg: Any = arg_unset,
        *,
        args: Sequence[Any] = [],
        id: str = id_missing,
        task_queue: str = UNNAMED_TASK_QUEUE,
        id_conflict_policy: WorkflowIDConflictPolicy = WorkflowIDConflictPolicy.UNSPECIFIED,
        result_type: type | None = None,
        execution_timeout: timedelta | None = None,
        run_timeout: timedelta | None = None,
        task_timeout: timedelta | None = None,
        id_reuse_policy: WorkflowIDReusePolicy = WorkflowIDReusePolicy.ALLOW_DUPLICATE,
        retry_policy: RetryPolicy | None = None,
        cron_schedule: str = "",
        memo: Mapping[str, Any] | None = None,
        search_attributes: TypedSearchAttributes | SearchAttributes | None = None,
        static_summary: str | None = None,
        static_details: str | None = None,
        start_delay: timedelta | None = None,
        priority: Priority = _DEFAULT_PRIORITY,
        versioning_override: Any | None = None,
        stack_level: int = 2,
    ) -> None:
        """Describe the start; arguments as in ``Client.start_workflow``.

        Raises
        ------
        ValueError
            No ``id_conflict_policy``: what to do with an open run must be said.
        """
        name, given, annotated = called(WORKFLOW, workflow, arg, args)
        warn_of_untyped(search_attributes, stack_level)
        require_id("WithStartWorkflowOperation", id)
        if id_conflict_policy == WorkflowIDConflictPolicy.UNSPECIFIED:
            raise ValueError(
                "WorkflowIDConflictPolicy is required: say by id_conflict_policy=… what to do when the workflow is "
                "running, for instance WorkflowIDConflictPolicy.USE_EXISTING"
            )
        self._start_workflow_input = UpdateWithStartStartWorkflowInput(
            name,
            given,
            id,
            task_queue,
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
            static_summary,
            static_details,
            result_type or annotated,
            priority,
            versioning_override,
        )
        self._used = False
        self._started = _Outcome()

    async def workflow_handle(self) -> WorkflowHandle[SelfType, ReturnType]:
        """Handle of the workflow, once it is started or found running; raises what the start raised."""
        return cast("WorkflowHandle[SelfType, ReturnType]", await self._started.wait())


class _Outcome:
    """A value or an error that tasks of any loop, in any thread, may wait for."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._settled: tuple[Any, BaseException | None] | None = None
        self._waiters: list[asyncio.Future[None]] = []

    def settle(self, value: Any, error: BaseException | None = None) -> None:
        with self._lock:
            if self._settled is not None:
                return
            self._settled = (value, error)
            waiters, self._waiters = self._waiters, []
        for waiter in waiters:
            loop = waiter.get_loop()
            if not loop.is_closed():
                loop.call_soon_threadsafe(_wake, waiter)

    async def wait(self) -> Any:
        with self._lock:
            waiter = None
            if self._settled is None:
                waiter = asyncio.get_running_loop().create_future()
                self._waiters.append(waiter)
        if waiter is not None:
            await waiter
        value, error = cast("tuple[Any, BaseException | None]", self._settled)
        if error is not None:
            raise error
        return value


def _wake(waiter: asyncio.Future[None]) -> None:
    if not waiter.done():
        waiter.set_result(None)
