"""What is the same for all runs that one worker hosts."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from durable_nb.converter import FailureConverter, PayloadConverter
from durable_nb.converter.context import (
    ActivitySerializationContext,
    SerializationContext,
    WithSerializationContext,
    WorkflowSerializationContext,
)
from durable_nb.runtime.errors import NondeterminismError

if TYPE_CHECKING:
    from durable_nb.runtime.interceptor import WorkflowInboundInterceptor


class RuntimeOptions(msgspec.Struct):
    """Converters, interceptors and switches of a worker.

    Parameters
    ----------
    payload_converter, failure_converter
        Those of the client's data converter; codecs are the worker's business.
    interceptor_classes
        Outermost first, as ``Interceptor.workflow_interceptor_class`` returned them.
    extern_functions
        What interceptors added to ``WorkflowInterceptorClassInput.unsafe_extern_functions``.
    failure_exception_types
        Exceptions that fail workflows instead of workflow tasks, for all definitions.
    guards
        Refuse clock, randomness and I/O in workflow code (``runtime.guards``).
    deadlock_timeout
        Seconds that one workflow step may take; None switches the check off.
    check_local_activity
        Called with the activity type whenever workflow code runs a local activity; raises when nobody serves it.
    max_cached_workflows
        Instances kept between their workflow tasks.
    """

    payload_converter: PayloadConverter
    failure_converter: FailureConverter
    interceptor_classes: Sequence[type[WorkflowInboundInterceptor]] = ()
    extern_functions: Mapping[str, Callable[..., Any]] = {}
    failure_exception_types: tuple[type[BaseException], ...] = ()
    guards: bool = True
    deadlock_timeout: float | None = 2.0
    check_local_activity: Callable[[str], None] | None = None
    max_cached_workflows: int = 1000
    sdk_name: str = "durable-nb"
    sdk_version: str = ""
    contextual: bool = False
    """Found out here: whether a converter wants to know whose value it converts; False saves a lookup for each."""

    def __post_init__(self) -> None:
        probe = WorkflowSerializationContext(namespace="", workflow_id="")
        self.contextual = any(
            isinstance(each, WithSerializationContext) and each.with_context(probe) is not each
            for each in (self.payload_converter, self.failure_converter)
        )

    def with_context(self, context: WorkflowSerializationContext | ActivitySerializationContext) -> tuple[Any, Any]:
        """Payload and failure converter for values of one workflow or activity."""
        return _with_context(self.payload_converter, context), _with_context(self.failure_converter, context)

    def workflow_converters(self, namespace: str, workflow_id: str) -> tuple[Any, Any]:
        """Payload and failure converter for values of one workflow."""
        return self.with_context(WorkflowSerializationContext(namespace=namespace, workflow_id=workflow_id))

    def nondeterminism_fails_workflow(self, types: Sequence[type[BaseException]]) -> bool:
        """Whether divergence from history closes a workflow with these failure types as failed."""
        return any(issubclass(NondeterminismError, each) for each in (*types, *self.failure_exception_types))


def _with_context(converter: Any, context: SerializationContext) -> Any:
    return converter.with_context(context) if isinstance(converter, WithSerializationContext) else converter
