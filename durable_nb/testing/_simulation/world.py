"""Discrete-event simulation of engines on one store: the pure core decides, real workflow code runs, time is a number.

Instead of a clock there is a heap of what happens when. Each happening makes one ``Transition`` of one run, as the
engine's step does (deadlines first, then the input, then open workflow tasks), and hands its writes to the ledger. So
every row and event is one that an engine could have written; nothing is made up but durations, faults and callers.
"""

from __future__ import annotations

from collections.abc import Callable
from heapq import heappop, heappush
from random import Random
from typing import Any

from durable_nb.core import deadlines, workflow_tasks
from durable_nb.core.start import start
from durable_nb.core.state import ExecutionState
from durable_nb.core.transition import Context, Transition
from durable_nb.model.commands import WorkflowTaskCompletion, WorkflowTaskFailure
from durable_nb.model.events import Event
from durable_nb.model.records import Unit
from durable_nb.model.requests import StartWorkflow
from durable_nb.model.tasks import UpdateRequest, WorkflowTask
from durable_nb.runtime.host import WorkflowHost
from durable_nb.store.protocol import Store
from durable_nb.testing._simulation.attempts import POLL, Attempts
from durable_nb.testing._simulation.behaviour import HOUR
from durable_nb.testing._simulation.code import Code
from durable_nb.testing._simulation.fleet import Fleet, Process
from durable_nb.testing._simulation.ledger import Ledger
from durable_nb.testing._simulation.transfers import Transfers

Decide = Callable[[Transition], Any]

RUN_KEYS = 1000
SUGGEST_CONTINUE_AS_NEW = 10_240


class SimulatedRun:
    """An open run: its state, the events its code has not seen, and updates that wait to be accepted."""

    __slots__ = ("history", "host", "seen", "state", "updates")

    def __init__(self, state: ExecutionState) -> None:
        self.state = state
        self.history: list[Event] = []
        self.seen = 0
        """Events that the instance of the code knows."""
        self.host: WorkflowHost | None = None
        self.updates: dict[str, UpdateRequest] = {}


