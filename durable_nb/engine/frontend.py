"""Answers to callers: every request of ``model.requests``, as coroutines on the engine's loop.

``Bridge`` lets them be awaited on any loop of any thread.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any

from durable_nb.core import cron, describe
from durable_nb.core.reset import ResetError, reset
from durable_nb.core.start import start
from durable_nb.core.state import ExecutionState
from durable_nb.core.transition import Transition
from durable_nb.engine import mailbox
from durable_nb.engine.inputs import (
    ActivityEnded,
    CancelRequest,
    Describe,
    EndByReset,
    Heartbeat,
    Input,
    PollUpdate,
    Query,
    RetryWorkflowTask,
    Signal,
    Terminate,
    Update,
)
from durable_nb.engine.slot import RunSlot
from durable_nb.engine.starting import insert, reuse_refusal
from durable_nb.exceptions import WorkflowAlreadyStartedError
from durable_nb.model import requests as ask
from durable_nb.model.enums import WorkflowExecutionStatus, WorkflowIDConflictPolicy, WorkflowIDReusePolicy
from durable_nb.model.events import Event
from durable_nb.model.failure import Failure
from durable_nb.model.payload import Payload
from durable_nb.model.records import RunFilter, RunRow
from durable_nb.model.tasks import ActivityOutcome, HeartbeatReply, QueryAnswer, QueryRequest, UpdateRequest
from durable_nb.service import RPCError, RPCStatusCode

if TYPE_CHECKING:
    from durable_nb.engine.engine import Engine


class Frontend:
    """The engine as callers see it. Requests raise ``RPCError``, ``WorkflowAlreadyStartedError`` or ``StoreError``."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    # -- finding ---------------------------------------------------------------------------------------------------

    async def _find(self, target: ask.Target) -> int:
        """Run key of the target."""
        engine = self._engine
        if target.run_id:
            key = engine.run_keys.get(target.run_id)
        else:
            key = engine.open_runs.get((target.namespace, target.workflow_id))
        if key is not None and not target.first_execution_run_id:
            return key
        row = await self._row(target)
        if target.first_execution_run_id and row.first_execution_run_id != target.first_execution_run_id:
            raise not_found(target)
        return row.run_key

    async def _row(self, target: ask.Target) -> RunRow:
        engine = self._engine
        row: RunRow | None = await engine.read(
            engine.store.find_run, target.namespace, target.workflow_id, target.run_id
        )
        if row is None:
            raise not_found(target)
        return row

    async def _push(self, run_key: int, make: Any, *args: Any) -> Any:
        future: asyncio.Future[Any] = self._engine.loop.create_future()
        self._engine.push(run_key, make(*args, future))
        return await future

    async def _to_current(self, target: ask.Target, make: Any, *args: Any) -> Any:
        """Push to the target; one without a run ID is followed when its run is succeeded by another meanwhile."""
        key = await self._find(target)
        while True:
            try:
                return await self._push(key, make, *args)
            except RPCError as error:
                if error.status is not RPCStatusCode.NOT_FOUND or target.run_id:
                    raise
                current = await self._find(target)
                if current == key:
                    raise
                key = current

    # -- starting --------------------------------------------------------------------------------------------------

    async def start_workflow(self, request: ask.StartWorkflow) -> ask.StartedWorkflow:
        """Start a run, or use, signal or replace the open one as the policies say."""
        return await self._start(request, [])

    async def _start(self, request: ask.StartWorkflow, inputs: list[Input]) -> ask.StartedWorkflow:
        engine = self._engine
        conflict_policy = request.id_conflict_policy
        reuse_policy = request.id_reuse_policy
        if reuse_policy is WorkflowIDReusePolicy.TERMINATE_IF_RUNNING:
            reuse_policy = WorkflowIDReusePolicy.ALLOW_DUPLICATE
            conflict_policy = WorkflowIDConflictPolicy.TERMINATE_EXISTING
        if request.cron_schedule:
            _check_cron(request.cron_schedule)
        name = (request.namespace, request.workflow_id)
        while True:
            key = known = engine.open_runs.get(name)
            if known is None:
                if reuse_policy is not WorkflowIDReusePolicy.ALLOW_DUPLICATE:
                    row = await reuse_refusal(engine, *name, reuse_policy)
                    if row is not None and row.status != WorkflowExecutionStatus.RUNNING:
                        raise WorkflowAlreadyStartedError(row.workflow_id, row.workflow_type, run_id=row.run_id)
                key = engine.new_run_key()
                run_id = engine.new_run_id()
                tx = start(engine.context(request.namespace), request, key, run_id, engine.clock.now())
                conflict = await insert(engine, tx, inputs)
                if conflict is None:
                    return ask.StartedWorkflow(run_id, run_id, True)
            used = await self._use_existing(request, conflict_policy)
            if used is not None:
                return used
            # The store says closed, but this process may still hold the run as open (its own commit is about to be
            # told, or another process closed it): have the run looked at before the next try.
            if known is not None:
                await self._push(known, Describe, lambda slot: None)

    async def _use_existing(
        self, request: ask.StartWorkflow, policy: WorkflowIDConflictPolicy
    ) -> ask.StartedWorkflow | None:
        """Deal with the open run; None when it has gone meanwhile and the start is to be tried again."""
        target = ask.Target(request.namespace, request.workflow_id)
        row = await self._row(target)
        if row.status != WorkflowExecutionStatus.RUNNING:
            return None
        if policy is WorkflowIDConflictPolicy.TERMINATE_EXISTING:
            try:
                await self._push(
                    row.run_key, Terminate, "TerminateIfRunning WorkflowIdReusePolicy", None, "history-service"
                )
            except RPCError as error:
                if error.status is not RPCStatusCode.NOT_FOUND:
                    raise
            return None
        if request.signal is not None and policy in (
            WorkflowIDConflictPolicy.UNSPECIFIED,
            WorkflowIDConflictPolicy.USE_EXISTING,
        ):
            try:
                await self._push(row.run_key, Signal, request.signal, request.identity)
            except RPCError as error:
                if error.status is not RPCStatusCode.NOT_FOUND:
                    raise
                return None
            return ask.StartedWorkflow(row.run_id, row.first_execution_run_id, False)
        if policy is WorkflowIDConflictPolicy.USE_EXISTING:
            return ask.StartedWorkflow(row.run_id, row.first_execution_run_id, False)
        raise WorkflowAlreadyStartedError(row.workflow_id, row.workflow_type, run_id=row.run_id)

    async def serves(self, run_key: int) -> bool:
        """Whether a worker of this process has the run's workflow type."""
        slot = self._engine.slots.get(run_key)
        state = slot.state if slot is not None else None
        if state is None:
            state = await self._push(run_key, Describe, lambda loaded: loaded.state)
        started = state.started
        return self._engine.workers.for_workflow(state.namespace, started.task_queue, started.workflow_type) is not None

    # -- talking to a run ------------------------------------------------------------------------------------------

    async def signal_workflow(self, request: ask.SignalWorkflow) -> None:
        await self._to_current(request.target, Signal, request.signal, request.identity)

    async def cancel_workflow(self, request: ask.CancelWorkflow) -> None:
        await self._to_current(request.target, CancelRequest, request.reason, request.identity)

    async def terminate_workflow(self, request: ask.TerminateWorkflow) -> None:
        await self._to_current(request.target, Terminate, request.reason, request.details, request.identity)

    async def query_workflow(self, request: ask.QueryWorkflow) -> ask.QueryResult:
        key = await self._find(request.target)
        if request.reject_condition > 1:
            row = await self._row(request.target)
            status = WorkflowExecutionStatus(row.status)
            refused = status is not WorkflowExecutionStatus.RUNNING and (
                request.reject_condition == 2 or status is not WorkflowExecutionStatus.COMPLETED
            )
            if refused:
                return ask.QueryResult(rejected=status)
        if not await self.serves(key) and mailbox.has_company(self._engine):
            return await mailbox.ask_query(self._engine, key, request)
        answer: QueryAnswer = await self._push(key, Query, QueryRequest(request.name, request.args, request.header))
        return ask.QueryResult(result=answer.result, failure=answer.failure)

    async def update_workflow(self, request: ask.UpdateWorkflow) -> ask.UpdateResult:
        key = await self._find(request.target)
        if not await self.serves(key) and mailbox.has_company(self._engine):
            return await mailbox.ask_update(self._engine, key, request)
        run_id, outcome = await self._push(key, _update_of(request))
        return ask.UpdateResult(run_id, outcome)

    async def poll_update(self, request: ask.PollUpdate) -> ask.UpdateResult:
        key = await self._find(request.target)
        run_id, outcome = await self._push(key, PollUpdate, request.update_id)
        return ask.UpdateResult(run_id, outcome)

    async def update_with_start(self, request: ask.UpdateWithStart) -> ask.UpdateWithStartResult:
        """Start (or use) a run and admit the update before its first workflow task."""
        engine = self._engine
        waiter: asyncio.Future[Any] = engine.loop.create_future()
        update = _update_of(request.update)(waiter)
        policy = request.start.id_conflict_policy
        target = ask.Target(request.start.namespace, request.start.workflow_id)
        if policy is not WorkflowIDConflictPolicy.FAIL:
            attached = await self._completed_update(target, request.update.update_id)
            if attached is not None:
                return attached
        started = await self._start(request.start, [update])
        if not started.started:
            target.run_id = started.run_id
            engine.push(await self._find(target), update)
        run_id, outcome = await waiter
        return ask.UpdateWithStartResult(started, ask.UpdateResult(run_id, outcome))

    async def _completed_update(self, target: ask.Target, update_id: str) -> ask.UpdateWithStartResult | None:
        """A closed run's completed update of the same id is the answer (temporal-semantics section 6)."""
        try:
            row = await self._row(target)
        except RPCError:
            return None
        if row.status == WorkflowExecutionStatus.RUNNING:
            return None
        target = ask.Target(row.namespace, row.workflow_id, row.run_id)
        known = await self._look(target, lambda slot: slot.state and slot.state.updates.get(update_id))
        if known is None or known.outcome is None:
            return None
        started = ask.StartedWorkflow(row.run_id, row.first_execution_run_id, False)
        return ask.UpdateWithStartResult(started, ask.UpdateResult(row.run_id, known.outcome))

    async def retry_workflow_task(self, target: ask.Target) -> None:
        """Try a failed workflow task again at once."""
        self._engine.push(await self._find(target), RetryWorkflowTask())

    # -- reading ---------------------------------------------------------------------------------------------------

    async def read_history(self, request: ask.ReadHistory) -> ask.HistoryPage:
        """Events, at once or when there are new ones."""
        engine = self._engine
        key = await self._find(request.target)
        while True:
            slot = engine.slots.get(key)
            state = slot.state if slot is not None else None
            if request.wait_new_event and state is not None and state.is_open and request.close_event_only:
                # The common wait for a result: nothing is read from the store.
                closing_event = await engine.watchers.watch(key)
                if closing_event is not None:
                    return ask.HistoryPage(state.run_id, [closing_event], True)
            row = await self._row_by(request.target, key)
            is_closed = row.status != WorkflowExecutionStatus.RUNNING
            if is_closed or not request.wait_new_event:
                return await self._page(row, request, is_closed)
            if not request.close_event_only and row.next_event_id > request.first_event_id:
                return await self._page(row, request, is_closed)
            await engine.watchers.watch(key, 0 if request.close_event_only else request.first_event_id)

    async def _row_by(self, target: ask.Target, run_key: int) -> RunRow:
        row = await self._row(target)
        if row.run_key == run_key:
            return row
        # The workflow ID has a newer run by now; the caller began with this one and is to see its end.
        loaded = await self._engine.read(self._engine.store.load_run, run_key)
        if loaded is None:
            raise not_found(target)
        found: RunRow = loaded.run
        return found

    async def _page(self, row: RunRow, request: ask.ReadHistory, is_closed: bool) -> ask.HistoryPage:
        first = request.first_event_id
        if request.close_event_only:
            first = row.next_event_id - 1
        events: list[Event] = await self._engine.read(self._engine.store.read_events, row.run_key, first)
        if request.close_event_only and not is_closed:
            events = []
        return ask.HistoryPage(row.run_id, events, is_closed)

    async def _look(self, target: ask.Target, look: Any) -> Any:
        return await self._push(await self._find(target), Describe, look)

    async def describe_workflow(self, target: ask.Target) -> ask.RunDescription:
        row = await self._row(target)
        if row.status != WorkflowExecutionStatus.RUNNING:
            return describe.describe_row(row)
        workers = self._engine.workers

        def look(slot: RunSlot) -> ask.RunDescription:
            state = slot.state
            assert state is not None  # noqa: S101 - inputs are applied to loaded runs only
            described = describe.describe(state, row)
            task = described.pending_workflow_task
            if task is not None:
                port = workers.for_workflow(state.namespace, state.started.task_queue, state.started.workflow_type)
                task.waits_for_definition = port is None
            return described

        described: ask.RunDescription = await self._push(row.run_key, Describe, look)
        return described

    async def list_workflows(self, request: ask.ListWorkflows) -> list[ask.RunDescription]:
        query = RunFilter(
            request.namespace, request.workflow_id, request.workflow_type, request.statuses, request.limit
        )
        rows = await self._engine.read(self._engine.store.list_runs, query)
        return [describe.describe_row(row) for row in rows]

    async def count_workflows(self, namespace: str) -> dict[int, int]:
        counts: dict[int, int] = await self._engine.read(self._engine.store.count_runs, namespace)
        return counts

    async def read_attempts(self, target: ask.Target) -> list[ask.AttemptDescription]:
        row = await self._row(target)
        attempts = await self._engine.read(self._engine.store.read_attempts, row.run_key)
        return [describe.describe_attempt(attempt) for attempt in attempts]

    # -- activities from outside -----------------------------------------------------------------------------------

    async def _attempt(self, reference: ask.ActivityReference) -> tuple[int, int, int]:
        """Run key, scheduled event id and token of an activity that is named from outside."""
        if reference.task_token:
            try:
                run_key, scheduled_id, token = map(int, reference.task_token.split(b":"))
            except ValueError:
                raise RPCError("this is not a task token", RPCStatusCode.INVALID_ARGUMENT) from None
            return run_key, scheduled_id, token
        target = ask.Target(reference.namespace, reference.workflow_id, reference.run_id)

        def look(slot: RunSlot) -> tuple[int, int] | None:
            state = slot.state
            scheduled = state.activity_ids.get(reference.activity_id) if state is not None else None
            return (scheduled, state.activities[scheduled].token) if state and scheduled else None

        key = await self._find(target)
        found = await self._push(key, Describe, look)
        if found is None:
            raise RPCError(f"no activity {reference.activity_id!r} is pending", RPCStatusCode.NOT_FOUND)
        return (key, *found)

    async def heartbeat_activity(
        self, reference: ask.ActivityReference, details: list[Payload] | None
    ) -> HeartbeatReply:
        key, scheduled_id, token = await self._attempt(reference)
        try:
            reply: HeartbeatReply = await self._push(key, Heartbeat, scheduled_id, token, details)
        except RPCError as error:
            if error.status is RPCStatusCode.NOT_FOUND:
                return HeartbeatReply(not_found=True)
            raise
        return reply

    async def _end_activity(self, reference: ask.ActivityReference, outcome: ActivityOutcome) -> None:
        key, scheduled_id, token = await self._attempt(reference)
        await self._push(key, ActivityEnded, scheduled_id, token, outcome, self._engine.identity)

    async def complete_activity(self, reference: ask.ActivityReference, result: list[Payload] | None) -> None:
        await self._end_activity(reference, ActivityOutcome(result=result))

    async def fail_activity(
        self, reference: ask.ActivityReference, failure: Failure, details: list[Payload] | None = None
    ) -> None:
        await self._end_activity(reference, ActivityOutcome(failure=failure, last_heartbeat_details=details))

    async def cancel_activity(self, reference: ask.ActivityReference, details: list[Payload] | None) -> None:
        await self._end_activity(reference, ActivityOutcome(canceled=True, canceled_details=details))

    # -- reset -----------------------------------------------------------------------------------------------------

    async def reset_workflow(self, request: ask.ResetWorkflow) -> str:
        """A new run from a prefix of the history; the old run, where still open, is terminated with it."""
        engine = self._engine
        row = await self._row(request.target)
        current = await self._row(ask.Target(row.namespace, row.workflow_id))
        if current.status == WorkflowExecutionStatus.RUNNING and current.run_key != row.run_key:
            reason = f"reset of run {row.run_id}"
            await self._push(current.run_key, Terminate, reason, None, request.identity)
        events = await engine.read(engine.store.read_events, row.run_key, 1)

        def make(old: ExecutionState) -> Transition:
            now, run_id = engine.clock.now(), engine.new_run_id()
            try:
                tx = reset(engine.context(row.namespace), old, events, request, engine.new_run_key(), run_id, now)
            except ResetError as error:
                raise RPCError(str(error), RPCStatusCode.INVALID_ARGUMENT) from error
            tx.state.definition = old.definition
            return tx

        if row.status == WorkflowExecutionStatus.RUNNING:
            run_id: str = await self._push(row.run_key, EndByReset, request.reason or "reset", make)
            return run_id
        target = ask.Target(row.namespace, row.workflow_id, row.run_id)
        tx = make(await self._look(target, lambda slot: slot.state))
        if await insert(engine, tx) is not None:
            raise RPCError("another run of this workflow ID was started meanwhile", RPCStatusCode.ABORTED)
        return tx.state.run_id


