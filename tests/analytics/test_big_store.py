"""A store so big that its first load is done in parts."""

from __future__ import annotations

import sqlite3

import pytest

from durable_nb.analytics import open_explorer
from tests.simulated import BIG, cached


@pytest.mark.slow
def test_a_first_load_in_parts_brings_closed_runs_too() -> None:
    path = cached(BIG)
    explorer = open_explorer(f"sqlite:///{path}")
    frame = explorer.frame("SELECT count(*) AS runs, count(close_time) AS closed FROM runs")
    events = explorer.frame("SELECT count(*) AS n FROM events").n[0]
    explorer.close()
    with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as connection:
        expected = connection.execute("SELECT count(*), count(nullif(close_time, 0)) FROM runs").fetchone()
        (expected_events,) = connection.execute("SELECT count(*) FROM events").fetchone()
    connection.close()
    assert tuple(frame.iloc[0]) == expected
    assert events == expected_events
