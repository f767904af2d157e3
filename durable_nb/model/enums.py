"""Enumerations of the event model, with the numbers Temporal's protocol gives them.

The numbers are stored in the database and the full upper-case names (``EVENT_TYPE_TIMER_STARTED``) appear in
exported histories, so neither may change. ``PROTO_PREFIX`` maps each class to the prefix of its exported names.
Source: the public API definitions of Temporal; temporal-semantics section 8.1.
"""

from __future__ import annotations

from enum import IntEnum


class EventType(IntEnum):
    """Kind of a history event; the value is the number stored in ``events.event_type``."""

    WORKFLOW_EXECUTION_STARTED = 1
    WORKFLOW_EXECUTION_COMPLETED = 2
    WORKFLOW_EXECUTION_FAILED = 3
    WORKFLOW_EXECUTION_TIMED_OUT = 4
    WORKFLOW_TASK_SCHEDULED = 5
    WORKFLOW_TASK_STARTED = 6
    WORKFLOW_TASK_COMPLETED = 7
    WORKFLOW_TASK_TIMED_OUT = 8
    WORKFLOW_TASK_FAILED = 9
    ACTIVITY_TASK_SCHEDULED = 10
    ACTIVITY_TASK_STARTED = 11
    ACTIVITY_TASK_COMPLETED = 12
    ACTIVITY_TASK_FAILED = 13
    ACTIVITY_TASK_TIMED_OUT = 14
    ACTIVITY_TASK_CANCEL_REQUESTED = 15
    ACTIVITY_TASK_CANCELED = 16
    TIMER_STARTED = 17
    TIMER_FIRED = 18
    TIMER_CANCELED = 19
    WORKFLOW_EXECUTION_CANCEL_REQUESTED = 20
    WORKFLOW_EXECUTION_CANCELED = 21
    REQUEST_CANCEL_EXTERNAL_WORKFLOW_EXECUTION_INITIATED = 22
    REQUEST_CANCEL_EXTERNAL_WORKFLOW_EXECUTION_FAILED = 23
    EXTERNAL_WORKFLOW_EXECUTION_CANCEL_REQUESTED = 24
    MARKER_RECORDED = 25
    WORKFLOW_EXECUTION_SIGNALED = 26
    WORKFLOW_EXECUTION_TERMINATED = 27
    WORKFLOW_EXECUTION_CONTINUED_AS_NEW = 28
    START_CHILD_WORKFLOW_EXECUTION_INITIATED = 29
    START_CHILD_WORKFLOW_EXECUTION_FAILED = 30
    CHILD_WORKFLOW_EXECUTION_STARTED = 31
    CHILD_WORKFLOW_EXECUTION_COMPLETED = 32
    CHILD_WORKFLOW_EXECUTION_FAILED = 33
    CHILD_WORKFLOW_EXECUTION_CANCELED = 34
    CHILD_WORKFLOW_EXECUTION_TIMED_OUT = 35
    CHILD_WORKFLOW_EXECUTION_TERMINATED = 36
    SIGNAL_EXTERNAL_WORKFLOW_EXECUTION_INITIATED = 37
    SIGNAL_EXTERNAL_WORKFLOW_EXECUTION_FAILED = 38
    EXTERNAL_WORKFLOW_EXECUTION_SIGNALED = 39
    UPSERT_WORKFLOW_SEARCH_ATTRIBUTES = 40
    WORKFLOW_EXECUTION_UPDATE_ACCEPTED = 41
    WORKFLOW_EXECUTION_UPDATE_COMPLETED = 43
    WORKFLOW_PROPERTIES_MODIFIED = 46

    @property
    def title(self) -> str:
        """CamelCase name as people write it: ``TimerStarted``."""
        return "".join(word.capitalize() for word in self.name.split("_"))


class WorkflowExecutionStatus(IntEnum):
    """Status of a run; ``client.WorkflowExecutionStatus`` is this class."""

    RUNNING = 1
    COMPLETED = 2
    FAILED = 3
    CANCELED = 4
    TERMINATED = 5
    CONTINUED_AS_NEW = 6
    TIMED_OUT = 7


class TimeoutType(IntEnum):
    """Which of the four activity timeouts (or the run timeout, as START_TO_CLOSE) struck."""

    START_TO_CLOSE = 1
    SCHEDULE_TO_START = 2
    SCHEDULE_TO_CLOSE = 3
    HEARTBEAT = 4


class RetryState(IntEnum):
    """Why an activity or workflow was not tried again."""

    IN_PROGRESS = 1
    NON_RETRYABLE_FAILURE = 2
    TIMEOUT = 3
    MAXIMUM_ATTEMPTS_REACHED = 4
    RETRY_POLICY_NOT_SET = 5
    INTERNAL_SERVER_ERROR = 6
    CANCEL_REQUESTED = 7


class ParentClosePolicy(IntEnum):
    """What happens to a child when its parent closes, continue-as-new included."""

    UNSPECIFIED = 0
    TERMINATE = 1
    ABANDON = 2
    REQUEST_CANCEL = 3


class WorkflowIDReusePolicy(IntEnum):
    """Whether a workflow ID may start again once its last run is closed."""

    ALLOW_DUPLICATE = 1
    ALLOW_DUPLICATE_FAILED_ONLY = 2
    REJECT_DUPLICATE = 3
    TERMINATE_IF_RUNNING = 4


