"""Interceptors of workflow code, inbound (what reaches it) and outbound (what it asks for), and their inputs.

``durable_nb.worker`` exports them. Names, fields and order are Temporal's. Where no interceptor is configured the
ends of the chain are called directly.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, MutableMapping, Sequence
from datetime import timedelta
from typing import Any, NoReturn

from durable_nb.model.dataclass_like import DataclassLike, FrozenDataclassLike
from durable_nb.model.enums import ParentClosePolicy, WorkflowIDReusePolicy
from durable_nb.model.payload import Payload
from durable_nb.policies import Priority, RetryPolicy
from durable_nb.runtime.handles import (
    ActivityCancellationType,
    ActivityHandle,
    ChildWorkflowCancellationType,
    ChildWorkflowHandle,
    ContinueAsNewVersioningBehavior,
    VersioningIntent,
)
from durable_nb.runtime.info import Info
from durable_nb.search_attributes import SearchAttributes, TypedSearchAttributes


class WorkflowInterceptorClassInput(FrozenDataclassLike, frozen=True):
    """Given to ``Interceptor.workflow_interceptor_class``."""

    unsafe_extern_functions: MutableMapping[str, Callable[..., Any]]
    """Add functions here that ``workflow.extern_functions()`` is to hand to workflow code."""


class ContinueAsNewInput(DataclassLike):
    """``workflow`` None means the same type again; ``None`` options are those of the current run."""

    workflow: str | None
    args: Sequence[Any]
    task_queue: str | None
    run_timeout: timedelta | None
    task_timeout: timedelta | None
    backoff_start_interval: timedelta | None
    retry_policy: RetryPolicy | None
    memo: Mapping[str, Any] | None
    search_attributes: SearchAttributes | TypedSearchAttributes | None
    headers: Mapping[str, Payload]
    versioning_intent: VersioningIntent | None
    initial_versioning_behavior: ContinueAsNewVersioningBehavior | None
    event_groups: Sequence[Any] | None = None
    arg_types: list[type] | None = None


class ExecuteWorkflowInput(DataclassLike):
    """``run_fn`` is unbound; for a workflow that is a function, ``type`` is that function."""

    type: type
    run_fn: Callable[..., Awaitable[Any]]
    args: Sequence[Any]
    headers: Mapping[str, Payload]


class HandleSignalInput(DataclassLike):
    """A signal that has a handler."""

    signal: str
    args: Sequence[Any]
    headers: Mapping[str, Payload]


class HandleQueryInput(DataclassLike):
    """A query that has a handler."""

    id: str
    query: str
    args: Sequence[Any]
    headers: Mapping[str, Payload]


class HandleUpdateInput(DataclassLike):
    """An update that has a handler; the same object is given to the validator and to the handler."""

    id: str
    update: str
    args: Sequence[Any]
    headers: Mapping[str, Payload]


class SignalChildWorkflowInput(DataclassLike):
    """A signal to a child."""

    signal: str
    args: Sequence[Any]
    child_workflow_id: str
    headers: Mapping[str, Payload]
    event_groups: Sequence[Any] | None = None


class SignalExternalWorkflowInput(DataclassLike):
    """A signal to a workflow that is no child."""

    signal: str
    args: Sequence[Any]
    namespace: str
    workflow_id: str
    workflow_run_id: str | None
    headers: Mapping[str, Payload]
    event_groups: Sequence[Any] | None = None


class _StartActivityFields(DataclassLike):
    activity: str
    args: Sequence[Any]
    activity_id: str | None
    task_queue: str | None
    schedule_to_close_timeout: timedelta | None
    schedule_to_start_timeout: timedelta | None
    start_to_close_timeout: timedelta | None
    heartbeat_timeout: timedelta | None
    retry_policy: RetryPolicy | None
    cancellation_type: ActivityCancellationType
    headers: Mapping[str, Payload]
    disable_eager_execution: bool
    versioning_intent: VersioningIntent | None
    summary: str | None
    priority: Priority
    arg_types: list[type] | None
    ret_type: type | None


# A base and a class, since a struct's fields are keyword-only by class.
class StartActivityInput(_StartActivityFields, kw_only=True):
    """An activity to schedule; types are None where only its name is known."""

    event_groups: Sequence[Any] | None = None


class _StartChildWorkflowFields(DataclassLike):
    workflow: str
    args: Sequence[Any]
    id: str
    task_queue: str | None
    cancellation_type: ChildWorkflowCancellationType
    parent_close_policy: ParentClosePolicy
    execution_timeout: timedelta | None
    run_timeout: timedelta | None
    task_timeout: timedelta | None
    id_reuse_policy: WorkflowIDReusePolicy
    retry_policy: RetryPolicy | None
    cron_schedule: str
    memo: Mapping[str, Any] | None
    search_attributes: SearchAttributes | TypedSearchAttributes | None
    headers: Mapping[str, Payload]
    versioning_intent: VersioningIntent | None
    static_summary: str | None
    static_details: str | None
    priority: Priority
    arg_types: list[type] | None
    ret_type: type | None


class StartChildWorkflowInput(_StartChildWorkflowFields, kw_only=True):
    """A child workflow to start."""

    versioning_override: Any | None = None
    event_groups: Sequence[Any] | None = None


class StartLocalActivityInput(DataclassLike):
    """A local activity to run."""

    activity: str
    args: Sequence[Any]
    activity_id: str | None
    schedule_to_close_timeout: timedelta | None
    schedule_to_start_timeout: timedelta | None
    start_to_close_timeout: timedelta | None
    retry_policy: RetryPolicy | None
    local_retry_threshold: timedelta | None
    cancellation_type: ActivityCancellationType
    headers: Mapping[str, Payload]
    summary: str | None
    event_groups: Sequence[Any] | None = None
    arg_types: list[type] | None = None
    ret_type: type | None = None


class WorkflowInboundInterceptor:
    """Wraps what reaches workflow code. One object per workflow instance; it runs as workflow code itself."""

    def __init__(self, next: WorkflowInboundInterceptor) -> None:
        self.next = next

    def init(self, outbound: WorkflowOutboundInterceptor) -> None:
        """Called once, before anything else; wrap ``outbound`` here to intercept what the workflow asks for."""
        self.next.init(outbound)

    async def execute_workflow(self, input: ExecuteWorkflowInput) -> Any:
        """Run the workflow and return its result."""
        return await self.next.execute_workflow(input)

    async def handle_signal(self, input: HandleSignalInput) -> None:
        """Handle a signal."""
        return await self.next.handle_signal(input)

    async def handle_query(self, input: HandleQueryInput) -> Any:
        """Answer a query; may not change anything."""
        return await self.next.handle_query(input)

    def handle_update_validator(self, input: HandleUpdateInput) -> None:
        """Validate an update; may not change anything. Not called in replay."""
        self.next.handle_update_validator(input)

    async def handle_update_handler(self, input: HandleUpdateInput) -> Any:
        """Handle an accepted update and return its result."""
        return await self.next.handle_update_handler(input)


class WorkflowOutboundInterceptor:
    """Wraps what workflow code asks for."""

    def __init__(self, next: WorkflowOutboundInterceptor) -> None:
        self.next = next

    def continue_as_new(self, input: ContinueAsNewInput) -> NoReturn:
        """Leave the run; raises."""
        self.next.continue_as_new(input)

    def info(self) -> Info:
        """Called for every ``workflow.info()``."""
        return self.next.info()

    async def signal_child_workflow(self, input: SignalChildWorkflowInput) -> None:
        """Signal a child."""
        return await self.next.signal_child_workflow(input)

    async def signal_external_workflow(self, input: SignalExternalWorkflowInput) -> None:
        """Signal another workflow."""
        return await self.next.signal_external_workflow(input)

    def start_activity(self, input: StartActivityInput) -> ActivityHandle[Any]:
        """Schedule an activity."""
        return self.next.start_activity(input)

    async def start_child_workflow(self, input: StartChildWorkflowInput) -> ChildWorkflowHandle[Any, Any]:
        """Start a child; returns once it has started."""
        return await self.next.start_child_workflow(input)

    def start_local_activity(self, input: StartLocalActivityInput) -> ActivityHandle[Any]:
        """Run a local activity."""
        return self.next.start_local_activity(input)
