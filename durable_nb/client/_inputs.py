"""What travels through the chain of client interceptors: one class per verb.

Interceptors may change every field before they call on. Source of names: temporal-semantics 1.3. The classes pass for
dataclasses: interceptors written for Temporal rely on that.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import Any

import msgspec

from durable_nb.client._enums import WorkflowHistoryEventFilterType, WorkflowUpdateStage
from durable_nb.common import (
    Priority,
    QueryRejectCondition,
    RetryPolicy,
    SearchAttributes,
    TypedSearchAttributes,
    WorkflowIDConflictPolicy,
    WorkflowIDReusePolicy,
)
from durable_nb.converter import DataConverter
from durable_nb.model.dataclass_like import DataclassLike
from durable_nb.model.payload import Payload
from durable_nb.model.requests import StartedWorkflow


class AsyncActivityIDReference(msgspec.Struct, frozen=True):
    """An activity of a run, named by ids. ``run_id`` None means the current run."""

    workflow_id: str | None
    run_id: str | None
    activity_id: str


class StartWorkflowInput(DataclassLike):
    """Input for ``OutboundInterceptor.start_workflow``."""

    workflow: str
    args: Sequence[Any]
    id: str
    task_queue: str
    execution_timeout: timedelta | None
    run_timeout: timedelta | None
    task_timeout: timedelta | None
    id_reuse_policy: WorkflowIDReusePolicy
    id_conflict_policy: WorkflowIDConflictPolicy
    retry_policy: RetryPolicy | None
    cron_schedule: str
    memo: Mapping[str, Any] | None
    search_attributes: SearchAttributes | TypedSearchAttributes | None
    start_delay: timedelta | None
    headers: Mapping[str, Payload]
    start_signal: str | None
    start_signal_args: Sequence[Any]
    static_summary: str | None
    static_details: str | None
    ret_type: type | None
    rpc_metadata: Mapping[str, str | bytes]
    rpc_timeout: timedelta | None
    request_eager_start: bool
    priority: Priority
    versioning_override: Any | None = None


class CancelWorkflowInput(DataclassLike):
    """Input for ``OutboundInterceptor.cancel_workflow``."""

    id: str
    run_id: str | None
    first_execution_run_id: str | None
    reason: str
    rpc_metadata: Mapping[str, str | bytes]
    rpc_timeout: timedelta | None


class DescribeWorkflowInput(DataclassLike):
    """Input for ``OutboundInterceptor.describe_workflow``."""

    id: str
    run_id: str | None
    rpc_metadata: Mapping[str, str | bytes]
    rpc_timeout: timedelta | None


class FetchWorkflowHistoryEventsInput(DataclassLike):
    """Input for ``OutboundInterceptor.fetch_workflow_history_events``."""

    id: str
    run_id: str | None
    page_size: int | None
    next_page_token: bytes | None
    wait_new_event: bool
    event_filter_type: WorkflowHistoryEventFilterType
    skip_archival: bool
    rpc_metadata: Mapping[str, str | bytes]
    rpc_timeout: timedelta | None


class ListWorkflowsInput(DataclassLike):
    """Input for ``OutboundInterceptor.list_workflows``."""

    query: str | None
    page_size: int
    next_page_token: bytes | None
    rpc_metadata: Mapping[str, str | bytes]
    rpc_timeout: timedelta | None
    limit: int | None


class CountWorkflowsInput(DataclassLike):
    """Input for ``OutboundInterceptor.count_workflows``."""

    query: str | None
    rpc_metadata: Mapping[str, str | bytes]
    rpc_timeout: timedelta | None


class QueryWorkflowInput(DataclassLike):
    """Input for ``OutboundInterceptor.query_workflow``."""

    id: str
    run_id: str | None
    query: str
    args: Sequence[Any]
    reject_condition: QueryRejectCondition | None
    headers: Mapping[str, Payload]
    ret_type: type | None
    rpc_metadata: Mapping[str, str | bytes]
    rpc_timeout: timedelta | None


class SignalWorkflowInput(DataclassLike):
    """Input for ``OutboundInterceptor.signal_workflow``."""

    id: str
    run_id: str | None
    signal: str
    args: Sequence[Any]
    headers: Mapping[str, Payload]
    rpc_metadata: Mapping[str, str | bytes]
    rpc_timeout: timedelta | None


class TerminateWorkflowInput(DataclassLike):
    """Input for ``OutboundInterceptor.terminate_workflow``."""

    id: str
    run_id: str | None
    first_execution_run_id: str | None
    args: Sequence[Any]
    reason: str | None
    rpc_metadata: Mapping[str, str | bytes]
    rpc_timeout: timedelta | None


class StartWorkflowUpdateInput(DataclassLike):
    """Input for ``OutboundInterceptor.start_workflow_update``."""

    id: str
    run_id: str | None
    first_execution_run_id: str | None
    update_id: str | None
    update: str
    args: Sequence[Any]
    wait_for_stage: WorkflowUpdateStage
    headers: Mapping[str, Payload]
    ret_type: type | None
    rpc_metadata: Mapping[str, str | bytes]
    rpc_timeout: timedelta | None


class UpdateWithStartUpdateWorkflowInput(DataclassLike):
    """The update of ``OutboundInterceptor.start_update_with_start_workflow``."""

    update_id: str | None
    update: str
    args: Sequence[Any]
    wait_for_stage: WorkflowUpdateStage
    headers: Mapping[str, Payload]
    ret_type: type | None


class UpdateWithStartStartWorkflowInput(DataclassLike):
    """The start of ``OutboundInterceptor.start_update_with_start_workflow``."""

    workflow: str
    args: Sequence[Any]
    id: str
    task_queue: str
    execution_timeout: timedelta | None
    run_timeout: timedelta | None
    task_timeout: timedelta | None
    id_reuse_policy: WorkflowIDReusePolicy
    id_conflict_policy: WorkflowIDConflictPolicy
    retry_policy: RetryPolicy | None
    cron_schedule: str
    memo: Mapping[str, Any] | None
    search_attributes: SearchAttributes | TypedSearchAttributes | None
    start_delay: timedelta | None
    headers: Mapping[str, Payload]
    static_summary: str | None
    static_details: str | None
    ret_type: type | None
    priority: Priority
    versioning_override: Any | None = None


class StartWorkflowUpdateWithStartInput(DataclassLike):
    """Input for ``OutboundInterceptor.start_update_with_start_workflow``."""

    start_workflow_input: UpdateWithStartStartWorkflowInput
    update_workflow_input: UpdateWithStartUpdateWorkflowInput
    rpc_metadata: Mapping[str, str | bytes]
    rpc_timeout: timedelta | None
    _on_start: Callable[[StartedWorkflow], None]
    _on_start_error: Callable[[BaseException], None]


class HeartbeatAsyncActivityInput(DataclassLike):
    """Input for ``OutboundInterceptor.heartbeat_async_activity``."""

    id_or_token: AsyncActivityIDReference | bytes
    details: Sequence[Any]
    rpc_metadata: Mapping[str, str | bytes]
    rpc_timeout: timedelta | None
    data_converter_override: DataConverter | None = None


class CompleteAsyncActivityInput(DataclassLike):
    """Input for ``OutboundInterceptor.complete_async_activity``."""

    id_or_token: AsyncActivityIDReference | bytes
    result: Any | None
    rpc_metadata: Mapping[str, str | bytes]
    rpc_timeout: timedelta | None
    data_converter_override: DataConverter | None = None


class FailAsyncActivityInput(DataclassLike):
    """Input for ``OutboundInterceptor.fail_async_activity``."""

    id_or_token: AsyncActivityIDReference | bytes
    error: Exception
    last_heartbeat_details: Sequence[Any]
    rpc_metadata: Mapping[str, str | bytes]
    rpc_timeout: timedelta | None
    data_converter_override: DataConverter | None = None


class ReportCancellationAsyncActivityInput(DataclassLike):
    """Input for ``OutboundInterceptor.report_cancellation_async_activity``."""

    id_or_token: AsyncActivityIDReference | bytes
    details: Sequence[Any]
    rpc_metadata: Mapping[str, str | bytes]
    rpc_timeout: timedelta | None
    data_converter_override: DataConverter | None = None
