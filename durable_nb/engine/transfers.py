"""What runs tell each other: start a child, signal or cancel another workflow, tell a parent of the end.

A transfer is a row, written with the event that caused it and deleted with the event that answers it, so it is carried
out at least once. Each kind is idempotent: a child is found again by its parent and initiated event, a signal carries
a request id, a cancel request counts once, a parent ignores an end it knows.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from durable_nb.core import others
from durable_nb.core.closing import CLOSE_CHILD, NOTIFY_PARENT
from durable_nb.core.commands import CANCEL_EXTERNAL, SIGNAL_EXTERNAL, START_CHILD
from durable_nb.core.start import start_child
from durable_nb.core.state import JOIN_CHILD, ChildState, ExecutionState
from durable_nb.engine.inputs import CancelRequest, Describe, Signal, Terminate
from durable_nb.engine.slot import RunSlot
from durable_nb.engine.starting import LIMITED, expected_latest, forbids_reuse, insert
from durable_nb.engine.transfer_inputs import ChildClosed, ChildStarted, ExternalDelivered, TransferDone
from durable_nb.errors import StoreError
from durable_nb.model.attributes import (
    Attributes,
    StartChildWorkflowExecutionInitiated,
    WorkflowExecutionTerminated,
)
from durable_nb.model.enums import ParentClosePolicy, WorkflowExecutionStatus, WorkflowIDReusePolicy
from durable_nb.model.failure import WorkflowExecution
from durable_nb.model.records import RunRow
from durable_nb.model.requests import SignalInput
from durable_nb.service import RPCError, RPCStatusCode

if TYPE_CHECKING:
    from durable_nb.engine.engine import Engine

logger = logging.getLogger("durable_nb.engine")


def begin(engine: Engine, run_key: int, transfer_id: int, kind: str, resumed: bool = False) -> None:
    """Do one transfer beside the steps and record its answer; one that is under way is left alone.

    A fault of the store leaves the row, and the upkeep tries again. ``resumed``: another process may have done it
    already, and died before the answer was recorded.
    """
    name = (run_key, transfer_id)
    if name not in engine.transfers_under_way:
        engine.transfers_under_way.add(name)
        engine.spawn(_carry_out(engine, run_key, transfer_id, kind, resumed))


async def _carry_out(engine: Engine, run_key: int, transfer_id: int, kind: str, resumed: bool) -> None:
    try:
        await _KINDS[kind](engine, run_key, transfer_id, resumed)
    except StoreError as error:
        logger.warning("transfer %s of run %s is postponed: %s", kind, run_key, error)
    finally:
        engine.transfers_under_way.discard((run_key, transfer_id))


async def state_of(engine: Engine, run_key: int) -> ExecutionState | None:
    """The run's state, loaded if need be; None when there is no such run. Look at it before the next await."""
    future: asyncio.Future[Any] = engine.loop.create_future()
    engine.push(run_key, Describe(_state, future))
    try:
        state: ExecutionState | None = await future
    except RPCError as error:
        if error.status is RPCStatusCode.NOT_FOUND:
            return None
        raise
    return state


def _state(slot: RunSlot) -> ExecutionState | None:
    return slot.state


async def _start_child(engine: Engine, run_key: int, transfer_id: int, resumed: bool) -> None:
    parent = await state_of(engine, run_key)
    child = parent.children.get(transfer_id) if parent is not None else None
    if parent is None or child is None or child.execution is not None:
        engine.push(run_key, TransferDone(transfer_id))
        return
    asked = child.attributes
    namespace = asked.namespace or parent.namespace
    if not others.may_start_child(parent, transfer_id):
        # The parent closed first. A process that died may have started the child before: then its policy strikes it.
        row = await engine.read(engine.store.find_run, namespace, asked.workflow_id)
        found = row is not None and _is_child(row, parent, asked, transfer_id)
        execution = WorkflowExecution(row.workflow_id, row.first_execution_run_id) if found else None
        engine.push(run_key, ChildStarted(transfer_id, execution))
        return
    execution = await _start_or_find(engine, parent, child, namespace, resumed)
    engine.push(run_key, ChildStarted(transfer_id, execution))


