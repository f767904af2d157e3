"""A new run that has the beginning of an old one's history and goes on from there otherwise: reset, retry and fork.

The new history is a prefix of the old one (``points``), ended by WorkflowTaskFailed with cause RESET_WORKFLOW, which
names both runs: the lineage is part of the history, as with Temporal. Then comes what others said after the point, and
a new workflow task. Event 1 keeps the original run ID, so that the random numbers of the prefix replay; what happens
after the point is seeded by the new run ID (temporal-semantics 2.5). Ending the old run is the caller's business.

A *reset* (and a retry) belongs to the same chain of runs, takes over children that still run, and hears signals and
updates again. A *fork* is a chain of its own under another workflow ID: no parent, no cron schedule, and nothing of
what others sent to the original after the point unless asked for.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

import msgspec

from durable_nb.core import activities
from durable_nb.core.commands import START_CHILD
from durable_nb.core.points import PointError, Prefix
from durable_nb.core.state import JOIN_CHILD, NEVER, ChildState, ExecutionState
from durable_nb.core.transition import CLOSES_CHILD, Context, Transition
from durable_nb.model.attributes import (
    Attributes,
    ChildWorkflowExecutionStarted,
    ExternalWorkflowExecutionCancelRequested,
    ExternalWorkflowExecutionSignaled,
    RequestCancelExternalWorkflowExecutionFailed,
    SignalExternalWorkflowExecutionFailed,
    StartChildWorkflowExecutionFailed,
    UpdateInput,
    UpdateMeta,
    WorkflowExecutionSignaled,
    WorkflowExecutionStarted,
    WorkflowExecutionUpdateAccepted,
    WorkflowTaskFailed,
    WorkflowTaskScheduled,
    WorkflowTaskStarted,
)
from durable_nb.model.enums import WorkflowTaskFailedCause
from durable_nb.model.events import Event
from durable_nb.model.failure import Failure
from durable_nb.model.payload import Payload
from durable_nb.model.tasks import UpdateRequest

FORK_MEMO = "durable_nb.fork"
"""Memo of a forked run: which run and event it was forked from; lists show it. Made by the client, whose codec may
have to encode it: workflow code must be able to read its memo.
"""

FORK_WORDS = "fork of workflow"
"""What the failure of the workflow task says first, at which a fork begins."""

_EXTERNAL = (
    ExternalWorkflowExecutionSignaled,
    SignalExternalWorkflowExecutionFailed,
    ExternalWorkflowExecutionCancelRequested,
    RequestCancelExternalWorkflowExecutionFailed,
)


class Branch(NamedTuple):
    """What is asked for.

    ``workflow_id`` is that of the new run; "" keeps the old one's, and its chain (reset, retry). ``following`` is what
    the runs that continued the old one as new heard.
    """

    prefix: Prefix
    workflow_id: str = ""
    reason: str = ""
    identity: str = ""
    reapply_signals: bool = True
    reapply_updates: bool = True
    following: Sequence[Event] = ()
    memo: Mapping[str, Payload] = MappingProxyType({})
    """Added to that of a fork."""


def branch(
    context: Context, old: ExecutionState, events: Sequence[Event], asked: Branch, run_key: int, run_id: str, now: int
) -> Transition:
    """First transition of the new run. ``events`` is the whole history of the old one.

    Pending activities of the prefix start anew at their first attempt, with all their timeouts; timers keep the
    instant at which they fire, and the run and execution timeouts count from now. A child or a request to another
    workflow that was under way at the point gets the answer that the old history has for it; a child that still runs
    reports to the new run from now on.

    Raises
    ------
    PointError
        A fork would need a child that still runs, or something was just being sent.
    """
    prefix, kept, _ = asked.prefix
    state = ExecutionState(run_key, old.namespace, asked.workflow_id or old.workflow_id, run_id)
    tx = Transition(state, max(now, prefix[-1].event_time), context)
    tx.append_event(_first_event(old, asked, run_id, tx.now))
    for event in prefix[1:]:
        tx.append_event(event)
    state.start_time = tx.now
    state.begin_execution_at(tx.now)
    _note_lineage(tx, old, asked)
    later = [event.attributes for event in events[kept:]] + [fact.attributes for fact in old.buffered]
    _answer(tx, later)
    _check_children(tx, old, asked)
    for activity in list(state.activities.values()):
        activity.reset_time = activity.visible_at = tx.now
        if activity.cancel_requested_event_id:
            activities.cancel_waiting(tx, activity)
        else:
            activities.lease(tx, activity)
    later += [event.attributes for event in asked.following]
    if asked.reapply_signals:
        for signal in _signals(state, later):
            tx.append(signal)
    if asked.reapply_updates:
        admitted = _updates(state, later)
        if admitted:
            state.admitted = admitted
    tx.schedule_workflow_task()
    return tx


def _first_event(old: ExecutionState, asked: Branch, run_id: str, now: int) -> Event:
    """Event 1 with the chain's ids, and with a new deadline for the chain."""
    event = asked.prefix.events[0]
    attributes: WorkflowExecutionStarted = event.attributes  # type: ignore[assignment]
    timeout = attributes.workflow_execution_timeout
    changes: dict[str, Any] = {
        "original_execution_run_id": attributes.original_execution_run_id or old.run_id,
        "first_execution_run_id": old.first_execution_run_id,
        "workflow_execution_expiration_time": now + timeout if timeout else NEVER,
    }
    if asked.workflow_id:
        changes |= {
            "workflow_id": asked.workflow_id,
            "first_execution_run_id": run_id,
            "memo": {**(attributes.memo or {}), **asked.memo} or None,
            # A fork is nobody's child and starts no series of runs.
            "parent_workflow_namespace": "",
            "parent_workflow_execution": None,
            "parent_initiated_event_id": 0,
            "root_workflow_execution": None,
            "cron_schedule": "",
        }
    changed = msgspec.structs.replace(attributes, **changes)
    return Event(event.event_id, event.event_time, changed, event.user_metadata)


