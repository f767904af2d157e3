"""Commits of the simulated engines: many transitions at a time, each run's in their order.

A store takes one write of a run per commit. Transitions of two simulated weeks are few at any instant, so they are
collected over a window and committed by rank: the first ones of all runs, then the second ones, … What a run sees of
its own order is exact; between runs commit order follows time up to the window, as it does with several processes.
"""

from __future__ import annotations

from durable_nb.model.records import Unit
from durable_nb.store.protocol import Store

WINDOW = 6000
"""Transitions that are collected."""

LARGEST_COMMIT = 256


class Ledger:
    """Collects units and commits them."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._levels: list[list[Unit]] = []
        self._ranks: dict[int, int] = {}
        self._count = 0

    def add(self, unit: Unit) -> None:
        """Take a unit; it is durable after ``flush``."""
        keys = [write.run.run_key for write in unit.writes]
        rank = max((self._ranks.get(key, 0) for key in keys), default=0)
        if rank == len(self._levels):
            self._levels.append([])
        self._levels[rank].append(unit)
        for key in keys:
            self._ranks[key] = rank + 1
        self._count += 1
        if self._count >= WINDOW:
            self.flush()

    def flush(self) -> None:
        """Commit what was collected.

        Raises
        ------
        AssertionError
            A unit lost a race although nobody else writes.
        """
        levels, self._levels, self._ranks, self._count = self._levels, [], {}, 0
        for level in levels:
            for first in range(0, len(level), LARGEST_COMMIT):
                answers = self._store.commit(level[first : first + LARGEST_COMMIT])
                if any(answer is not None for answer in answers):
                    raise AssertionError(f"the simulation lost a race: {answers}")
