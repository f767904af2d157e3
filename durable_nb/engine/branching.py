"""Reset, fork and retry: new runs from the histories of old ones, each in one unit of the store.

``core.branch`` decides; here the histories are read, the workflow IDs found, and the open run of the workflow ID, which
makes room for the new one, is terminated in the very commit that stores its heir. A preview goes the same way up to
that commit and says what it would do.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, NamedTuple

from durable_nb.core import points
from durable_nb.core.beginnings import beginning
from durable_nb.core.branch import Branch, branch
from durable_nb.core.loading import load
from durable_nb.core.points import PointError, Prefix
from durable_nb.core.state import JOIN_CHILD, ExecutionState
from durable_nb.core.transition import NOT_LEASED, Context, Transition
from durable_nb.engine.branch_inputs import EndByBranch, RetryNow, StaleBranchError, to_retry
from durable_nb.engine.finding import find_row, not_found, push
from durable_nb.engine.starting import insert
from durable_nb.exceptions import WorkflowAlreadyStartedError
from durable_nb.model import requests as ask
from durable_nb.model.attributes import WorkflowExecutionContinuedAsNew, WorkflowExecutionSignaled
from durable_nb.model.enums import WorkflowExecutionStatus
from durable_nb.model.events import Event
from durable_nb.model.records import RunRow
from durable_nb.service import RPCError, RPCStatusCode

if TYPE_CHECKING:
    from durable_nb.engine.engine import Engine

BranchRequest = ask.ResetWorkflow | ask.ForkWorkflow | ask.RetryWorkflow


class Snapshot(NamedTuple):
    """A run as one consistent read of the store gave it."""

    row: RunRow
    state: ExecutionState
    events: list[Event]
    following: list[Event]
    """Events of the runs that continued it as new: what was said to them was said to the workflow."""

    @property
    def is_open(self) -> bool:
        return self.row.status == WorkflowExecutionStatus.RUNNING


async def make_branch(engine: Engine, request: BranchRequest, *, preview: bool = False) -> ask.Branched:
    """Do what the request asks; with ``preview`` only say what it would do.

    Raises
    ------
    RPCError
        NOT_FOUND: no such run. INVALID_ARGUMENT: it has no such point, or the request makes no sense for it; the
        message says what would. ABORTED: others were faster.
    WorkflowAlreadyStartedError
        The workflow ID of a fork is in use.
    """
    row = await find_row(engine, request.target)
    if isinstance(request, ask.ForkWorkflow):
        return await _fork(engine, await _read(engine, row), request, preview)
    while True:
        found = await _read(engine, row)
        if isinstance(request, ask.RetryWorkflow) and found.is_open:
            return await _retry_in_place(engine, found, request, preview)
        try:
            return await _go_on(engine, found, request, preview)
        except StaleBranchError:
            continue  # The run moved between the read and the decision.


async def _read(engine: Engine, row: RunRow) -> Snapshot:
    loaded = await engine.read(engine.store.load_run, row.run_key)
    if loaded is None:
        raise not_found(ask.Target(row.namespace, row.workflow_id, row.run_id))
    following: list[Event] = []
    last = loaded.events[-1].attributes
    while isinstance(last, WorkflowExecutionContinuedAsNew):
        row = await find_row(engine, ask.Target(row.namespace, row.workflow_id, last.new_execution_run_id))
        more: list[Event] = await engine.read(engine.store.read_events, row.run_key, 1)
        following += more
        last = more[-1].attributes
    return Snapshot(loaded.run, load(loaded), loaded.events, following)


# -- the same chain: reset, and retry of a closed run ------------------------------------------------------------------


async def _go_on(
    engine: Engine, found: Snapshot, request: ask.ResetWorkflow | ask.RetryWorkflow, preview: bool
) -> ask.Branched:
    row = found.row
    current = await find_row(engine, ask.Target(row.namespace, row.workflow_id))
    open_run = current.run_id if current.status == WorkflowExecutionStatus.RUNNING else ""
    if found.is_open and open_run != row.run_id:
        raise StaleBranchError
    # Refused before anything is ended.
    planned = _transition(engine, found, request, preview=True)
    if preview:
        return _answer(request, found, *planned, open_run, preview=True)
    reason = request.reason or _verb(request)
    if open_run:
        answer = _answer(request, found, *planned, open_run)

        def make(ended: ExecutionState, version: int, appended: list[Event]) -> Transition:
            nonlocal answer
            again = found
            if found.is_open:
                if version != row.version:
                    raise StaleBranchError
                again = found._replace(state=ended, events=[*found.events, *appended])
            made = _transition(engine, again, request)
            answer = _answer(request, again, *made, open_run)
            return made[0]

        if not found.is_open:  # a later run of the workflow ID makes room
            reason = f"{reason}: run {row.run_id}"
        await push(engine, current.run_key, EndByBranch, reason, make, found.is_open)
        return answer
    tx, prefix = _transition(engine, found, request)
    answer = _answer(request, found, tx, prefix, open_run)
    if await insert(engine, tx) is not None:
        raise RPCError("another run of this workflow ID was started meanwhile", RPCStatusCode.ABORTED)
    return answer


# -- a copy: fork ------------------------------------------------------------------------------------------------------


async def _fork(engine: Engine, found: Snapshot, request: ask.ForkWorkflow, preview: bool) -> ask.Branched:
    if preview or request.new_workflow_id:
        return await _fork_as(engine, found, request, preview)
    async with engine.naming:  # else two forks at once take one free number, and the copies would be runs of one ID
        return await _fork_as(engine, found, request, preview)


async def _fork_as(engine: Engine, found: Snapshot, request: ask.ForkWorkflow, preview: bool) -> ask.Branched:
    row, wanted = found.row, request.new_workflow_id
    for number in itertools.count(1):
        workflow_id = wanted or f"{row.workflow_id}-fork-{number}"
        taken = await engine.read(engine.store.find_run, row.namespace, workflow_id)
        if taken is not None and not wanted:
            continue
        if taken is not None and taken.status == WorkflowExecutionStatus.RUNNING:
            raise WorkflowAlreadyStartedError(workflow_id, taken.workflow_type, run_id=taken.run_id)
        tx, prefix = _transition(engine, found, request, workflow_id, preview=preview)
        answer = _answer(request, found, tx, prefix, "", preview=preview)
        if preview or await insert(engine, tx) is None:
            return answer
    raise AssertionError("numbers do not end")


# -- an open run: retry in place ---------------------------------------------------------------------------------------


async def _retry_in_place(engine: Engine, found: Snapshot, request: ask.RetryWorkflow, preview: bool) -> ask.Branched:
    """Activities that back off and a failed workflow task are tried now; nothing waits is an answer, too."""
    if preview:
        waiting, task = to_retry(found.state, request.activity_id)
        tried = [f"{each.attributes.activity_type} ({each.attributes.activity_id})" for each in waiting], task
    else:
        tried = await push(engine, found.row.run_key, RetryNow, request.activity_id)
    if not tried[0] and not tried[1]:
        of = f"activity {request.activity_id!r}" if request.activity_id else "its activities"
        raise RPCError(
            f"nothing of {points.where(found.row.workflow_id, found.row.run_id)} waits for a retry: none of {of} backs "
            f"off, and no workflow task failed",
            RPCStatusCode.FAILED_PRECONDITION,
        )
    return ask.Branched(
        "retry", found.row.workflow_id, "", found.row.run_id, activities=tried[0], workflow_task=tried[1]
    )


# -- making and telling ------------------------------------------------------------------------------------------------


def _transition(
    engine: Engine, found: Snapshot, request: BranchRequest, workflow_id: str = "", *, preview: bool = False
) -> tuple[Transition, Prefix]:
    """First transition of the new run, and the beginning that it was made from."""
    namespace = found.row.namespace
    context = _without_leases(engine.context(namespace)) if preview else engine.context(namespace)
    is_retry = isinstance(request, ask.RetryWorkflow)
    try:
        prefix = beginning(found.state, found.events, request)
        asked = Branch(
            prefix,
            workflow_id,
            request.reason or ("" if workflow_id else _verb(request)),
            request.identity or engine.identity,
            is_retry or request.reapply_signals,  # type: ignore[union-attr]
            is_retry or request.reapply_updates,  # type: ignore[union-attr]
            found.following,
            request.memo if isinstance(request, ask.ForkWorkflow) else {},
        )
        run_key = 0 if preview else engine.ids.new_run_key()
        tx = branch(context, found.state, found.events, asked, run_key, engine.ids.new_run_id(), engine.clock.now())
    except PointError as error:
        raise RPCError(str(error), RPCStatusCode.INVALID_ARGUMENT) from error
    # Unless asked otherwise it goes on by the code of the day: most branches are made because the old code was wrong.
    tx.state.definition = request.definition
    return tx, prefix


def _without_leases(context: Context) -> Context:
    """A context whose decisions are thrown away: no slot of a worker is taken."""
    return Context(
        context.process_key,
        context.identity,
        lambda queue, kind: NOT_LEASED,
        context.new_run_key,
        context.new_run_id,
        context.suggest_continue_as_new_at,
    )


def _verb(request: BranchRequest) -> str:
    return type(request).__name__.removesuffix("Workflow").lower()


def _answer(
    request: BranchRequest,
    found: Snapshot,
    tx: Transition,
    prefix: Prefix,
    open_run: str,
    *,
    preview: bool = False,
) -> ask.Branched:
    state = tx.state
    own = tx.events[len(prefix.events) :]
    return ask.Branched(
        _verb(request),
        state.workflow_id,
        "" if preview else state.run_id,
        found.row.run_id,
        prefix.kept,
        prefix.changed,
        open_run,
        [f"{each.attributes.activity_type} ({each.attributes.activity_id})" for each in state.activities.values()],
        True,
        [state.children[i].attributes.workflow_id for i, kind in tx.transfers.items() if kind == JOIN_CHILD],
        sum(isinstance(event.attributes, WorkflowExecutionSignaled) for event in own),
        len(state.admitted),
        list(tx.events) if preview else [],
    )
