"""The end of every chain of interceptors: inputs become requests to the engine, answers become what callers get.

Talks to the frontend port only (``model.requests``), never to a store. Nothing here knows on which loop or thread the
engine runs: each frontend method may be awaited anywhere. What describes, lists or reads histories is imported when it
is called: a program that only starts and resumes runs need not pay for it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from durable_nb.client._async_activity import AsyncActivityCalls
from durable_nb.client._calls import is_deadline, new_request_id, within
from durable_nb.client._enums import WorkflowUpdateStage
from durable_nb.client._errors import (
    WorkflowQueryFailedError,
    WorkflowQueryRejectedError,
    WorkflowUpdateRPCTimeoutOrCancelledError,
)
from durable_nb.client._handle import WorkflowHandle
from durable_nb.client._payloads import decode_failure, decode_one, encode
from durable_nb.client._start_request import start_request
from durable_nb.client._update_handle import WorkflowUpdateHandle
from durable_nb.common import HeaderCodecBehavior
from durable_nb.model.enums import WorkflowExecutionStatus
from durable_nb.model.requests import (
    CancelWorkflow,
    QueryWorkflow,
    ReadHistory,
    SignalInput,
    SignalWorkflow,
    Target,
    TerminateWorkflow,
    UpdateWithStart,
    UpdateWorkflow,
)
from durable_nb.service import RPCError, RPCStatusCode

if TYPE_CHECKING:
    from durable_nb.client import _inputs as i
    from durable_nb.client._client import Client
    from durable_nb.client._execution import WorkflowExecutionCount, WorkflowExecutionDescription
    from durable_nb.client._history import WorkflowHistoryEventAsyncIterator
    from durable_nb.client._listing import WorkflowExecutionAsyncIterator
    from durable_nb.model.events import Event
    from durable_nb.model.payload import Payload
    from durable_nb.model.requests import HistoryPage


class EngineCalls(AsyncActivityCalls):
    """Calls of one client to its engine; verbs of activities are in ``_async_activity``."""

    def __init__(self, client: Client) -> None:
        # The end of the chain has no next, so the base is not initialised.
        self._client = client
        self.namespace: str = client.namespace
        self.identity: str = client.identity
        self._encodes_headers = client.header_codec_behavior is HeaderCodecBehavior.CODEC

    def _target(self, id: str, run_id: str | None, first_run_id: str | None = None) -> Target:
        return Target(self.namespace, id, run_id or "", first_run_id or "")

    async def headers(self, headers: Mapping[str, Payload]) -> dict[str, Payload]:
        """Headers that interceptors set, passed through the codec where the client is told so."""
        codec = self._client.data_converter.payload_codec
        if not self._encodes_headers or codec is None:
            return dict(headers)
        return dict(zip(headers, await codec.encode(list(headers.values())), strict=True))

    async def start_workflow(self, input: i.StartWorkflowInput) -> WorkflowHandle[Any, Any]:
        call = self._client.frontend.start_workflow(await start_request(self, input))
        timeout = input.rpc_timeout
        started = await (call if timeout is None else within(call, timeout, "start_workflow"))
        return WorkflowHandle(
            self._client,
            input.id,
            result_run_id=started.run_id,
            first_execution_run_id=started.first_execution_run_id or started.run_id,
            result_type=input.ret_type,
        )

    async def cancel_workflow(self, input: i.CancelWorkflowInput) -> None:
        target = self._target(input.id, input.run_id, input.first_execution_run_id)
        call = self._client.frontend.cancel_workflow(CancelWorkflow(target, input.reason, self.identity))
        await (call if input.rpc_timeout is None else within(call, input.rpc_timeout, "cancel"))

    async def terminate_workflow(self, input: i.TerminateWorkflowInput) -> None:
        target = self._target(input.id, input.run_id, input.first_execution_run_id)
        details = await encode(self._client.converter_for(input.id), input.args) if input.args else None
        request = TerminateWorkflow(target, input.reason or "", details, self.identity)
        call = self._client.frontend.terminate_workflow(request)
        await (call if input.rpc_timeout is None else within(call, input.rpc_timeout, "terminate"))

    async def describe_workflow(self, input: i.DescribeWorkflowInput) -> WorkflowExecutionDescription:
        from durable_nb.client._execution import WorkflowExecutionDescription  # noqa: PLC0415 - see the module docstring

        call = self._client.frontend.describe_workflow(self._target(input.id, input.run_id))
        raw = await (call if input.rpc_timeout is None else within(call, input.rpc_timeout, "describe"))
        described = WorkflowExecutionDescription._from_raw(raw, self._client.converter_for(input.id))
        if raw.status is not WorkflowExecutionStatus.RUNNING:
            request = ReadHistory(self._target(input.id, raw.run_id))

            async def read_start() -> Event:
                page: HistoryPage = await self._client.frontend.read_history(request)
                return page.events[0]

            described._read_start = read_start
        return described

    def fetch_workflow_history_events(
        self, input: i.FetchWorkflowHistoryEventsInput
    ) -> WorkflowHistoryEventAsyncIterator:
        from durable_nb.client._history import WorkflowHistoryEventAsyncIterator  # noqa: PLC0415 - see the module docstring

        return WorkflowHistoryEventAsyncIterator(self._client, input)

    def list_workflows(self, input: i.ListWorkflowsInput) -> WorkflowExecutionAsyncIterator:
        from durable_nb.client._listing import WorkflowExecutionAsyncIterator  # noqa: PLC0415 - see the module docstring

        return WorkflowExecutionAsyncIterator(self._client, input)

    async def count_workflows(self, input: i.CountWorkflowsInput) -> WorkflowExecutionCount:
        from durable_nb.client._listing import count_runs  # noqa: PLC0415 - see the module docstring

        call = count_runs(self._client.frontend, self.namespace, input.query)
        return await (call if input.rpc_timeout is None else within(call, input.rpc_timeout, "count_workflows"))

    async def query_workflow(self, input: i.QueryWorkflowInput) -> Any:
        converter = self._client.converter_for(input.id)
        request = QueryWorkflow(
            self._target(input.id, input.run_id),
            input.query,
            await encode(converter, input.args) if input.args else [],
            await self.headers(input.headers) if input.headers else {},
            int(input.reject_condition or 1),
        )
        call = self._client.frontend.query_workflow(request)
        try:
            answer = await (call if input.rpc_timeout is None else within(call, input.rpc_timeout, "query"))
        except RPCError as error:
            if error.status is RPCStatusCode.INVALID_ARGUMENT:
                raise WorkflowQueryFailedError(error.message) from error
            raise
        if answer.failure is not None:
            # The failure carries the handler's stack, which the message alone would lose.
            cause = await decode_failure(converter, answer.failure)
            raise WorkflowQueryFailedError(answer.failure.message) from cause
        if answer.rejected is not None:
            raise WorkflowQueryRejectedError(answer.rejected)
        return await decode_one(converter, answer.result, input.ret_type, "query result")

    async def signal_workflow(self, input: i.SignalWorkflowInput) -> None:
        signal = SignalInput(
            input.signal,
            await encode(self._client.converter_for(input.id), input.args) if input.args else [],
            await self.headers(input.headers) if input.headers else {},
            new_request_id(),
        )
        request = SignalWorkflow(self._target(input.id, input.run_id), signal, self.identity)
        call = self._client.frontend.signal_workflow(request)
        await (call if input.rpc_timeout is None else within(call, input.rpc_timeout, "signal"))

    async def _update_request(
        self, input: i.StartWorkflowUpdateInput | i.UpdateWithStartUpdateWorkflowInput, target: Target
    ) -> UpdateWorkflow:
        return UpdateWorkflow(
            target,
            input.update_id or str(uuid4()),
            input.update,
            await encode(self._client.converter_for(target.workflow_id), input.args) if input.args else [],
            await self.headers(input.headers) if input.headers else {},
            self.identity,
            input.wait_for_stage is WorkflowUpdateStage.COMPLETED,
        )

    async def start_workflow_update(self, input: i.StartWorkflowUpdateInput) -> WorkflowUpdateHandle[Any]:
        target = self._target(input.id, input.run_id, input.first_execution_run_id)
        request = await self._update_request(input, target)
        call = self._client.frontend.update_workflow(request)
        try:
            result = await (call if input.rpc_timeout is None else within(call, input.rpc_timeout, "update"))
        except RPCError as error:
            if is_deadline(error):
                raise WorkflowUpdateRPCTimeoutOrCancelledError from error
            raise
        except asyncio.CancelledError as error:
            raise WorkflowUpdateRPCTimeoutOrCancelledError from error
        handle: WorkflowUpdateHandle[Any] = WorkflowUpdateHandle(
            self._client,
            request.update_id,
            input.id,
            workflow_run_id=result.run_id,
            result_type=input.ret_type,
            known_outcome=result.outcome,
        )
        if request.wait_completed:
            await handle._poll_until_outcome(rpc_timeout=input.rpc_timeout)
        return handle

    async def start_update_with_start_workflow(
        self, input: i.StartWorkflowUpdateWithStartInput
    ) -> WorkflowUpdateHandle[Any]:
        start, update = input.start_workflow_input, input.update_workflow_input
        started = False
        try:
            start_part = await start_request(self, start)
            request = UpdateWithStart(start_part, await self._update_request(update, self._target(start.id, None)))
            call = self._client.frontend.update_with_start(request)
            answer = await (call if input.rpc_timeout is None else within(call, input.rpc_timeout, "update with start"))
            input._on_start(answer.started)
            started = True
            handle: WorkflowUpdateHandle[Any] = WorkflowUpdateHandle(
                self._client,
                request.update.update_id,
                start.id,
                workflow_run_id=answer.update.run_id or answer.started.run_id,
                result_type=update.ret_type,
                known_outcome=answer.update.outcome,
            )
            if request.update.wait_completed:
                await handle._poll_until_outcome(rpc_timeout=input.rpc_timeout)
            return handle
        except BaseException as error:
            if not started:
                input._on_start_error(error)
            if isinstance(error, asyncio.CancelledError) or (isinstance(error, RPCError) and is_deadline(error)):
                raise WorkflowUpdateRPCTimeoutOrCancelledError from error
            raise
