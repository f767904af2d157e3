"""The engine of one process on one store: the only writer of histories.

All of it runs on one event loop. ``push`` gives a run something to take in; ``_drain`` steps every run that has
something, hands all that changed to the writer as one batch, and ``_committed`` releases the effects once they are
durable (invariant 'nothing leaves before it is durable'). One transition of a run is in flight at a time, so what
arrives meanwhile is taken in together: five hundred activities that end together cost one workflow task.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections import deque
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

from durable_nb._hop import Hop
from durable_nb.core.transition import Context, Transition
from durable_nb.engine import effects, setbacks
from durable_nb.engine.attempt_inputs import Release
from durable_nb.engine.cache import RESTING_RUNS, RunCache
from durable_nb.engine.clock import Clock
from durable_nb.engine.identifiers import Identifiers
from durable_nb.engine.inputs import Input, RetryWorkflowTask, Wake
from durable_nb.engine.loading import load_slot
from durable_nb.engine.metrics import EngineMetrics
from durable_nb.engine.notices import Notice, Notices
from durable_nb.engine.outputs import Outputs
from durable_nb.engine.slot import COMMITTING, IDLE, LOADING, RunSlot
from durable_nb.engine.steps import Step
from durable_nb.engine.watchers import Watchers
from durable_nb.engine.workers import WorkerEntry, Workers
from durable_nb.engine.writer import GroupCommitWriter, InlineWriter, Outcome
from durable_nb.errors import EngineStoppedError, StoreError, StoreValueError
from durable_nb.model.records import Conflict, Unit
from durable_nb.store.protocol import Store

logger = logging.getLogger("durable_nb.engine")

EVICTION_LOOK = 64
"""Cached runs that are looked at after a commit, besides two for each that it wrote."""

SUGGEST_CONTINUE_AS_NEW = 10_240


class Engine:
    """See the module docstring. Every method is called on ``loop`` unless it says otherwise."""

    def __init__(
        self,
        store: Store,
        loop: asyncio.AbstractEventLoop,
        clock: Clock,
        *,
        process_key: int,
        identity: str,
        suggest_continue_as_new_at: int = SUGGEST_CONTINUE_AS_NEW,
    ) -> None:
        self.store = store
        self.loop = loop
        self.clock = clock
        self.process_key = process_key
        self.identity = identity
        self.origins: dict[int, tuple[str, int] | None] = {}
        """By run key, as far as asked (``finding.read_origins``)."""
        self.suggest_continue_as_new_at = suggest_continue_as_new_at
        self.workers = Workers()
        self.metrics = EngineMetrics()
        self.notices = Notices()
        self.watchers = Watchers(self)
        self.outputs = Outputs(self)
        self.slots = RunCache()
        self.ids = Identifiers(store, clock)
        self.naming = asyncio.Lock()
        """Held while a free workflow ID is looked for and taken."""
        self.transfers_under_way: set[tuple[int, int]] = set()
        """(run key, transfer id) of what is being told to other runs."""
        self.on_wake_at: Callable[[int], None] = lambda _: None
        """Told of every new deadline; the upkeep keeps the alarm."""
        self._contexts: dict[str, Context] = {}
        self._ready: deque[RunSlot] = deque()
        self._drain_scheduled = False
        self._tasks: set[asyncio.Task[Any]] = set()
        self._stopped = False
        self._in_flight = 0
        self.call_soon = Hop(loop).post
        """Call on the loop, from any thread."""
        self._thread_id = threading.get_ident()
        self.epoch = 0
        """Grows whenever another process was seen to have written."""
        local = store.url.startswith("memory")
        self._has_company = not local  # A memory store belongs to one engine.
        self._token = store.change_token()
        self.writer = (InlineWriter if local else GroupCommitWriter)(store, loop, self._committed)

    # -- small services --------------------------------------------------------------------------------------------

    def context(self, namespace: str) -> Context:
        """What decisions about runs of the namespace need from outside."""
        context = self._contexts.get(namespace)
        if context is None:
            lease = self.workers.lease
            context = self._contexts[namespace] = Context(
                self.process_key,
                self.identity,
                lambda queue, kind: lease(namespace, queue, kind),
                self.ids.new_run_key,
                self.ids.new_run_id,
                self.suggest_continue_as_new_at,
            )
        return context

    def suggest_continue_as_new_from(self, events: int) -> None:
        """Change the history length at which continue-as-new is suggested."""
        self.suggest_continue_as_new_at = events
        for context in self._contexts.values():
            context.suggest_continue_as_new_at = events

    def spawn(self, coroutine: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        """Run something beside the steps; the engine keeps it alive and ends it when it stops."""
        task = self.loop.create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._task_done)
        return task

    @property
    def tasks(self) -> list[asyncio.Task[Any]]:
        """What runs beside the steps."""
        return list(self._tasks)

    def _task_done(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            logger.error("a task of the engine failed", exc_info=task.exception())

    def is_on_loop(self) -> bool:
        """Whether the caller is on the engine's thread."""
        return threading.get_ident() == self._thread_id

    # -- runs ------------------------------------------------------------------------------------------------------

    def push(self, run_key: int, item: Input) -> None:
        """Give a run something to take in."""
        if self._stopped:
            item.fail(_stopped())
            return
        slot = self.slots.get(run_key)
        if slot is None:
            slot = self.slots[run_key] = RunSlot(run_key)
        slot.inputs.append(item)
        if not slot.queued and slot.phase == IDLE:
            slot.queued = True
            self._ready.append(slot)
            self._schedule_drain()

    def open_run(self, tx: Transition, inputs: Sequence[Input] = ()) -> None:
        """Begin a new run with its first transition; ``inputs`` hear of the outcome like any other."""
        state = tx.state
        slot = RunSlot(state.run_key)
        slot.state = state
        slot.opening = tx
        slot.epoch = self.epoch
        slot.inputs.extend(inputs)
        slot.queued = True
        self.slots.adopt(slot)
        self._ready.append(slot)
        self._schedule_drain()

    def push_later(self, run_key: int, item: Input) -> None:
        """``push`` at the next turn of the loop, when what is being released now is complete."""
        self.loop.call_soon(self.push, run_key, item)

    def wake(self, run_key: int) -> None:
        """Look at a run."""
        self.push(run_key, Wake())

    def retry_workflow_task(self, run_key: int) -> None:
        """The code of a run changed: forget its instance and try a failed task again at once."""
        slot = self.slots.get(run_key)
        if slot is not None and slot.open_task is None:
            slot.reload = True
        self.push(run_key, RetryWorkflowTask())

    def versions_in_memory(self) -> set[str]:
        """Digests that open runs in memory are pinned to, also where that is not stored yet."""
        states = (slot.state for slot in self.slots.values())
        return {state.definition for state in states if state is not None and state.is_open}

    def release_worker(self, entry: WorkerEntry) -> None:
        """A worker left: its runs and its waiting attempts are for others."""
        for slot in list(self.slots.values()):
            if slot.port is entry.port:
                slot.reload = True
        for run_key, scheduled_id in entry.waiting:
            self.push(run_key, Release(scheduled_id))
        entry.waiting.clear()

    def rejoin(self) -> None:
        """Others declared this process dead: drop every assumption and register anew."""
        process = self.store.register_process(self.identity, self.clock.now())
        self.process_key = process.process_key
        self._contexts.clear()
        for slot in self.slots.values():
            slot.reload = True

    # -- the drain -------------------------------------------------------------------------------------------------

    def _schedule_drain(self) -> None:
        if not self._drain_scheduled:
            self._drain_scheduled = True
            self.loop.call_soon(self._drain)

    def _drain(self) -> None:
        self._drain_scheduled = False
        self.notice_changes()
        batch: list[tuple[Unit, Any]] = []
        ready = self._ready
        for _ in range(len(ready)):
            slot = ready.popleft()
            slot.queued = False
            if slot.phase != IDLE:
                continue
            if self._needs_loading(slot):
                slot.phase = LOADING
                self.spawn(load_slot(self, slot))
                continue
            self._step(slot, batch)
        if batch:
            self._in_flight += len(batch)
            self.writer.submit(batch)

    def notice_changes(self) -> None:
        """Begin a new epoch when another process has written: what is cached is then checked before it is used."""
        if self._has_company:
            token = self.store.change_token()
            if token != self._token:
                self._token = token
                self.epoch += 1

    def _is_current(self, slot: RunSlot) -> bool:
        """Whether the cached state is still the stored one."""
        state = slot.state
        if slot.epoch == self.epoch or slot.opening is not None or state is None:
            return True
        slot.epoch = self.epoch
        row = self.store.find_run(state.namespace, state.workflow_id, state.run_id)
        return row is not None and row.version == state.version

    def _needs_loading(self, slot: RunSlot) -> bool:
        state = slot.state
        if state is None:
            slot.epoch = self.epoch
            return True
        port = slot.port
        if not self._is_current(slot):
            slot.reload = True
        if slot.reload or (port is not None and state.is_open and self._lost_instance(slot, port)):
            self.slots.forget(slot)
            return True
        return False

    def _lost_instance(self, slot: RunSlot, port: Any) -> bool:
        if port.holds_run(slot.run_key):
            return False
        return slot.open_task is None

    def _step(self, slot: RunSlot, batch: list[tuple[Unit, Any]]) -> None:
        state = slot.state
        assert state is not None  # noqa: S101 - _needs_loading has seen to it
        tx = slot.opening or Transition(state, self.clock.now(), self.context(state.namespace))
        slot.opening = None
        step = Step(self, slot, tx)
        try:
            step.run()
            unit = None if tx.is_empty else _unit_of(tx)
        except Exception as error:
            setbacks.isolate(self, slot, step, error)
            return
        if step.queries:
            # A step with queries and changes answers after its commit: an answer must not tell what may yet be lost.
            step.inputs += step.queries
        if unit is None:
            effects.release_unchanged(self, slot, step)
            return
        slot.phase = COMMITTING
        batch.append((unit, (slot, step)))

    def requeue(self, slot: RunSlot) -> None:
        """Let a run that has something to take in have its turn."""
        if not slot.queued and slot.phase == IDLE and not self._stopped:
            slot.queued = True
            self._ready.append(slot)
            self._schedule_drain()

    async def read(self, method: Callable[..., Any], *args: Any) -> Any:
        """Ask the store something without holding up the loop for long.

        SQLite on this machine answers a small read in less time than a hop to a thread and back would take.
        """
        if self.store.url.startswith(("sqlite", "memory")):
            return method(*args)
        return await self.loop.run_in_executor(None, method, *args)

    # -- after the commit ------------------------------------------------------------------------------------------

    def _committed(self, tokens: Sequence[Any], answer: Sequence[Outcome]) -> None:
        self._in_flight -= len(tokens)
        if self._stopped:
            setbacks.answer_late(tokens, answer, _stopped())
            return
        fault: Exception | None = None
        for (slot, step), outcome in zip(tokens, answer, strict=True):
            slot.phase = IDLE
            if outcome is None:
                effects.release(self, slot, step)
            elif isinstance(outcome, Conflict):
                setbacks.lose_race(self, slot, step, outcome)
            elif isinstance(outcome, StoreError) and not isinstance(outcome, StoreValueError):
                fault = outcome
                setbacks.repeat_later(self, slot, step, outcome)
                continue
            else:
                setbacks.isolate(self, slot, step, outcome)
            if slot.inputs:
                self.requeue(slot)
        if fault is not None:
            self.fault(fault)
        if len(self.slots) > RESTING_RUNS:
            self.metrics.evictions += self.slots.shrink(2 * len(tokens) + EVICTION_LOOK)

    def fault(self, error: Exception) -> None:
        """Count a fault of the store and tell of it."""
        self.metrics.faults += 1
        self.notices.tell(Notice("store_fault", str(error)))

    def queue_depths(self) -> dict[str, int]:
        """Runs that wait for a step, units that wait for their commit, inputs that wait in runs."""
        return {
            "ready": len(self._ready),
            "commit": self._in_flight,
            "inputs": sum(len(slot.inputs) for slot in self.slots.values()),
        }

    # -- the end ---------------------------------------------------------------------------------------------------

    @property
    def is_quiet(self) -> bool:
        """Whether nothing goes on by itself: no step, commit, transfer, held workflow task or running attempt."""
        return not (
            self._in_flight
            or self._ready
            or self.transfers_under_way
            or any(entry.running for entry in self.workers.entries)
            or any(
                slot.is_busy and (slot.inputs or slot.open_task or slot.phase != IDLE) for slot in self.slots.values()
            )
        )

    async def settle(self) -> None:
        """Wait until no step is ready, nothing is being read or written, and runs have nothing to tell each other."""
        while (  # noqa: ASYNC110 - only tests wait here; a signal would cost every commit something
            self._in_flight
            or self._ready
            or self.transfers_under_way
            or any(slot.phase != IDLE for slot in self.slots.values())
        ):
            await asyncio.sleep(0)

    def stop(self) -> None:
        """Write what was decided, then take no more work. What waits is refused; it was not acknowledged."""
        if self._stopped:
            return
        self._stopped = True
        for task in list(self._tasks):
            task.cancel()
        self.writer.close()
        self.outputs.stop()
        error = _stopped()
        for slot in list(self.slots.values()):
            for item in slot.inputs:
                item.fail(error)
            slot.forget()
        self.watchers.fail(error)
        self.slots.clear()


def _stopped() -> EngineStoppedError:
    return EngineStoppedError("the engine is stopped", fix="connect again")


def _unit_of(tx: Transition) -> Unit:
    writes = [tx.finish()]
    successor = tx.successor
    while successor is not None:
        writes.append(successor.finish())
        successor = successor.successor
    return Unit(writes)
