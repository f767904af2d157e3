"""What simulated runs tell each other: start, cancel or end a child, tell the parent of an end."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from durable_nb.core import closing, others, requests
from durable_nb.core.closing import CLOSE_CHILD, NOTIFY_PARENT
from durable_nb.core.commands import CANCEL_EXTERNAL, START_CHILD
from durable_nb.core.start import start_child
from durable_nb.core.state import ExecutionState
from durable_nb.core.transition import Transition
from durable_nb.model.attributes import Attributes
from durable_nb.model.enums import ParentClosePolicy
from durable_nb.model.failure import WorkflowExecution

if TYPE_CHECKING:
    from durable_nb.testing._simulation.world import World


class Transfers:
    """Carries out transfers as ``engine.transfers`` does, once each: nothing is lost in a simulation."""

    def __init__(self, world: World) -> None:
        self._world = world

    def carry_out(self, state: ExecutionState, transfer_id: int, kind: str) -> None:
        """Do one transfer of a run and record its answer."""
        known: dict[str, Callable[[ExecutionState, int], None]] = {
            START_CHILD: self._start_child,
            NOTIFY_PARENT: self._notify_parent,
            CLOSE_CHILD: self._close_child,
            CANCEL_EXTERNAL: self._cancel,
        }
        known[kind](state, transfer_id)

    def _start_child(self, parent: ExecutionState, initiated: int) -> None:
        world = self._world
        child = parent.children.get(initiated)
        if child is None or not others.may_start_child(parent, initiated):
            world.step(parent.run_key, lambda tx: others.child_not_started(tx, initiated))
            return
        run_key = world.new_run_key()
        asked = child.attributes
        process = world.fleet.home(asked.task_queue, run_key) or world.fleet.front
        tx = start_child(process.context, parent, child, run_key, world.new_run_id(), world.now)
        execution = WorkflowExecution(asked.workflow_id, world.open(tx))
        world.step(parent.run_key, lambda tx: others.child_started(tx, initiated, execution), closed_too=True)

    def _notify_parent(self, child: ExecutionState, close_event_id: int) -> None:
        world = self._world
        parent = child.started.parent_workflow_execution
        run = world.runs.get(world.open_ids.get(parent.workflow_id, 0)) if parent is not None else None
        if run is not None and parent is not None and run.state.run_id == parent.run_id:
            execution = WorkflowExecution(child.workflow_id, child.first_execution_run_id)
            initiated = child.started.parent_initiated_event_id
            closed_by = self._closing_of(child)
            world.step(run.state.run_key, lambda tx: others.child_closed(tx, initiated, execution, closed_by))
        world.step(child.run_key, lambda tx: tx.finish_transfer(close_event_id), closed_too=True)

    def _closing_of(self, child: ExecutionState) -> Attributes:
        return self._world.runs[child.run_key].history[-1].attributes

    def _close_child(self, parent: ExecutionState, transfer_id: int) -> None:
        world = self._world
        child = parent.children.get(-transfer_id)
        if child is not None and child.execution is not None:
            identity = world.fleet.front.plan.identity
            cancels = child.attributes.parent_close_policy is ParentClosePolicy.REQUEST_CANCEL

            def decide(tx: Transition) -> None:
                if cancels:
                    requests.request_cancel(tx, "by parent close policy", identity, parent.execution)
                else:
                    closing.terminate(tx, "by parent close policy", None, identity)

            world.tell(child.execution.workflow_id, decide)
        world.step(parent.run_key, lambda tx: tx.finish_transfer(transfer_id), closed_too=True)

    def _cancel(self, sender: ExecutionState, initiated: int) -> None:
        """A workflow asks one of its children to cancel itself."""
        world = self._world
        asked = sender.external_cancels.get(initiated)
        target = asked.workflow_execution if asked is not None else None
        run_key = world.open_ids.get(target.workflow_id) if target is not None else None
        run = world.runs.get(run_key) if run_key is not None else None
        found = run is not None and run.state.is_open
        if run is not None and found:
            identity, reason = world.fleet.front.plan.identity, asked.reason if asked is not None else ""
            world.step(
                run.state.run_key,
                lambda tx: requests.request_cancel(tx, reason, identity, sender.execution, initiated),
            )
        world.step(sender.run_key, lambda tx: others.cancel_delivered(tx, initiated, found), closed_too=True)
