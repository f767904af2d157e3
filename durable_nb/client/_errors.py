"""What calls of a client can raise, beside ``service.RPCError`` and ``exceptions.WorkflowAlreadyStartedError``.

::

    TemporalError
    ├── WorkflowFailureError                          the run did not complete: see ``cause``
    ├── WorkflowContinuedAsNewError                   result(follow_runs=False) and the run went on in another one
    ├── WorkflowQueryFailedError                      the query handler raised, or there is none
    ├── WorkflowQueryRejectedError                    the reject condition held
    ├── WorkflowUpdateFailedError                     rejected by its validator, or failed: see ``cause``
    ├── RPCTimeoutOrCancelledError
    │   └── WorkflowUpdateRPCTimeoutOrCancelledError  waiting ended; the update itself goes on
    └── AsyncActivityCancelledError                   answer to a heartbeat: stop working

Source: temporal-semantics sections 4 and 6.
"""

from __future__ import annotations

from typing import cast

from durable_nb.activity import ActivityCancellationDetails
from durable_nb.exceptions import TemporalError
from durable_nb.model.enums import WorkflowExecutionStatus


class WorkflowFailureError(TemporalError):
    """A run ended without completing: it failed, was cancelled, was terminated, or timed out."""

    def __init__(self, *, cause: BaseException) -> None:
        super().__init__("Workflow execution failed")
        self.__cause__ = cause

    @property
    def cause(self) -> BaseException:
        """Why: ``ApplicationError``, ``ActivityError``, ``CancelledError``, … of ``durable_nb.exceptions``."""
        return cast("BaseException", self.__cause__)


class WorkflowContinuedAsNewError(TemporalError):
    """The run continued as new, and the caller asked not to follow."""

    def __init__(self, new_execution_run_id: str) -> None:
        super().__init__("Workflow continued as new")
        self._new_execution_run_id = new_execution_run_id

    @property
    def new_execution_run_id(self) -> str:
        """Run ID of the run that follows."""
        return self._new_execution_run_id


class WorkflowQueryRejectedError(TemporalError):
    """The reject condition of the query held, so no workflow code was asked."""

    def __init__(self, status: WorkflowExecutionStatus | None) -> None:
        super().__init__(f"Query rejected, status: {None if status is None else status.name}")
        self._status = status

    @property
    def status(self) -> WorkflowExecutionStatus | None:
        """Status of the run at that time."""
        return self._status


class WorkflowQueryFailedError(TemporalError):
    """The query handler raised, or the workflow has no such query."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self._message = message

    @property
    def message(self) -> str:
        """What the handler raised, or which queries exist."""
        return self._message


class WorkflowUpdateFailedError(TemporalError):
    """An update was rejected by its validator or failed in its handler."""

    def __init__(self, cause: BaseException) -> None:
        super().__init__("Workflow update failed")
        self.__cause__ = cause

    @property
    def cause(self) -> BaseException:
        """Why; usually an ApplicationError."""
        return cast("BaseException", self.__cause__)


class RPCTimeoutOrCancelledError(TemporalError):
    """Waiting for an answer ended by ``rpc_timeout`` or by cancellation of the waiting task."""


class WorkflowUpdateRPCTimeoutOrCancelledError(RPCTimeoutOrCancelledError):
    """Waiting for an update ended by ``rpc_timeout`` or cancellation; the update itself goes on."""

    def __init__(self) -> None:
        super().__init__("Timeout or cancellation waiting for update")


class AsyncActivityCancelledError(TemporalError):
    """A heartbeat was answered with: stop working. Report the cancellation, or complete or fail anyway."""

    def __init__(self, details: ActivityCancellationDetails | None = None) -> None:
        super().__init__("Activity cancelled")
        self.details = details
