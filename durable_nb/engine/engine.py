"""The engine of one process on one store: the only writer of histories.

All of it runs on one event loop. ``push`` gives a run something to take in; ``_drain`` steps every run that has
something, hands all that changed to the writer as one batch, and ``_committed`` releases the effects once they are
durable (invariant 'nothing leaves before it is durable'). One transition of a run is in flight at a time, so what
arrives meanwhile is taken in together: five hundred activities that end together cost one workflow task.
"""

from __future__ import annotations

import asyncio
import logging
import os
import threading
from collections import OrderedDict, deque
from collections.abc import Callable, Coroutine, Sequence
from itertools import islice
from typing import Any

from durable_nb.core.loading import load
from durable_nb.core.transition import Context, Transition
from durable_nb.engine import effects
from durable_nb.engine.clock import Clock
from durable_nb.engine.inputs import Input, Release, RetryWorkflowTask, Wake
from durable_nb.engine.notices import Notice, Notices
from durable_nb.engine.slot import COMMITTING, IDLE, LOADING, RunSlot
from durable_nb.engine.steps import Step
from durable_nb.engine.watchers import Watchers
from durable_nb.engine.workers import WorkerEntry, Workers
from durable_nb.engine.writer import GroupCommitWriter, InlineWriter
from durable_nb.errors import EngineStoppedError, StoreError
from durable_nb.model.records import Conflict, Unit
from durable_nb.service import RPCError, RPCStatusCode
from durable_nb.store.protocol import Store

logger = logging.getLogger("durable_nb.engine")

RUN_KEY_BLOCK = 1000
"""Run keys reserved at a time: one small commit for a thousand starts."""

RESTING_RUNS = 200
"""Cached runs above which those at rest are evicted."""

EVICTION_LOOK = 64
"""Cached runs that are looked at after a commit, besides two for each that it wrote."""

