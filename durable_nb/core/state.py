"""State of one run as the engine sees it: what is pending, and what the next decision may assume.

Everything here can be rebuilt from the run's row, history and activity rows (``loading``); nothing here is shared
between runs. Instants and durations are integer microseconds.
"""

from __future__ import annotations

from collections.abc import Mapping
from heapq import heapify, heappop, heappush
from types import MappingProxyType

from durable_nb.model.attributes import (
    ActivityTaskScheduled,
    Attributes,
    RequestCancelExternalWorkflowExecutionInitiated,
    SignalExternalWorkflowExecutionInitiated,
    StartChildWorkflowExecutionInitiated,
    UpdateOutcome,
    UserMetadata,
    WorkflowExecutionStarted,
)
from durable_nb.model.enums import WorkflowExecutionStatus
from durable_nb.model.failure import Failure, WorkflowExecution
from durable_nb.model.payload import Payload
from durable_nb.model.tasks import UpdateRequest

NEVER = 0
"""'No deadline' wherever an instant is expected."""

NO_UPDATES: Mapping[str, UpdateRequest] = MappingProxyType({})

NOTIFY_PARENT = "notify_parent"
CLOSE_CHILD = "close_child"
JOIN_CHILD = "join_child"
"""A run that was made from another one's history asks whether a child of that one has ended meanwhile."""


class WorkflowTaskState:
    """The open workflow task of a run; at most one.

    ``scheduled_event_id`` is 0 for a *transient* task (attempt 2 and later), whose Scheduled and Started events are
    written only when it completes (temporal-semantics 8.3, rule 7).
    """

    __slots__ = (
        "attempt",
        "last_failure",
        "owner",
        "scheduled_event_id",
        "scheduled_time",
        "started_event_id",
        "started_time",
        "visible_at",
    )

    def __init__(self, scheduled_event_id: int, attempt: int, scheduled_time: int, visible_at: int) -> None:
        self.scheduled_event_id = scheduled_event_id
        self.attempt = attempt
        self.scheduled_time = scheduled_time
        self.visible_at = visible_at
        self.started_event_id = 0
        self.started_time = 0
        self.owner = 0
        self.last_failure: Failure | None = None

    @property
    def is_started(self) -> bool:
        return self.started_time != 0


class ActivityState:
    """A pending activity and its current attempt.

    ``started_event_id`` is set only for the moment between Started and the closing event, which are written together.
    ``backs_off`` says that the attempt waits for ``visible_at``; one that waits for a worker does not back off.
    ``reset_time`` is when a reset scheduled the activity anew, 0 otherwise.
    """

    __slots__ = (
        "attempt",
        "attributes",
        "backs_off",
        "cancel_requested_event_id",
        "deadline",
        "heartbeat_details",
        "heartbeat_time",
        "identity",
        "last_failure",
        "owner",
        "reset_time",
        "scheduled_event_id",
        "scheduled_time",
        "started_event_id",
        "started_time",
        "token",
        "visible_at",
    )

    def __init__(self, scheduled_event_id: int, attributes: ActivityTaskScheduled, scheduled_time: int) -> None:
        self.scheduled_event_id = scheduled_event_id
        self.attributes = attributes
        self.scheduled_time = scheduled_time
        self.attempt = 1
        self.visible_at = scheduled_time
        self.owner = 0
        self.token = 1
        self.started_time = 0
        self.identity = ""
        self.heartbeat_time = 0
        self.heartbeat_details: list[Payload] | None = None
        self.last_failure: Failure | None = None
        self.cancel_requested_event_id = 0
        self.deadline = NEVER
        self.started_event_id = 0
        self.backs_off = False
        self.reset_time = 0

    @property
    def is_started(self) -> bool:
        return self.started_time != 0

    @property
    def is_over(self) -> bool:
        """Whether it has ended and only its closing event is still to be written (``activities.CLOSED_TOKEN``)."""
        return self.token < 0

    @property
    def expires_at(self) -> int:
        """End of the schedule-to-close timeout over all attempts; NEVER without one."""
        timeout = self.attributes.schedule_to_close_timeout
        return (self.reset_time or self.scheduled_time) + timeout if timeout else NEVER