def _note_lineage(tx: Transition, old: ExecutionState, asked: Branch) -> None:
    """Fail the workflow task that is open at the point, or one made for that: it says where the run comes from."""
    state = tx.state
    if state.workflow_task is None:
        started = state.started
        tx.append(WorkflowTaskScheduled(started.task_queue, started.workflow_task_timeout, 1))
    task = state.workflow_task
    assert task is not None  # noqa: S101 - scheduled just now where there was none
    if not task.started_event_id:
        tx.append(WorkflowTaskStarted(task.scheduled_event_id, asked.identity, "", False, state.history_size))
    message = asked.reason
    if asked.workflow_id:
        at = asked.prefix.changed and f", with {asked.prefix.changed} changed"
        message = f"{FORK_WORDS} {old.workflow_id!r} at event {asked.prefix.kept}{at}" + (message and f": {message}")
    tx.append(
        WorkflowTaskFailed(
            scheduled_event_id=task.scheduled_event_id,
            started_event_id=task.started_event_id,
            cause=WorkflowTaskFailedCause.RESET_WORKFLOW,
            failure=Failure(message=message, source="Server"),
            identity=asked.identity,
            base_run_id=old.run_id,
            new_run_id=state.run_id,
        )
    )


# -- what was under way ------------------------------------------------------------------------------------------------


def _answer(tx: Transition, later: Iterable[Attributes]) -> None:
    """Give what was under way at the point the answers that the old run got for it."""
    state = tx.state
    for attributes in later:
        initiated: int = getattr(attributes, "initiated_event_id", 0)
        if isinstance(attributes, _EXTERNAL):
            if initiated in state.external_signals or initiated in state.external_cancels:
                tx.append(msgspec.structs.replace(attributes))
            continue
        child = state.children.get(initiated) if initiated else None
        if child is None:
            continue
        if isinstance(attributes, ChildWorkflowExecutionStarted | StartChildWorkflowExecutionFailed):
            if child.execution is None:
                tx.append(attributes)
        elif type(attributes) in CLOSES_CHILD and child.execution is not None:
            tx.append(msgspec.structs.replace(attributes, started_event_id=child.started_event_id))


def _check_children(tx: Transition, old: ExecutionState, asked: Branch) -> None:
    state = tx.state
    if state.external_signals or state.external_cancels:
        raise PointError(
            f"a signal or cancel request to another workflow is under way at event {asked.prefix.kept}: try again in a "
            f"moment, or choose a point before it was sent or after it was acknowledged"
        )
    for child in state.children.values():
        if asked.workflow_id and child.execution is not None:
            raise PointError(
                f"the child workflow {_name(child)} was running at event {asked.prefix.kept} and has not ended; it "
                f"belongs to the original: choose a point before it was started, or wait until it has ended"
            )
        if child.execution is not None:
            tx.add_transfer(child.initiated_event_id, JOIN_CHILD)
        elif old.is_open and child.initiated_event_id in old.transfers:
            raise PointError(f"the child workflow {_name(child)} is just being started: try again in a moment")
        else:
            tx.add_transfer(child.initiated_event_id, START_CHILD)


def _name(child: ChildState) -> str:
    return f"{child.attributes.workflow_type} {child.attributes.workflow_id!r}"


# -- what others said later --------------------------------------------------------------------------------------------


def _signals(state: ExecutionState, later: Iterable[Attributes]) -> list[WorkflowExecutionSignaled]:
    """Signals that the new history has not."""
    found = [attributes for attributes in later if isinstance(attributes, WorkflowExecutionSignaled)]
    return [each for each in found if not each.request_id or each.request_id not in state.signal_request_ids]


def _updates(state: ExecutionState, later: Iterable[Attributes]) -> dict[str, UpdateRequest]:
    """Updates that were accepted later, as requests: the code validates and handles them anew."""
    found: dict[str, UpdateRequest] = {}
    for attributes in later:
        if isinstance(attributes, WorkflowExecutionUpdateAccepted) and attributes.accepted_request is not None:
            meta = attributes.accepted_request.meta or UpdateMeta()
            given = attributes.accepted_request.input or UpdateInput()
            update_id = meta.update_id or attributes.protocol_instance_id
            if update_id not in state.updates:
                found[update_id] = UpdateRequest(
                    update_id, given.name, given.args or [], given.header or {}, meta.identity
                )
    return found
