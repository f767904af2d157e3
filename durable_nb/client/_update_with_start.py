"""Update-with-start: one atomic call that starts a workflow where needed and sends it an update."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any, cast, overload

from durable_nb.client._defaults import UNNAMED_TASK_QUEUE
from durable_nb.client._enums import WorkflowUpdateStage
from durable_nb.client._handle import WorkflowHandle
from durable_nb.client._handle_updates import require_stage
from durable_nb.client._inputs import StartWorkflowUpdateWithStartInput, UpdateWithStartUpdateWorkflowInput
from durable_nb.client._naming import UPDATE, arg_unset, called
from durable_nb.client._typing import LocalReturnType, MultiParamSpec, ParamType, SelfType

if TYPE_CHECKING:
    from typing import Unpack

    from durable_nb.client._client import Client
    from durable_nb.client._interceptor import OutboundInterceptor
    from durable_nb.client._typing import UpdateMethod, UpdateOptions
    from durable_nb.client._update_handle import WorkflowUpdateHandle
    from durable_nb.client._with_start import WithStartWorkflowOperation
    from durable_nb.model.requests import StartedWorkflow


class UpdatingWithStart:
    """Updates that start their workflow where needed."""

    _outbound: OutboundInterceptor

    @overload
    async def execute_update_with_start_workflow(
        self,
        update: UpdateMethod[[SelfType], LocalReturnType],
        *,
        start_workflow_operation: WithStartWorkflowOperation[SelfType, Any],
        **options: Unpack[UpdateOptions],
    ) -> LocalReturnType: ...

    @overload
    async def execute_update_with_start_workflow(
        self,
        update: UpdateMethod[[SelfType, ParamType], LocalReturnType],
        arg: ParamType,
        *,
        start_workflow_operation: WithStartWorkflowOperation[SelfType, Any],
        **options: Unpack[UpdateOptions],
    ) -> LocalReturnType: ...

    @overload
    async def execute_update_with_start_workflow(
        self,
        update: UpdateMethod[MultiParamSpec, LocalReturnType],
        *,
        args: Sequence[Any],
        start_workflow_operation: WithStartWorkflowOperation[SelfType, Any],
        **options: Unpack[UpdateOptions],
    ) -> LocalReturnType: ...

    @overload
    async def execute_update_with_start_workflow(
        self,
        update: str,
        arg: Any = ...,
        *,
        start_workflow_operation: WithStartWorkflowOperation[Any, Any],
        args: Sequence[Any] = ...,
        result_type: type | None = None,
        **options: Unpack[UpdateOptions],
    ) -> Any: ...

    async def execute_update_with_start_workflow(
        self,
        update: str | Callable[..., Any],
        arg: Any = arg_unset,
        *,
        start_workflow_operation: WithStartWorkflowOperation[Any, Any],
        args: Sequence[Any] = [],
        id: str | None = None,
        result_type: type | None = None,
        rpc_metadata: Mapping[str, str | bytes] = {},
        rpc_timeout: timedelta | None = None,
    ) -> Any:
        """Send an update, starting the workflow where needed, and wait for what the handler returns.

        Raises
        ------
        RuntimeError
            The operation was used before.
        WorkflowAlreadyStartedError
            The conflict policy is FAIL and the workflow is running.
        WorkflowUpdateFailedError
            Rejected by the validator, or failed; the workflow may have been started all the same.
        WorkflowUpdateRPCTimeoutOrCancelledError
            Waiting ended by ``rpc_timeout`` or cancellation.
        """
        handle = await self._start_update_with_start(
            update,
            arg,
            start_workflow_operation,
            WorkflowUpdateStage.COMPLETED,
            args,
            id,
            result_type,
            rpc_metadata,
            rpc_timeout,
        )
        return await handle.result(rpc_metadata=rpc_metadata, rpc_timeout=rpc_timeout)

    @overload
    async def start_update_with_start_workflow(
        self,
        update: UpdateMethod[[SelfType], LocalReturnType],
        *,
        start_workflow_operation: WithStartWorkflowOperation[SelfType, Any],
        wait_for_stage: WorkflowUpdateStage,
        **options: Unpack[UpdateOptions],
    ) -> WorkflowUpdateHandle[LocalReturnType]: ...

    @overload
    async def start_update_with_start_workflow(
        self,
        update: UpdateMethod[[SelfType, ParamType], LocalReturnType],
        arg: ParamType,
        *,
        start_workflow_operation: WithStartWorkflowOperation[SelfType, Any],
        wait_for_stage: WorkflowUpdateStage,
        **options: Unpack[UpdateOptions],
    ) -> WorkflowUpdateHandle[LocalReturnType]: ...

    @overload
    async def start_update_with_start_workflow(
        self,
        update: UpdateMethod[MultiParamSpec, LocalReturnType],
        *,
        args: Sequence[Any],
        start_workflow_operation: WithStartWorkflowOperation[SelfType, Any],
        wait_for_stage: WorkflowUpdateStage,
        **options: Unpack[UpdateOptions],
    ) -> WorkflowUpdateHandle[LocalReturnType]: ...

    @overload
    async def start_update_with_start_workflow(
        self,
        update: str,
        arg: Any = ...,
        *,
        start_workflow_operation: WithStartWorkflowOperation[Any, Any],
        wait_for_stage: WorkflowUpdateStage,
        args: Sequence[Any] = ...,
        result_type: type | None = None,
        **options: Unpack[UpdateOptions],
    ) -> WorkflowUpdateHandle[Any]: ...

    async def start_update_with_start_workflow(
        self,
        update: str | Callable[..., Any],
        arg: Any = arg_unset,
        *,
        start_workflow_operation: WithStartWorkflowOperation[Any, Any],
        wait_for_stage: WorkflowUpdateStage,
        args: Sequence[Any] = [],
        id: str | None = None,
        result_type: type | None = None,
        rpc_metadata: Mapping[str, str | bytes] = {},
        rpc_timeout: timedelta | None = None,
    ) -> WorkflowUpdateHandle[Any]:
        """Send an update, starting the workflow where needed, and wait for a stage of it.

        Raises what ``execute_update_with_start_workflow`` raises, but a rejection or failure of the update shows
        when the handle's ``result`` is asked for; ValueError for ``wait_for_stage`` ADMITTED.
        """
        return await self._start_update_with_start(
            update,
            arg,
            start_workflow_operation,
            wait_for_stage,
            args,
            id,
            result_type,
            rpc_metadata,
            rpc_timeout,
        )

    async def _start_update_with_start(
        self,
        update: str | Callable[..., Any],
        arg: Any,
        operation: WithStartWorkflowOperation[Any, Any],
        wait_for_stage: WorkflowUpdateStage,
        args: Sequence[Any],
        id: str | None,
        result_type: type | None,
        rpc_metadata: Mapping[str, str | bytes],
        rpc_timeout: timedelta | None,
    ) -> WorkflowUpdateHandle[Any]:
        require_stage(wait_for_stage)
        name, given, annotated = called(UPDATE, update, arg, args)
        if operation._used:
            raise RuntimeError("WithStartWorkflowOperation cannot be reused: make a new one for each call")
        operation._used = True
        start = operation._start_workflow_input
        if start.task_queue is UNNAMED_TASK_QUEUE:
            start.task_queue = cast("Client", self).default_task_queue

        def on_start(started: StartedWorkflow) -> None:
            operation._started.settle(
                WorkflowHandle(
                    cast("Client", self),
                    start.id,
                    result_run_id=started.run_id,
                    first_execution_run_id=started.first_execution_run_id or started.run_id,
                    result_type=start.ret_type,
                )
            )

        def on_start_error(error: BaseException) -> None:
            operation._started.settle(None, error)

        request = UpdateWithStartUpdateWorkflowInput(id, name, given, wait_for_stage, {}, result_type or annotated)
        return await self._outbound.start_update_with_start_workflow(
            StartWorkflowUpdateWithStartInput(start, request, rpc_metadata, rpc_timeout, on_start, on_start_error)
        )