class World:
    """Runs, processes and time.

    Parameters
    ----------
    started_at, changed_at
        Instants (microseconds) of the beginning and of the change of OrderWorkflow.
    """

    def __init__(self, store: Store, runs: int, random: Random, code: Code, started_at: int, changed_at: int) -> None:
        self.store = store
        self.random = random
        self.code = code
        self.now = self.started_at = started_at
        self.changed_at = changed_at
        self.runs: dict[int, SimulatedRun] = {}
        self.open_ids: dict[str, int] = {}
        """Run key of the open run of each workflow ID."""
        self.on_start: Callable[[SimulatedRun], None] = lambda _: None
        """Told of every new run; callers plan there what they will do to it."""
        self.total = 0
        self._heap: list[tuple[int, int, Callable[[], None]]] = []
        self._order = 0
        self._keys = iter(range(0))
        self._ledger = Ledger(store)
        self._unserved: dict[str, list[int]] = {}
        """Runs whose workflow task waits for a process, by task queue."""
        self.fleet = Fleet(store, runs, self._context, started_at)
        self._attempts = Attempts(self)
        self._transfers = Transfers(self)
        self._attempts.plan_days()

    # -- time ------------------------------------------------------------------------------------------------------

    def at(self, instant: int, happening: Callable[..., None], *args: Any) -> None:
        """Let something happen; equal instants keep the order in which they were asked for."""
        self._order += 1
        heappush(self._heap, (max(instant, self.now), self._order, lambda: happening(*args)))

    def run_until(self, end: int) -> None:
        """Let everything happen that happens before ``end``, then write it."""
        heap = self._heap
        while heap and heap[0][0] < end:
            self.now, _, happening = heappop(heap)
            happening()
        self.now = end
        self._ledger.flush()
        self.fleet.leave()

    @property
    def hour(self) -> float:
        """Hours since the beginning."""
        return (self.now - self.started_at) / HOUR

    # -- ids -------------------------------------------------------------------------------------------------------

    def _context(self, process: Process) -> Context:
        return Context(
            process.key,
            process.plan.identity,
            process.lease,
            self.new_run_key,
            self.new_run_id,
            SUGGEST_CONTINUE_AS_NEW,
        )

    def new_run_key(self) -> int:
        key = next(self._keys, None)
        if key is None:
            self._keys = iter(self.store.reserve_run_keys(RUN_KEYS))
            key = next(self._keys)
        return key

    def new_run_id(self) -> str:
        value = (self.now // 1000 & (1 << 48) - 1) << 80 | 7 << 76 | 2 << 62 | self.random.getrandbits(62)
        text = f"{value:032x}"
        return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"

    # -- runs ------------------------------------------------------------------------------------------------------

    def start(self, request: StartWorkflow) -> None:
        """A caller starts a workflow."""
        run_key = self.new_run_key()
        process = self.fleet.home(request.task_queue, run_key) or self.fleet.front
        self.open(start(process.context, request, run_key, self.new_run_id(), self.now))

    def open(self, tx: Transition) -> str:
        """Store a new run; its run ID."""
        run = self._adopt(tx)
        self._serve_all(run, tx)
        self._commit(run, tx)
        return tx.state.run_id

    def _adopt(self, tx: Transition) -> SimulatedRun:
        run = SimulatedRun(tx.state)
        self.runs[tx.state.run_key] = run
        self.open_ids[tx.state.workflow_id] = tx.state.run_key
        self.total += 1
        self.on_start(run)
        return run

    def tell(self, workflow_id: str, decide: Decide) -> None:
        """A caller asks something of an open run; nothing where there is none."""
        run_key = self.open_ids.get(workflow_id)
        if run_key is not None:
            self.step(run_key, decide)

    def update(self, workflow_id: str, request: UpdateRequest) -> None:
        """A caller sends an update."""
        run_key = self.open_ids.get(workflow_id)
        if run_key is not None:
            self.runs[run_key].updates[request.update_id] = request
            self.step(run_key)

    def step(
        self,
        run_key: int,
        decide: Decide = lambda _: None,
        process: Process | None = None,
        *,
        closed_too: bool = False,
    ) -> None:
        """One transition of a run, by this process or the one that runs its code."""
        run = self.runs.get(run_key)
        if run is None:
            return
        state = run.state
        by = process or self.fleet.home(state.started.task_queue, run_key) or self.fleet.front
        tx = Transition(state, self.now, by.context)
        if 0 < state.wake_at <= tx.now:
            tx.touched = True
            deadlines.fire(tx)
        elif 0 < state.next_deadline() <= tx.now:
            deadlines.fire(tx)
        if state.is_open or closed_too:
            decide(tx)
        self._serve_all(run, tx)
        if not tx.is_empty:
            self._commit(run, tx)

    # -- workflow tasks --------------------------------------------------------------------------------------------

    def _serve_all(self, run: SimulatedRun, tx: Transition) -> None:
        while run.state.is_open and self._serve(run, tx):
            pass

    def _serve(self, run: SimulatedRun, tx: Transition) -> bool:
        state = run.state
        updates = [each for key, each in run.updates.items() if key not in state.updates] if run.updates else []
        begins = workflow_tasks.can_begin(state, tx.now)
        if not begins and not (updates and workflow_tasks.can_begin_speculative(state)):
            return False
        if not self.fleet.by_key[tx.context.process_key].runs(state.started.task_queue):
            return False
        host = self._host(run, tx)
        open_task = workflow_tasks.begin(tx, speculative=not begins)
        known = run.history + tx.events + open_task.events
        first = run.seen if host.holds(state.run_key) else 0
        task = WorkflowTask(
            state.namespace,
            state.workflow_id,
            state.run_id,
            state.started.workflow_type,
            state.started.task_queue,
            open_task.attempt,
            known[first:],
            state.previous_started_event_id,
            open_task.started_event_id,
            open_task.started_event_id,
            state.history_size,
            known[-1].attributes.suggest_continue_as_new,  # type: ignore[attr-defined]
            updates,
            state.definition,
        )
        result = host.handle(state.run_key, task)
        before = len(tx.events)
        if isinstance(result, WorkflowTaskCompletion):
            workflow_tasks.complete(tx, open_task, result)
        elif isinstance(result, WorkflowTaskFailure):
            workflow_tasks.fail(tx, open_task, result)
        else:
            raise AssertionError("the simulated shop has no local activities")
        # A task that left no event (only rejected updates) was not recorded: its ids are used again.
        run.seen = len(known) if len(tx.events) > before else len(run.history) + before
        run.updates.clear()
        return workflow_tasks.can_begin(state, tx.now)

    def _host(self, run: SimulatedRun, tx: Transition) -> WorkflowHost:
        if run.host is None:
            run.host = self.code.host(self.now >= self.changed_at)
            run.state.definition = self.code.digests[run.host, run.state.started.workflow_type]
            tx.listed = True
        return run.host

    # -- commits and what follows them -----------------------------------------------------------------------------

    def _commit(self, run: SimulatedRun, tx: Transition) -> None:
        writes = [tx.finish()]
        successors = []
        following = tx.successor
        while following is not None:
            writes.append(following.finish())
            successors.append(following)
            following = following.successor
        self._ledger.add(Unit(writes))
        run.history += tx.events
        self._release_effects(run, tx)
        for successor in successors:
            self._adopt(successor).history += successor.events
            self.at(self.now, self.step, successor.state.run_key)

    def _release_effects(self, run: SimulatedRun, tx: Transition) -> None:
        state = tx.state
        self._attempts.release(tx)
        for transfer_id, kind in tx.transfers.items():
            self.at(self.now + self.random.randint(500, 4_000), self._transfers.carry_out, state, transfer_id, kind)
        if not state.is_open:
            if not state.transfers:
                self._forget(run)
            return
        deadline = state.next_deadline()
        if deadline:
            self.at(deadline, self.step, state.run_key)
        if run.updates or workflow_tasks.can_begin(state, self.now):
            self.at(self.now + self.random.randint(*POLL), self.serve_later, state.run_key)

    def serve_later(self, run_key: int) -> None:
        """Another process finds the workflow task in the store, or it waits until one is there."""
        run = self.runs.get(run_key)
        if run is None or not run.state.is_open:
            return
        queue = run.state.started.task_queue
        if self.fleet.home(queue, run_key) is None:
            self._unserved.setdefault(queue, []).append(run_key)
        else:
            self.step(run_key)

    def serve_waiting(self, queues: tuple[str, ...]) -> None:
        """A process came: it takes the workflow tasks that waited for it."""
        for queue in queues:
            for run_key in self._unserved.pop(queue, []):
                self.at(self.now + self.random.randint(*POLL), self.serve_later, run_key)

    def _forget(self, run: SimulatedRun) -> None:
        state = run.state
        if self.open_ids.get(state.workflow_id) == state.run_key:
            del self.open_ids[state.workflow_id]
        if run.host is not None:
            run.host.evict(state.run_key)
        self.runs.pop(state.run_key, None)
