"""One unit of work over one run: decisions append events to it, the engine commits what it collected.

Holds the invariant 'events, rows and state change together': a transition is either committed as one ``RunWrite`` or
dropped together with the state it changed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import msgspec

from durable_nb.core.fold import apply
from durable_nb.core.machines import child as child_machine
from durable_nb.core.rows import activity_row, run_row, transfer_body
from durable_nb.core.state import NEVER, ActivityState, BufferedEvent, ExecutionState
from durable_nb.model.attributes import (
    ActivityTaskCanceled,
    ActivityTaskCompleted,
    ActivityTaskFailed,
    ActivityTaskTimedOut,
    Attributes,
    UserMetadata,
    WorkflowTaskScheduled,
)
from durable_nb.model.events import Event, encode_attributes, encode_user_metadata
from durable_nb.model.failure import Failure
from durable_nb.model.records import (
    AttemptRow,
    EventRow,
    RunWrite,
    TransferRow,
    WorkflowTaskRow,
)

NOT_LEASED, LEASED, LEASED_AND_STARTED = 0, 1, 2
"""Answers of ``Context.lease``."""

OWNER_EXTERNAL = -1
"""Owner of an activity that will be completed asynchronously: no process's death concerns it."""

_json = msgspec.json.Encoder()


class Context:
    """What a decision needs from outside: who we are, fresh ids, and whether an activity can start here.

    ``lease(task_queue, activity_type)`` answers NOT_LEASED (nobody here serves it), LEASED (ours, waits for a slot)
    or LEASED_AND_STARTED.
    """

    __slots__ = ("identity", "lease", "new_run_id", "new_run_key", "process_key", "suggest_continue_as_new_at")

    def __init__(
        self,
        process_key: int,
        identity: str,
        lease: Callable[[str, str], int],
        new_run_key: Callable[[], int],
        new_run_id: Callable[[], str],
        suggest_continue_as_new_at: int,
    ) -> None:
        self.process_key = process_key
        self.identity = identity
        self.lease = lease
        self.new_run_key = new_run_key
        self.new_run_id = new_run_id
        self.suggest_continue_as_new_at = suggest_continue_as_new_at


