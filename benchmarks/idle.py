"""W6: thousands of sleeping workflows: time to start them, disk and memory of each, time to be ready after a kill."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

from benchmarks.catalog import Metric, Outcome, Sizes
from benchmarks.children import run
from benchmarks.measure import Stopwatch, resident_bytes, tree_bytes
from benchmarks.system import System
from benchmarks.throughput import in_flight

HOUR = 3600.0


async def sleep_many(system: System, folder: Path, count: int, width: int) -> dict[str, Any]:
    """Cell that starts all, then leaves without closing anything.

    Memory is the growth over the second half: by then caches that are bounded are full.
    """
    await system.open()
    await system.run_one("warm")

    async def sleepers(first: int, last: int) -> None:
        await in_flight(
            (f"sleeper-{n}" for n in range(first, last)), lambda key: system.start_sleeper(key, HOUR), width
        )
        while system.sleepers() < last:
            await asyncio.sleep(0.002)

    begin = resident_bytes()
    with Stopwatch() as watch:
        await sleepers(0, count // 2)
        half = resident_bytes()
        await sleepers(count // 2, count)
    await asyncio.sleep(0.2)  # the last timers reach the disk
    return {"wall": watch.wall, "cpu": watch.cpu, "rss": [begin, half, resident_bytes()], "abandon": True}


async def nothing(system: System, folder: Path) -> dict[str, Any]:
    """Cell that only makes an empty store."""
    await system.open()
    return {}


def _disk_bytes(folder: Path) -> int:
    """Size of the store once its write-ahead log is folded in."""
    for path in [*folder.glob("*.db"), *folder.glob("*.sqlite")]:
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return tree_bytes(folder)


def w6(system: str, folder: Path, sizes: Sizes) -> Outcome:
    """KiB are for each sleeping workflow."""
    count = sizes.sleepers
    store, empty = folder / "store", folder / "empty"
    store.mkdir()
    empty.mkdir()
    run(system, "idle:nothing", empty)
    started = run(system, "idle:sleep_many", store, count=count, width=64).result
    again = run(system, "starts:ready", store)
    disk = (_disk_bytes(store) - _disk_bytes(empty)) / count / 1024
    begin, half, end = started["rss"]
    metrics = [
        Metric("W6", f"start {count:,} sleepers", started["wall"], "s", started["cpu"] / count * 1e6, "workflow"),
        Metric("W6", "disk", disk, "KiB"),
        Metric("W6", "memory", (end - half) / (count - count // 2) / 1024, "KiB"),
        Metric("W6", "memory, caches included", (end - begin) / count / 1024, "KiB"),
        Metric("W6", "ready after kill -9", again.seconds, "s", again.cpu_seconds * 1e6, "start"),
    ]
    return metrics, []
