"""A store full of histories to ask: two weeks of a simulated shop, the same for the same seed.

It serves the tests and examples of everything that reads histories. Nothing in it is made up by hand: workflow code
really runs, the engine's core really decides, and what it writes goes through a real store (``world``); only time,
durations, faults and callers are drawn (``behaviour``, ``people``, ``fleet``). In it are retries of every kind,
children, continued and retried runs, signals, updates (some refused), timers, cancellations, terminations, timeouts,
lost processes, failing workflow tasks, six workflow types on seven task queues, and two versions of one of them.
"""

from __future__ import annotations

import gc
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from random import Random

from durable_nb.store import open_store
from durable_nb.store.protocol import Store
from durable_nb.testing._simulation.behaviour import DAY
from durable_nb.testing._simulation.code import Code
from durable_nb.testing._simulation.people import DAYS, People
from durable_nb.testing._simulation.world import World

END = datetime(2026, 11, 16, tzinfo=UTC)
"""A Monday, midnight."""

STARTED = 0.54
"""Share of the runs that callers start; the default store has a little over 10,000 runs."""

_CHANGED = 7 * DAY + 8 * 3_600_000_000
"""When OrderWorkflow was changed, from the beginning: Monday morning of the second week."""


def simulate(path: str | os.PathLike[str], *, runs: int, seed: int, end: datetime | None) -> str:
    """See ``durable_nb.testing.simulate_store``."""
    given = os.fspath(path)
    if "://" not in given and os.path.exists(given):
        raise FileExistsError(f"{given} exists; a simulation makes a new store")
    url = given if "://" in given else f"sqlite:///{os.path.abspath(given)}"
    store = open_store(url)
    try:
        fill(store, runs=runs, seed=seed, end=end)
    finally:
        store.close()
    return url


def fill(store: Store, *, runs: int, seed: int, end: datetime | None = None) -> None:
    """Simulate into an open, empty store."""
    started = (end or END) - timedelta(days=DAYS)
    started_at = round(started.timestamp() * 1_000_000)
    with _quiet():
        _run(store, runs, seed, started_at)


def _run(store: Store, runs: int, seed: int, started_at: int) -> None:
    code = Code()
    store.put_definitions(code.definitions(started_at, started_at + _CHANGED))
    world = World(store, runs, Random(seed), code, started_at, started_at + _CHANGED)  # noqa: S311 - dice, not secrets
    People(world, round(runs * STARTED))
    world.run_until(started_at + DAYS * DAY)


@contextmanager
def _quiet() -> Iterator[None]:
    """Without log records of simulated failures, and without looks for garbage, which there is none of."""
    logger = logging.getLogger("durable_nb")
    level, collects = logger.level, gc.isenabled()
    logger.setLevel(logging.CRITICAL)
    gc.disable()
    try:
        yield
    finally:
        logger.setLevel(level)
        if collects:
            gc.enable()
