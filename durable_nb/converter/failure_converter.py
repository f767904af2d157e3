"""Exceptions to failure records and back.

The record of an exception that was itself made from a record is that very record: a failure that passes through
several workflows arrives as it started. Source: temporal-semantics section 4.
"""

from __future__ import annotations

import traceback
from abc import ABC, abstractmethod
from datetime import timedelta
from typing import Any, ClassVar

from msgspec.structs import replace

from durable_nb.converter.payload_converter import PayloadConverter
from durable_nb.exceptions import (
    ActivityError,
    ApplicationError,
    CancelledError,
    ChildWorkflowError,
    FailureError,
    ServerError,
    TerminatedError,
    TimeoutError,
)
from durable_nb.model.failure import (
    ActivityFailureInfo,
    ApplicationFailureInfo,
    CanceledFailureInfo,
    ChildWorkflowExecutionFailureInfo,
    Failure,
    ServerFailureInfo,
    TerminatedFailureInfo,
    TimeoutFailureInfo,
    WorkflowExecution,
)
from durable_nb.model.payload import Payload
from durable_nb.model.scalars import LONGEST_DURATION
from durable_nb.model.storable import as_text

SOURCE = "PythonSDK"
_MICROSECOND = timedelta(microseconds=1)


class FailureConverter(ABC):
    """Converts exceptions to failure records and back."""

    default: ClassVar[FailureConverter]
    """The converter of ``DataConverter.default``."""

    @abstractmethod
    def to_failure(self, exception: BaseException, payload_converter: PayloadConverter, failure: Failure) -> None:
        """Fill ``failure`` with what is known of ``exception``, which must not be changed."""
        raise NotImplementedError

    @abstractmethod
    def from_failure(self, failure: Failure, payload_converter: PayloadConverter) -> BaseException:
        """The exception of a record, which must not be changed; its causes are chained to it."""
        raise NotImplementedError


class DefaultFailureConverter(FailureConverter):
    """The usual conversion.

    Parameters
    ----------
    encode_common_attributes
        Move message and stack trace into the failure's encoded attributes, where a codec can encrypt them; the
        message then reads "Encoded failure".
    """

    def __init__(self, *, encode_common_attributes: bool = False) -> None:
        super().__init__()
        self._encode_common_attributes = encode_common_attributes

    def to_failure(self, exception: BaseException, payload_converter: PayloadConverter, failure: Failure) -> None:
        known = exception.failure if isinstance(exception, FailureError) else None
        if known is not None:
            failure.CopyFrom(known)
        else:
            failure.source = SOURCE
            failure.message = as_text(_message(exception))
            if exception.__traceback__ is not None:
                failure.stack_trace = as_text("\n".join(traceback.format_tb(exception.__traceback__)))
            cause = _cause_to_record(exception)
            if cause is not None:
                failure.cause = Failure()
                self.to_failure(cause, payload_converter, failure.cause)
            _set_info(exception, payload_converter, failure)
        if self._encode_common_attributes:
            hidden = {"message": failure.message, "stack_trace": failure.stack_trace}
            failure.encoded_attributes = payload_converter.to_payloads([hidden])[0]
            failure.message = "Encoded failure"
            failure.stack_trace = ""

    def from_failure(self, failure: Failure, payload_converter: PayloadConverter) -> BaseException:
        if failure.encoded_attributes is not None:
            failure = _with_decoded_attributes(failure, failure.encoded_attributes, payload_converter)
        error = _exception(failure, payload_converter)
        error._failure = failure
        if failure.cause is not None:
            error.__cause__ = self.from_failure(failure.cause, payload_converter)
        return error


class DefaultFailureConverterWithEncodedAttributes(DefaultFailureConverter):
    """The usual conversion, message and stack trace moved to where a codec reaches them."""

    def __init__(self) -> None:
        super().__init__(encode_common_attributes=True)


# -- exception to record -------------------------------------------------------------------------------------------


def _message(error: BaseException) -> object:
    """What the author gave as the message, which need not be text: ``ApplicationError(error)`` is often written."""
    if not isinstance(error, FailureError):
        return error
    return "" if error.message is None else error.message


def _type_name(given: object) -> str:
    """The type of an ApplicationError; a class stands for its name, which is what retry policies compare."""
    return given.__name__ if isinstance(given, type) else as_text(given or "")


def _cause(error: BaseException) -> BaseException | None:
    """What an exception comes from. Of a group, as ``asyncio.TaskGroup`` raises it, that is the first member.

    A failure has one cause; how many members there are is in the group's message. The SDK leaves them all out.
    """
    if error.__cause__ is not None:
        return error.__cause__
    if isinstance(error, BaseExceptionGroup):
        return error.exceptions[0]
    return None if error.__suppress_context__ else error.__context__


def _cause_to_record(error: BaseException) -> BaseException | None:
    """The cause, unless the chain of causes comes back to ``error`` or runs in a circle (then it ends here)."""
    first = cause = _cause(error)
    seen = {id(error)}
    while cause is not None:
        if id(cause) in seen:
            return None
        seen.add(id(cause))
        cause = _cause(cause)
    return first


