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
from durable_nb.core.state import ChildState, ExecutionState
from durable_nb.engine.inputs import (
    CancelRequest,
    ChildClosed,
    ChildStarted,
    Describe,
    ExternalDelivered,
    Signal,
    Terminate,
    TransferDone,
)
from durable_nb.engine.slot import RunSlot
from durable_nb.engine.starting import insert, reuse_refusal
from durable_nb.errors import StoreError
from durable_nb.model.attributes import StartChildWorkflowExecutionInitiated
from durable_nb.model.enums import ParentClosePolicy, WorkflowExecutionStatus, WorkflowIDReusePolicy
from durable_nb.model.failure import WorkflowExecution
from durable_nb.model.requests import SignalInput
from durable_nb.service import RPCError, RPCStatusCode

if TYPE_CHECKING:
    from durable_nb.engine.engine import Engine

logger = logging.getLogger("durable_nb.engine")


async def carry_out(engine: Engine, run_key: int, transfer_id: int, kind: str, resumed: bool = False) -> None:
    """Do one transfer and record its answer; a fault of the store leaves the row, and the upkeep tries again.

    ``resumed``: another process may have done it already, and died before the answer was recorded.
    """
    name = (run_key, transfer_id)
    if name in engine.transfers_under_way:
        return
    engine.transfers_under_way.add(name)
    try:
        if kind == START_CHILD:
            await _start_child(engine, run_key, transfer_id, resumed)
        else:
            await _KINDS[kind](engine, run_key, transfer_id)
    except StoreError as error:
        logger.warning("transfer %s of run %s is postponed: %s", kind, run_key, error)
    finally:
        engine.transfers_under_way.discard(name)


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
        if resumed or policy is not WorkflowIDReusePolicy.ALLOW_DUPLICATE:
            row = await engine.read(engine.store.find_run, namespace, asked.workflow_id)
            if row is not None and _is_child(row, parent, asked, child.initiated_event_id):
                return WorkflowExecution(row.workflow_id, row.first_execution_run_id)
            if await reuse_refusal(engine, namespace, asked.workflow_id, policy) is not None:
                return None
        if (namespace, asked.workflow_id) not in engine.open_runs:
            tx = start_child(
                engine.context(namespace), parent, child, engine.new_run_key(), engine.new_run_id(), engine.clock.now()
            )
            if await insert(engine, tx) is None:
                return WorkflowExecution(asked.workflow_id, tx.state.run_id)
        row = await engine.read(engine.store.find_run, namespace, asked.workflow_id)
        if row is not None and row.status == WorkflowExecutionStatus.RUNNING:
            if _is_child(row, parent, asked, child.initiated_event_id):
                return WorkflowExecution(row.workflow_id, row.first_execution_run_id)
            return None
        # The run that holds the ID is being written or has just closed: look again.
        await asyncio.sleep(0.001)


def _is_child(row: Any, parent: ExecutionState, asked: StartChildWorkflowExecutionInitiated, initiated: int) -> bool:
    """Whether an existing run is this very child, started before a crash."""
    return bool(
        row.workflow_id == asked.workflow_id
        and row.parent_run_id == parent.run_id
        and row.parent_initiated_event_id == initiated
    )


async def _signal(engine: Engine, run_key: int, transfer_id: int) -> None:
    sender = await state_of(engine, run_key)
    asked = sender.external_signals.get(transfer_id) if sender is not None else None
    if sender is None or asked is None or asked.workflow_execution is None:
        engine.push(run_key, TransferDone(transfer_id))
        return
    target = asked.workflow_execution
    request = SignalInput(asked.signal_name, asked.input or [], asked.header or {}, f"{sender.run_id}:{transfer_id}")
    found = await _deliver(
        engine,
        asked.namespace,
        target,
        lambda future: Signal(request, engine.identity, future, sender.execution),
        sender if asked.child_workflow_only else None,
    )
    engine.push(run_key, ExternalDelivered(transfer_id, True, found))


async def _cancel(engine: Engine, run_key: int, transfer_id: int) -> None:
    sender = await state_of(engine, run_key)
    asked = sender.external_cancels.get(transfer_id) if sender is not None else None
    if sender is None or asked is None or asked.workflow_execution is None:
        engine.push(run_key, TransferDone(transfer_id))
        return
    found = await _deliver(
        engine,
        asked.namespace,
        asked.workflow_execution,
        lambda future: CancelRequest(asked.reason, engine.identity, future, sender.execution, transfer_id),
        sender if asked.child_workflow_only else None,
    )
    engine.push(run_key, ExternalDelivered(transfer_id, False, found))


async def _deliver(
    engine: Engine,
    namespace: str,
    target: WorkflowExecution,
    make: Callable[[asyncio.Future[Any]], Any],
    parent: ExecutionState | None,
) -> bool:
    """Push an input to another run; False when there is no such open run. A child's chain is followed to its
    current run, as the run ID that its parent knows is that of the first.
    """
    run_id = "" if parent is not None else target.run_id
    key = engine.open_runs.get((namespace, target.workflow_id)) if not run_id else engine.run_keys.get(run_id)
    if key is None:
        row = await engine.read(engine.store.find_run, namespace, target.workflow_id, run_id)
        if row is None:
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


async def _notify_parent(engine: Engine, run_key: int, transfer_id: int) -> None:
    child = await state_of(engine, run_key)
    if child is None:
        return
    parent = child.started.parent_workflow_execution
    events = await engine.read(engine.store.read_events, run_key, transfer_id)
    if parent is not None and events:
        row = await engine.read(
            engine.store.find_run, child.started.parent_workflow_namespace, parent.workflow_id, parent.run_id
        )
        if row is not None and row.status == 1:
            future: asyncio.Future[Any] = engine.loop.create_future()
            execution = WorkflowExecution(child.workflow_id, child.first_execution_run_id)
            initiated = child.started.parent_initiated_event_id
            engine.push(row.run_key, ChildClosed(initiated, execution, events[0].attributes, future))
            await future
    engine.push(run_key, TransferDone(transfer_id))


async def _close_child(engine: Engine, run_key: int, transfer_id: int) -> None:
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


_KINDS: dict[str, Callable[[Engine, int, int], Awaitable[None]]] = {
    SIGNAL_EXTERNAL: _signal,
    CANCEL_EXTERNAL: _cancel,
    NOTIFY_PARENT: _notify_parent,
    CLOSE_CHILD: _close_child,
}
