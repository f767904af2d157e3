"""Updates of a workflow handle."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Generic, overload

from durable_nb.client._enums import WorkflowUpdateStage
from durable_nb.client._inputs import StartWorkflowUpdateInput
from durable_nb.client._naming import UPDATE, arg_unset, called, named
from durable_nb.client._typing import LocalReturnType, MultiParamSpec, ParamType, SelfType
from durable_nb.client._update_handle import WorkflowUpdateHandle

if TYPE_CHECKING:
    from typing import Unpack

    from durable_nb.client._client import Client
    from durable_nb.client._typing import UpdateMethod, UpdateOptions


def require_stage(stage: WorkflowUpdateStage) -> None:
    """Complain about a stage that nobody can wait for.

    Raises
    ------
    ValueError
        ADMITTED: an admitted update is not durable, so there is nothing to wait for.
    """
    if stage == WorkflowUpdateStage.ADMITTED:
        raise ValueError("ADMITTED wait stage not supported: wait for ACCEPTED or COMPLETED")


class Updates(Generic[SelfType]):
    """Validated writes with a reply."""

    _client: Client
    _id: str
    _run_id: str | None
    _first_execution_run_id: str | None

    @overload
    async def execute_update(
        self, update: UpdateMethod[[SelfType], LocalReturnType], **options: Unpack[UpdateOptions]
    ) -> LocalReturnType: ...

    @overload
    async def execute_update(
        self,
        update: UpdateMethod[[SelfType, ParamType], LocalReturnType],
        arg: ParamType,
        **options: Unpack[UpdateOptions],
    ) -> LocalReturnType: ...

    @overload
    async def execute_update(
        self,
        update: UpdateMethod[MultiParamSpec, LocalReturnType],
        *,
        args: Sequence[Any],
        **options: Unpack[UpdateOptions],
    ) -> LocalReturnType: ...

    @overload
    async def execute_update(
        self,
        update: str,
        arg: Any = ...,
        *,
        args: Sequence[Any] = ...,
        result_type: type | None = None,
        **options: Unpack[UpdateOptions],
    ) -> Any: ...

    async def execute_update(
        self,
        update: str | Callable[..., Any],
        arg: Any = arg_unset,
        *,
        args: Sequence[Any] = [],
        id: str | None = None,
        result_type: type | None = None,
        rpc_metadata: Mapping[str, str | bytes] = {},
        rpc_timeout: timedelta | None = None,
    ) -> Any:
        """Send an update and wait for what its handler returns.

        Parameters
        ----------
        update
            A ``@workflow.update`` method of the workflow's class, or a name.
        arg, args
            The one argument, or all of them as a list.
        id
            The same id attaches to the same update, also after it completed; a new UUID where None.
        result_type
            What to decode the result to, where ``update`` is a name.

        Raises
        ------
        WorkflowUpdateFailedError
            Rejected by the validator, failed in the handler, or unknown to the workflow.
        WorkflowUpdateRPCTimeoutOrCancelledError
            Waiting ended by ``rpc_timeout`` or cancellation; the update itself goes on.
        RPCError
            NOT_FOUND: no such run, or closed before the update was accepted.
        """
        handle = await self._start_update(
            update, arg, WorkflowUpdateStage.COMPLETED, args, id, result_type, rpc_metadata, rpc_timeout
        )
        return await handle.result(rpc_metadata=rpc_metadata, rpc_timeout=rpc_timeout)

    @overload
    async def start_update(
        self,
        update: UpdateMethod[[SelfType], LocalReturnType],
        *,
        wait_for_stage: WorkflowUpdateStage,
        **options: Unpack[UpdateOptions],
    ) -> WorkflowUpdateHandle[LocalReturnType]: ...

    @overload
    async def start_update(
        self,
        update: UpdateMethod[[SelfType, ParamType], LocalReturnType],
        arg: ParamType,
        *,
        wait_for_stage: WorkflowUpdateStage,
        **options: Unpack[UpdateOptions],
    ) -> WorkflowUpdateHandle[LocalReturnType]: ...

    @overload
    async def start_update(
        self,
        update: UpdateMethod[MultiParamSpec, LocalReturnType],
        *,
        args: Sequence[Any],
        wait_for_stage: WorkflowUpdateStage,
        **options: Unpack[UpdateOptions],
    ) -> WorkflowUpdateHandle[LocalReturnType]: ...

    @overload
    async def start_update(
        self,
        update: str,
        arg: Any = ...,
        *,
        wait_for_stage: WorkflowUpdateStage,
        args: Sequence[Any] = ...,
        result_type: type | None = None,
        **options: Unpack[UpdateOptions],
    ) -> WorkflowUpdateHandle[Any]: ...

    async def start_update(
        self,
        update: str | Callable[..., Any],
        arg: Any = arg_unset,
        *,
        wait_for_stage: WorkflowUpdateStage,
        args: Sequence[Any] = [],
        id: str | None = None,
        result_type: type | None = None,
        rpc_metadata: Mapping[str, str | bytes] = {},
        rpc_timeout: timedelta | None = None,
    ) -> WorkflowUpdateHandle[Any]:
        """Send an update and wait until it is accepted or completed; other arguments as in ``execute_update``.

        Raises
        ------
        ValueError
            ``wait_for_stage`` is ADMITTED.
        WorkflowUpdateRPCTimeoutOrCancelledError, RPCError
            As in ``execute_update``. A rejection shows when the handle's ``result`` is asked for.
        """
        return await self._start_update(update, arg, wait_for_stage, args, id, result_type, rpc_metadata, rpc_timeout)

    async def _start_update(
        self,
        update: str | Callable[..., Any],
        arg: Any,
        wait_for_stage: WorkflowUpdateStage,
        args: Sequence[Any],
        id: str | None,
        result_type: type | None,
        rpc_metadata: Mapping[str, str | bytes],
        rpc_timeout: timedelta | None,
    ) -> WorkflowUpdateHandle[Any]:
        require_stage(wait_for_stage)
        name, given, annotated = called(UPDATE, update, arg, args)
        return await self._client._outbound.start_workflow_update(
            StartWorkflowUpdateInput(
                self._id,
                self._run_id,
                self._first_execution_run_id,
                id,
                name,
                given,
                wait_for_stage,
                {},
                result_type or annotated,
                rpc_metadata,
                rpc_timeout,
            )
        )

    def get_update_handle(
        self, id: str, *, workflow_run_id: str | None = None, result_type: type | None = None
    ) -> WorkflowUpdateHandle[Any]:
        """Handle of an update that was sent before, to wait for its result."""
        return WorkflowUpdateHandle(
            self._client, id, self._id, workflow_run_id=workflow_run_id or self._run_id, result_type=result_type
        )

    def get_update_handle_for(
        self, update: UpdateMethod[Any, LocalReturnType], id: str, *, workflow_run_id: str | None = None
    ) -> WorkflowUpdateHandle[LocalReturnType]:
        """``get_update_handle`` with the result type of an update method."""
        callee = named(UPDATE, update)
        return self.get_update_handle(
            id, workflow_run_id=workflow_run_id, result_type=None if callee is None else callee.result_type
        )
