"""Failures of workflows and activities as exceptions, with the names Temporal gives them.

Code that runs catches and raises these; a failure converter (``converter.FailureConverter``) turns them into records
(``model.failure.Failure``) and back. User classes are never rebuilt from a record: catch ``ActivityError``, then look
at ``.cause``, an ``ApplicationError``, and its ``.type``. Source: temporal-semantics section 4.

::

    TemporalError
    └── FailureError                      has .message and .failure
        ├── ApplicationError              raised by user code, or made of any other exception
        ├── CancelledError                not asyncio.CancelledError
        ├── TerminatedError
        ├── TimeoutError                  not asyncio.TimeoutError
        ├── ServerError
        ├── ActivityError                 look at .cause
        ├── ChildWorkflowError            look at .cause
        └── WorkflowAlreadyStartedError

Errors of durable_nb itself (store, notebook, payloads) are in ``errors``.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from durable_nb.model.enums import ApplicationErrorCategory, RetryState, TimeoutType
from durable_nb.model.failure import Failure

if TYPE_CHECKING:
    from typing import Self

__all__ = [
    "ActivityError",
    "ApplicationError",
    "ApplicationErrorCategory",
    "CancelledError",
    "ChildWorkflowError",
    "FailureError",
    "RetryState",
    "ServerError",
    "TemporalError",
    "TerminatedError",
    "TimeoutError",
    "TimeoutType",
    "WorkflowAlreadyStartedError",
    "is_cancelled_exception",
]


class TemporalError(Exception):
    """Base of every error that has a counterpart in Temporal."""

    @property
    def cause(self) -> BaseException | None:
        """The exception behind this one; the same object as ``__cause__``."""
        return self.__cause__

    def __reduce__(self) -> tuple[Any, ...]:
        # Constructors here take other things than ``args``, which is what pickle would call them with.
        return self._restored, (self.args, self.__dict__, self.__cause__)

    @classmethod
    def _restored(cls, args: tuple[Any, ...], state: dict[str, Any], cause: BaseException | None) -> Self:
        error = cls.__new__(cls, *args)
        error.__dict__.update(state)
        error.__cause__ = cause
        return error


class FailureError(TemporalError):
    """Base of the failures that fail a workflow when they leave its ``run`` method."""

    def __init__(
        self, message: str, *, failure: Failure | None = None, exc_args: tuple[Any, ...] | None = None
    ) -> None:
        super().__init__(*((message,) if exc_args is None else exc_args))
        self._message = message
        self._failure = failure

    @property
    def message(self) -> str:
        """The bare message; ``str()`` of a subclass may say more."""
        return self._message

    @property
    def failure(self) -> Failure | None:
        """Record that this exception was made from; raising the exception again reuses it unchanged."""
        return self._failure


class WorkflowAlreadyStartedError(FailureError):
    """The workflow ID is in use and the policies of the start do not allow another run.

    ``run_id`` is known to clients only, not to parents of a child workflow.
    """

    def __init__(
        self, workflow_id: str, workflow_type: str, *, run_id: str | None = None, first_run_id: str | None = None
    ) -> None:
        super().__init__("Workflow execution already started")
        self.workflow_id = workflow_id
        self.workflow_type = workflow_type
        self.run_id = run_id
        self.first_run_id = first_run_id


class ApplicationError(FailureError):
    """Failure of user code.

    Parameters
    ----------
    message
        What went wrong. ``str()`` of the error is ``"type: message"`` when a type is given.
    *details
        Any values that the payload converter can encode.
    type
        Kind of error; retry policies name it in ``non_retryable_error_types``. A plain exception that leaves an
        activity becomes an ApplicationError whose type is the name of its class.
    non_retryable
        Do not try again, whatever the retry policy says.
    next_retry_delay
        Wait this long before the next attempt instead of what the retry policy computes.
    category
        BENIGN failures are expected ones: logged at debug level and left out of failure metrics.
    """

    def __init__(
        self,
        message: str,
        *details: Any,
        type: str | None = None,
        non_retryable: bool = False,
        next_retry_delay: timedelta | None = None,
        category: ApplicationErrorCategory = ApplicationErrorCategory.UNSPECIFIED,
    ) -> None:
        super().__init__(message, exc_args=(f"{type}: {message}" if type else message,))
        self._details = details
        self._type = type
        self._non_retryable = non_retryable
        self._next_retry_delay = next_retry_delay
        self._category = category

    @property
    def details(self) -> Sequence[Any]:
        """The values given after the message."""
        return self._details

    @property
    def type(self) -> str | None:
        """Kind of error."""
        return self._type

    @property
    def non_retryable(self) -> bool:
        """Whether the raiser forbade another attempt; a retry policy may forbid one as well."""
        return self._non_retryable

    @property
    def next_retry_delay(self) -> timedelta | None:
        """Delay before the next attempt, None where the retry policy decides."""
        return self._next_retry_delay

    @property
    def category(self) -> ApplicationErrorCategory:
        """How seriously logs and metrics take the failure."""
        return self._category


class CancelledError(FailureError):
    """An activity, child or workflow was cancelled, and its code let the cancellation through."""

    def __init__(self, message: str = "Cancelled", *details: Any) -> None:
        super().__init__(message)
        self._details = details

    @property
    def details(self) -> Sequence[Any]:
        """Values given with the cancellation, for instance last heartbeat details."""
        return self._details


class TerminatedError(FailureError):
    """A workflow was terminated: it was closed at once and none of its code ran."""

    def __init__(self, message: str, *details: Any) -> None:
        super().__init__(message)
        self._details = details

    @property
    def details(self) -> Sequence[Any]:
        """Values given with the termination."""
        return self._details


class TimeoutError(FailureError):  # noqa: A001 - Temporal's name
    """One of the timeouts of an activity or workflow struck; not what ``wait_condition`` raises."""

    def __init__(
        self,
        message: str,
        *,
        type: TimeoutType | None,
        last_heartbeat_details: Sequence[Any],
    ) -> None:
        super().__init__(message)
        self._type = type
        self._last_heartbeat_details = last_heartbeat_details

    @property
    def type(self) -> TimeoutType | None:
        """Which timeout."""
        return self._type

    @property
    def last_heartbeat_details(self) -> Sequence[Any]:
        """Details of the activity's last heartbeat; empty when it sent none."""
        return self._last_heartbeat_details


