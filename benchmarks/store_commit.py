"""``python -m benchmarks.store_commit [FOLDER]``: what a commit of the SQLite store costs, by batch size.

Each unit is a transition of a running workflow: one run row, six events, one activity deleted, one attempt (nine rows).
Measured alone and beside a thread that never stops computing, as a busy engine would be; ``synchronous=FULL``, so the
folder should lie on the disk that is meant.
"""

from __future__ import annotations

import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from durable_nb.model.attributes import ActivityTaskCompleted
from durable_nb.model.events import encode_attributes
from durable_nb.model.payload import Payload
from durable_nb.model.records import ActivityRow, AttemptRow, EventRow, RunRow, RunWrite, Unit
from durable_nb.store import open_store
from durable_nb.store.protocol import Store

RUNS = 1024
ROUNDS = 5
_RESULT = [Payload(metadata={"encoding": b"json/plain"}, data=b'{"charged": true, "amount": 1250}')]
_ATTRIBUTES = [
    encode_attributes(ActivityTaskCompleted(_RESULT, scheduled_event_id=5, started_event_id=6, identity="me"))
    for _ in range(6)
]


def run_row(run_key: int, version: int, events: int) -> RunRow:
    """A run after ``version`` transitions."""
    name = f"order-{run_key}"
    return RunRow(
        run_key, "default", name, f"{name}-run", "Order", "q", 1, version, events + 1, 100 * events, name, 1, 1
    )


def transition(run_key: int, version: int) -> Unit:
    """The write from ``version`` to the next one."""
    first = 6 * version + 1
    events = [EventRow(first + n, 12, 1_700_000_000_000_000 + n, stored) for n, stored in enumerate(_ATTRIBUTES)]
    ended = AttemptRow(version, 1, str(version), "charge", 1, 2, 3, "completed", "me")
    row = run_row(run_key, version + 1, first + 5)
    return Unit([RunWrite(row, version, False, events, delete_activities=[version], attempts=[ended])])


def fill(store: Store) -> None:
    """Open runs, each with the activities that the transitions will delete."""
    state = b'{"started":1}'
    for first in range(1, RUNS + 1, 256):
        units = []
        for key in range(first, first + 256):
            pending = [ActivityRow(n, "q", "charge", str(n), 1, 1, 1, 1, state) for n in range(1, ROUNDS + 2)]
            units.append(Unit([RunWrite(run_row(key, 1, 0), 0, put_activities=pending)]))
        store.commit(units)


@contextmanager
def busy_thread(wanted: bool) -> Iterator[None]:
    """Another thread that holds the GIL whenever it can."""
    stop = threading.Event()

    def spin() -> None:
        while not stop.is_set():
            for _ in range(1000):
                pass

    thread = threading.Thread(target=spin, daemon=True)
    if wanted:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        if wanted:
            thread.join()


def measure(folder: Path, batch: int, busy: bool) -> str:
    """One line of the table."""
    store = open_store(f"sqlite:///{folder}/store-{batch}-{busy}.db")
    fill(store)
    commits = 0
    wall = cpu = 0.0
    with busy_thread(busy):
        for version in range(1, ROUNDS + 1):
            units = [transition(key, version) for key in range(1, RUNS + 1)]
            limit = min(RUNS, batch * (32 if busy else 512))  # beside a busy thread a commit takes ten times as long
            wall -= time.perf_counter()
            cpu -= time.thread_time()
            for first in range(0, limit, batch):
                assert not any(store.commit(units[first : first + batch]))
                commits += 1
            wall += time.perf_counter()
            cpu += time.thread_time()
            store.commit(units[limit:])
    store.close()
    done = commits * batch
    return (
        f"{batch:>10} {'busy' if busy else 'idle':>6} {commits / wall:>12,.0f} {9 * done / wall:>10,.0f} "
        f"{1e3 * wall / commits:>12.2f} {1e6 * cpu / done:>14.1f}"
    )


def main() -> None:
    parent = sys.argv[1] if len(sys.argv) > 1 else None
    print(f"{'units':>10} {'other':>6} {'commits/s':>12} {'rows/s':>10} {'ms/commit':>12} {'CPU us/unit':>14}")
    with tempfile.TemporaryDirectory(dir=parent) as folder:
        for batch in (1, 8, 64, 256):
            for busy in (False, True):
                print(measure(Path(folder), batch, busy), flush=True)


if __name__ == "__main__":
    main()
