"""Base classes of client interceptors.

A client builds its chain once, from the last interceptor to the first; the end of every chain is
``_engine_calls.EngineCalls``. Interceptors subclass ``OutboundInterceptor``, override the verbs they care about and
call ``self.next`` (or ``super()``). Headers travel in ``input.headers`` of start, signal, query and update.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from durable_nb.client import _inputs as i

if TYPE_CHECKING:
    from durable_nb.client._execution import WorkflowExecutionCount, WorkflowExecutionDescription
    from durable_nb.client._handle import WorkflowHandle
    from durable_nb.client._history import WorkflowHistoryEventAsyncIterator
    from durable_nb.client._listing import WorkflowExecutionAsyncIterator
    from durable_nb.client._update_handle import WorkflowUpdateHandle


class Interceptor:
    """What is given to ``Client(interceptors=[…])``; one that is also a ``worker.Interceptor`` serves workers too."""

    def intercept_client(self, next: OutboundInterceptor) -> OutboundInterceptor:
        """The interceptor of calls that stands before ``next``; ``next`` itself to stand aside."""
        return next


class OutboundInterceptor:
    """Every call of a client; each verb hands its input to the next interceptor."""

    def __init__(self, next: OutboundInterceptor) -> None:
        self.next = next

    async def start_workflow(self, input: i.StartWorkflowInput) -> WorkflowHandle[Any, Any]:
        """Called for ``Client.start_workflow``."""
        return await self.next.start_workflow(input)

    async def cancel_workflow(self, input: i.CancelWorkflowInput) -> None:
        """Called for ``WorkflowHandle.cancel``."""
        await self.next.cancel_workflow(input)

    async def describe_workflow(self, input: i.DescribeWorkflowInput) -> WorkflowExecutionDescription:
        """Called for ``WorkflowHandle.describe``."""
        return await self.next.describe_workflow(input)

    def fetch_workflow_history_events(
        self, input: i.FetchWorkflowHistoryEventsInput
    ) -> WorkflowHistoryEventAsyncIterator:
        """Called for ``WorkflowHandle.fetch_history_events``, and for ``result``."""
        return self.next.fetch_workflow_history_events(input)

    def list_workflows(self, input: i.ListWorkflowsInput) -> WorkflowExecutionAsyncIterator:
        """Called for ``Client.list_workflows``."""
        return self.next.list_workflows(input)

    async def count_workflows(self, input: i.CountWorkflowsInput) -> WorkflowExecutionCount:
        """Called for ``Client.count_workflows``."""
        return await self.next.count_workflows(input)

    async def query_workflow(self, input: i.QueryWorkflowInput) -> Any:
        """Called for ``WorkflowHandle.query``."""
        return await self.next.query_workflow(input)

    async def signal_workflow(self, input: i.SignalWorkflowInput) -> None:
        """Called for ``WorkflowHandle.signal``."""
        await self.next.signal_workflow(input)

    async def terminate_workflow(self, input: i.TerminateWorkflowInput) -> None:
        """Called for ``WorkflowHandle.terminate``."""
        await self.next.terminate_workflow(input)

    async def start_workflow_update(self, input: i.StartWorkflowUpdateInput) -> WorkflowUpdateHandle[Any]:
        """Called for ``WorkflowHandle.start_update`` and ``execute_update``."""
        return await self.next.start_workflow_update(input)

    async def start_update_with_start_workflow(
        self, input: i.StartWorkflowUpdateWithStartInput
    ) -> WorkflowUpdateHandle[Any]:
        """Called for ``Client.start_update_with_start_workflow`` and ``execute_update_with_start_workflow``."""
        return await self.next.start_update_with_start_workflow(input)

    async def heartbeat_async_activity(self, input: i.HeartbeatAsyncActivityInput) -> None:
        """Called for ``AsyncActivityHandle.heartbeat``."""
        await self.next.heartbeat_async_activity(input)

    async def complete_async_activity(self, input: i.CompleteAsyncActivityInput) -> None:
        """Called for ``AsyncActivityHandle.complete``."""
        await self.next.complete_async_activity(input)

    async def fail_async_activity(self, input: i.FailAsyncActivityInput) -> None:
        """Called for ``AsyncActivityHandle.fail``."""
        await self.next.fail_async_activity(input)

    async def report_cancellation_async_activity(self, input: i.ReportCancellationAsyncActivityInput) -> None:
        """Called for ``AsyncActivityHandle.report_cancellation``."""
        await self.next.report_cancellation_async_activity(input)