class WorkflowIDConflictPolicy(IntEnum):
    """What to do when a run with the workflow ID is open."""

    UNSPECIFIED = 0
    FAIL = 1
    USE_EXISTING = 2
    TERMINATE_EXISTING = 3


class ContinueAsNewInitiator(IntEnum):
    """What made a run be followed by another."""

    WORKFLOW = 1
    RETRY = 2
    CRON_SCHEDULE = 3


class WorkflowTaskFailedCause(IntEnum):
    """Why a workflow task failed; only the causes this engine writes or reads."""

    UNSPECIFIED = 0
    UNHANDLED_COMMAND = 1
    BAD_SCHEDULE_ACTIVITY_ATTRIBUTES = 2
    BAD_REQUEST_CANCEL_ACTIVITY_ATTRIBUTES = 3
    BAD_START_TIMER_ATTRIBUTES = 4
    BAD_CANCEL_TIMER_ATTRIBUTES = 5
    BAD_RECORD_MARKER_ATTRIBUTES = 6
    BAD_COMPLETE_WORKFLOW_EXECUTION_ATTRIBUTES = 7
    BAD_FAIL_WORKFLOW_EXECUTION_ATTRIBUTES = 8
    BAD_CANCEL_WORKFLOW_EXECUTION_ATTRIBUTES = 9
    BAD_REQUEST_CANCEL_EXTERNAL_WORKFLOW_EXECUTION_ATTRIBUTES = 10
    BAD_CONTINUE_AS_NEW_ATTRIBUTES = 11
    START_TIMER_DUPLICATE_ID = 12
    RESET_STICKY_TASK_QUEUE = 13
    WORKFLOW_WORKER_UNHANDLED_FAILURE = 14
    BAD_SIGNAL_WORKFLOW_EXECUTION_ATTRIBUTES = 15
    BAD_START_CHILD_EXECUTION_ATTRIBUTES = 16
    FORCE_CLOSE_COMMAND = 17
    FAILOVER_CLOSE_COMMAND = 18
    BAD_SIGNAL_INPUT_SIZE = 19
    RESET_WORKFLOW = 20
    BAD_BINARY = 21
    SCHEDULE_ACTIVITY_DUPLICATE_ID = 22
    BAD_SEARCH_ATTRIBUTES = 23
    NON_DETERMINISTIC_ERROR = 24
    BAD_MODIFY_WORKFLOW_PROPERTIES_ATTRIBUTES = 25
    PENDING_CHILD_WORKFLOWS_LIMIT_EXCEEDED = 26
    PENDING_ACTIVITIES_LIMIT_EXCEEDED = 27
    PENDING_SIGNALS_LIMIT_EXCEEDED = 28
    PENDING_REQUEST_CANCEL_LIMIT_EXCEEDED = 29
    BAD_UPDATE_WORKFLOW_EXECUTION_MESSAGE = 30
    UNHANDLED_UPDATE = 31
    FEATURE_DISABLED = 35
    PAYLOADS_TOO_LARGE = 37


class StartChildWorkflowExecutionFailedCause(IntEnum):
    """Why a child could not start."""

    WORKFLOW_ALREADY_EXISTS = 1
    NAMESPACE_NOT_FOUND = 2


class SignalExternalWorkflowExecutionFailedCause(IntEnum):
    """Why a signal to another workflow was not delivered."""

    EXTERNAL_WORKFLOW_EXECUTION_NOT_FOUND = 1
    NAMESPACE_NOT_FOUND = 2
    SIGNAL_COUNT_LIMIT_EXCEEDED = 3


class CancelExternalWorkflowExecutionFailedCause(IntEnum):
    """Why a cancel request to another workflow was not delivered."""

    EXTERNAL_WORKFLOW_EXECUTION_NOT_FOUND = 1
    NAMESPACE_NOT_FOUND = 2


class ApplicationErrorCategory(IntEnum):
    """Severity class of an ApplicationError; BENIGN lowers log level and metrics only."""

    UNSPECIFIED = 0
    BENIGN = 1


PROTO_PREFIX: dict[type[IntEnum], str] = {
    EventType: "EVENT_TYPE",
    TimeoutType: "TIMEOUT_TYPE",
    RetryState: "RETRY_STATE",
    ParentClosePolicy: "PARENT_CLOSE_POLICY",
    WorkflowIDReusePolicy: "WORKFLOW_ID_REUSE_POLICY",
    WorkflowIDConflictPolicy: "WORKFLOW_ID_CONFLICT_POLICY",
    ContinueAsNewInitiator: "CONTINUE_AS_NEW_INITIATOR",
    WorkflowTaskFailedCause: "WORKFLOW_TASK_FAILED_CAUSE",
    StartChildWorkflowExecutionFailedCause: "START_CHILD_WORKFLOW_EXECUTION_FAILED_CAUSE",
    SignalExternalWorkflowExecutionFailedCause: "SIGNAL_EXTERNAL_WORKFLOW_EXECUTION_FAILED_CAUSE",
    CancelExternalWorkflowExecutionFailedCause: "CANCEL_EXTERNAL_WORKFLOW_EXECUTION_FAILED_CAUSE",
    ApplicationErrorCategory: "APPLICATION_ERROR_CATEGORY",
    WorkflowExecutionStatus: "WORKFLOW_EXECUTION_STATUS",
}