def not_found(target: ask.Target) -> RPCError:
    """Nobody knows this workflow or run."""
    run = f", run {target.run_id!r}" if target.run_id else ""
    return RPCError(f"workflow execution not found: {target.workflow_id!r}{run}", RPCStatusCode.NOT_FOUND)


def _check_cron(schedule: str) -> None:

    try:
        cron.check(schedule)
    except ValueError as error:
        raise RPCError(str(error), RPCStatusCode.INVALID_ARGUMENT) from error


def _update_of(request: ask.UpdateWorkflow) -> Any:
    update = UpdateRequest(request.update_id, request.name, request.args, request.header, request.identity)
    return lambda waiter: Update(update, waiter, request.wait_completed)


class Bridge:
    """The frontend for callers on any loop: each request runs on the engine's loop, its answer comes back here.

    The wait wakes up ten times a second, because a kernel delivers an interrupt to a waiting cell only when its loop
    turns.
    """

    TURN = 0.1

    def __init__(self, frontend: Frontend, loop: asyncio.AbstractEventLoop) -> None:
        self._frontend = frontend
        self._loop = loop

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._frontend, name)
        home = self._loop

        def call(*args: Any) -> Any:
            if asyncio.get_running_loop() is home:
                return method(*args)
            return self._from_elsewhere(method(*args))

        setattr(self, name, call)
        return call

    async def _from_elsewhere(self, request: Coroutine[Any, Any, Any]) -> Any:
        future = asyncio.wrap_future(asyncio.run_coroutine_threadsafe(request, self._loop))
        try:
            while not future.done():
                await asyncio.wait([future], timeout=self.TURN)
        except asyncio.CancelledError:
            future.cancel()
            raise
        return future.result()
