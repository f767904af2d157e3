"""Signals and cancel requests to other workflows (temporal-semantics 3.9), children's included."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from durable_nb.converter.context import WorkflowSerializationContext
from durable_nb.model.attributes import (
    Attributes,
    RequestCancelExternalWorkflowExecutionInitiated,
    SignalExternalWorkflowExecutionInitiated,
)
from durable_nb.model.failure import WorkflowExecution
from durable_nb.runtime import records
from durable_nb.runtime.handlers import signal_name
from durable_nb.runtime.handles import ExternalWorkflowHandle, arg_unset, arguments
from durable_nb.runtime.interceptor import SignalExternalWorkflowInput
from durable_nb.runtime.issued import Issued
from durable_nb.runtime.operation import Operation

if TYPE_CHECKING:
    from collections.abc import Sequence

    from durable_nb.model.events import Event
    from durable_nb.model.payload import Payload
    from durable_nb.runtime.instance import WorkflowInstance
    from durable_nb.runtime.interceptor import SignalChildWorkflowInput


_NOT_FOUND = "ExternalWorkflowExecutionNotFound"
"""Type of the ApplicationError when there is no such workflow."""


class ExternalRequest(Operation):
    """A request to another workflow, until it is acknowledged."""

    __slots__ = ("event_id", "issued")

    def __init__(self, run: WorkflowInstance) -> None:
        super().__init__(run)
        self.issued: Issued | None = None
        self.event_id = 0

    def send(self, attributes: Attributes) -> None:
        """Emit the command."""
        self.issued = self.run.emit(attributes, self)

    def recorded(self, event: Event) -> None:
        """Its Initiated event is in the history."""
        self.issued = None
        self.run.by_event[event.event_id] = self

    def answer(self, problem: str) -> None:
        """Job: delivered ("") or not."""
        if self.settled:
            return
        if not problem:
            self.settle(None)
            return
        failure = records.application(problem, _NOT_FOUND)
        self.settle(error=self.run.failure_converter.from_failure(failure, self.run.converter))


class SignalRequest(ExternalRequest):
    """A signal on its way."""

    __slots__ = ()

    def withdraw(self, _error: asyncio.CancelledError) -> None:
        """The sender was cancelled: a signal that is not sent yet is not sent; else it cannot be called back."""
        run = self.run
        run.assert_writable("add command")
        if self.issued is None:
            return
        self.issued.dropped = True
        self.issued = None
        run.immediate.append((self._withdrawn, ()))

    def _withdrawn(self) -> None:
        failure = records.canceled(message="Signal was cancelled before being sent")
        self.settle(error=self.run.failure_converter.from_failure(failure, self.run.converter))


class CancelRequest(ExternalRequest):
    """A cancel request on its way. It cannot be called back, so whoever waits is woken without detour."""

    __slots__ = ("done",)

    def __init__(self, run: WorkflowInstance) -> None:
        super().__init__(run)
        self.done: asyncio.Future[None] | None = None

    def answer(self, problem: str) -> None:
        done = self.done
        if done is None or done.done():
            return
        if not problem:
            done.set_result(None)
            return
        failure = records.application(problem, _NOT_FOUND)
        done.set_exception(self.run.failure_converter.from_failure(failure, self.run.converter))


class OtherWorkflow(ExternalWorkflowHandle[Any]):
    """The handle that workflow code gets."""

    __slots__ = ("_id", "_run", "_run_id")

    def __init__(self, run: WorkflowInstance, id: str, run_id: str | None) -> None:
        self._run = run
        self._id = id
        self._run_id = run_id

    @property
    def id(self) -> str:
        return self._id

    @property
    def run_id(self) -> str | None:
        return self._run_id

    async def signal(
        self, signal: Any, arg: Any = arg_unset, *, args: Sequence[Any] = [], event_groups: Any = None
    ) -> None:
        run = self._run
        run.assert_writable("signal external handle")
        await run.outbound.signal_external_workflow(
            SignalExternalWorkflowInput(
                signal=signal_name(signal),
                args=arguments(arg, args),
                namespace=run.namespace,
                workflow_id=self._id,
                workflow_run_id=self._run_id,
                headers={},
                event_groups=event_groups,
            )
        )

    async def cancel(self, *, reason: str = "", event_groups: Any = None) -> None:
        run = self._run
        run.assert_writable("cancel external handle")
        request = CancelRequest(run)
        request.send(
            RequestCancelExternalWorkflowExecutionInitiated(
                namespace=run.namespace,
                workflow_execution=WorkflowExecution(workflow_id=self._id, run_id=self._run_id or ""),
                reason=reason,
            )
        )
        request.done = asyncio.Future(loop=run.loop)
        await request.done


async def signal_external(run: WorkflowInstance, input: SignalExternalWorkflowInput) -> None:
    """The end of the outbound chain: returns once the signal is delivered."""
    execution = WorkflowExecution(workflow_id=input.workflow_id, run_id=input.workflow_run_id or "")
    await _signal(run, input, input.namespace, execution, child_only=False)


async def signal_child(run: WorkflowInstance, input: SignalChildWorkflowInput) -> None:
    """The end of the outbound chain: returns once the signal is delivered."""
    await _signal(run, input, run.namespace, WorkflowExecution(workflow_id=input.child_workflow_id), child_only=True)


async def _signal(
    run: WorkflowInstance, input: Any, namespace: str, execution: WorkflowExecution, *, child_only: bool
) -> None:
    converter = run.converter
    if run.options.contextual:
        context = WorkflowSerializationContext(namespace=namespace, workflow_id=execution.workflow_id)
        converter = run.options.with_context(context)[0]
    payloads: list[Payload] | None = converter.to_payloads(input.args) if input.args else None
    request = SignalRequest(run)
    request.send(
        SignalExternalWorkflowExecutionInitiated(
            namespace=namespace,
            workflow_execution=execution,
            signal_name=input.signal,
            input=payloads,
            child_workflow_only=child_only,
            header=dict(input.headers) if input.headers else None,
        )
    )
    await request.wait(request.withdraw)


# -- events --------------------------------------------------------------------------------------------------------

_PROBLEMS = {
    "SignalExternalWorkflowExecutionFailed": "Unable to signal external workflow because it was not found",
    "RequestCancelExternalWorkflowExecutionFailed": "Unable to cancel external workflow because not found",
}


def on_answered(run: WorkflowInstance, event: Event) -> None:
    """One of the four answers to a signal or cancel request."""
    attributes: Any = event.attributes
    request = run.by_event.pop(attributes.initiated_event_id, None)
    if not isinstance(request, ExternalRequest):
        raise run.diverged(event, "", f"no request initiated by event {attributes.initiated_event_id}")
    run.others.append((request.answer, (_PROBLEMS.get(type(attributes).__name__, ""),)))
