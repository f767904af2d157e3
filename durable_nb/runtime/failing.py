"""What an exception of workflow code means: the end of the run, the failure of a workflow task, or nothing.

Source: temporal-semantics 2.9. These are methods of ``WorkflowInstance``.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from durable_nb.exceptions import CancelledError, FailureError, is_cancelled_exception
from durable_nb.model.attributes import WorkflowExecutionCanceled, WorkflowExecutionFailed
from durable_nb.model.failure import Failure
from durable_nb.model.storable import as_text
from durable_nb.runtime import continuation

if TYPE_CHECKING:
    from durable_nb.runtime.instance import WorkflowInstance


def handler_failed(run: WorkflowInstance, error: BaseException) -> None:
    """An exception left the run method or a signal handler."""
    if run.evicted:
        return
    try:
        if isinstance(error, continuation.Continue):
            continuation.emit(run, error.input)
            return
    except Exception as problem:
        error = problem
    if isinstance(error, asyncio.CancelledError):
        error = CancelledError(str(error))
    if not isinstance(error, Exception):
        run.fail_task(error)
    elif run.cancel_reason is not None and is_cancelled_exception(error):
        run.emit(WorkflowExecutionCanceled())
    elif run.is_failure_exception(error):
        run.fail_workflow(error)
    else:
        run.fail_task(error)


def fail_workflow(run: WorkflowInstance, error: BaseException) -> None:
    """Close the run as failed."""
    run.emit(WorkflowExecutionFailed(failure=run.to_failure(error)))


def fail_task(run: WorkflowInstance, error: BaseException) -> None:
    """Stop the activation; the workflow task fails and will be tried again."""
    if run.task_error is None:
        run.task_error = error


def is_failure_exception(run: WorkflowInstance, error: BaseException) -> bool:
    """Whether an exception fails the workflow, not the workflow task."""
    return isinstance(
        error, (FailureError, asyncio.TimeoutError, *run.failure_types, *run.options.failure_exception_types)
    )


def to_failure(run: WorkflowInstance, error: BaseException) -> Failure:
    """Failure record of an exception."""
    failure = Failure()
    try:
        run.failure_converter.to_failure(error, run.converter, failure)
    except BaseException as problem:
        text = f"Failed converting {type(error).__name__} {as_text(error)}: {as_text(problem)}"
        failure = Failure(message=text)
    return failure
