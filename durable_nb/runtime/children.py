"""Child workflows as their parent's code sees them (temporal-semantics 3.8)."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from durable_nb.converter import encode_search_attributes
from durable_nb.converter.context import WorkflowSerializationContext
from durable_nb.exceptions import WorkflowAlreadyStartedError
from durable_nb.model.attributes import (
    ChildWorkflowExecutionCanceled,
    ChildWorkflowExecutionCompleted,
    ChildWorkflowExecutionFailed,
    ChildWorkflowExecutionStarted,
    ChildWorkflowExecutionTerminated,
    ChildWorkflowExecutionTimedOut,
    RequestCancelExternalWorkflowExecutionInitiated,
    StartChildWorkflowExecutionFailed,
    StartChildWorkflowExecutionInitiated,
    UserMetadata,
)
from durable_nb.model.enums import ParentClosePolicy, StartChildWorkflowExecutionFailedCause, WorkflowIDReusePolicy
from durable_nb.model.failure import Failure, WorkflowExecution
from durable_nb.policies import Priority
from durable_nb.runtime import records
from durable_nb.runtime.activities import microseconds
from durable_nb.runtime.external import CancelRequest
from durable_nb.runtime.handlers import signal_name
from durable_nb.runtime.handles import ChildWorkflowCancellationType, ChildWorkflowHandle, arg_unset, arguments
from durable_nb.runtime.interceptor import SignalChildWorkflowInput
from durable_nb.runtime.issued import Issued
from durable_nb.runtime.operation import Operation

if TYPE_CHECKING:
    from collections.abc import Sequence

    from durable_nb.model.events import Event
    from durable_nb.runtime.instance import WorkflowInstance
    from durable_nb.runtime.interceptor import StartChildWorkflowInput

_ABANDON = ChildWorkflowCancellationType.ABANDON
_TRY_CANCEL = ChildWorkflowCancellationType.TRY_CANCEL


class Child:
    """One child: waits first for its start, then for its result."""

    __slots__ = (
        "closed",
        "converters",
        "event_id",
        "first_run_id",
        "input",
        "issued",
        "result",
        "run",
        "start",
        "started_event_id",
    )

    def __init__(self, run: WorkflowInstance, input: StartChildWorkflowInput) -> None:
        self.run = run
        self.input = input
        self.start = Operation(run)
        self.result = Operation(run)
        self.issued: Issued | None = None
        self.event_id = 0
        self.started_event_id = 0
        self.first_run_id = "<unknown>"
        self.closed = False
        self.converters = (run.converter, run.failure_converter)

    async def body(self) -> Any:
        """What the handle's task runs."""
        return await self.result.wait(self.request_cancel)

    def request_cancel(self, error: asyncio.CancelledError) -> None:
        """Cancel as the cancellation type says; the message given to ``Task.cancel`` is the reason."""
        run = self.run
        run.assert_writable("add command")
        if self.closed:
            return
        if self.issued is not None:
            self.issued.dropped = True
            self.issued = None
            self._give_up("Child Workflow Execution cancelled before scheduled")
            return
        kind = self.input.cancellation_type
        if kind != _ABANDON:
            reason = error.args[0] if error.args and isinstance(error.args[0], str) else ""
            # Nobody waits for the answer: a child that is gone already closes in its own way.
            run.emit(
                RequestCancelExternalWorkflowExecutionInitiated(
                    namespace=run.namespace,
                    workflow_execution=WorkflowExecution(workflow_id=self.input.id),
                    child_workflow_only=True,
                    reason=reason,
                ),
                CancelRequest(run),
            )
        if kind in (_ABANDON, _TRY_CANCEL):
            self._give_up("Child Workflow execution cancelled")

    def _give_up(self, message: str) -> None:
        self.closed = True
        self.run.immediate.append((self.fail, (self.failure(message, records.canceled()),)))

    def recorded(self, event: Event) -> None:
        """Its StartChildWorkflowExecutionInitiated event is in the history."""
        self.issued = None
        self.event_id = event.event_id
        self.run.by_event[event.event_id] = self

    def complete(self, attributes: ChildWorkflowExecutionCompleted) -> None:
        """Job: the child completed."""
        result = attributes.result
        if not result:
            self.result.settle(None)
            return
        hints = None if self.input.ret_type is None else [self.input.ret_type]
        self.result.settle(self.run.decode(result[:1], hints, self.converters[0])[0])

    def fail(self, failure: Failure) -> None:
        """Job: the child did not complete."""
        self.settle_error(self.converters[1].from_failure(failure, self.converters[0]))

    def settle_error(self, error: BaseException) -> None:
        """Raise in whoever waits: the start, and after it the result."""
        if self.start.settled:
            self.result.settle(error=error)
        else:
            self.start.settle(error=error)
            self.result.settle(None)

    def failure(self, message: str, cause: Failure | None, run_id: str = "", retry_state: Any = None) -> Failure:
        """Record of a ChildWorkflowError."""
        return records.child_failure(
            message,
            cause,
            namespace=self.run.namespace,
            execution=WorkflowExecution(workflow_id=self.input.id, run_id=run_id),
            workflow_type=self.input.workflow,
            initiated_event_id=self.event_id,
            started_event_id=self.started_event_id,
            retry_state=retry_state,
        )


class RunningChild(ChildWorkflowHandle[Any, Any]):
    """The handle that workflow code gets."""

    __slots__ = ("_child",)

    def __init__(self, child: Child) -> None:
        run = child.run
        super().__init__(child.body(), loop=run.loop, name=run.task_name(f"child: {child.input.workflow}"))
        self._child = child
        run.loop.keep(self)

    @property
    def id(self) -> str:
        return self._child.input.id

    @property
    def first_execution_run_id(self) -> str | None:
        return self._child.first_run_id

    async def signal(
        self, signal: Any, arg: Any = arg_unset, *, args: Sequence[Any] = [], event_groups: Any = None
    ) -> None:
        run = self._child.run
        run.assert_writable("signal child handle")
        await run.outbound.signal_child_workflow(
            SignalChildWorkflowInput(
                signal=signal_name(signal),
                args=arguments(arg, args),
                child_workflow_id=self._child.input.id,
                headers={},
                event_groups=event_groups,
            )
        )


