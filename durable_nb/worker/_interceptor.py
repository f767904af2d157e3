"""Interceptors of a worker: the base class, and the activity side of it.

The workflow side (inbound, outbound and their inputs) lives in ``runtime.interceptor``; ``durable_nb.worker`` exports
both. Signatures are those of the Temporal Python SDK.
"""

from __future__ import annotations

import concurrent.futures
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from durable_nb.activity import Info
from durable_nb.model.dataclass_like import DataclassLike
from durable_nb.model.payload import Payload
from durable_nb.runtime.interceptor import WorkflowInboundInterceptor, WorkflowInterceptorClassInput


class Interceptor:
    """What is given to ``Worker(interceptors=[…])``; override the methods that matter."""

    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:
        """The interceptor to put before ``next`` for one attempt of an activity; ``next`` itself to stay out."""
        return next

    def workflow_interceptor_class(
        self, input: WorkflowInterceptorClassInput
    ) -> type[WorkflowInboundInterceptor] | None:
        """Class that is instantiated for each workflow instance; None to stay out."""
        return None

    def intercept_nexus_operation(self, next: Any) -> Any:
        """Accepted for portability and never called: there is no Nexus here."""
        return next


class ExecuteActivityInput(DataclassLike):
    """One attempt: what is called, with which arguments.

    ``executor`` is None for async activities. ``headers`` are the scheduler's, still encoded.
    """

    fn: Callable[..., Any]
    args: Sequence[Any]
    executor: concurrent.futures.Executor | None
    headers: Mapping[str, Payload]


class ActivityInboundInterceptor:
    """Wraps the execution of an activity. Subclasses call ``super()`` or ``self.next`` to go on."""

    def __init__(self, next: ActivityInboundInterceptor) -> None:
        self.next = next

    def init(self, outbound: ActivityOutboundInterceptor) -> None:
        """Called once before execution; wrap ``outbound`` here to intercept ``info`` and ``heartbeat``."""
        self.next.init(outbound)

    async def execute_activity(self, input: ExecuteActivityInput) -> Any:
        """Run the activity and return its result. Always on the worker's event loop."""
        return await self.next.execute_activity(input)


class ActivityOutboundInterceptor:
    """Wraps what an activity calls; may be called in the activity's own thread."""

    def __init__(self, next: ActivityOutboundInterceptor) -> None:
        self.next = next

    def info(self) -> Info:
        """Called for every ``activity.info()``."""
        return self.next.info()

    def heartbeat(self, *details: Any) -> None:
        """Called for every ``activity.heartbeat()``."""
        self.next.heartbeat(*details)
