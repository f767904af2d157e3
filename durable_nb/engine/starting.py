"""Starting runs: workflow ID rules (temporal-semantics section 6) and the first commit of a run."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from durable_nb.core.transition import Transition
from durable_nb.engine.inputs import Input
from durable_nb.model.enums import WorkflowExecutionStatus, WorkflowIDReusePolicy
from durable_nb.model.records import Conflict, RunRow

if TYPE_CHECKING:
    from durable_nb.engine.engine import Engine


class Inserted(Input):
    """Hears whether a new run was stored: ``result`` is None, or the conflict."""

    __slots__ = ()

    def conflict(self, conflict: Conflict) -> None:
        self.result = conflict
        self.succeed()


async def insert(engine: Engine, tx: Transition, inputs: Sequence[Input] = ()) -> Conflict | None:
    """Store a new run and begin to work on it; the conflict when its workflow ID is taken."""
    future: asyncio.Future[Any] = engine.loop.create_future()
    engine.open_run(tx, [Inserted(future), *inputs])
    conflict: Conflict | None = await future
    return conflict


async def reuse_refusal(
    engine: Engine, namespace: str, workflow_id: str, policy: WorkflowIDReusePolicy
) -> RunRow | None:
    """The run that forbids to use the workflow ID again; None when it may be used."""
    if policy is WorkflowIDReusePolicy.ALLOW_DUPLICATE:
        return None
    row: RunRow | None = await engine.read(engine.store.find_run, namespace, workflow_id)
    if row is None:
        return None
    if policy is WorkflowIDReusePolicy.REJECT_DUPLICATE:
        return row
    if policy is WorkflowIDReusePolicy.ALLOW_DUPLICATE_FAILED_ONLY and row.status in (
        WorkflowExecutionStatus.COMPLETED,
        WorkflowExecutionStatus.RUNNING,
    ):
        return row
    return None