async def start_child(run: WorkflowInstance, input: StartChildWorkflowInput) -> RunningChild:
    """The end of the outbound chain: emit the command and wait until the child has started."""
    run.assert_writable("start child workflow")
    child = Child(run, input)
    if run.options.contextual:
        child.converters = run.options.with_context(
            WorkflowSerializationContext(namespace=run.namespace, workflow_id=input.id)
        )
    attributes = _attributes(run, input, child.converters[0])
    metadata = None
    if input.static_summary or input.static_details:
        convert = child.converters[0].to_payload
        metadata = UserMetadata(
            summary=convert(input.static_summary) if input.static_summary else None,
            details=convert(input.static_details) if input.static_details else None,
        )
    child.issued = run.emit(attributes, child, metadata)
    handle = RunningChild(child)
    await child.start.wait(child.request_cancel, reraise_on_workflow_cancel=True)
    return handle


def _attributes(
    run: WorkflowInstance, input: StartChildWorkflowInput, converter: Any
) -> StartChildWorkflowExecutionInitiated:
    policy, priority = input.retry_policy, input.priority
    memo = None
    if input.memo:
        memo = {name: converter.to_payloads([value])[0] for name, value in input.memo.items()}
    return StartChildWorkflowExecutionInitiated(
        namespace=run.namespace,
        workflow_id=input.id,
        workflow_type=input.workflow,
        task_queue=input.task_queue or run.task_queue,
        input=converter.to_payloads(input.args) if input.args else None,
        workflow_execution_timeout=microseconds(input.execution_timeout),
        workflow_run_timeout=microseconds(input.run_timeout),
        workflow_task_timeout=microseconds(input.task_timeout),
        parent_close_policy=ParentClosePolicy(input.parent_close_policy),
        workflow_id_reuse_policy=WorkflowIDReusePolicy(input.id_reuse_policy),
        retry_policy=None if policy is None else policy.to_attributes(),
        cron_schedule=input.cron_schedule,
        header=dict(input.headers) if input.headers else None,
        memo=memo,
        search_attributes=encode_search_attributes(input.search_attributes) if input.search_attributes else None,
        priority=None if priority is Priority.default else priority.to_attributes(),
    )


# -- events --------------------------------------------------------------------------------------------------------


def _find(run: WorkflowInstance, event: Event, initiated_event_id: int) -> Child:
    child = run.by_event.get(initiated_event_id)
    if not isinstance(child, Child):
        raise run.diverged(event, "", f"no child initiated by event {initiated_event_id}")
    return child


def on_started(run: WorkflowInstance, event: Event) -> None:
    """A ChildWorkflowExecutionStarted event."""
    attributes: ChildWorkflowExecutionStarted = event.attributes  # type: ignore[assignment]
    child = _find(run, event, attributes.initiated_event_id)
    child.started_event_id = event.event_id
    if not child.closed:
        execution = attributes.workflow_execution
        run.others.append((_apply_start, (child, execution.run_id if execution else "")))


def _apply_start(child: Child, run_id: str) -> None:
    child.first_run_id = run_id
    if not child.start.settled:
        child.start.settle(None)


def on_start_failed(run: WorkflowInstance, event: Event) -> None:
    """A StartChildWorkflowExecutionFailed event; the ID in use is told bare, not as a ChildWorkflowError."""
    attributes: StartChildWorkflowExecutionFailed = event.attributes  # type: ignore[assignment]
    child = _find(run, event, attributes.initiated_event_id)
    run.by_event.pop(attributes.initiated_event_id, None)
    if child.closed:
        return
    child.closed = True
    error: BaseException
    if attributes.cause in (None, StartChildWorkflowExecutionFailedCause.WORKFLOW_ALREADY_EXISTS):
        error = WorkflowAlreadyStartedError(attributes.workflow_id, attributes.workflow_type)
    else:
        error = RuntimeError(f"Unknown child start fail cause: {attributes.cause}")
    run.others.append((child.settle_error, (error,)))


def on_closed(run: WorkflowInstance, event: Event) -> None:
    """One of the five closing events of a child."""
    attributes: Any = event.attributes
    child = _find(run, event, attributes.initiated_event_id)
    run.by_event.pop(attributes.initiated_event_id, None)
    if child.closed:
        return
    child.closed = True
    if isinstance(attributes, ChildWorkflowExecutionCompleted):
        run.others.append((child.complete, (attributes,)))
        return
    message, cause, retry_state = _how(attributes)
    execution = attributes.workflow_execution
    failure = child.failure(message, cause, execution.run_id if execution else "", retry_state)
    run.others.append((child.fail, (failure,)))


def _how(attributes: Any) -> tuple[str, Failure | None, Any]:
    match attributes:
        case ChildWorkflowExecutionFailed():
            return "Child Workflow execution failed", attributes.failure, attributes.retry_state
        case ChildWorkflowExecutionTimedOut():
            return "Child Workflow execution timed out", records.timed_out(), attributes.retry_state
        case ChildWorkflowExecutionCanceled():
            return "Child Workflow execution cancelled", records.canceled(attributes.details), None
        case ChildWorkflowExecutionTerminated():
            return "Child Workflow execution terminated", records.terminated(), None
    raise TypeError(f"not a closing event of a child: {type(attributes).__name__}")