def _set_info(error: BaseException, payload_converter: PayloadConverter, failure: Failure) -> None:
    if isinstance(error, ApplicationError):
        failure.application_failure_info = ApplicationFailureInfo(
            type=_type_name(error.type),
            non_retryable=bool(error.non_retryable),
            details=_encoded(error.details, payload_converter),
            next_retry_delay=min(error.next_retry_delay // _MICROSECOND, LONGEST_DURATION)
            if error.next_retry_delay
            else 0,
            category=error.category,
        )
    elif isinstance(error, TimeoutError):
        failure.timeout_failure_info = TimeoutFailureInfo(
            timeout_type=error.type or None,
            last_heartbeat_details=_encoded(error.last_heartbeat_details, payload_converter),
        )
    elif isinstance(error, CancelledError):
        failure.canceled_failure_info = CanceledFailureInfo(details=_encoded(error.details, payload_converter))
    elif isinstance(error, TerminatedError):
        failure.terminated_failure_info = TerminatedFailureInfo()
    elif isinstance(error, ServerError):
        failure.server_failure_info = ServerFailureInfo(non_retryable=error.non_retryable)
    elif isinstance(error, ActivityError):
        failure.activity_failure_info = ActivityFailureInfo(
            scheduled_event_id=error.scheduled_event_id,
            started_event_id=error.started_event_id,
            identity=error.identity,
            activity_type=error.activity_type,
            activity_id=error.activity_id,
            retry_state=error.retry_state or None,
        )
    elif isinstance(error, ChildWorkflowError):
        failure.child_workflow_execution_failure_info = ChildWorkflowExecutionFailureInfo(
            namespace=error.namespace,
            workflow_execution=WorkflowExecution(error.workflow_id, error.run_id),
            workflow_type=error.workflow_type,
            initiated_event_id=error.initiated_event_id,
            started_event_id=error.started_event_id,
            retry_state=error.retry_state or None,
        )
    elif not isinstance(error, FailureError):
        failure.application_failure_info = ApplicationFailureInfo(type=type(error).__name__)


def _encoded(details: Any, payload_converter: PayloadConverter) -> list[Payload] | None:
    return payload_converter.to_payloads(details) if details else None


# -- record to exception -------------------------------------------------------------------------------------------


def _with_decoded_attributes(failure: Failure, encoded: Payload, payload_converter: PayloadConverter) -> Failure:
    """A copy with message and stack trace put back, as far as they can be read here."""
    shown = replace(failure)
    try:
        hidden = payload_converter.from_payloads([encoded])[0]
    except Exception:
        return shown
    if isinstance(hidden, dict):
        message, stack_trace = hidden.get("message"), hidden.get("stack_trace")
        if isinstance(message, str):
            shown.message = message
        if isinstance(stack_trace, str):
            shown.stack_trace = stack_trace
    return shown


def _exception(failure: Failure, payload_converter: PayloadConverter) -> FailureError:
    def decoded(details: list[Payload] | None) -> list[Any]:
        return payload_converter.from_payloads(details) if details else []

    message = failure.message
    if (application := failure.application_failure_info) is not None:
        delay = application.next_retry_delay
        return ApplicationError(
            message or "Application error",
            *decoded(application.details),
            type=application.type or None,
            non_retryable=application.non_retryable,
            next_retry_delay=timedelta(microseconds=delay) if delay else None,
            category=application.category,
        )
    if (timeout := failure.timeout_failure_info) is not None:
        heartbeat = decoded(timeout.last_heartbeat_details)
        return TimeoutError(message or "Timeout", type=timeout.timeout_type, last_heartbeat_details=heartbeat)
    if (canceled := failure.canceled_failure_info) is not None:
        return CancelledError(message or "Cancelled", *decoded(canceled.details))
    if failure.terminated_failure_info is not None:
        return TerminatedError(message or "Terminated")
    if (server := failure.server_failure_info) is not None:
        return ServerError(message or "Server error", non_retryable=server.non_retryable)
    if (activity := failure.activity_failure_info) is not None:
        return ActivityError(
            message or "Activity error",
            scheduled_event_id=activity.scheduled_event_id,
            started_event_id=activity.started_event_id,
            identity=activity.identity,
            activity_type=activity.activity_type,
            activity_id=activity.activity_id,
            retry_state=activity.retry_state,
        )
    if (child := failure.child_workflow_execution_failure_info) is not None:
        run = child.workflow_execution or WorkflowExecution()
        return ChildWorkflowError(
            message or "Child workflow error",
            namespace=child.namespace,
            workflow_id=run.workflow_id,
            run_id=run.run_id,
            workflow_type=child.workflow_type,
            initiated_event_id=child.initiated_event_id,
            started_event_id=child.started_event_id,
            retry_state=child.retry_state,
        )
    return FailureError(message or "Failure error")
