"""A run of another store as the first write of a run here. Pure, like every decision.

What is written is derived from the history by the same fold that every run goes through, so a history that no engine
could have written is refused, and the row agrees with it whatever the sender said.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

import msgspec

from durable_nb.core import closing
from durable_nb.core.loading import load
from durable_nb.core.state import ExecutionState
from durable_nb.core.transition import OWNER_EXTERNAL, Context, Transition
from durable_nb.model.attributes import Attributes
from durable_nb.model.events import Event, encode_attributes, encode_user_metadata
from durable_nb.model.failure import WorkflowExecution
from durable_nb.model.records import EventRow, LoadedRun, RunWrite
from durable_nb.model.requests import ImportedRun

T = TypeVar("T")

TERMINATED = "the original was open when it was exported; this is a copy, imported without resume"

_LINKS = ("new_execution_run_id", "continued_execution_run_id", "first_execution_run_id")
"""Attributes that name another run. Not ``original_execution_run_id`` and ``new_run_id``: random numbers come of them,
and a replay must draw the same."""


def import_run(
    context: Context,
    given: ImportedRun,
    namespace: str,
    run_key: int,
    run_id: str,
    *,
    resume: bool,
    now: int,
    owner: int,
) -> tuple[RunWrite, ExecutionState]:
    """The write that inserts a run of another store, and its state.

    Parameters
    ----------
    given
        With the run IDs that hold here (``relink``).
    resume
        Go on with an open run; otherwise its copy is terminated.
    owner
        A process that is known to be dead: it owns whatever some process there had in hand, so that the usual
        take-over deals with it.

    Raises
    ------
    machines.machine.IllegalTransitionError, LookupError, ValueError
        The run contradicts itself.
    """
    there = given.loaded
    row = msgspec.structs.replace(there.run, namespace=namespace, run_key=run_key, run_id=run_id, version=0)
    state = load(msgspec.structs.replace(there, run=row))
    events = [_event_row(event) for event in there.events]
    state.history_size = sum(len(event.attributes) for event in events)
    state.wake_at = 0
    was_open = state.is_open
    task = state.workflow_task
    if task is not None and task.owner:
        task.owner = owner
    tx = Transition(state, given.as_of if was_open and not resume else now, context)
    if was_open and not resume:
        closing.terminate(tx, TERMINATED, None, context.identity)
    write = tx.finish()
    write.events = events + write.events
    write.attempts = [*given.attempts, *write.attempts]
    # A copy that is over does nothing to other runs, whatever the original still had to do.
    write.put_transfers, write.delete_transfers, write.delete_activities, write.put_activities = [], [], [], []
    write.had_workflow_task = False
    write.imported = True
    if state.is_open:
        write.put_activities = [_owned(activity, owner) for activity in there.activities]
        write.put_transfers = [_owned(transfer, owner) for transfer in there.transfers]
    else:
        write.run.transient = None
    return write, state


def _event_row(event: Event) -> EventRow:
    return EventRow(
        event.event_id,
        event.event_type,
        event.event_time,
        encode_attributes(event.attributes),
        encode_user_metadata(event.user_metadata),
    )


def _owned(row: T, owner: int) -> T:
    """The row, owned by the dead process where a process owned it."""
    held: int = row.owner  # type: ignore[attr-defined]
    return row if held in (0, OWNER_EXTERNAL) else msgspec.structs.replace(row, owner=owner)  # type: ignore[type-var]


def relink(given: ImportedRun, run_ids: Mapping[str, str]) -> ImportedRun:
    """The run with references to runs that got a new ID changed to it; ``run_ids``: new by old."""
    there = given.loaded
    row = there.run
    changed = {
        name: run_ids[getattr(row, name)]
        for name in ("run_id", "first_execution_run_id", "parent_run_id", "root_run_id")
        if getattr(row, name) in run_ids
    }
    events = [
        Event(event.event_id, event.event_time, _relinked(event.attributes, run_ids), event.user_metadata)
        for event in there.events
    ]
    loaded = LoadedRun(
        msgspec.structs.replace(row, **changed), events, there.activities, there.workflow_task, there.transfers
    )
    return ImportedRun(loaded, given.attempts, given.as_of, given.outputs)


def _relinked(attributes: Attributes, run_ids: Mapping[str, str]) -> Attributes:
    changes: dict[str, Any] = {}
    for name in attributes.__struct_fields__:
        value = getattr(attributes, name)
        if type(value) is WorkflowExecution and value.run_id in run_ids:
            changes[name] = WorkflowExecution(value.workflow_id, run_ids[value.run_id])
        elif name in _LINKS and value in run_ids:
            changes[name] = run_ids[value]
    return msgspec.structs.replace(attributes, **changes) if changes else attributes


def awaited_children(state: ExecutionState) -> list[tuple[str, str]]:
    """Workflow ID and run ID of the children that have started and that the run waits for."""
    return [
        (child.attributes.workflow_id, child.execution.run_id)
        for child in state.children.values()
        if not child.ended and child.execution is not None
    ]
