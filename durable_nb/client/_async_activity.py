"""Activities that are completed from outside: their handle, and its calls to the engine."""

from __future__ import annotations

from collections.abc import Awaitable, Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any, TypeVar

from durable_nb.activity import ActivityCancellationDetails
from durable_nb.client._calls import within
from durable_nb.client._errors import AsyncActivityCancelledError
from durable_nb.client._inputs import (
    AsyncActivityIDReference,
    CompleteAsyncActivityInput,
    FailAsyncActivityInput,
    HeartbeatAsyncActivityInput,
    ReportCancellationAsyncActivityInput,
)
from durable_nb.client._interceptor import OutboundInterceptor
from durable_nb.client._naming import arg_unset
from durable_nb.client._payloads import encode, encode_failure
from durable_nb.converter import DataConverter, SerializationContext
from durable_nb.model.requests import ActivityReference
from durable_nb.service import RPCError, RPCStatusCode

if TYPE_CHECKING:
    from durable_nb.client._client import Client

T = TypeVar("T")


class AsyncActivityHandle:
    """An activity that raised ``activity.raise_complete_async()``, to be finished from outside.

    Every verb raises ``RPCError`` NOT_FOUND where the attempt is over, was never started, or belongs to a closed run.
    """

    def __init__(
        self,
        client: Client,
        id_or_token: AsyncActivityIDReference | bytes,
        data_converter_override: DataConverter | None = None,
    ) -> None:
        self._client = client
        self._id_or_token = id_or_token
        self._data_converter_override = data_converter_override

    def __repr__(self) -> str:
        known = self._id_or_token
        if isinstance(known, bytes):
            return "<AsyncActivityHandle by task token>"
        return f"<AsyncActivityHandle {known.activity_id!r} of workflow {known.workflow_id!r}>"

    async def heartbeat(
        self,
        *details: Any,
        rpc_metadata: Mapping[str, str | bytes] = {},
        rpc_timeout: timedelta | None = None,
    ) -> None:
        """Say that the activity is alive; the next attempt sees ``details``.

        Raises
        ------
        AsyncActivityCancelledError
            Stop working; why is in its ``details``.
        """
        await self._client._outbound.heartbeat_async_activity(
            HeartbeatAsyncActivityInput(
                self._id_or_token, details, rpc_metadata, rpc_timeout, self._data_converter_override
            )
        )

    async def complete(
        self,
        result: Any | None = arg_unset,
        *,
        rpc_metadata: Mapping[str, str | bytes] = {},
        rpc_timeout: timedelta | None = None,
    ) -> None:
        """Complete the activity, with or without a result."""
        await self._client._outbound.complete_async_activity(
            CompleteAsyncActivityInput(
                self._id_or_token, result, rpc_metadata, rpc_timeout, self._data_converter_override
            )
        )

    async def fail(
        self,
        error: Exception,
        *,
        last_heartbeat_details: Any = (),
        rpc_metadata: Mapping[str, str | bytes] = {},
        rpc_timeout: timedelta | None = None,
    ) -> None:
        """Fail this attempt; the retry policy decides about another."""
        await self._client._outbound.fail_async_activity(
            FailAsyncActivityInput(
                self._id_or_token,
                error,
                last_heartbeat_details,
                rpc_metadata,
                rpc_timeout,
                self._data_converter_override,
            )
        )

    async def report_cancellation(
        self,
        *details: Any,
        rpc_metadata: Mapping[str, str | bytes] = {},
        rpc_timeout: timedelta | None = None,
    ) -> None:
        """Say that the activity stopped because it was asked to."""
        await self._client._outbound.report_cancellation_async_activity(
            ReportCancellationAsyncActivityInput(
                self._id_or_token, details, rpc_metadata, rpc_timeout, self._data_converter_override
            )
        )

    def with_context(self, context: SerializationContext) -> AsyncActivityHandle:
        """This handle with a data converter that knows what activity it works for."""
        known = self._data_converter_override or self._client.data_converter
        return AsyncActivityHandle(self._client, self._id_or_token, known.with_context(context))


class AsyncActivityCalls(OutboundInterceptor):
    """The engine's end of the four verbs."""

    _client: Client

    async def heartbeat_async_activity(self, input: HeartbeatAsyncActivityInput) -> None:
        converter = self._converter(input.data_converter_override)
        details = await encode(converter, input.details) if input.details else []
        call = self._client.frontend.heartbeat_activity(self._reference(input.id_or_token), details)
        reply = await _bounded(call, input.rpc_timeout, "heartbeat")
        if reply.not_found:
            raise RPCError("activity not found: the attempt is over, or its run is closed", RPCStatusCode.NOT_FOUND)
        if reply.cancel_requested or reply.paused or reply.reset:
            raise AsyncActivityCancelledError(
                ActivityCancellationDetails(
                    cancel_requested=reply.cancel_requested, paused=reply.paused, reset=reply.reset
                )
            )

    async def complete_async_activity(self, input: CompleteAsyncActivityInput) -> None:
        converter = self._converter(input.data_converter_override)
        result = [] if input.result is arg_unset else await encode(converter, (input.result,))
        call = self._client.frontend.complete_activity(self._reference(input.id_or_token), result)
        await _bounded(call, input.rpc_timeout, "complete")

    async def fail_async_activity(self, input: FailAsyncActivityInput) -> None:
        converter = self._converter(input.data_converter_override)
        failure = await encode_failure(converter, input.error)
        # None, not an empty list: without new details those of the last heartbeat stay.
        details = await encode(converter, input.last_heartbeat_details) if input.last_heartbeat_details else None
        call = self._client.frontend.fail_activity(self._reference(input.id_or_token), failure, details)
        await _bounded(call, input.rpc_timeout, "fail")

    async def report_cancellation_async_activity(self, input: ReportCancellationAsyncActivityInput) -> None:
        converter = self._converter(input.data_converter_override)
        details = await encode(converter, input.details) if input.details else []
        call = self._client.frontend.cancel_activity(self._reference(input.id_or_token), details)
        await _bounded(call, input.rpc_timeout, "report_cancellation")

    def _converter(self, override: DataConverter | None) -> DataConverter:
        return self._client.data_converter if override is None else override

    def _reference(self, id_or_token: AsyncActivityIDReference | bytes) -> ActivityReference:
        namespace = self._client.namespace
        if isinstance(id_or_token, AsyncActivityIDReference):
            known = id_or_token
            return ActivityReference(namespace, b"", known.workflow_id or "", known.run_id or "", known.activity_id)
        return ActivityReference(namespace, id_or_token)


async def _bounded(call: Awaitable[T], timeout: timedelta | None, verb: str) -> T:
    return await (call if timeout is None else within(call, timeout, verb))