class ServerError(FailureError):
    """The engine itself failed the work."""

    def __init__(self, message: str, *, non_retryable: bool = False) -> None:
        super().__init__(message)
        self._non_retryable = non_retryable

    @property
    def non_retryable(self) -> bool:
        """Whether another attempt is pointless."""
        return self._non_retryable


class ActivityError(FailureError):
    """An activity did not complete; ``cause`` says why (ApplicationError, TimeoutError, CancelledError …)."""

    def __init__(
        self,
        message: str,
        *,
        scheduled_event_id: int,
        started_event_id: int,
        identity: str,
        activity_type: str,
        activity_id: str,
        retry_state: RetryState | None,
    ) -> None:
        super().__init__(message)
        self._scheduled_event_id = scheduled_event_id
        self._started_event_id = started_event_id
        self._identity = identity
        self._activity_type = activity_type
        self._activity_id = activity_id
        self._retry_state = retry_state

    @property
    def scheduled_event_id(self) -> int:
        """Id of the event that scheduled the activity."""
        return self._scheduled_event_id

    @property
    def started_event_id(self) -> int:
        """Id of the event that started its last attempt, 0 when it never started."""
        return self._started_event_id

    @property
    def identity(self) -> str:
        """Identity of the worker that ran the last attempt."""
        return self._identity

    @property
    def activity_type(self) -> str:
        """Name of the activity."""
        return self._activity_type

    @property
    def activity_id(self) -> str:
        """Id of the activity within its run."""
        return self._activity_id

    @property
    def retry_state(self) -> RetryState | None:
        """Why there was no further attempt."""
        return self._retry_state


class ChildWorkflowError(FailureError):
    """A child workflow did not complete; ``cause`` says why."""

    def __init__(
        self,
        message: str,
        *,
        namespace: str,
        workflow_id: str,
        run_id: str,
        workflow_type: str,
        initiated_event_id: int,
        started_event_id: int,
        retry_state: RetryState | None,
    ) -> None:
        super().__init__(message)
        self._namespace = namespace
        self._workflow_id = workflow_id
        self._run_id = run_id
        self._workflow_type = workflow_type
        self._initiated_event_id = initiated_event_id
        self._started_event_id = started_event_id
        self._retry_state = retry_state

    @property
    def namespace(self) -> str:
        """Namespace of the child."""
        return self._namespace

    @property
    def workflow_id(self) -> str:
        """Workflow ID of the child."""
        return self._workflow_id

    @property
    def run_id(self) -> str:
        """Run ID of the child."""
        return self._run_id

    @property
    def workflow_type(self) -> str:
        """Workflow type of the child."""
        return self._workflow_type

    @property
    def initiated_event_id(self) -> int:
        """Id of the parent's event that asked for the child."""
        return self._initiated_event_id

    @property
    def started_event_id(self) -> int:
        """Id of the parent's event that recorded the start of the child."""
        return self._started_event_id

    @property
    def retry_state(self) -> RetryState | None:
        """Why the child was not tried again."""
        return self._retry_state


def is_cancelled_exception(exception: BaseException) -> bool:
    """Whether an exception means cancellation.

    True for ``asyncio.CancelledError``, for ``CancelledError``, and for an ``ActivityError`` or ``ChildWorkflowError``
    whose direct cause is a ``CancelledError``. An awaited activity that was cancelled raises the last kind, so test
    with this function rather than by class (temporal-semantics 3.2).
    """
    if isinstance(exception, (asyncio.CancelledError, CancelledError)):
        return True
    return isinstance(exception, (ActivityError, ChildWorkflowError)) and isinstance(exception.cause, CancelledError)
