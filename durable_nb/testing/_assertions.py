"""In the environments a failed ``assert`` of workflow code fails the run, so that the test that waits for it ends.

Elsewhere an AssertionError is a bug like any other: the task fails and is tried again until the code is mended
(temporal-semantics 2.9), and who waits for the result waits on. As in the SDK, main function and signal handlers are
covered; what an update handler asserts stays a failed task.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from durable_nb.client import Client
from durable_nb.client import Interceptor as ClientInterceptor
from durable_nb.exceptions import ApplicationError
from durable_nb.worker import (
    ExecuteWorkflowInput,
    HandleSignalInput,
    Interceptor,
    WorkflowInboundInterceptor,
    WorkflowInterceptorClassInput,
)


class AssertionsFailWorkflows(ClientInterceptor, Interceptor):
    """An interceptor of a client, from which workers take it; it leaves the client's own calls alone."""

    def workflow_interceptor_class(
        self, input: WorkflowInterceptorClassInput
    ) -> type[WorkflowInboundInterceptor] | None:
        return _Inbound


class _Inbound(WorkflowInboundInterceptor):
    async def execute_workflow(self, input: ExecuteWorkflowInput) -> Any:
        with _assertions_as_failures():
            return await super().execute_workflow(input)

    async def handle_signal(self, input: HandleSignalInput) -> None:
        with _assertions_as_failures():
            await super().handle_signal(input)


@contextmanager
def _assertions_as_failures() -> Iterator[None]:
    try:
        yield
    except AssertionError as error:
        failure = ApplicationError(str(error), type="AssertionError", non_retryable=True)
        raise failure.with_traceback(error.__traceback__) from None


def with_failing_assertions(client: Client) -> Client:
    """A client like the given one, on the same store, whose workers fail runs by failed assertions."""
    config = client.config()
    config["interceptors"] = [*config["interceptors"], AssertionsFailWorkflows()]
    return Client(**config)
