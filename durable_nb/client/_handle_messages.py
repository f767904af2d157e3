"""Signals and queries of a workflow handle."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Concatenate, Generic, overload

from durable_nb.client._inputs import QueryWorkflowInput, SignalWorkflowInput
from durable_nb.client._naming import QUERY, SIGNAL, arg_unset, called
from durable_nb.client._typing import LocalReturnType, MultiParamSpec, ParamType, SelfType

if TYPE_CHECKING:
    from typing import Unpack

    from durable_nb.client._client import Client
    from durable_nb.client._typing import (
        MethodSyncOrAsyncNoParam,
        MethodSyncOrAsyncSingleParam,
        QueryOptions,
        RpcOptions,
    )
    from durable_nb.common import QueryRejectCondition


class Messages(Generic[SelfType]):
    """What can be said to, and asked of, a workflow."""

    _client: Client
    _id: str
    _run_id: str | None

    @overload
    async def signal(self, signal: MethodSyncOrAsyncNoParam[SelfType, None], **options: Unpack[RpcOptions]) -> None: ...

    @overload
    async def signal(
        self,
        signal: MethodSyncOrAsyncSingleParam[SelfType, ParamType, None],
        arg: ParamType,
        **options: Unpack[RpcOptions],
    ) -> None: ...

    @overload
    async def signal(
        self,
        signal: Callable[Concatenate[SelfType, MultiParamSpec], Awaitable[None] | None],
        *,
        args: Sequence[Any],
        **options: Unpack[RpcOptions],
    ) -> None: ...

    @overload
    async def signal(
        self, signal: str, arg: Any = ..., *, args: Sequence[Any] = ..., **options: Unpack[RpcOptions]
    ) -> None: ...

    async def signal(
        self,
        signal: str | Callable[..., Any],
        arg: Any = arg_unset,
        *,
        args: Sequence[Any] = [],
        rpc_metadata: Mapping[str, str | bytes] = {},
        rpc_timeout: timedelta | None = None,
    ) -> None:
        """Send a signal; returns once it is recorded, not when it is handled.

        Parameters
        ----------
        signal
            A ``@workflow.signal`` method of the workflow's class, or a name. A name without a handler is no error:
            the signal waits for one.
        arg, args
            The one argument, or all of them as a list.

        Raises
        ------
        RPCError
            NOT_FOUND: no such run, or closed.
        """
        name, given, _ = called(SIGNAL, signal, arg, args)
        await self._client._outbound.signal_workflow(
            SignalWorkflowInput(
                self._id,
                self._run_id,
                name,
                given,
                {},
                rpc_metadata,
                rpc_timeout,
            )
        )

    @overload
    async def query(
        self, query: MethodSyncOrAsyncNoParam[SelfType, LocalReturnType], **options: Unpack[QueryOptions]
    ) -> LocalReturnType: ...

    @overload
    async def query(
        self,
        query: MethodSyncOrAsyncSingleParam[SelfType, ParamType, LocalReturnType],
        arg: ParamType,
        **options: Unpack[QueryOptions],
    ) -> LocalReturnType: ...

    @overload
    async def query(
        self,
        query: Callable[Concatenate[SelfType, MultiParamSpec], Awaitable[LocalReturnType] | LocalReturnType],
        *,
        args: Sequence[Any],
        **options: Unpack[QueryOptions],
    ) -> LocalReturnType: ...

    @overload
    async def query(
        self,
        query: str,
        arg: Any = ...,
        *,
        args: Sequence[Any] = ...,
        result_type: type | None = None,
        **options: Unpack[QueryOptions],
    ) -> Any: ...

    async def query(
        self,
        query: str | Callable[..., Any],
        arg: Any = arg_unset,
        *,
        args: Sequence[Any] = [],
        result_type: type | None = None,
        reject_condition: QueryRejectCondition | None = None,
        rpc_metadata: Mapping[str, str | bytes] = {},
        rpc_timeout: timedelta | None = None,
    ) -> Any:
        """Ask the workflow's code; works on closed workflows too, and leaves no event.

        Parameters
        ----------
        query
            A ``@workflow.query`` method of the workflow's class, or a name.
        arg, args
            The one argument, or all of them as a list.
        result_type
            What to decode the answer to, where ``query`` is a name.
        reject_condition
            Do not ask when the run is closed, or did not complete; the client's default where None.

        Raises
        ------
        WorkflowQueryRejectedError
            The reject condition held.
        WorkflowQueryFailedError
            The handler raised, or there is none; the message lists those there are.
        RPCError
            NOT_FOUND: no such run. DEADLINE_EXCEEDED: nobody answered within ``rpc_timeout``.
        """
        name, given, annotated = called(QUERY, query, arg, args)
        return await self._client._outbound.query_workflow(
            QueryWorkflowInput(
                self._id,
                self._run_id,
                name,
                given,
                reject_condition or self._client.default_workflow_query_reject_condition,
                {},
                result_type or annotated,
                rpc_metadata,
                rpc_timeout,
            )
        )
