"""The workflow task as the engine drives it: begin, complete, fail, time out (temporal-semantics 8.3).

A task that is begun and ended within one transition leaves Scheduled, Started and Completed (or Failed) in one commit.
Its Started event, and for a transient or speculative task its Scheduled event too, are made when it begins, because
the worker needs them, but appended only when its outcome is known: a failed retry and a task whose only updates were
rejected leave no event at all. A task that needs time (local activities, codecs, foreign workers) is *held*: its start
is committed first, and what arrives meanwhile is buffered.
"""

from __future__ import annotations

from durable_nb.core import commands, refusals
from durable_nb.core.state import ExecutionState, WorkflowTaskState
from durable_nb.core.transition import Transition
from durable_nb.model.attributes import (
    WorkflowTaskCompleted,
    WorkflowTaskFailed,
    WorkflowTaskScheduled,
    WorkflowTaskStarted,
    WorkflowTaskTimedOut,
)
from durable_nb.model.commands import WorkflowTaskCompletion, WorkflowTaskFailure
from durable_nb.model.enums import TimeoutType, WorkflowTaskFailedCause
from durable_nb.model.events import Event, encode_attributes
from durable_nb.model.failure import Failure

FIRST_RETRY_DELAY = 1_000_000
LONGEST_RETRY_DELAY = 60_000_000
SUGGEST_CONTINUE_AS_NEW_SIZE = 64 * 1024 * 1024
"""Bytes of history at which continue-as-new is suggested whatever the number of events."""


class OpenTask:
    """A workflow task between begin and end. ``events`` are those made but not appended yet."""

    __slots__ = ("attempt", "events", "scheduled_event_id", "speculative", "started_event_id")

    def __init__(self, events: list[Event], scheduled_event_id: int, attempt: int, speculative: bool) -> None:
        self.events = events
        self.scheduled_event_id = scheduled_event_id
        self.started_event_id = events[-1].event_id
        self.attempt = attempt
        self.speculative = speculative


def can_begin(state: ExecutionState, now: int) -> bool:
    """Whether a workflow task is open, not started, and not held back by the delay after a failure."""
    task = state.workflow_task
    return task is not None and not task.started_time and task.visible_at <= now


def can_begin_speculative(state: ExecutionState) -> bool:
    """Whether a task may be made for updates: the run is open, idle, and past its start delay or back-off."""
    return state.is_open and state.workflow_task is None and not state.waits_for_backoff


def is_current(state: ExecutionState, open_task: OpenTask) -> bool:
    """Whether a held task is still the run's own: not timed out, taken over, or ended with the run."""
    task = state.workflow_task
    if task is None or not task.started_time or task.attempt != open_task.attempt:
        return False
    if task.scheduled_event_id:
        return task.scheduled_event_id == open_task.scheduled_event_id
    return bool(open_task.events) and task.started_time == open_task.events[-1].event_time


def begin(tx: Transition, speculative: bool = False) -> OpenTask:
    """Start the open workflow task; ``speculative`` makes one for updates where none is open."""
    state = tx.state
    task = state.workflow_task
    if (task is None and not speculative) or (task is not None and task.started_time):
        raise AssertionError("no workflow task can begin: none is open, or it has started")
    next_id = state.next_event_id
    attempt = 1 if task is None else task.attempt
    events: list[Event] = []
    if task is None or not task.scheduled_event_id:
        started = state.started
        events.append(
            Event(
                next_id,
                tx.now,
                WorkflowTaskScheduled(started.task_queue, started.workflow_task_timeout, attempt),
            )
        )
        scheduled_id = next_id
        next_id += 1
    else:
        scheduled_id = task.scheduled_event_id
    # What this very transition appends is not counted yet, which matters where it is all there is.
    size = state.history_size or sum(len(encode_attributes(event.attributes)) for event in tx.events)
    suggest = next_id > tx.context.suggest_continue_as_new_at or size > SUGGEST_CONTINUE_AS_NEW_SIZE
    events.append(
        Event(
            next_id,
            tx.now,
            WorkflowTaskStarted(scheduled_id, tx.context.identity, "", suggest, size),
        )
    )
    return OpenTask(events, scheduled_id, attempt, speculative and task is None)


