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
    """Store a new run and begin to work on it; the conflict when its workflow ID is taken, or not as it was seen."""
    future: asyncio.Future[Any] = engine.loop.create_future()
    engine.open_run(tx, [Inserted(future), *inputs])
    conflict: Conflict | None = await future
    return conflict


LIMITED = (WorkflowIDReusePolicy.REJECT_DUPLICATE, WorkflowIDReusePolicy.ALLOW_DUPLICATE_FAILED_ONLY)
"""Policies under which the latest run decides whether its workflow ID may be used again."""


def forbids_reuse(policy: WorkflowIDReusePolicy, latest: RunRow) -> bool:
    """Whether a workflow ID with that latest run may not be used again."""
    if policy is WorkflowIDReusePolicy.ALLOW_DUPLICATE_FAILED_ONLY:
        return latest.status in (WorkflowExecutionStatus.COMPLETED, WorkflowExecutionStatus.RUNNING)
    return policy is WorkflowIDReusePolicy.REJECT_DUPLICATE


def expected_latest(policy: WorkflowIDReusePolicy, latest: RunRow | None) -> int | None:
    """What a start that was allowed in view of the latest run has to find unchanged (``RunWrite.expected_latest``)."""
    if policy not in LIMITED:
        return None
    return latest.run_key if latest is not None else 0