class TimerState:
    """A timer. ``fire_at`` is NEVER while its firing is buffered."""

    __slots__ = ("fire_at", "started_event_id", "timer_id")

    def __init__(self, timer_id: str, started_event_id: int, fire_at: int) -> None:
        self.timer_id = timer_id
        self.started_event_id = started_event_id
        self.fire_at = fire_at


class ChildState:
    """A child from its initiation to its end.

    ``execution`` is set as soon as it is known to have started, ``ended`` as soon as it is known to have ended; the
    events that say so may be buffered for a while.
    """

    __slots__ = ("attributes", "ended", "execution", "initiated_event_id", "started_event_id", "user_metadata")

    def __init__(
        self,
        initiated_event_id: int,
        attributes: StartChildWorkflowExecutionInitiated,
        user_metadata: UserMetadata | None,
    ) -> None:
        self.initiated_event_id = initiated_event_id
        self.attributes = attributes
        self.user_metadata = user_metadata
        self.started_event_id = 0
        self.execution: WorkflowExecution | None = None
        self.ended = False


class UpdateState:
    """An accepted update; ``outcome`` is set once it has completed."""

    __slots__ = ("accepted_event_id", "outcome")

    def __init__(self, accepted_event_id: int) -> None:
        self.accepted_event_id = accepted_event_id
        self.outcome: UpdateOutcome | None = None


class BufferedEvent:
    """Something that arrived while a workflow task was running; it gets its event id when the task ends."""

    __slots__ = ("attributes", "event_time", "stored")

    def __init__(self, attributes: Attributes, event_time: int) -> None:
        self.attributes = attributes
        self.event_time = event_time
        self.stored: bytes | None = None
        """Stored form of the attributes, once it was made: a flood of signals is encoded once each."""


