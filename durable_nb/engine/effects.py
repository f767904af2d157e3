"""What follows a commit: answers, attempts to start, news for other runs, the next run of a chain."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, Any

from durable_nb.core import requests
from durable_nb.core.state import ActivityState, ExecutionState
from durable_nb.core.transition import Transition
from durable_nb.engine import queries, transfers
from durable_nb.engine.attempt_inputs import ActivityEnded, StartQueued
from durable_nb.engine.inputs import Query, Update
from durable_nb.engine.slot import PendingUpdate, RunSlot
from durable_nb.model.attributes import UpdateOutcome, WorkflowExecutionUpdateAccepted, WorkflowExecutionUpdateCompleted
from durable_nb.model.enums import WorkflowExecutionStatus
from durable_nb.model.tasks import ActivityOutcome, ActivityTask
from durable_nb.service import RPCError, RPCStatusCode

if TYPE_CHECKING:
    from durable_nb.engine.engine import Engine
    from durable_nb.engine.steps import Step
    from durable_nb.engine.workers import WorkerEntry


def release(engine: Engine, slot: RunSlot, step: Step) -> None:
    """The step is durable: let out everything it promised."""
    tx = step.tx
    state = tx.state
    _start_activities(engine, tx)
    _answer(engine, slot, step)
    if state.wake_at:
        engine.on_wake_at(state.wake_at)
    closing = None
    if tx.attempts:
        engine.metrics.attempts_ended(tx.attempts)
    if not state.is_open:
        closing = tx.events[-1] if tx.events else None
        if closing is not None:
            engine.metrics.run_ended(state)
        engine.slots.close(slot)
        if state.definition:
            engine.workers.version_left(state)
    engine.watchers.committed(state, closing)
    if slot.updates:
        _answer_updates(engine, slot, tx)
    for transfer_id, kind in tx.transfers.items():
        transfers.begin(engine, slot.run_key, transfer_id, kind)
    if tx.successor is not None:
        _open_successor(engine, tx.successor)
    if not state.is_open:
        _retire(engine, slot)
    else:
        engine.slots.move_to_end(slot.run_key)


def release_unchanged(engine: Engine, slot: RunSlot, step: Step) -> None:
    """Nothing changed: answers only."""
    _answer(engine, slot, step)
    state = step.tx.state
    if state.wake_at:
        engine.on_wake_at(state.wake_at)
    if not state.is_open:
        _retire(engine, slot)


def _answer(engine: Engine, slot: RunSlot, step: Step) -> None:
    for item in step.inputs:
        if type(item) is Query:
            queries.answer(engine, slot, item)
        else:
            item.succeed()
    if slot.rejections:
        run_id = step.tx.state.run_id
        for update, failure in slot.rejections:
            for waiter in [*update.accepted, *update.completed]:
                if not waiter.done():
                    waiter.set_result((run_id, UpdateOutcome(failure=failure)))
        slot.rejections = []


# -- activities ----------------------------------------------------------------------------------------------------


def _start_activities(engine: Engine, tx: Transition) -> None:
    state = tx.state
    for activity in tx.started_activities:
        start_activity(engine, state, activity)
    for activity in tx.queued_activities:
        _queue_activity(engine, state, activity)
    if tx.unused_leases:
        _free_slots(engine, state, tx.unused_leases)


def start_activity(engine: Engine, state: ExecutionState, activity: ActivityState) -> None:
    """Hand a started attempt to the worker that leased it."""
    attributes = activity.attributes
    entry = engine.workers.for_activity(state.namespace, attributes.task_queue, attributes.activity_type)
    if entry is None:
        # The worker left between lease and commit; the lease times out or is released with the process.
        return
    scheduled_id, token = activity.scheduled_event_id, activity.token
    task = ActivityTask(
        f"{state.run_key}:{scheduled_id}:{token}".encode(),
        state.namespace,
        state.workflow_id,
        state.run_id,
        state.started.workflow_type,
        attributes.task_queue,
        attributes.activity_id,
        attributes.activity_type,
        attributes.input or [],
        attributes.header or {},
        activity.attempt,
        activity.scheduled_time,
        activity.visible_at,
        activity.started_time,
        attributes.schedule_to_close_timeout,
        attributes.start_to_close_timeout,
        attributes.heartbeat_timeout,
        activity.heartbeat_details or [],
        attributes.retry_policy,
        attributes.priority,
    )
    entry.port.start_activity(task, partial(_report, engine, entry, state.run_key, scheduled_id, token))


def _report(
    engine: Engine, entry: WorkerEntry, run_key: int, scheduled_id: int, token: int, outcome: ActivityOutcome
) -> None:
    """Called once for each attempt, from any thread."""
    ended = ActivityEnded(scheduled_id, token, outcome, engine.identity)
    if engine.is_on_loop():
        _take_report(engine, entry, run_key, ended)
    else:
        engine.call_soon(_take_report, engine, entry, run_key, ended)


def _take_report(engine: Engine, entry: WorkerEntry, run_key: int, ended: ActivityEnded) -> None:
    _free_slot(engine, entry)
    engine.push(run_key, ended)


def _free_slot(engine: Engine, entry: WorkerEntry) -> None:
    entry.running -= 1
    while entry.waiting and entry.running < entry.capacity:
        run_key, scheduled_id = entry.waiting.popleft()
        entry.running += 1
        engine.push(run_key, StartQueued(scheduled_id, partial(_free_slot, engine, entry)))


def _queue_activity(engine: Engine, state: ExecutionState, activity: ActivityState) -> None:
    attributes = activity.attributes
    entry = engine.workers.for_activity(state.namespace, attributes.task_queue, attributes.activity_type)
    if entry is None:
        return
    entry.waiting.append((state.run_key, activity.scheduled_event_id))
    if entry.running < entry.capacity:
        entry.running += 1
        _free_slot(engine, entry)


def give_back_slots(engine: Engine, tx: Transition) -> None:
    """The transition was not written: the slots that it reserved are free again."""
    _free_slots(engine, tx.state, [*tx.started_activities, *tx.unused_leases])


def _free_slots(engine: Engine, state: ExecutionState, leased: list[ActivityState]) -> None:
    for activity in leased:
        attributes = activity.attributes
        entry = engine.workers.for_activity(state.namespace, attributes.task_queue, attributes.activity_type)
        if entry is not None:
            _free_slot(engine, entry)


# -- updates -------------------------------------------------------------------------------------------------------


def _answer_updates(engine: Engine, slot: RunSlot, tx: Transition) -> None:
    state = tx.state
    for event in tx.events:
        attributes = event.attributes
        if type(attributes) is WorkflowExecutionUpdateAccepted:
            request = attributes.accepted_request
            update = slot.updates.get(request.meta.update_id if request and request.meta else "")
            if update is not None:
                _resolve(update.accepted, state.run_id, None)
        elif type(attributes) is WorkflowExecutionUpdateCompleted and attributes.meta is not None:
            update = slot.updates.pop(attributes.meta.update_id, None)
            if update is not None:
                _resolve(update.completed, state.run_id, attributes.outcome)
    if not state.is_open:
        _settle_updates(engine, slot, tx)


def _settle_updates(engine: Engine, slot: RunSlot, tx: Transition) -> None:
    """The run is closed: accepted updates fail, the others go to the next run or fail (temporal-semantics 3.7)."""
    state = tx.state
    follows = state.status is WorkflowExecutionStatus.CONTINUED_AS_NEW and tx.successor is not None
    for update_id, update in slot.updates.items():
        if update_id in state.updates:
            _resolve(update.completed, state.run_id, requests.update_outcome(state, update_id))
        elif follows and update.request is not None and tx.successor is not None:
            for waiter in update.accepted:
                engine.push_later(tx.successor.state.run_key, Update(update.request, waiter, False))
            for waiter in update.completed:
                engine.push_later(tx.successor.state.run_key, Update(update.request, waiter, True))
        else:
            _refuse(update)
    slot.updates.clear()


def _resolve(waiters: list[asyncio.Future[Any]], run_id: str, outcome: UpdateOutcome | None) -> None:
    for waiter in waiters:
        if not waiter.done():
            waiter.set_result((run_id, outcome))
    waiters.clear()


def _refuse(update: PendingUpdate) -> None:
    for waiter in [*update.accepted, *update.completed]:
        if not waiter.done():
            waiter.set_exception(RPCError("workflow execution already completed", RPCStatusCode.NOT_FOUND))


# -- the run's end -------------------------------------------------------------------------------------------------


def _open_successor(engine: Engine, first: Transition) -> None:
    """The next run of the chain was stored together with this one: begin to work on it."""
    slot = RunSlot(first.state.run_key)
    slot.state = first.state
    slot.unsent = list(first.events)
    slot.epoch = engine.epoch
    engine.slots.adopt(slot)
    _start_activities(engine, first)
    if first.state.wake_at:
        engine.on_wake_at(first.state.wake_at)
    engine.wake(slot.run_key)


def _retire(engine: Engine, slot: RunSlot) -> None:
    """A closed run is dropped from memory as soon as nobody needs it here."""
    state = slot.state
    if state is None or slot.inputs:
        return
    if state.transfers:
        if slot.port is not None:
            slot.port.evict_run(slot.run_key)
        return
    engine.slots.drop(slot)
