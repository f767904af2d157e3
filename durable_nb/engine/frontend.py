"""Answers to callers: every request of ``model.requests``, as coroutines on the engine's loop.

Here are those that make runs go on and wait for them; those about what is recorded of runs are in ``archive``.
``Bridge`` lets them be awaited on any loop of any thread.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any

from durable_nb.core.start import start
from durable_nb.engine import mailbox
from durable_nb.engine.admission import admit_signal, admit_start, admit_texts, admit_update
from durable_nb.engine.archive import Archive
from durable_nb.engine.attempt_inputs import ActivityEnded, Heartbeat
from durable_nb.engine.finding import find_row, not_found, push, recall
from durable_nb.engine.inputs import (
    CancelRequest,
    Describe,
    Input,
    PollUpdate,
    Query,
    RetryWorkflowTask,
    Signal,
    Terminate,
    Update,
)
from durable_nb.engine.reading import read_history
from durable_nb.engine.slot import RunSlot
from durable_nb.engine.starting import LIMITED, expected_latest, forbids_reuse, insert
from durable_nb.exceptions import WorkflowAlreadyStartedError
from durable_nb.model import requests as ask
from durable_nb.model.enums import WorkflowExecutionStatus, WorkflowIDConflictPolicy, WorkflowIDReusePolicy
from durable_nb.model.failure import Failure
from durable_nb.model.payload import Payload
from durable_nb.model.records import RunRow
from durable_nb.model.tasks import ActivityOutcome, HeartbeatReply, QueryAnswer, QueryRequest, UpdateRequest
from durable_nb.service import RPCError, RPCStatusCode

if TYPE_CHECKING:
    from durable_nb.engine.engine import Engine


class Frontend(Archive):
    """The engine as callers see it. Requests raise ``RPCError``, ``WorkflowAlreadyStartedError`` or ``StoreError``."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    # -- finding ---------------------------------------------------------------------------------------------------

    async def _find(self, target: ask.Target) -> int:
        """Run key of the target."""
        engine = self._engine
        key = engine.slots.find(target.namespace, target.workflow_id, target.run_id)
        first = target.first_execution_run_id
        if key is not None and (not first or engine.slots.first_execution_run_id(key) == first):
            return key
        row = await self._row(target)
        if first and row.first_execution_run_id != first:
            raise not_found(target)
        return row.run_key

    async def _row(self, target: ask.Target) -> RunRow:
        return await find_row(self._engine, target)

    async def _push(self, run_key: int, make: Any, *args: Any) -> Any:
        return await push(self._engine, run_key, make, *args)

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
        admit_start(request)
        name = (request.namespace, request.workflow_id)
        while True:
            known = engine.slots.find(*name)
            latest: RunRow | None = None
            if known is None and reuse_policy in LIMITED:
                latest = await engine.read(engine.store.find_run, *name)
            forbidden = latest is not None and forbids_reuse(reuse_policy, latest)
            if forbidden and latest is not None and latest.status != WorkflowExecutionStatus.RUNNING:
                raise WorkflowAlreadyStartedError(latest.workflow_id, latest.workflow_type, run_id=latest.run_id)
            # Beside an open run that forbids it none is inserted in the hope of a refusal: it may close before that.
            if known is None and not forbidden:
                key = engine.ids.new_run_key()
                run_id = engine.ids.new_run_id()
                tx = start(engine.context(request.namespace), request, key, run_id, engine.clock.now())
                tx.expected_latest = expected_latest(reuse_policy, latest)
                conflict = await insert(engine, tx, inputs)
                if conflict is None:
                    return ask.StartedWorkflow(run_id, run_id, True)
            used = await self._use_existing(request, conflict_policy)
            if used is not None:
                return used
            # The store has no open run, but this process holds one: its first or last commit is under way, or another
            # process closed it. Have the run looked at, which waits for its commits, before the next try.
            if known is not None:
                await self._looked_at(known)

    async def _use_existing(
        self, request: ask.StartWorkflow, policy: WorkflowIDConflictPolicy
    ) -> ask.StartedWorkflow | None:
        """Deal with the open run; None when it has gone meanwhile and the start is to be tried again."""
        engine = self._engine
        row: RunRow | None = await engine.read(engine.store.find_run, request.namespace, request.workflow_id)
        if row is None or row.status != WorkflowExecutionStatus.RUNNING:
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

    async def _looked_at(self, run_key: int) -> None:
        """Return once what is decided of the run is stored; a run that never came to be counts as looked at."""
        try:
            await self._push(run_key, Describe, lambda slot: None)
        except RPCError as error:
            if error.status is not RPCStatusCode.NOT_FOUND:
                raise

    async def serves(self, run_key: int) -> bool:
        """Whether a worker of this process has the code that the run is on; of a closed run, any that can be asked."""
        engine = self._engine
        engine.notice_changes()
        slot = engine.slots.get(run_key)
        state = slot.state if slot is not None else None
        if slot is None or state is None or slot.epoch != engine.epoch:  # others may have moved it to their own code
            state = await self._push(run_key, Describe, lambda loaded: loaded.state)
        if state.is_open or engine.workers.for_run(state) is not None:
            return engine.workers.for_run(state) is not None
        started = state.started
        where = state.namespace, started.task_queue, started.workflow_type
        return (await recall(engine, *where, state.definition))[0] is not None

    # -- talking to a run ------------------------------------------------------------------------------------------

    async def signal_workflow(self, request: ask.SignalWorkflow) -> None:
        admit_signal(request.signal, request.identity)
        await self._to_current(request.target, Signal, request.signal, request.identity)

    async def cancel_workflow(self, request: ask.CancelWorkflow) -> None:
        admit_texts(reason=request.reason, identity=request.identity)
        await self._to_current(request.target, CancelRequest, request.reason, request.identity)

    async def terminate_workflow(self, request: ask.TerminateWorkflow) -> None:
        admit_texts(reason=request.reason, identity=request.identity)
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
        try:
            answer: QueryAnswer = await self._push(key, Query, QueryRequest(request.name, request.args, request.header))
        except RPCError as error:
            moved = error.status is RPCStatusCode.FAILED_PRECONDITION and not await self.serves(key)
            if moved and mailbox.has_company(self._engine):  # between the two
                return await mailbox.ask_query(self._engine, key, request)
            raise
        return ask.QueryResult(result=answer.result, failure=answer.failure)

    async def update_workflow(self, request: ask.UpdateWorkflow) -> ask.UpdateResult:
        admit_update(request)
        key = await self._find(request.target)
        while not await self.serves(key):
            if mailbox.has_company(self._engine):
                accepted = await mailbox.ask_update(self._engine, key, request)
                return await self._completed(accepted, request)
            if not await self._push(key, Describe, lambda slot: slot.state is not None and slot.state.is_open):
                break  # to be refused
            # Nobody has the code yet. Kept here, the update would not be seen by a process that brings it.
            await asyncio.sleep(mailbox.LOOK_EVERY)
        run_id, outcome = await self._to_current(request.target, _update_of(request))
        return ask.UpdateResult(run_id, outcome)

    async def _completed(self, accepted: ask.UpdateResult, request: ask.UpdateWorkflow) -> ask.UpdateResult:
        """What another process accepted, at the stage that is waited for."""
        if accepted.outcome is not None or not request.wait_completed:
            return accepted
        run = ask.Target(request.target.namespace, request.target.workflow_id, accepted.run_id)
        return await self.poll_update(ask.PollUpdate(run, request.update_id))

    async def poll_update(self, request: ask.PollUpdate) -> ask.UpdateResult:
        key = await self._find(request.target)
        run_id, outcome = await self._push(key, PollUpdate, request.update_id)
        return ask.UpdateResult(run_id, outcome)

    async def update_with_start(self, request: ask.UpdateWithStart) -> ask.UpdateWithStartResult:
        """Start (or use) a run and admit the update before its first workflow task."""
        engine = self._engine
        admit_update(request.update)
        if not mailbox.serves_start(engine, request) and mailbox.has_company(engine):
            both = await mailbox.ask_update_with_start(engine, request)
            return ask.UpdateWithStartResult(both.started, await self._completed(both.update, request.update))
        waiter: asyncio.Future[Any] = engine.loop.create_future()
        update: Update = _update_of(request.update)(waiter)
        update.comes_with_start = True
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
        return await read_history(self._engine, await self._find(request.target), request)

    async def _look(self, target: ask.Target, look: Any) -> Any:
        return await self._push(await self._find(target), Describe, look)

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
