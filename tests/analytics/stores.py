"""Stores of a few rows, and what a copy of one must have in common with it."""

from __future__ import annotations

import sqlite3
from typing import Any

from durable_nb.analytics.mirror import Mirror
from durable_nb.store.protocol import Store
from tests.store import samples as s


def put(store: Store, *writes: Any) -> None:
    assert store.commit([s.unit(write) for write in writes]) == [None] * len(writes)


def started(store: Store, key: int, **fields: Any) -> Any:
    run = s.run_row(key, next_event_id=2, **fields)
    put(store, s.insert(run, events=[s.event_row(1, s.started(b"x"))]))
    return run


def fill(store: Store, runs: int) -> None:
    for key in range(1, runs + 1):
        closed = {"status": s.COMPLETED, "close_time": 9000} if key % 2 else {}
        run = s.run_row(key, next_event_id=4, memo=b'{"m":{}}' if key % 3 == 0 else None, **closed)
        events = [s.event_row(1, s.started(b"x"), user_metadata=b"{}" if key % 5 == 0 else None)]
        events += [s.event_row(2), s.event_row(3)]
        put(store, s.insert(run, events=events, attempts=[s.attempt_row(2, failure=b'{"message":"a"}')]))


def stored(path: str) -> tuple[Any, ...]:
    with sqlite3.connect(path) as connection:
        found = tuple(
            connection.execute(f"SELECT count(*), {total} FROM {table}").fetchone()
            for table, total in (("events", "sum(seq)"), ("activity_attempts", "sum(seq)"), ("runs", "sum(run_key)"))
        )
    connection.close()
    return found


def copied(mirror: Mirror) -> tuple[Any, ...]:
    read = mirror.cursor()
    return tuple(
        read.execute(f"SELECT count(*), sum({total}) FROM mirror.main.{table}").fetchall()[0]
        for table, total in (("events", "seq"), ("attempts", "seq"), ("runs", "run_key"))
    )
