"""What the machine can do at best, measured beside the workloads, so that numbers of two machines can be compared."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Limit:
    name: str
    value: float
    unit: str


def _rate(work: Callable[[], int], seconds: float) -> float:
    """How many units ``work`` does a second; it does some each time and says how many."""
    work()
    done = 0
    begun = time.perf_counter()
    while (elapsed := time.perf_counter() - begun) < seconds:
        done += work()
    return done / elapsed


def _fsyncs(folder: Path, seconds: float) -> float:
    descriptor = os.open(folder / "fsync.bin", os.O_WRONLY | os.O_CREAT)
    block = b"x" * 4096

    def work() -> int:
        os.pwrite(descriptor, block, 0)
        os.fsync(descriptor)
        return 1

    try:
        return _rate(work, seconds)
    finally:
        os.close(descriptor)


def _commits(folder: Path, rows: int, seconds: float) -> float:
    with closing(sqlite3.connect(folder / f"commits-{rows}.db", isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("CREATE TABLE rows (id INTEGER PRIMARY KEY, body BLOB NOT NULL)")
        batch = [(b"x" * 100,)] * rows

        def work() -> int:
            connection.execute("BEGIN IMMEDIATE")
            connection.executemany("INSERT INTO rows (body) VALUES (?)", batch)
            connection.execute("COMMIT")
            return rows

        return _rate(work, seconds)


def _loop() -> int:
    total = 0
    for number in range(100_000):
        total += number & 7
    return 100_000 if total else 0


def measure_limits(folder: Path, seconds: float = 1.0) -> list[Limit]:
    """Four rates, each over ``seconds``; files go into ``folder``."""
    return [
        Limit("fsync of one 4 KiB block", _fsyncs(folder, seconds), "fsyncs/s"),
        Limit("SQLite WAL FULL, one row a commit", _commits(folder, 1, seconds), "commits/s"),
        Limit("SQLite WAL FULL, 100 rows a commit", _commits(folder, 100, seconds), "rows/s"),
        Limit("pure Python loop", _rate(_loop, seconds), "iterations/s"),
    ]
