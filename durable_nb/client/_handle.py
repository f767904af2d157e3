"""A handle of a workflow: its identity and the verbs that every workflow has.

Verbs that name a part of the definition (signal, query, update) are in ``_handle_messages`` and ``_handle_updates``.
What reads whole histories and outputs is imported when it is called.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Generic, NoReturn, cast

from durable_nb.client._calls import within
from durable_nb.client._display import TimelineHandle, mime_bundle
from durable_nb.client._enums import WorkflowHistoryEventFilterType
from durable_nb.client._errors import WorkflowContinuedAsNewError, WorkflowFailureError
from durable_nb.client._exports import ExportingHandle
from durable_nb.client._frames import HandleFrames
from durable_nb.client._handle_branching import Branching
from durable_nb.client._handle_messages import Messages
from durable_nb.client._handle_updates import Updates
from durable_nb.client._inputs import (
    CancelWorkflowInput,
    DescribeWorkflowInput,
    FetchWorkflowHistoryEventsInput,
    TerminateWorkflowInput,
)
from durable_nb.client._payloads import decode, decode_failure, decode_one
from durable_nb.client._typing import ReturnType, SelfType
from durable_nb.exceptions import CancelledError, TerminatedError, TimeoutError, TimeoutType
from durable_nb.model import attributes as a
from durable_nb.model.requests import ReadHistory, Target

if TYPE_CHECKING:
    from durable_nb.client._client import Client
    from durable_nb.client._execution import WorkflowExecutionDescription
    from durable_nb.client._history import WorkflowHistory, WorkflowHistoryEventAsyncIterator
    from durable_nb.model.requests import HistoryPage

_CLOSE = WorkflowHistoryEventFilterType.CLOSE_EVENT
_ALL = WorkflowHistoryEventFilterType.ALL_EVENT


class WorkflowHandle(
    Messages[SelfType],
    Branching[SelfType],
    Updates[SelfType],
    ExportingHandle,
    HandleFrames,
    TimelineHandle,
    Generic[SelfType, ReturnType],
):
    """A workflow to wait for, ask, tell, or stop.

    Made by ``Client.start_workflow`` and ``Client.get_workflow_handle``; has no connection of its own and may be kept
    or thrown away at any time.
    """

    def __init__(
        self,
        client: Client,
        id: str,
        *,
        run_id: str | None = None,
        result_run_id: str | None = None,
        first_execution_run_id: str | None = None,
        result_type: type | None = None,
    ) -> None:
        self._client = client
        self._id = id
        self._run_id = run_id
        self._result_run_id = result_run_id
        self._first_execution_run_id = first_execution_run_id
        self._result_type = result_type

    def __repr__(self) -> str:
        run = self._run_id or self._result_run_id
        return f"<WorkflowHandle {self._id!r}{f', run {run}' if run else ''} on {self._client!r}>"

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, Any]:
        return mime_bundle(self)

    @property
    def id(self) -> str:
        """Workflow ID."""
        return self._id

    @property
    def run_id(self) -> str | None:
        """Run that signals, queries, updates and the like are for; None means the current one.

        Set only for handles that were made for a run; see ``result_run_id`` for the run that was started.
        """
        return self._run_id

    @property
    def result_run_id(self) -> str | None:
        """Run that ``result`` begins with; None means the current one."""
        return self._result_run_id

    @property
    def first_execution_run_id(self) -> str | None:
        """First run of the chain. Where set, cancel and terminate refuse to touch another chain of the same ID."""
        return self._first_execution_run_id

    async def result(
        self,
        *,
        follow_runs: bool = True,
        rpc_metadata: Mapping[str, str | bytes] = {},
        rpc_timeout: timedelta | None = None,
    ) -> ReturnType:
        """What the workflow returned; waits until it is closed.

        Parameters
        ----------
        follow_runs
            Go on to the run that follows by continue-as-new, retry or cron, until there is none.

        Raises
        ------
        WorkflowFailureError
            It failed, was cancelled, was terminated or timed out: see ``cause``.
        WorkflowContinuedAsNewError
            It continued as new and ``follow_runs`` is False.
        RPCError
            NOT_FOUND: no such run. DEADLINE_EXCEEDED: not closed within ``rpc_timeout``, which holds for each run.
        """
        run_id = self._result_run_id or ""
        while True:
            event = await self._closing(run_id, rpc_metadata, rpc_timeout)
            following = cast("str", getattr(event, "new_execution_run_id", ""))
            if following and follow_runs:
                run_id = following
                continue
            if type(event) is a.WorkflowExecutionCompleted:
                converter = self._client.converter_for(self._id)
                value = await decode_one(converter, event.result, self._result_type, "result")
                return cast("ReturnType", value)
            await self._raise_outcome(event)

    async def _closing(
        self, run_id: str, rpc_metadata: Mapping[str, str | bytes], rpc_timeout: timedelta | None
    ) -> a.Attributes:
        """Attributes of the event that closes a run, once there is one."""
        client = self._client
        if client.intercepted:
            pages = self._fetch_history_events_for_run(
                run_id or None,
                wait_new_event=True,
                event_filter_type=_CLOSE,
                skip_archival=True,
                rpc_metadata=rpc_metadata,
                rpc_timeout=rpc_timeout,
            )
            async for event in pages:
                return event.attributes
        request = ReadHistory(Target(client.namespace, self._id, run_id), 1, True, True)
        while True:
            call = client.frontend.read_history(request)
            page: HistoryPage = await (call if rpc_timeout is None else within(call, rpc_timeout, "result"))
            if page.events:
                return page.events[-1].attributes
            # An engine may answer without an event when its own patience ends; never spin on that, and stay with
            # the run that it waited for.
            request.target.run_id = page.run_id
            await asyncio.sleep(0)

    async def _raise_outcome(self, event: a.Attributes) -> NoReturn:
        converter = self._client.converter_for(self._id)
        cause: BaseException
        if isinstance(event, a.WorkflowExecutionFailed):
            cause = await decode_failure(converter, event.failure)
        elif isinstance(event, a.WorkflowExecutionCanceled):
            cause = CancelledError("Workflow cancelled", *await decode(converter, event.details))
        elif isinstance(event, a.WorkflowExecutionTerminated):
            details = await decode(converter, event.details)
            cause = TerminatedError(event.reason or "Workflow terminated", *details)
        elif isinstance(event, a.WorkflowExecutionTimedOut):
            cause = TimeoutError("Workflow timed out", type=TimeoutType.START_TO_CLOSE, last_heartbeat_details=[])
        elif isinstance(event, a.WorkflowExecutionContinuedAsNew):
            raise WorkflowContinuedAsNewError(event.new_execution_run_id)
        else:
            raise RuntimeError(f"Unknown close event {type(event).__name__}")
        raise WorkflowFailureError(cause=cause)

    async def cancel(
        self,
        *,
        reason: str = "",
        rpc_metadata: Mapping[str, str | bytes] = {},
        rpc_timeout: timedelta | None = None,
    ) -> None:
        """Ask the workflow to stop; its code decides how, and may go on.

        Raises
        ------
        RPCError
            NOT_FOUND: no such run, closed, or of another chain than this handle's.
        """
        await self._client._outbound.cancel_workflow(
            CancelWorkflowInput(self._id, self._run_id, self._first_execution_run_id, reason, rpc_metadata, rpc_timeout)
        )

    async def terminate(
        self,
        *args: Any,
        reason: str | None = None,
        rpc_metadata: Mapping[str, str | bytes] = {},
        rpc_timeout: timedelta | None = None,
    ) -> None:
        """Close the workflow now; none of its code runs again. ``args`` are kept as details.

        Raises
        ------
        RPCError
            NOT_FOUND: no such run, closed, or of another chain than this handle's.
        """
        await self._client._outbound.terminate_workflow(
            TerminateWorkflowInput(
                self._id, self._run_id, self._first_execution_run_id, args, reason, rpc_metadata, rpc_timeout
            )
        )

    async def delete(self) -> None:
        """Remove the workflow's run, which must be closed, with its history and all that belongs to it.

        Raises
        ------
        RPCError
            NOT_FOUND: no such run. FAILED_PRECONDITION: it is running.
        """
        await self._client.frontend.delete_workflow(Target(self._client.namespace, self._id, self._run_id or ""))

    async def describe(
        self, *, rpc_metadata: Mapping[str, str | bytes] = {}, rpc_timeout: timedelta | None = None
    ) -> WorkflowExecutionDescription:
        """Status, times, memo, search attributes and everything that is pending.

        Raises
        ------
        RPCError
            NOT_FOUND: no such run.
        """
        return await self._client._outbound.describe_workflow(
            DescribeWorkflowInput(self._id, self._run_id, rpc_metadata, rpc_timeout)
        )

    async def output(self, activity_id: str | None = None, attempt: int | None = None) -> Any:
        """What activities of the run printed and logged: an ``ActivityOutput``, or without an id a list of all.

        Parameters
        ----------
        activity_id
            One activity, for instance ``"1"``; its latest attempt that wrote anything unless ``attempt`` is given.

        Raises
        ------
        RPCError
            NOT_FOUND: no such run, or that activity or attempt wrote nothing.
        """
        from durable_nb.client._output import read_output  # noqa: PLC0415 - see the module docstring

        return await read_output(self._client, self._id, self._run_id or self._result_run_id, activity_id, attempt)

    async def fetch_history(
        self,
        *,
        event_filter_type: WorkflowHistoryEventFilterType = _ALL,
        skip_archival: bool = False,
        rpc_metadata: Mapping[str, str | bytes] = {},
        rpc_timeout: timedelta | None = None,
    ) -> WorkflowHistory:
        """The history of the run as it is now.

        Raises
        ------
        RPCError
            NOT_FOUND: no such run.
        """
        from durable_nb.client._history import WorkflowHistory  # noqa: PLC0415 - see the module docstring

        events = self.fetch_history_events(
            event_filter_type=event_filter_type,
            skip_archival=skip_archival,
            rpc_metadata=rpc_metadata,
            rpc_timeout=rpc_timeout,
        )
        return WorkflowHistory(self._id, [event async for event in events])

    def fetch_history_events(
        self,
        *,
        page_size: int | None = None,
        next_page_token: bytes | None = None,
        wait_new_event: bool = False,
        event_filter_type: WorkflowHistoryEventFilterType = _ALL,
        skip_archival: bool = False,
        rpc_metadata: Mapping[str, str | bytes] = {},
        rpc_timeout: timedelta | None = None,
    ) -> WorkflowHistoryEventAsyncIterator:
        """Events of the run in order, by ``async for``; with ``wait_new_event`` until the run is closed."""
        return self._fetch_history_events_for_run(
            self._run_id,
            page_size=page_size,
            next_page_token=next_page_token,
            wait_new_event=wait_new_event,
            event_filter_type=event_filter_type,
            skip_archival=skip_archival,
            rpc_metadata=rpc_metadata,
            rpc_timeout=rpc_timeout,
        )

    def _fetch_history_events_for_run(
        self,
        run_id: str | None,
        *,
        page_size: int | None = None,
        next_page_token: bytes | None = None,
        wait_new_event: bool = False,
        event_filter_type: WorkflowHistoryEventFilterType = _ALL,
        skip_archival: bool = False,
        rpc_metadata: Mapping[str, str | bytes] = {},
        rpc_timeout: timedelta | None = None,
    ) -> WorkflowHistoryEventAsyncIterator:
        return self._client._outbound.fetch_workflow_history_events(
            FetchWorkflowHistoryEventsInput(
                self._id,
                run_id,
                page_size,
                next_page_token,
                wait_new_event,
                event_filter_type,
                skip_archival,
                rpc_metadata,
                rpc_timeout,
            )
        )
