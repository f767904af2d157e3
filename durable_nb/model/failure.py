"""Failure records in Temporal's shape: message, stack, cause, and exactly one *info* variant.

A failure is a value like any other: it is stored in events, crosses processes, and is turned into the exceptions of
``durable_nb.exceptions`` and back by a failure converter. Source: temporal-semantics section 4.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from durable_nb.model.enums import ApplicationErrorCategory, RetryState, TimeoutType
from durable_nb.model.payload import Payload
from durable_nb.model.scalars import DurationUs, EventId, Payloads, TypeName

if TYPE_CHECKING:
    from collections.abc import Iterator


class _Value(msgspec.Struct, omit_defaults=True, rename="camel", gc=False):
    pass


class WorkflowExecution(_Value):
    """Address of a run."""

    workflow_id: str = ""
    run_id: str = ""


class ApplicationFailureInfo(_Value):
    type: str = ""
    non_retryable: bool = False
    details: Payloads | None = None
    next_retry_delay: DurationUs = 0
    category: ApplicationErrorCategory = ApplicationErrorCategory.UNSPECIFIED


class TimeoutFailureInfo(_Value):
    timeout_type: TimeoutType | None = TimeoutType.START_TO_CLOSE
    """None: the record does not say which."""
    last_heartbeat_details: Payloads | None = None


class CanceledFailureInfo(_Value):
    details: Payloads | None = None


class TerminatedFailureInfo(_Value):
    pass


class ServerFailureInfo(_Value):
    non_retryable: bool = False


class ActivityFailureInfo(_Value):
    scheduled_event_id: EventId = 0
    started_event_id: EventId = 0
    identity: str = ""
    activity_type: TypeName = ""
    activity_id: str = ""
    retry_state: RetryState | None = None


class ChildWorkflowExecutionFailureInfo(_Value):
    namespace: str = ""
    workflow_execution: WorkflowExecution | None = None
    workflow_type: TypeName = ""
    initiated_event_id: EventId = 0
    started_event_id: EventId = 0
    retry_state: RetryState | None = None


class Failure(_Value):
    """One failure and, through ``cause``, the chain that led to it."""

    message: str = ""
    source: str = ""
    stack_trace: str = ""
    encoded_attributes: Payload | None = None
    cause: Failure | None = None
    application_failure_info: ApplicationFailureInfo | None = None
    timeout_failure_info: TimeoutFailureInfo | None = None
    canceled_failure_info: CanceledFailureInfo | None = None
    terminated_failure_info: TerminatedFailureInfo | None = None
    server_failure_info: ServerFailureInfo | None = None
    activity_failure_info: ActivityFailureInfo | None = None
    child_workflow_execution_failure_info: ChildWorkflowExecutionFailureInfo | None = None

    def HasField(self, name: str) -> bool:  # noqa: N802 - protobuf's spelling, for failure converters that users wrote
        """Whether the field with that snake_case name is set."""
        return getattr(self, name) is not None

    def WhichOneof(self, group: str) -> str | None:  # noqa: N802 - protobuf's spelling
        """Name of the info variant that is set; ``group`` must be ``failure_info``."""
        if group != "failure_info":
            raise ValueError(f"a failure has the one-of group 'failure_info', not {group!r}")
        return next((name for name in _INFO_VARIANTS if getattr(self, name) is not None), None)

    def CopyFrom(self, other: Failure) -> None:  # noqa: N802 - protobuf's spelling
        """Make this failure equal to ``other``; parts are shared, not copied."""
        for name in Failure.__struct_fields__:
            setattr(self, name, getattr(other, name))

    def chain(self) -> Iterator[Failure]:
        """This failure, its cause, the cause of that, and so on."""
        failure: Failure | None = self
        while failure is not None:
            yield failure
            failure = failure.cause


_INFO_VARIANTS = tuple(name for name in Failure.__struct_fields__ if name.endswith("_failure_info"))
