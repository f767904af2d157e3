"""The two ends of the interceptor chain, and how the chain is built."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn

from durable_nb.runtime import activities, children, continuation, external, local_activities
from durable_nb.runtime.interceptor import WorkflowInboundInterceptor, WorkflowOutboundInterceptor

if TYPE_CHECKING:
    from durable_nb.runtime.handles import ActivityHandle, ChildWorkflowHandle
    from durable_nb.runtime.info import Info
    from durable_nb.runtime.instance import WorkflowInstance
    from durable_nb.runtime.interceptor import (
        ContinueAsNewInput,
        ExecuteWorkflowInput,
        HandleQueryInput,
        HandleSignalInput,
        HandleUpdateInput,
        SignalChildWorkflowInput,
        SignalExternalWorkflowInput,
        StartActivityInput,
        StartChildWorkflowInput,
        StartLocalActivityInput,
    )


class InboundEnd(WorkflowInboundInterceptor):
    """Calls the methods that the workflow's author wrote."""

    __slots__ = ("_run",)

    def __init__(self, run: WorkflowInstance) -> None:
        self._run = run

    def init(self, outbound: WorkflowOutboundInterceptor) -> None:
        self._run.outbound = outbound

    async def execute_workflow(self, input: ExecuteWorkflowInput) -> Any:
        run = self._run
        if run.definition.cls is None:
            return await input.run_fn(*input.args)
        return await input.run_fn(run.object, *input.args)

    async def handle_signal(self, input: HandleSignalInput) -> None:
        run = self._run
        handler = run.signals.get(input.signal) or run.signals[None]
        outcome = handler.bind(run.object)(*input.args)
        if handler.is_async:
            await outcome

    async def handle_query(self, input: HandleQueryInput) -> Any:
        run = self._run
        handler = run.queries.get(input.query) or run.builtin_query(input.query) or run.queries[None]
        outcome = handler.bind(run.object)(*input.args)
        return await outcome if handler.is_async else outcome

    def handle_update_validator(self, input: HandleUpdateInput) -> None:
        run = self._run
        # A named update has only its own validator: the dynamic one is not a fallback.
        handler = run.updates.get(input.update) or run.updates[None]
        validator = handler.bind_validator(run.object)
        if validator is not None:
            validator(*input.args)

    async def handle_update_handler(self, input: HandleUpdateInput) -> Any:
        run = self._run
        handler = run.updates.get(input.update) or run.updates[None]
        outcome = handler.bind(run.object)(*input.args)
        return await outcome if handler.is_async else outcome


class OutboundEnd(WorkflowOutboundInterceptor):
    """Turns what the workflow asks for into commands."""

    __slots__ = ("_run",)

    def __init__(self, run: WorkflowInstance) -> None:
        self._run = run

    def continue_as_new(self, input: ContinueAsNewInput) -> NoReturn:
        continuation.leave(self._run, input)

    def info(self) -> Info:
        return self._run.info()

    async def signal_child_workflow(self, input: SignalChildWorkflowInput) -> None:
        await external.signal_child(self._run, input)

    async def signal_external_workflow(self, input: SignalExternalWorkflowInput) -> None:
        await external.signal_external(self._run, input)

    def start_activity(self, input: StartActivityInput) -> ActivityHandle[Any]:
        return activities.schedule_activity(self._run, input)

    async def start_child_workflow(self, input: StartChildWorkflowInput) -> ChildWorkflowHandle[Any, Any]:
        return await children.start_child(self._run, input)

    def start_local_activity(self, input: StartLocalActivityInput) -> ActivityHandle[Any]:
        return local_activities.schedule_local_activity(self._run, input)


def build_chain(run: WorkflowInstance) -> None:
    """Set ``run.inbound`` and ``run.outbound``; interceptors are made as workflow code, on the run's loop."""
    inbound: WorkflowInboundInterceptor = InboundEnd(run)
    for interceptor_class in reversed(run.options.interceptor_classes):
        inbound = interceptor_class(inbound)
    run.inbound = inbound
    inbound.init(OutboundEnd(run))