async def _start_or_find(
    engine: Engine, parent: ExecutionState, child: ChildState, namespace: str, resumed: bool
) -> WorkflowExecution | None:
    """The child's execution: started now, or found where it was started before; None when its ID is not free."""
    asked = child.attributes
    policy = asked.workflow_id_reuse_policy or WorkflowIDReusePolicy.ALLOW_DUPLICATE
    while True:
        latest: RunRow | None = None
        if resumed or policy in LIMITED:
            latest = await engine.read(engine.store.find_run, namespace, asked.workflow_id)
            if latest is not None and _is_child(latest, parent, asked, child.initiated_event_id):
                return WorkflowExecution(latest.workflow_id, latest.first_execution_run_id)
            if latest is not None and forbids_reuse(policy, latest):
                return None
        if (namespace, asked.workflow_id) not in engine.slots.open_runs:
            tx = start_child(
                engine.context(namespace),
                parent,
                child,
                engine.ids.new_run_key(),
                engine.ids.new_run_id(),
                engine.clock.now(),
            )
            tx.expected_latest = expected_latest(policy, latest)
            if await insert(engine, tx) is None:
                return WorkflowExecution(asked.workflow_id, tx.state.run_id)
        row = await engine.read(engine.store.find_run, namespace, asked.workflow_id)
        if row is not None and row.status == WorkflowExecutionStatus.RUNNING:
            if _is_child(row, parent, asked, child.initiated_event_id):
                return WorkflowExecution(row.workflow_id, row.first_execution_run_id)
            if row.parent_run_id not in parent.bases:
                return None
            # A child of the run that this one was reset from, which does not know it: it makes room.
            reason = f"its parent was reset to run {parent.run_id}"
            await _deliver(
                engine,
                namespace,
                WorkflowExecution(row.workflow_id, row.run_id),
                lambda future, reason=reason: Terminate(reason, None, engine.identity, future),  # type: ignore[misc]
                None,
            )
        # The run that holds the ID is being written or has just closed: look again.
        await asyncio.sleep(0.001)


def _is_child(row: Any, parent: ExecutionState, asked: StartChildWorkflowExecutionInitiated, initiated: int) -> bool:
    """Whether an existing run is this very child, started before a crash."""
    return bool(
        row.workflow_id == asked.workflow_id
        and row.parent_run_id == parent.run_id
        and row.parent_initiated_event_id == initiated
    )


async def _signal(engine: Engine, run_key: int, transfer_id: int, resumed: bool) -> None:
    sender = await state_of(engine, run_key)
    asked = sender.external_signals.get(transfer_id) if sender is not None else None
    if sender is None or asked is None or asked.workflow_execution is None:
        engine.push(run_key, TransferDone(transfer_id))
        return
    target = asked.workflow_execution
    request_id = f"{sender.run_id}:{transfer_id}"
    request = SignalInput(asked.signal_name, asked.input or [], asked.header or {}, request_id)
    found = resumed and await _was_heard(
        engine, asked.namespace, target, sender, lambda state: request_id in state.signal_request_ids
    )
    found = found or await _deliver(
        engine,
        asked.namespace,
        target,
        lambda future: Signal(request, engine.identity, future, sender.execution),
        sender if asked.child_workflow_only else None,
    )
    engine.push(run_key, ExternalDelivered(transfer_id, True, found))


async def _cancel(engine: Engine, run_key: int, transfer_id: int, resumed: bool) -> None:
    sender = await state_of(engine, run_key)
    asked = sender.external_cancels.get(transfer_id) if sender is not None else None
    if sender is None or asked is None or asked.workflow_execution is None:
        engine.push(run_key, TransferDone(transfer_id))
        return
    target = asked.workflow_execution
    found = resumed and await _was_heard(engine, asked.namespace, target, sender, lambda state: state.cancel_requested)
    found = found or await _deliver(
        engine,
        asked.namespace,
        target,
        lambda future: CancelRequest(asked.reason, engine.identity, future, sender.execution, transfer_id),
        sender if asked.child_workflow_only else None,
    )
    engine.push(run_key, ExternalDelivered(transfer_id, False, found))


async def _was_heard(
    engine: Engine,
    namespace: str,
    target: WorkflowExecution,
    sender: ExecutionState,
    heard: Callable[[ExecutionState], bool],
) -> bool:
    """Whether a process that died had told the target already: the run may have closed on it, or have gone on as new.

    Looked for backwards along the chain, as far as the sender's own beginning.
    """
    row = await engine.read(engine.store.find_run, namespace, target.workflow_id, target.run_id)
    while row is not None:
        state = await state_of(engine, row.run_key)
        if state is None or heard(state):
            return state is not None
        before = state.started.continued_execution_run_id
        if not before or target.run_id or row.start_time < sender.start_time:
            return False
        row = await engine.read(engine.store.find_run, namespace, target.workflow_id, before)
    return False


async def _deliver(
    engine: Engine,
    namespace: str,
    target: WorkflowExecution,
    make: Callable[[asyncio.Future[Any]], Any],
    parent: ExecutionState | None,
) -> bool:
    """Push an input to another run; False when there is no such open run. A child's chain is followed to its
    current run, as the run ID that its parent knows is that of the first; a stranger who has its ID now is no child.
    """
    run_id = "" if parent is not None else target.run_id
    key = engine.slots.find(namespace, target.workflow_id, run_id)
    if key is None or parent is not None:
        row = await engine.read(engine.store.find_run, namespace, target.workflow_id, run_id)
        if row is None or (parent is not None and row.parent_run_id not in (parent.run_id, *parent.bases)):
            return False
        key = row.run_key
    future: asyncio.Future[Any] = engine.loop.create_future()
    engine.push(key, make(future))
    try:
        await future
    except RPCError as error:
        if error.status is RPCStatusCode.NOT_FOUND:
            return False
        raise
    return True


