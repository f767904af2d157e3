"""The simulated processes: which task queues they serve, how many activities at a time, when they are there.

A process is what the engine's own bookkeeping calls one: a key that owns rows, an identity, slots. Attempts that find
no slot wait in the process that leased them; attempts that nobody here serves wait in the store until another polls.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from durable_nb.core.transition import LEASED, LEASED_AND_STARTED, NOT_LEASED, Context
from durable_nb.store.protocol import Store

Waiting = tuple[int, int]
"""(run key, scheduled event id)."""


@dataclass(frozen=True)
class ProcessPlan:
    """One process as it is planned. ``slots`` by task queue; ``hours`` of the day in which it is there."""

    identity: str
    slots: dict[str, int]
    workflows: tuple[str, ...] = ()
    """Task queues whose workflow tasks it runs."""
    hours: tuple[int, int] = (0, 24)
    away: tuple[tuple[float, float], ...] = ()
    """(begin, end) in hours of the simulation: closed, down, or being moved."""
    crashes: tuple[float, ...] = ()
    """Hours at which it dies; it is back as another process after ten minutes."""

    @property
    def absences(self) -> list[tuple[float, float]]:
        """(begin, end) in hours, in order and without overlap: nights and ``away``."""
        first, last = self.hours
        nights = [] if (first, last) == (0, 24) else [(24.0 * d - 24 + last, 24.0 * d + first) for d in range(20)]
        spans = sorted((max(begin, 0.0), end) for begin, end in (*nights, *self.away) if end > 0)
        merged: list[tuple[float, float]] = []
        for begin, end in spans:
            if merged and begin <= merged[-1][1]:
                merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
            else:
                merged.append((begin, end))
        return merged


@dataclass
class Process:
    """A process that lives or has lived."""

    plan: ProcessPlan
    key: int
    context: Context
    free: dict[str, int]
    waiting: dict[str, deque[Waiting]] = field(default_factory=dict)
    is_up: bool = True
    """Whether it takes new work."""
    is_alive: bool = True
    """Whether what it has begun can still end."""

    def lease(self, task_queue: str, _activity_type: str) -> int:
        """``Context.lease``: take a slot, a place in the line, or nothing."""
        free = self.free.get(task_queue)
        if free is None or not self.is_up:
            return NOT_LEASED
        if free == 0:
            return LEASED
        self.free[task_queue] = free - 1
        return LEASED_AND_STARTED

    def runs(self, task_queue: str) -> bool:
        """Whether it runs workflow tasks of the queue now."""
        return self.is_up and task_queue in self.plan.workflows


def plans(runs: int) -> list[ProcessPlan]:
    """The fleet of a shop with so many runs in two weeks."""

    def scaled(slots: int) -> int:
        return max(1, round(slots * runs / 10_000))

    gpus = scaled(4)
    return [
        ProcessPlan("shop-1@web", {"orders": scaled(12)}, ("orders",), crashes=(3 * 24 + 11.2,)),
        ProcessPlan("shop-2@web", {"orders": scaled(12)}, ("orders",), away=((6 * 24 + 23.0, 7 * 24 + 0.5),)),
        ProcessPlan("importer@etl", {"imports": scaled(6)}, ("imports",), away=((8 * 24 + 4.0, 8 * 24 + 5.5),)),
        ProcessPlan("reporter@etl", {"reports": scaled(6)}, ("reports",), crashes=(10 * 24 + 5.1,)),
        ProcessPlan("ml-head@lab", {"ml": 2}, ("ml",)),
        ProcessPlan("payments@bank", {"payments": scaled(4)}),
        ProcessPlan(
            "packers@warehouse",
            {"warehouse": scaled(24)},
            hours=(6, 22),
            away=((9 * 24 + 6.0, 9 * 24 + 21.0),),
            crashes=(2 * 24 + 12.5, 12 * 24 + 20.3),
        ),
        *(
            ProcessPlan(f"gpu-{n + 1}@lab", {"gpu": 1}, crashes=(1 * 24 + 7.7 * (n + 1), 4 * 24 + 5.3 * (n + 1)))
            for n in range(gpus)
        ),
    ]


class Fleet:
    """All processes, and the attempts that wait for one."""

    def __init__(self, store: Store, runs: int, make_context: Callable[[Process], Context], start: int) -> None:
        self._store = store
        self._make_context = make_context
        self.by_key: dict[int, Process] = {}
        """All processes that were ever there."""
        self.unserved: dict[str, deque[Waiting]] = {}
        """Attempts that wait in the store, by task queue."""
        self.front = self._enter(ProcessPlan("front@web", {}), start)
        """Where callers are: it serves nothing itself."""
        self.processes = [self._enter(plan, start) for plan in plans(runs)]
        self._turn = 0

    def _enter(self, plan: ProcessPlan, now: int) -> Process:
        key = self._store.register_process(plan.identity, now).process_key
        process = Process(plan, key, None, dict(plan.slots))  # type: ignore[arg-type]  # known in the next line
        process.context = self._make_context(process)
        self.by_key[key] = process
        return process

    def restart(self, process: Process, now: int) -> Process:
        """The successor of a process that died: the same plan under another key."""
        successor = self._enter(process.plan, now)
        self.processes[self.processes.index(process)] = successor
        return successor

    def leave(self) -> None:
        """All processes go; what they hold is for whoever opens the store."""
        for key in self.by_key:
            self._store.unregister_process(key)

    def home(self, task_queue: str, run_key: int) -> Process | None:
        """Who runs the workflow tasks of a run; None while nobody is there."""
        found = [each for each in self.processes if each.runs(task_queue)]
        return found[run_key % len(found)] if found else None

    def idle(self, task_queue: str) -> Process | None:
        """A process with a free slot of the queue, each in its turn."""
        found = [each for each in self.processes if each.is_up and each.free.get(task_queue, 0) > 0]
        self._turn += 1
        return found[self._turn % len(found)] if found else None
