"""What callers import: the client, its handles, their errors, and the base classes of interceptors.

Names, signatures, defaults and errors are those of the Temporal Python SDK (temporal-semantics 1.3 and 6); what is
new is that the address of a client is a store URL and that ``task_queue`` has a default. The package talks to the
engine through its frontend only (``model.requests``) and never to a store.
"""

from typing import TYPE_CHECKING

from durable_nb._first_use import on_first_use
from durable_nb.client._async_activity import AsyncActivityHandle
from durable_nb.client._client import Client
from durable_nb.client._enums import WorkflowHistoryEventFilterType, WorkflowUpdateStage
from durable_nb.client._errors import (
    AsyncActivityCancelledError,
    RPCTimeoutOrCancelledError,
    WorkflowContinuedAsNewError,
    WorkflowFailureError,
    WorkflowQueryFailedError,
    WorkflowQueryRejectedError,
    WorkflowUpdateFailedError,
    WorkflowUpdateRPCTimeoutOrCancelledError,
)
from durable_nb.client._handle import WorkflowHandle
from durable_nb.client._inputs import (
    AsyncActivityIDReference,
    CancelWorkflowInput,
    CompleteAsyncActivityInput,
    CountWorkflowsInput,
    DescribeWorkflowInput,
    FailAsyncActivityInput,
    FetchWorkflowHistoryEventsInput,
    HeartbeatAsyncActivityInput,
    ListWorkflowsInput,
    QueryWorkflowInput,
    ReportCancellationAsyncActivityInput,
    SignalWorkflowInput,
    StartWorkflowInput,
    StartWorkflowUpdateInput,
    StartWorkflowUpdateWithStartInput,
    TerminateWorkflowInput,
    UpdateWithStartStartWorkflowInput,
    UpdateWithStartUpdateWorkflowInput,
)
from durable_nb.client._interceptor import Interceptor, OutboundInterceptor
from durable_nb.client._plugin import Plugin
from durable_nb.client._update_handle import WorkflowUpdateHandle
from durable_nb.model.enums import WorkflowExecutionStatus
from durable_nb.service import RPCError, RPCStatusCode

if TYPE_CHECKING:
    from durable_nb.client._configs import ClientConfig, ClientConnectConfig
    from durable_nb.client._execution import (
        WorkflowExecution,
        WorkflowExecutionCount,
        WorkflowExecutionCountAggregationGroup,
        WorkflowExecutionDescription,
    )
    from durable_nb.client._history import WorkflowHistory, WorkflowHistoryEventAsyncIterator
    from durable_nb.client._listing import WorkflowExecutionAsyncIterator
    from durable_nb.client._output import ActivityOutput
    from durable_nb.client._with_start import WithStartWorkflowOperation
else:
    __getattr__, __dir__ = on_first_use(
        globals(),
        {
            "_configs": ("ClientConfig", "ClientConnectConfig"),
            "_execution": (
                "WorkflowExecution",
                "WorkflowExecutionCount",
                "WorkflowExecutionCountAggregationGroup",
                "WorkflowExecutionDescription",
            ),
            "_history": ("WorkflowHistory", "WorkflowHistoryEventAsyncIterator"),
            "_listing": ("WorkflowExecutionAsyncIterator",),
            "_output": ("ActivityOutput",),
            "_with_start": ("WithStartWorkflowOperation",),
        },
    )

__all__ = [
    "ActivityOutput",
    "AsyncActivityCancelledError",
    "AsyncActivityHandle",
    "AsyncActivityIDReference",
    "CancelWorkflowInput",
    "Client",
    "ClientConfig",
    "ClientConnectConfig",
    "CompleteAsyncActivityInput",
    "CountWorkflowsInput",
    "DescribeWorkflowInput",
    "FailAsyncActivityInput",
    "FetchWorkflowHistoryEventsInput",
    "HeartbeatAsyncActivityInput",
    "Interceptor",
    "ListWorkflowsInput",
    "OutboundInterceptor",
    "Plugin",
    "QueryWorkflowInput",
    "RPCError",
    "RPCStatusCode",
    "RPCTimeoutOrCancelledError",
    "ReportCancellationAsyncActivityInput",
    "SignalWorkflowInput",
    "StartWorkflowInput",
    "StartWorkflowUpdateInput",
    "StartWorkflowUpdateWithStartInput",
    "TerminateWorkflowInput",
    "UpdateWithStartStartWorkflowInput",
    "UpdateWithStartUpdateWorkflowInput",
    "WithStartWorkflowOperation",
    "WorkflowContinuedAsNewError",
    "WorkflowExecution",
    "WorkflowExecutionAsyncIterator",
    "WorkflowExecutionCount",
    "WorkflowExecutionCountAggregationGroup",
    "WorkflowExecutionDescription",
    "WorkflowExecutionStatus",
    "WorkflowFailureError",
    "WorkflowHandle",
    "WorkflowHistory",
    "WorkflowHistoryEventAsyncIterator",
    "WorkflowHistoryEventFilterType",
    "WorkflowQueryFailedError",
    "WorkflowQueryRejectedError",
    "WorkflowUpdateFailedError",
    "WorkflowUpdateHandle",
    "WorkflowUpdateRPCTimeoutOrCancelledError",
    "WorkflowUpdateStage",
]