SUGGEST_CONTINUE_AS_NEW = 10_240
RETRY_AFTER_FAULT = 1.0
"""Seconds until the engine's own work is tried again after a fault of the store."""


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
        max_cached_runs: int = 1000,
        suggest_continue_as_new_at: int = SUGGEST_CONTINUE_AS_NEW,
    ) -> None:
        self.store = store
        self.loop = loop
        self.clock = clock
        self.process_key = process_key
        self.identity = identity
        self.max_cached_runs = max_cached_runs
        self.suggest_continue_as_new_at = suggest_continue_as_new_at
        self.workers = Workers()
        self.notices = Notices()
        self.watchers = Watchers(self)
        self.slots: OrderedDict[int, RunSlot] = OrderedDict()
        self.open_runs: dict[tuple[str, str], int] = {}
        """Run key of each cached open run by (namespace, workflow ID)."""
        self.run_keys: dict[str, int] = {}
        """Run key of each cached run by run ID."""
        self.transfers_under_way: set[tuple[int, int]] = set()
        """(run key, transfer id) of what is being told to other runs."""
        self.on_wake_at: Callable[[int], None] = lambda _: None
        """Told of every new deadline; the upkeep keeps the alarm."""
        self._contexts: dict[str, Context] = {}
        self._ready: deque[RunSlot] = deque()
        self._drain_scheduled = False
        self._keys = iter(range(0))
        self._tasks: set[asyncio.Task[Any]] = set()
        self._stopped = False
        self._in_flight = 0
        self._calls: deque[tuple[Callable[..., None], tuple[Any, ...]]] = deque()
        self._calls_scheduled = False
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
                self.new_run_key,
                self.new_run_id,
                self.suggest_continue_as_new_at,
            )
        return context

    def new_run_key(self) -> int:
        """A run key that nobody else has or will have."""
        key = next(self._keys, None)
        if key is None:
            self._keys = iter(self.store.reserve_run_keys(RUN_KEY_BLOCK))
            key = next(self._keys)
        return key

    def new_run_id(self) -> str:
        """A UUID of version 7: ordered by time, which keeps the index of run IDs dense."""
        random = int.from_bytes(os.urandom(10), "big")
        value = (self.clock.now() // 1000 & (1 << 48) - 1) << 80 | random
        text = f"{value:032x}"
        variant = "89ab"[random >> 62 & 3]
        return f"{text[:8]}-{text[8:12]}-7{text[13:16]}-{variant}{text[17:20]}-{text[20:]}"

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

    def call_soon(self, callback: Callable[..., None], *args: Any) -> None:
        """Call on the loop, from any thread; many calls cost one wake-up of the loop."""
        self._calls.append((callback, args))
        if not self._calls_scheduled:
            self._calls_scheduled = True
            try:
                self.loop.call_soon_threadsafe(self._run_calls)
            except RuntimeError:
                return  # The loop is closed; nobody is left to hear of it.

    def _run_calls(self) -> None:
        self._calls_scheduled = False
        calls = self._calls
        while calls:
            callback, args = calls.popleft()
            callback(*args)

    # -- runs ------------------------------------------------------------------------------------------------------

    def push(self, run_key: int, item: Input) -> None:
        """Give a run something to take in."""
        if self._stopped:
            item.fail(EngineStoppedError("the engine is stopped", fix="connect again"))
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
        self.slots[state.run_key] = slot
        self._index(slot)
        self._ready.append(slot)
        self._schedule_drain()

    def push_later(self, run_key: int, item: Input) -> None:
        """``push`` at the next turn of the loop, when what is being released now is complete."""
        self.loop.call_soon(self.push, run_key, item)

    def adopt_slot(self, slot: RunSlot) -> None:
        """Cache a run whose state is at hand."""
        self.slots[slot.run_key] = slot
        self._index(slot)

    def wake(self, run_key: int) -> None:
        """Look at a run."""
        self.push(run_key, Wake())

    def retry_workflow_task(self, run_key: int) -> None:
        """The code of a run changed: forget its instance and try a failed task again at once."""
        slot = self.slots.get(run_key)
        if slot is not None and slot.open_task is None:
            slot.reload = True
        self.push(run_key, RetryWorkflowTask())

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

    def _index(self, slot: RunSlot) -> None:
        state = slot.state
        if state is None:
            return
        self.run_keys[state.run_id] = slot.run_key
        if state.is_open:
            self.open_runs[state.namespace, state.workflow_id] = slot.run_key

    def unindex(self, slot: RunSlot) -> None:
        """Forget the ids of a run that is closed or no longer cached."""
        state = slot.state
        if state is None:
            return
        self.run_keys.pop(state.run_id, None)
        self.close_index(slot)

    def close_index(self, slot: RunSlot) -> None:
        """The run is closed: its workflow ID is free."""
        state = slot.state
        if state is not None and self.open_runs.get((state.namespace, state.workflow_id)) == slot.run_key:
            del self.open_runs[state.namespace, state.workflow_id]

    def drop(self, slot: RunSlot) -> None:
        """Stop caching a run; whatever waits in it must be gone."""
        self.unindex(slot)
        slot.forget()
        self.slots.pop(slot.run_key, None)

    def _shrink(self, look: int) -> None:
        """Evict runs that were not touched for the longest time.

        A run at rest with a short history goes early: to replay it costs less than to keep it, and ten thousand
        sleeping runs must not fill the memory. Others go when there are more than ``max_cached_runs``. What is busy
        is moved to the end, so that a look stays short.
        """
        slots = self.slots
        for slot in list(islice(slots.values(), look)):
            count = len(slots)
            if count <= RESTING_RUNS:
                return
            if slot.is_busy or not (count > self.max_cached_runs or slot.is_at_rest):
                slots.move_to_end(slot.run_key)
            else:
                self.drop(slot)

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
                self.spawn(self._load(slot))
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
            self.unindex(slot)
            slot.forget()
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
            logger.exception("a step of run %s failed", state.run_id)
            self._abandon(slot, step, error)
            return
        if step.queries:
            # A step with queries and changes answers after its commit: an answer must not tell what may yet be lost.
            step.inputs += step.queries
        if unit is None:
            effects.release_unchanged(self, slot, step)
            return
        slot.phase = COMMITTING
        batch.append((unit, (slot, step)))

    def _abandon(self, slot: RunSlot, step: Step, error: Exception) -> None:
        fault = RPCError(f"the engine failed on this run: {error}", RPCStatusCode.INTERNAL)
        fault.__cause__ = error
        for item in [*step.inputs, *step.queries, *slot.inputs]:
            item.fail(fault)
        slot.inputs.clear()
        effects.give_back_slots(self, step.tx)
        self.unindex(slot)
        slot.forget()

    async def _load(self, slot: RunSlot) -> None:
        try:
            loaded = await self.read(self.store.load_run, slot.run_key)
            if loaded is not None:
                slot.state = load(loaded)
                slot.unsent = loaded.events
        except StoreError as error:
            self._fault(error)
            slot.phase = IDLE
            self._refuse_callers(slot, error)
            if slot.inputs:
                self.loop.call_later(RETRY_AFTER_FAULT, self._requeue, slot)
            return
        except Exception as error:
            logger.exception("run %s cannot be loaded", slot.run_key)
            slot.phase = IDLE
            fault = RPCError(f"this run cannot be loaded: {error}", RPCStatusCode.DATA_LOSS)
            while slot.inputs:
                slot.inputs.popleft().fail(fault)
            self.slots.pop(slot.run_key, None)
            return
        slot.phase = IDLE
        if slot.state is None:
            while slot.inputs:
                slot.inputs.popleft().fail(RPCError("workflow execution not found", RPCStatusCode.NOT_FOUND))
            self.slots.pop(slot.run_key, None)
            return
        self._index(slot)
        self._requeue(slot)

    def _requeue(self, slot: RunSlot) -> None:
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

    def _committed(self, tokens: Sequence[Any], answer: list[Conflict | None] | Exception) -> None:
        self._in_flight -= len(tokens)
        if isinstance(answer, Exception):
            for slot, step in tokens:
                self._not_written(slot, step, answer)
            self._fault(answer)
        else:
            for (slot, step), conflict in zip(tokens, answer, strict=True):
                slot.phase = IDLE
                if conflict is None:
                    effects.release(self, slot, step)
                else:
                    self._lost_race(slot, step, conflict)
                if slot.inputs:
                    self._requeue(slot)
        if len(self.slots) > RESTING_RUNS:
            self._shrink(2 * len(tokens) + EVICTION_LOOK)

    def _lost_race(self, slot: RunSlot, step: Step, conflict: Conflict) -> None:
        """Another process was faster: decide again on what it left."""
        effects.give_back_slots(self, step.tx)
        self.unindex(slot)
        if step.tx.expected_version == 0:
            slot.forget()
            self.slots.pop(slot.run_key, None)
            for item in step.inputs:
                item.result = conflict
                item.succeed()
            return
        slot.forget()
        slot.inputs.extendleft(reversed(step.inputs))
        self._requeue(slot)

    def _not_written(self, slot: RunSlot, step: Step, error: Exception) -> None:
        """The store failed: callers hear of it, the engine's own work is kept and repeated."""
        effects.give_back_slots(self, step.tx)
        slot.phase = IDLE
        self.unindex(slot)
        slot.forget()
        slot.inputs.extendleft(reversed(step.inputs))
        self._refuse_callers(slot, error)
        if step.tx.expected_version == 0:
            self.slots.pop(slot.run_key, None)
        elif slot.inputs:
            self.loop.call_later(RETRY_AFTER_FAULT, self._requeue, slot)

    def _refuse_callers(self, slot: RunSlot, error: Exception) -> None:
        kept = [item for item in slot.inputs if item.future is None]
        for item in slot.inputs:
            if item.future is not None:
                item.fail(error)
        slot.inputs.clear()
        slot.inputs.extend(kept)

    def _fault(self, error: Exception) -> None:
        self.notices.tell(Notice("store_fault", str(error)))

    # -- the end ---------------------------------------------------------------------------------------------------

    @property
    def is_quiet(self) -> bool:
        """Whether nothing goes on by itself: no step, no commit, no workflow task held, no attempt running."""
        return not (
            self._in_flight
            or self._ready
            or any(entry.running for entry in self.workers.entries)
            or any(
                slot.is_busy and (slot.inputs or slot.open_task or slot.phase != IDLE) for slot in self.slots.values()
            )
        )

    async def settle(self) -> None:
        """Wait until no step is ready and nothing is being read or written."""
        while self._in_flight or self._ready or any(slot.phase != IDLE for slot in self.slots.values()):  # noqa: ASYNC110
            await asyncio.sleep(0)  # Only tests wait here; a signal would cost every commit something.

    def stop(self) -> None:
        """Write what was decided, then take no more work. What waits is refused; it was not acknowledged."""
        if self._stopped:
            return
        self._stopped = True
        for task in list(self._tasks):
            task.cancel()
        self.writer.close()
        error = EngineStoppedError("the engine is stopped", fix="connect again")
        for slot in list(self.slots.values()):
            for item in slot.inputs:
                item.fail(error)
            slot.forget()
        self.watchers.fail(error)
        self.slots.clear()


def _unit_of(tx: Transition) -> Unit:
    writes = [tx.finish()]
    successor = tx.successor
    while successor is not None:
        writes.append(successor.finish())
        successor = successor.successor
    return Unit(writes)
