"""What the engine does by itself: the alarm for deadlines, the process's heartbeat, and the search for work.

One loop, woken by the earliest of: the next deadline of any run, a turn of the poll, an order to look. Work is found
through the store only: due runs, tasks without an owner, tasks and transfers of dead processes.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import TYPE_CHECKING

from durable_nb.engine import transfers
from durable_nb.engine.attempt_inputs import Adopt
from durable_nb.engine.inputs import AnswerUpdates
from durable_nb.engine.metrics import metrics_document
from durable_nb.engine.notices import Notice
from durable_nb.errors import StoreError
from durable_nb.model.records import ReadyTask

if TYPE_CHECKING:
    from durable_nb.engine.engine import Engine
    from durable_nb.engine.mailbox import Mailbox

logger = logging.getLogger("durable_nb.engine")

SECOND = 1_000_000
LEASE = 20 * SECOND
"""A process whose heartbeat is older than this is dead. A C call that holds the interpreter for seconds must not look
like death, so it is generous; a process that really died is noticed at once by its file lock."""

HEARTBEAT_SECONDS = 5.0
LOOK_FOR_DEAD_SECONDS = 2.0
POLL_SECONDS = 0.05
LONG_PAUSE_SECONDS = 5.0
"""A turn that comes this late means that the machine slept or the interpreter was held: others slept too, so nobody is
declared dead before everybody had time for a heartbeat."""

BATCH = 500


class Upkeep:
    """Runs on the engine's loop from ``start`` to ``stop``."""

    def __init__(self, engine: Engine, mailbox: Mailbox) -> None:
        self._engine = engine
        self.mailbox = mailbox
        self._wake_at = 0
        self._changed = asyncio.Event()
        self._look = True
        self._epoch = 0
        self._next_heartbeat = 0.0
        self._next_look_for_dead = 0.0
        self._last_turn = 0.0
        self._last_now = 0
        self._dead: list[int] = []
        self._task: asyncio.Task[None] | None = None
        self._warned: set[tuple[str, str, str]] = set()
        engine.on_wake_at = self.alarm

    def start(self) -> None:
        """Find what was left unfinished, then keep looking."""
        engine = self._engine
        self._wake_at = engine.store.next_wake()
        self._last_turn = engine.loop.time()
        self._last_now = engine.clock.now()
        self._next_heartbeat = self._last_turn + HEARTBEAT_SECONDS
        self._task = engine.spawn(self._run())

    def alarm(self, at: int) -> None:
        """A run has a deadline at this instant."""
        if self._wake_at == 0 or at < self._wake_at:
            self._wake_at = at
            self._changed.set()

    def look(self) -> None:
        """Search for work now: a definition or worker has come."""
        self._look = True
        self._warned.clear()
        self._changed.set()

    def turn(self) -> None:
        """Something outside moved (a manual clock, for instance): check everything now."""
        self._changed.set()

    @property
    def next_wake(self) -> int:
        """Earliest known deadline of any run; 0 when there is none."""
        return self._wake_at

    async def _run(self) -> None:
        while True:
            try:
                self._turn()
            except StoreError as error:
                self._engine.notices.tell(Notice("store_fault", str(error)))
                await asyncio.sleep(1.0)
            self._changed.clear()
            # Not wait_for: on Python 3.11 it swallows a cancellation that comes just after the event, and this loop
            # would outlive its engine.
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._pause()):
                    await self._changed.wait()

    def _pause(self) -> float:
        if self._look:
            return 0.0
        pause = POLL_SECONDS
        if self._wake_at:
            pause = min(pause, max(self._wake_at - self._engine.clock.now(), 0) / SECOND)
        return pause

    def _turn(self) -> None:
        engine = self._engine
        now = engine.clock.now()
        if self._wake_at and self._wake_at <= now:
            self._wake_due(now)
        # Pauses are measured on the monotonic clock, heartbeats carry the wall clock. Where the two disagree the wall
        # clock was set, or the machine was suspended: every heartbeat looks old then, and nobody is dead.
        turn = engine.loop.time()
        passed = turn - self._last_turn
        jump = abs((now - self._last_now) / SECOND - passed)
        self._last_now = now
        if passed > LONG_PAUSE_SECONDS or jump > LONG_PAUSE_SECONDS:
            self._next_heartbeat = turn
            self._next_look_for_dead = turn + 2 * HEARTBEAT_SECONDS
        self._last_turn = turn
        if turn >= self._next_heartbeat:
            self._next_heartbeat = turn + HEARTBEAT_SECONDS
            engine.spawn(self._heartbeat(now))
        if turn >= self._next_look_for_dead:
            self._next_look_for_dead = turn + LOOK_FOR_DEAD_SECONDS
            self._dead = engine.store.dead_owners(now, LEASE)
            self._look = True
        engine.notice_changes()
        if engine.epoch != self._epoch:
            self._epoch = engine.epoch
            self._look = True
            self.mailbox.look()
            self._wake_at = engine.store.next_wake()
            if engine.watchers:
                engine.watchers.look()
            for slot in list(engine.slots.values()):
                if slot.updates:
                    engine.push(slot.run_key, AnswerUpdates())
        if self._look:
            self._look = False
            self._find_work(now)

    def _wake_due(self, now: int) -> None:
        engine = self._engine
        due = engine.store.due_runs(now, BATCH)
        for run_key in due:
            engine.wake(run_key)
        # Where there are more than a batch, the steps of these come first, and then the rest is looked at.
        self._wake_at = now + SECOND // 100 if len(due) == BATCH else self._later_wake(now, due)

    def _later_wake(self, now: int, due: list[int]) -> int:
        """The next deadline after those that are being dealt with; a due run that makes no progress is seen again."""
        upcoming = self._engine.store.next_wake()
        if upcoming == 0 or upcoming > now:
            return upcoming
        return now + SECOND // 100 if due else 0

    async def _heartbeat(self, now: int) -> None:
        engine = self._engine
        measured = metrics_document(engine)
        try:
            alive = await engine.loop.run_in_executor(None, engine.store.heartbeat, engine.process_key, now, measured)
        except StoreError as error:
            engine.notices.tell(Notice("store_fault", str(error)))
            return
        if not alive:
            engine.notices.tell(
                Notice("lease_lost", "this process was paused for so long that others took over its work; it goes on")
            )
            engine.rejoin()

    def _find_work(self, now: int) -> None:
        engine = self._engine
        store = engine.store
        dead = self._dead
        found: dict[int, None] = {}
        for task in store.ready_workflow_tasks(now, dead, BATCH):
            if self._serves(task, workflow=True):
                found[task.run_key] = None
        for task in store.ready_activities(now, dead, BATCH):
            if self._serves(task, workflow=False):
                found[task.run_key] = None
        for run_key in found:
            engine.push(run_key, Adopt(frozenset(dead)))
        if dead:
            for run_key in store.ready_transfers(dead, BATCH):
                engine.spawn(self._resume_transfers(run_key))

    async def _resume_transfers(self, run_key: int) -> None:
        state = await transfers.state_of(self._engine, run_key)
        if state is not None:
            for transfer_id, kind in list(state.transfers.items()):
                transfers.begin(self._engine, run_key, transfer_id, kind, resumed=True)

    def _serves(self, task: ReadyTask, workflow: bool) -> bool:
        entries = self._engine.workers.entries
        for entry in entries:
            port = entry.port
            if port.task_queue == task.task_queue and (
                port.serves_workflow(task.type_name, task.definition)
                if workflow
                else port.serves_activity(task.type_name)
            ):
                return True
        what = (task.task_queue, task.type_name, task.definition)
        if entries and what not in self._warned:
            self._warned.add(what)
            self._tell_missing(task, workflow)
        return False

    def _tell_missing(self, task: ReadyTask, workflow: bool) -> None:
        kind = "workflow" if workflow else "activity"
        ports = [entry.port for entry in self._engine.workers.entries if entry.port.task_queue == task.task_queue]
        known = workflow and any(port.serves_workflow(task.type_name) for port in ports)
        what = f"version {task.definition[:8]} of {kind}" if known else kind
        self._engine.notices.tell(
            Notice(
                "definition_missing",
                f"work waits for {what} {task.type_name!r} (task queue {task.task_queue!r}), "
                "which no worker of this process has",
                workflow_type=task.type_name if workflow else "",
                definition=task.definition if known else "",
                fix="run the cell or start the worker that defines it",
            )
        )