class Transition:
    """Collects what one step changes of one run.

    ``started_activities`` are attempts to hand to a worker once the transition is committed, ``queued_activities``
    those that are ours but wait for a slot, ``unused_leases`` those for which a slot was taken but which the run's
    end overtook. ``transfers`` is what other runs must hear of. ``successor`` is the first transition of the run that
    follows this one (continue-as-new, retry, cron); it commits in the same unit.
    """

    __slots__ = (
        "attempts",
        "buffering",
        "context",
        "delete_activities",
        "delete_transfers",
        "events",
        "expected_latest",
        "expected_version",
        "first_event_id",
        "listed",
        "now",
        "put_activities",
        "queued_activities",
        "started_activities",
        "state",
        "successor",
        "touched",
        "transfers",
        "unused_leases",
    )

    def __init__(self, state: ExecutionState, now: int, context: Context) -> None:
        self.state = state
        # Event times of a run never go back, even when the clock does.
        self.now = now if now > state.last_event_time else state.last_event_time
        self.context = context
        self.expected_version = state.version
        self.expected_latest: int | None = None
        """That of ``RunWrite``."""
        self.first_event_id = state.next_event_id
        self.events: list[Event] = []
        self.put_activities: dict[int, ActivityState] = {}
        self.delete_activities: list[int] = []
        self.attempts: list[AttemptRow] = []
        self.started_activities: list[ActivityState] = []
        self.queued_activities: list[ActivityState] = []
        self.unused_leases: list[ActivityState] = []
        self.transfers: dict[int, str] = {}
        self.delete_transfers: list[int] = []
        self.successor: Transition | None = None
        self.buffering = False
        self.touched = False
        self.listed = False

    # -- appending -------------------------------------------------------------------------------------------------

    def append(self, attributes: Attributes, user_metadata: UserMetadata | None = None) -> Event:
        """Append an event at the end of the history and fold it into the state."""
        event = Event(self.state.next_event_id, self.now, attributes, user_metadata)
        apply(self.state, event)
        self.events.append(event)
        return event

    def append_event(self, event: Event) -> None:
        """Append an event that was made before with the id it now gets (a workflow task's Scheduled and Started)."""
        if event.event_id != self.state.next_event_id:
            raise AssertionError(f"event {event.event_id} is not next: {self.state.next_event_id}")
        apply(self.state, event)
        self.events.append(event)
        # A held task began in an earlier transition, by a clock that may have been ahead of ours.
        if event.event_time > self.now:  # noqa: PLR1730 - max() costs a call for every workflow task
            self.now = event.event_time

    @property
    def must_buffer(self) -> bool:
        """Whether facts from outside wait for the end of the running workflow task (8.3, rule 3)."""
        task = self.state.workflow_task
        return self.buffering or (task is not None and task.is_started)

    def record(self, *facts: Attributes) -> None:
        """Take in facts from outside; they wake the workflow, or wait for the end of its running task."""
        if self.must_buffer:
            self.touched = True
            self.state.buffered += [BufferedEvent(fact, self.now) for fact in facts]
            return
        self._append_linked(facts)
        self.schedule_workflow_task()

    def flush_buffered(self) -> bool:
        """Append what was buffered; True if there was something."""
        buffered = self.state.buffered
        if not buffered:
            return False
        self.state.buffered = []
        self._append_linked(fact.attributes for fact in buffered)
        return True

    def _append_linked(self, facts: Iterable[Attributes]) -> None:
        """Append facts, filling in the ids of events that were not known when the facts arrived."""
        for attributes in facts:
            kind = type(attributes)
            if kind in CLOSES_ACTIVITY:
                activity = self.state.activities[attributes.scheduled_event_id]  # type: ignore[attr-defined]
                attributes.started_event_id = activity.started_event_id  # type: ignore[attr-defined]
            elif kind in CLOSES_CHILD:
                child = self.state.children[attributes.initiated_event_id]  # type: ignore[attr-defined]
                attributes.started_event_id = child.started_event_id  # type: ignore[attr-defined]
            self.append(attributes)

    def schedule_workflow_task(self) -> None:
        """Make sure that workflow code will be woken: append WorkflowTaskScheduled unless one is pending."""
        state = self.state
        if state.workflow_task is not None or not state.is_open or state.execution_time > self.now:
            return
        started = state.started
        self.append(
            WorkflowTaskScheduled(
                task_queue=started.task_queue, start_to_close_timeout=started.workflow_task_timeout, attempt=1
            )
        )

    # -- rows ------------------------------------------------------------------------------------------------------

    def put_activity(self, activity: ActivityState) -> None:
        """Write the row of a pending activity."""
        self.put_activities[activity.scheduled_event_id] = activity

    def drop_activity(self, activity: ActivityState) -> None:
        """Delete the row of an activity that is over."""
        self.put_activities.pop(activity.scheduled_event_id, None)
        if activity.scheduled_event_id < self.first_event_id:
            self.delete_activities.append(activity.scheduled_event_id)

    def add_attempt(
        self,
        activity: ActivityState,
        outcome: str,
        failure: Failure | None = None,
        next_attempt_at: int = 0,
    ) -> None:
        """Keep the attempt that just ended."""
        attributes = activity.attributes
        details = activity.heartbeat_details
        self.attempts.append(
            AttemptRow(
                activity.scheduled_event_id,
                activity.attempt,
                attributes.activity_id,
                attributes.activity_type,
                activity.visible_at,
                activity.started_time,
                max(self.now, activity.started_time),
                outcome,
                activity.identity,
                _json.encode(failure) if failure is not None else None,
                _json.encode(details) if details is not None else None,
                next_attempt_at,
            )
        )

    def add_transfer(self, transfer_id: int, kind: str) -> None:
        """Tell another run; done by the engine after the commit, at least once."""
        self.transfers[transfer_id] = kind
        self.state.transfers[transfer_id] = kind

    def finish_transfer(self, transfer_id: int) -> bool:
        """The other run knows; False when that was known before."""
        if self.state.transfers.pop(transfer_id, None) is None:
            return False
        if self.transfers.pop(transfer_id, None) is None:
            self.delete_transfers.append(transfer_id)
        return True

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to commit."""
        return not (
            self.events
            or self.touched
            or self.put_activities
            or self.delete_activities
            or self.attempts
            or self.transfers
            or self.delete_transfers
        )

    # -- the result ------------------------------------------------------------------------------------------------

    def finish(self) -> RunWrite:
        """The write that makes this transition durable; call once, last."""
        state = self.state
        if self.started_activities or self.queued_activities:
            self._drop_broken_promises()
        rows: list[EventRow] = []
        size = 0
        for event in self.events:
            attributes, metadata = event.attributes, event.user_metadata
            stored = encode_attributes(attributes)
            size += len(stored)
            rows.append(
                EventRow(
                    event.event_id,
                    attributes.event_type,
                    event.event_time,
                    stored,
                    None if metadata is None else encode_user_metadata(metadata),
                )
            )
        state.history_size += size
        listed = self._update_wake_at()
        state.version = self.expected_version + 1
        task = state.workflow_task
        had_row = state.workflow_task_row
        state.workflow_task_row = task is not None
        process_key = self.context.process_key
        write = RunWrite(run_row(state), self.expected_version, listed, rows)
        if self.put_activities:
            write.put_activities = [activity_row(activity) for activity in self.put_activities.values()]
        if self.delete_activities:
            write.delete_activities = self.delete_activities
        if self.attempts:
            write.attempts = self.attempts
        if task is not None:
            write.workflow_task = WorkflowTaskRow(
                state.started.task_queue, state.started.workflow_type, task.attempt, task.owner, task.visible_at
            )
        write.had_workflow_task = had_row
        if self.transfers:
            write.put_transfers = [
                TransferRow(i, kind, process_key, transfer_body(state, i, kind)) for i, kind in self.transfers.items()
            ]
        if self.delete_transfers:
            write.delete_transfers = self.delete_transfers
        write.expected_latest = self.expected_latest
        return write

    def _drop_broken_promises(self) -> None:
        """Forget attempts that something later in this very transition ended (a timeout after a long sleep)."""
        pending = self.state.activities
        kept = [
            a for a in self.started_activities if a.is_started and not a.is_over and a.scheduled_event_id in pending
        ]
        if len(kept) < len(self.started_activities):
            self.unused_leases += [a for a in self.started_activities if a not in kept]
            self.started_activities = kept
        self.queued_activities = [
            a for a in self.queued_activities if not a.is_over and a.scheduled_event_id in pending
        ]

    def _update_wake_at(self) -> bool:
        """Keep ``wake_at`` a lower bound of the next deadline; True when listed columns of the row change.

        While activities run the bound is left alone when it is merely too early: raising it at every step would touch
        its index twice for each activity. A run that has come to rest gets the exact instant, so that nobody looks at
        it in vain.
        """
        state = self.state
        listed = self.listed or self.expected_version == 0 or state.memo_changed or state.search_attributes_changed
        state.memo_changed = state.search_attributes_changed = False
        if not state.is_open:
            state.wake_at = NEVER
            return True
        deadline = state.next_deadline()
        bound = state.wake_at
        if deadline == bound or (state.activities and deadline and self.now < bound < deadline):
            return listed
        state.wake_at = deadline
        return True


CLOSES_ACTIVITY = frozenset({ActivityTaskCompleted, ActivityTaskFailed, ActivityTaskTimedOut, ActivityTaskCanceled})
CLOSES_CHILD = frozenset(child_machine.CLOSING)