def hold(tx: Transition, open_task: OpenTask) -> None:
    """The task needs time: make its start durable, so that others wait and what arrives is buffered."""
    state = tx.state
    if open_task.speculative or open_task.attempt == 1:
        for event in open_task.events:
            tx.append_event(event)
        open_task.events = []
    task = state.workflow_task
    if task is None:
        raise AssertionError("a held workflow task must be open")
    task.started_time = tx.now
    task.owner = tx.context.process_key
    tx.touched = True
    state.add_deadline(state.workflow_task_deadline(), "workflow_task", 0)


def complete(tx: Transition, open_task: OpenTask, completion: WorkflowTaskCompletion) -> WorkflowTaskFailure | None:
    """Turn the commands into events; refused when something arrived that the code must see before it closes the run.

    Returns
    -------
    None when the completion was taken; why not otherwise, and then a new workflow task is open.
    """
    state = tx.state
    asked = completion.commands
    if open_task.speculative and open_task.events and not asked and not completion.force_new_task:
        return None  # Every update was rejected: nothing happened.
    if state.buffered and refusals.overlooks(state, asked):
        refusal = WorkflowTaskFailure(WorkflowTaskFailedCause.UNHANDLED_COMMAND, Failure())
        fail(tx, open_task, refusal)
        return refusal
    refused = refusals.check(state, asked)
    if refused is not None:
        fail(tx, open_task, refused)
        return refused
    _append_start(tx, open_task)
    completed = tx.append(
        WorkflowTaskCompleted(
            open_task.scheduled_event_id, open_task.started_event_id, tx.context.identity, completion.sdk_metadata
        )
    )
    commands.append_all(tx, asked, completed.event_id, open_task.scheduled_event_id)
    if state.is_open and (tx.flush_buffered() or completion.force_new_task):
        tx.schedule_workflow_task()
    return None


def fail(tx: Transition, open_task: OpenTask, failure: WorkflowTaskFailure) -> None:
    """The code raised, diverged or blocked: the task is tried again after a growing delay; the run stays open.

    The first attempt leaves Started and Failed, later ones nothing. An update that came with a failed speculative
    task is offered again with the next one.
    """
    state = tx.state
    unhandled = failure.cause is WorkflowTaskFailedCause.UNHANDLED_COMMAND
    if open_task.attempt == 1:
        _append_start(tx, open_task)
        tx.append(
            WorkflowTaskFailed(
                open_task.scheduled_event_id,
                open_task.started_event_id,
                failure.cause,
                failure.failure if not unhandled else None,
                tx.context.identity,
            )
        )
    state.workflow_task = None
    tx.flush_buffered()
    if unhandled:
        tx.schedule_workflow_task()
        return
    _retry(tx, open_task.attempt, failure.failure)


def time_out(tx: Transition) -> None:
    """The worker of a held task went silent or took too long: take the task away from it and try again."""
    state = tx.state
    task = state.workflow_task
    if task is None or not task.is_started:
        return
    if task.scheduled_event_id:
        tx.append(WorkflowTaskTimedOut(task.scheduled_event_id, task.started_event_id, TimeoutType.START_TO_CLOSE))
    state.workflow_task = None
    tx.flush_buffered()
    _retry(tx, task.attempt, Failure(message="workflow task timed out", source="Server"), delay=False)


def retry_now(tx: Transition) -> bool:
    """Try a failed task again at once (the code was fixed); False when none waits."""
    task = tx.state.workflow_task
    if task is None or task.is_started or task.visible_at <= tx.now:
        return False
    task.visible_at = tx.now
    make_ready(tx, task)
    return True


def make_ready(tx: Transition, task: WorkflowTaskState) -> None:
    """The delay after a failure is over: from now on the task waits for a worker only."""
    task.scheduled_time = task.visible_at
    tx.touched = True


def _append_start(tx: Transition, open_task: OpenTask) -> None:
    for event in open_task.events:
        tx.append_event(event)
    open_task.events = []


def _retry(tx: Transition, attempt: int, failure: Failure, delay: bool = True) -> None:
    state = tx.state
    wait = min(FIRST_RETRY_DELAY << min(attempt - 1, 10), LONGEST_RETRY_DELAY) if delay else 0
    task = WorkflowTaskState(0, attempt + 1, tx.now, tx.now + wait)
    task.last_failure = failure
    state.workflow_task = task
    tx.touched = True
    state.add_deadline(state.workflow_task_deadline(), "workflow_task", 0)
