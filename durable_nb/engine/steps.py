"""One step of one run: take in what arrived, fire what is due, run workflow code, and collect what changed.

A step is synchronous: nothing can come between a workflow task's start and its end within it, and everything it
decides goes into one unit of the store. Where workflow code needs time (local activities, payload codecs) the task is
held and its outcome comes back as an input of a later step.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from time import perf_counter_ns
from typing import TYPE_CHECKING

from durable_nb.core import deadlines, workflow_tasks
from durable_nb.core.machines import update
from durable_nb.core.transition import Transition
from durable_nb.core.workflow_tasks import OpenTask
from durable_nb.engine.branch_inputs import EndByBranch
from durable_nb.engine.inputs import Input, Query, TaskEnded, Wake
from durable_nb.engine.notices import Notice
from durable_nb.engine.ports import TaskResult, WorkerPort
from durable_nb.engine.slot import RunSlot
from durable_nb.model.commands import WorkflowTaskCompletion, WorkflowTaskFailure
from durable_nb.model.enums import WorkflowTaskFailedCause
from durable_nb.model.events import Event
from durable_nb.model.failure import Failure
from durable_nb.model.storable import as_text
from durable_nb.model.tasks import UpdateRequest, WorkflowTask
from durable_nb.service import RPCError

if TYPE_CHECKING:
    from durable_nb.engine.engine import Engine


class Step:
    """The run of one step: the transition, and how far its events were shown to workflow code."""

    __slots__ = ("ended_task", "engine", "inputs", "queries", "sent", "slot", "tx")

    def __init__(self, engine: Engine, slot: RunSlot, tx: Transition) -> None:
        self.engine = engine
        self.slot = slot
        self.tx = tx
        self.inputs: list[Input] = []
        self.queries: list[Query] = []
        self.sent = -1
        """Number of the transition's events that the instance has seen; -1 while it saw none."""
        self.ended_task = False
        """Whether commands of workflow code are part of what is to be written."""

    def run(self) -> None:
        """Decide everything that can be decided now."""
        slot, tx = self.slot, self.tx
        state = tx.state
        if 0 < state.wake_at <= tx.now:
            tx.touched = True
            deadlines.fire(tx)
        elif 0 < state.next_deadline() <= tx.now:
            deadlines.fire(tx)
        while slot.inputs:
            self._take(slot.inputs.popleft())
            if slot.careful:
                slot.careful = bool(slot.inputs)
                break
        while slot.open_task is None and state.is_open and self._serve():
            pass
        if self.sent >= 0:
            slot.unsent = tx.events[self.sent :]
        else:
            slot.unsent += tx.events

    def _take(self, item: Input) -> None:
        if type(item) is Query:
            self.queries.append(item)
            return
        if type(item) is TaskEnded:
            self._end_held(item)
            return
        if type(item) is EndByBranch and any(type(other) is not EndByBranch for other in self.slot.inputs):
            self.slot.inputs.append(item)  # What came together with it is heard first, and so goes over to the new run.
            return
        try:
            item.apply(self.tx, self.slot)
        except RPCError as refusal:
            item.fail(refusal)
            return
        except Exception:
            # The step is given up; its caller must hear of it with the others.
            self.inputs.append(item)
            raise
        self.inputs.append(item)

    # -- workflow tasks --------------------------------------------------------------------------------------------

    def _serve(self) -> bool:
        """Run the open workflow task if this process has the definition; True when another can begin at once."""
        slot, tx = self.slot, self.tx
        state = tx.state
        updates = slot.offered_updates() if slot.updates or state.admitted else []
        begins = workflow_tasks.can_begin(state, tx.now)
        if not begins and not (updates and workflow_tasks.can_begin_speculative(state)):
            return False
        if slot.port is not None and not slot.port.holds_run(slot.run_key):
            # Its instance was let go after its last task, so this one needs the whole history: in the next step.
            slot.inputs.append(Wake())
            return False
        started = state.started
        port = self.engine.workers.for_run(state)
        if port is None:
            return False
        if not state.definition:
            state.definition = port.definition_digest(started.workflow_type)
            tx.listed = tx.listed or bool(state.definition)
        open_task = workflow_tasks.begin(tx, speculative=not begins)
        task = self._task(open_task, updates)
        slot.port = port
        if slot.refusal is not None:
            refusal, slot.refusal = slot.refusal, None
            self._end(open_task, _unwritable(refusal))
            return False
        began = perf_counter_ns()
        try:
            result = port.run_workflow_task(slot.run_key, task)
        except Exception as error:
            result = _worker_fault(error)
        metrics = self.engine.metrics
        metrics.task_latency.record(perf_counter_ns() - began)
        if task.events[0].event_id == 1:
            metrics.ran_from_the_beginning(task, perf_counter_ns() - began)
        if isinstance(result, WorkflowTaskCompletion | WorkflowTaskFailure):
            self._end(open_task, result)
            return workflow_tasks.can_begin(state, tx.now)
        self._hold(open_task, port, result)
        return False

    def _task(self, open_task: OpenTask, updates: list[UpdateRequest]) -> WorkflowTask:
        """What the worker gets: the events its instance has not seen, up to this task's Started."""
        tx = self.tx
        state = tx.state
        unseen: list[Event] = self.slot.unsent + tx.events if self.sent < 0 else tx.events[self.sent :]
        unseen += open_task.events
        started_id = open_task.started_event_id
        suggest = unseen[-1].attributes.suggest_continue_as_new  # type: ignore[attr-defined]
        return WorkflowTask(
            state.namespace,
            state.workflow_id,
            state.run_id,
            state.started.workflow_type,
            state.started.task_queue,
            open_task.attempt,
            unseen,
            state.previous_started_event_id,
            started_id,
            started_id,
            state.history_size,
            suggest,
            updates,
            state.definition,
        )

    def _hold(self, open_task: OpenTask, port: WorkerPort, result: Awaitable[TaskResult]) -> None:
        tx = self.tx
        workflow_tasks.hold(tx, open_task)
        self.sent = len(tx.events)
        self.slot.open_task = open_task
        self.engine.spawn(_await_task(self.engine, self.slot.run_key, open_task, result))

    def _end_held(self, ended: TaskEnded) -> None:
        slot, state = self.slot, self.tx.state
        open_task = slot.open_task
        slot.open_task = None
        if open_task is None or open_task is not ended.open_task or not workflow_tasks.is_current(state, open_task):
            # The task was taken away meanwhile (timed out, terminated, or the run was reloaded).
            slot.reload = True
            return
        self._end(open_task, ended.outcome)

    def _end(self, open_task: OpenTask, result: TaskResult) -> None:
        slot, tx = self.slot, self.tx
        sent = len(tx.events) + len(open_task.events)
        before = len(tx.events)
        failure: WorkflowTaskFailure | None
        if type(result) is WorkflowTaskCompletion:
            self.ended_task = True
            failure = workflow_tasks.complete(tx, open_task, result)
            if result.rejected_updates:
                for update_id, reason in result.rejected_updates.items():
                    if update_id in tx.state.admitted:
                        update.forget(tx.state, update_id)
                        tx.touched = True
                    rejected = slot.updates.pop(update_id, None)
                    if rejected is not None:
                        slot.rejections.append((rejected, reason))
        else:
            failure = result  # type: ignore[assignment]
            workflow_tasks.fail(tx, open_task, result)  # type: ignore[arg-type]
        self.sent = sent if len(tx.events) > before else before
        if failure is not None:
            self.engine.metrics.task_failures += 1
            slot.reload = True
            self._tell(open_task, failure)

    def _tell(self, open_task: OpenTask, failure: WorkflowTaskFailure) -> None:
        if failure.cause is WorkflowTaskFailedCause.UNHANDLED_COMMAND:
            return
        state = self.tx.state
        reason = failure.failure
        info = reason.application_failure_info
        kind = f"{info.type}: " if info is not None and info.type else ""  # "'rate'" alone says little of a KeyError.
        self.engine.notices.tell(
            Notice(
                "workflow_task_failed",
                f"workflow task of {state.started.workflow_type} {state.workflow_id!r} failed "
                f"(attempt {open_task.attempt}): {kind}{reason.message}",
                state.workflow_id,
                state.run_id,
                state.started.workflow_type,
                open_task.attempt,
                reason,
            )
        )


def _worker_fault(error: Exception) -> WorkflowTaskFailure:
    return WorkflowTaskFailure(
        WorkflowTaskFailedCause.WORKFLOW_WORKER_UNHANDLED_FAILURE,
        Failure(message=f"the worker raised {type(error).__name__}: {error}", source="durable_nb"),
    )


def _unwritable(error: Exception) -> WorkflowTaskFailure:
    message = f"what the workflow asked for cannot be written: {type(error).__name__}: {error}"
    return WorkflowTaskFailure(
        WorkflowTaskFailedCause.WORKFLOW_WORKER_UNHANDLED_FAILURE,
        Failure(message=as_text(message), source="durable_nb"),
    )


async def _await_task(engine: Engine, run_key: int, open_task: OpenTask, result: Awaitable[TaskResult]) -> None:
    try:
        outcome = await result
    except asyncio.CancelledError:
        raise
    except Exception as error:
        outcome = _worker_fault(error)
    engine.push(run_key, TaskEnded(open_task, outcome))