async def _notify_parent(engine: Engine, run_key: int, transfer_id: int, _: bool) -> None:
    child = await state_of(engine, run_key)
    if child is None:
        return
    parent = child.started.parent_workflow_execution
    events = await engine.read(engine.store.read_events, run_key, transfer_id)
    if parent is not None and events:
        execution = WorkflowExecution(child.workflow_id, child.first_execution_run_id)
        initiated = child.started.parent_initiated_event_id
        namespace = child.started.parent_workflow_namespace
        heard = False
        # A parent that was reset while this was under way is followed to its heir.
        while not heard and (key := await _parent_key(engine, namespace, parent, initiated, execution)):
            future: asyncio.Future[Any] = engine.loop.create_future()
            engine.push(key, ChildClosed(initiated, execution, events[0].attributes, future))
            heard = await future
    engine.push(run_key, TransferDone(transfer_id))


async def _parent_key(
    engine: Engine, namespace: str, parent: WorkflowExecution, initiated: int, child: WorkflowExecution
) -> int:
    """The open run that waits for the child: its parent, or the run that a reset made of that; 0 for none."""
    row = await engine.read(engine.store.find_run, namespace, parent.workflow_id, parent.run_id)
    if row is None or row.status == WorkflowExecutionStatus.RUNNING:
        return row.run_key if row is not None else 0
    heir = await engine.read(engine.store.find_run, namespace, parent.workflow_id)
    if heir is None or heir.status != WorkflowExecutionStatus.RUNNING:
        return 0
    state = await state_of(engine, heir.run_key)
    known = state.children.get(initiated) if state is not None and state.bases else None
    same = known is not None and known.execution is not None and known.execution.run_id == child.run_id
    return int(heir.run_key) if same else 0


async def _join_child(engine: Engine, run_key: int, transfer_id: int, _: bool) -> None:
    """Has a child of the run that this one was reset from ended meanwhile? Else it will tell (``_parent_key``)."""
    parent = await state_of(engine, run_key)
    child = parent.children.get(transfer_id) if parent is not None else None
    if parent is not None and child is not None and child.execution is not None and not child.ended:
        namespace = child.attributes.namespace or parent.namespace
        closing = await _end_of_chain(engine, namespace, child.execution)
        if closing is not None:
            future: asyncio.Future[Any] = engine.loop.create_future()
            engine.push(run_key, ChildClosed(transfer_id, child.execution, closing, future))
            await future
    engine.push(run_key, TransferDone(transfer_id))


async def _end_of_chain(engine: Engine, namespace: str, first: WorkflowExecution) -> Attributes | None:
    """The event that closed the last run of a chain; None while it goes on."""
    run_id = first.run_id
    while True:
        row = await engine.read(engine.store.find_run, namespace, first.workflow_id, run_id)
        if row is None or row.status == WorkflowExecutionStatus.RUNNING:
            return None if row is not None else WorkflowExecutionTerminated("the child was deleted")
        last = (await engine.read(engine.store.read_events, row.run_key, row.next_event_id - 1))[-1].attributes
        run_id = getattr(last, "new_execution_run_id", "")
        if not run_id:
            return last  # type: ignore[no-any-return]


async def _close_child(engine: Engine, run_key: int, transfer_id: int, _: bool) -> None:
    parent = await state_of(engine, run_key)
    child = parent.children.get(-transfer_id) if parent is not None else None
    if parent is not None and child is not None and child.execution is not None:
        namespace = child.attributes.namespace or parent.namespace
        await _deliver(engine, namespace, child.execution, _close_input(engine, parent, child.attributes), parent)
    engine.push(run_key, TransferDone(transfer_id))


def _close_input(
    engine: Engine, parent: ExecutionState, asked: StartChildWorkflowExecutionInitiated
) -> Callable[[asyncio.Future[Any]], Any]:
    if asked.parent_close_policy is ParentClosePolicy.REQUEST_CANCEL:
        return lambda future: CancelRequest("by parent close policy", engine.identity, future, parent.execution)
    return lambda future: Terminate("by parent close policy", None, engine.identity, future)


_KINDS: dict[str, Callable[[Engine, int, int, bool], Awaitable[None]]] = {
    START_CHILD: _start_child,
    SIGNAL_EXTERNAL: _signal,
    CANCEL_EXTERNAL: _cancel,
    NOTIFY_PARENT: _notify_parent,
    CLOSE_CHILD: _close_child,
    JOIN_CHILD: _join_child,
}
