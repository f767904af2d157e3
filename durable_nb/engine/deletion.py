"""Removal of a closed run with all that belongs to it, from the store and from what the engine caches of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from durable_nb.model.enums import WorkflowExecutionStatus
from durable_nb.service import RPCError, RPCStatusCode

if TYPE_CHECKING:
    from durable_nb.engine.engine import Engine
    from durable_nb.model.records import RunRow


async def delete_run(engine: Engine, row: RunRow) -> None:
    """Remove the run; its workflow ID, where no other run has it, is as if it had never been used.

    Raises
    ------
    RPCError
        FAILED_PRECONDITION: the run is open.
    """
    if row.status == WorkflowExecutionStatus.RUNNING:
        raise RPCError(
            f"workflow {row.workflow_id!r} is running and cannot be deleted: terminate it first",
            RPCStatusCode.FAILED_PRECONDITION,
        )
    # Off the loop: a long history takes a while, and the writer may hold the database just now.
    await engine.loop.run_in_executor(None, engine.store.delete_run, row.run_key)
    slot = engine.slots.get(row.run_key)
    if slot is None:
        return
    if slot.is_busy:
        slot.reload = True  # whoever asks something of it just now is told that it is not there
    else:
        engine.slots.drop(slot)