class ExecutionState:
    """Everything a decision about one run may look at."""

    __slots__ = (
        "_deadlines",
        "activities",
        "activity_ids",
        "admitted",
        "bases",
        "buffered",
        "cancel_requested",
        "children",
        "close_event_id",
        "close_time",
        "definition",
        "execution_time",
        "external_cancels",
        "external_signals",
        "first_execution_run_id",
        "history_size",
        "last_event_time",
        "memo",
        "memo_changed",
        "namespace",
        "next_event_id",
        "previous_started_event_id",
        "run_id",
        "run_key",
        "search_attributes",
        "search_attributes_changed",
        "signal_request_ids",
        "start_time",
        "started",
        "status",
        "timers",
        "transfers",
        "updates",
        "user_metadata",
        "version",
        "wake_at",
        "workflow_id",
        "workflow_task",
        "workflow_task_row",
    )

    def __init__(self, run_key: int, namespace: str, workflow_id: str, run_id: str) -> None:
        self.run_key = run_key
        self.namespace = namespace
        self.workflow_id = workflow_id
        self.run_id = run_id
        self.first_execution_run_id = run_id
        self.version = 0
        self.status = WorkflowExecutionStatus.RUNNING
        self.started: WorkflowExecutionStarted = _NOT_STARTED
        self.user_metadata: UserMetadata | None = None
        self.definition = ""
        self.next_event_id = 1
        self.history_size = 0
        self.start_time = 0
        self.execution_time = 0
        self.close_time = 0
        self.close_event_id = 0
        self.last_event_time = 0
        self.previous_started_event_id = 0
        self.cancel_requested = False
        self.workflow_task: WorkflowTaskState | None = None
        self.workflow_task_row = False
        """Whether the store may hold a workflow-task row of this run."""
        self.activities: dict[int, ActivityState] = {}
        self.activity_ids: dict[str, int] = {}
        self.timers: dict[str, TimerState] = {}
        self.children: dict[int, ChildState] = {}
        self.external_signals: dict[int, SignalExternalWorkflowExecutionInitiated] = {}
        self.external_cancels: dict[int, RequestCancelExternalWorkflowExecutionInitiated] = {}
        self.updates: dict[str, UpdateState] = {}
        self.admitted: Mapping[str, UpdateRequest] = NO_UPDATES
        """Updates of an earlier run that a reset asks again, until the code has accepted or rejected them."""
        self.bases: tuple[str, ...] = ()
        """Run IDs from whose histories this one began, the oldest first; none for most runs."""
        self.signal_request_ids: set[str] = set()
        self.buffered: list[BufferedEvent] = []
        self.transfers: dict[int, str] = {}
        """Kind of each transfer that is not done yet, by transfer id."""
        self.memo: dict[str, Payload] = {}
        self.memo_changed = False
        self.search_attributes: dict[str, Payload] = {}
        self.search_attributes_changed = False
        self.wake_at = NEVER
        """What the stored row says: a lower bound of the next deadline."""
        self._deadlines: list[tuple[int, str, int | str]] = []

    @property
    def is_open(self) -> bool:
        return self.close_event_id == 0

    @property
    def execution(self) -> WorkflowExecution:
        return WorkflowExecution(self.workflow_id, self.run_id)

    # -- deadlines -------------------------------------------------------------------------------------------------
    # A heap with lazy deletion: an entry counts only while its subject still has exactly that deadline. Ten thousand
    # timers cost a push each, and nothing is searched when one is cancelled.

    def add_deadline(self, at: int, kind: str, ref: int | str) -> None:
        """Remember that ``kind`` (timer, activity, workflow_task, run, execution) needs attention at ``at``."""
        if at:
            heap = self._deadlines
            heappush(heap, (at, kind, ref))
            if len(heap) > 64 and len(heap) > 4 * (len(self.timers) + len(self.activities)):
                self._compact_deadlines()

    def _compact_deadlines(self) -> None:
        """Drop what no longer counts: a long run that cancels far timers must not grow."""
        kept = {entry for entry in self._deadlines if self._deadline_of(entry[1], entry[2]) == entry[0]}
        self._deadlines = list(kept)
        heapify(self._deadlines)

    def begin_execution_at(self, at: int) -> None:
        """Set when the first workflow task may start; the run timeout counts from there."""
        self.execution_time = at
        timeout = self.started.workflow_run_timeout
        if timeout:
            self.add_deadline(at + timeout, "run", 0)
        if self.waits_for_backoff:
            self.add_deadline(at, "workflow_task", 0)

    def next_deadline(self) -> int:
        """Earliest instant at which something of this run is due; NEVER when nothing is."""
        heap = self._deadlines
        while heap:
            at, kind, ref = heap[0]
            if self._deadline_of(kind, ref) == at:
                return at
            heappop(heap)
        return NEVER

    def pop_due(self, now: int) -> tuple[str, int | str] | None:
        """Remove and return one subject that is due at ``now``."""
        at = self.next_deadline()
        if at == NEVER or at > now:
            return None
        _, kind, ref = heappop(self._deadlines)
        return kind, ref

    def _deadline_of(self, kind: str, ref: int | str) -> int:
        if not self.is_open:
            return NEVER
        if kind == "timer":
            timer = self.timers.get(ref)  # type: ignore[arg-type]
            return timer.fire_at if timer else NEVER
        if kind == "activity":
            activity = self.activities.get(ref)  # type: ignore[arg-type]
            return activity.deadline if activity else NEVER
        if kind == "workflow_task":
            return self.workflow_task_deadline()
        if kind == "run":
            timeout = self.started.workflow_run_timeout
            return self.execution_time + timeout if timeout else NEVER
        return self.started.workflow_execution_expiration_time

    def workflow_task_deadline(self) -> int:
        """When the open workflow task times out or may be tried again; or when the first one may be scheduled."""
        task = self.workflow_task
        if task is None:
            return self.execution_time if self.waits_for_backoff else NEVER
        if task.started_time:
            timeout = self.started.workflow_task_timeout
            return task.started_time + timeout if timeout else NEVER
        return task.visible_at if task.visible_at > task.scheduled_time else NEVER

    @property
    def waits_for_backoff(self) -> bool:
        """Whether the first workflow task is still held back by a start delay, a retry or a cron schedule."""
        return (
            self.started.first_workflow_task_backoff > 0
            and self.workflow_task is None
            and self.previous_started_event_id == 0
            and self.is_open
        )


_NOT_STARTED = WorkflowExecutionStarted()
