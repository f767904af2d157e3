"""Statistics, their figures and Parquet over rows that no healthy store holds: they answer, and say what they can."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import duckdb
import pytest

from durable_nb.analytics import VIEWS, Explorer, open_explorer
from durable_nb.analytics import statistics as stats
from durable_nb.analytics.exports import write_runs
from durable_nb.errors import QueryError
from durable_nb.model.attributes import (
    ActivityTaskCompleted,
    ActivityTaskScheduled,
    WorkflowExecutionCompleted,
    WorkflowTaskCompleted,
    WorkflowTaskScheduled,
    WorkflowTaskStarted,
)
from durable_nb.model.payload import Payload
from durable_nb.model.records import AttemptRow
from durable_nb.store import open_store
from durable_nb.store.protocol import Store
from tests.analytics_stats.test_statistics import ARGUMENTS
from tests.store import samples as s

pytestmark = pytest.mark.slow  # DuckDB and plotly are loaded.

OLD, FAR, NOW = -6_857_222_400_000_000, 32_503_680_000_000_000, 1_793_600_000_000_000
"""In 1752, in 3000, and in 2026: pandas once knew only what lies between 1677 and 2262."""


def put_run(store: Store, key: int, start: int, result: bytes) -> None:
    """A run of one activity with two attempts, whose result is these bytes."""
    work = ActivityTaskScheduled("1", "odd", task_queue="q", workflow_task_completed_event_id=4)
    done = WorkflowExecutionCompleted(
        result=[Payload({"encoding": b"json/plain"}, result)], workflow_task_completed_event_id=9
    )
    bodies: list[Any] = [
        None,
        WorkflowTaskScheduled("q"),
        WorkflowTaskStarted(2),
        WorkflowTaskCompleted(2, 3),
        work,
        ActivityTaskCompleted(scheduled_event_id=5),
        WorkflowTaskScheduled("q"),
        WorkflowTaskStarted(7),
        WorkflowTaskCompleted(7, 8),
        done,
    ]
    events = [
        s.event_row(number) if body is None else s.event_row(number, body) for number, body in enumerate(bodies, 1)
    ]
    for event in events:
        event.event_time = start + event.event_id * 1000
    attempts = [
        AttemptRow(5, 1, "1", "odd", start + 5000, start + 5100, start + 5200, "failed", next_attempt_at=start + 5300),
        AttemptRow(5, 2, "1", "odd", start + 5300, start + 5400, start + 6000, "completed"),
    ]
    run = s.run_row(
        key, status=s.COMPLETED, next_event_id=11, start_time=start, execution_time=start, close_time=start + 10_000
    )
    store.commit([s.unit(s.insert(run, events=events, attempts=attempts))])


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with closing(open_store(f"sqlite:///{tmp_path}/odd.db")) as opened:
        for key, (start, result) in enumerate([(OLD, b"1"), (FAR, b"{not JSON"), (NOW, b"NaN"), (NOW, b"9" * 400)], 1):
            put_run(opened, key, start, result)
        with sqlite3.connect(f"{tmp_path}/odd.db") as connection:
            connection.execute("UPDATE events SET attributes = '{broken' WHERE run_key = 4 AND event_id IN (5, 10)")
            connection.execute("UPDATE activity_attempts SET failure = 'broken' WHERE run_key = 3 AND attempt = 1")
        connection.close()
        yield opened


@pytest.fixture
def explorer(store: Store) -> Iterator[Explorer]:
    with closing(open_explorer(store)) as opened:
        yield opened


@pytest.mark.parametrize("name", [name for name in stats.STATISTICS if name != "compare_definitions"])
def test_every_statistic_answers_and_draws(explorer: Explorer, name: str) -> None:
    arguments = {**ARGUMENTS, "critical_path": ("w2",), "critical_path_of_type": ("Order",), "cost": (1.0,)}
    options: dict[str, Any] = {"throughput": {"since": "2026-10-01", "until": "2026-12-01"}}.get(name, {})
    found = stats.STATISTICS[name](explorer, *arguments.get(name, ()), **options)
    json.dumps(found._repr_mimebundle_())
    assert found.figure.layout.title.text
    assert found.sql in found.show_sql()


def test_instants_of_every_age_stay_what_they_are(explorer: Explorer) -> None:
    frame = stats.run_timeline(explorer).frame
    assert sorted({at.year for at in frame["began_at"]}) == [1752, 2026, 3000]
    assert frame["duration_s"].tolist() == [0.01] * 4


def test_twelve_centuries_are_too_many_stretches(explorer: Explorer) -> None:
    with pytest.raises(QueryError, match="stretches are too many"):
        stats.throughput(explorer, every="1d")


def test_parquet_keeps_the_rows_and_the_reasons(store: Store, explorer: Explorer, tmp_path: Path) -> None:
    write_runs(tmp_path / "odd.parquet", None, store=store)
    with duckdb.connect() as reader:
        reader.execute("SET TimeZone = 'UTC'")
        for name in VIEWS:
            (found,) = reader.execute(f"SELECT count(*) FROM '{tmp_path}/odd.parquet/{name}.parquet'").fetchall()[0]
            assert found == explorer.frame(f"SELECT count(*) AS n FROM {name}").n[0], name
        rows = reader.execute(
            f"SELECT year(start_time), result IS NULL, result_error IS NULL FROM '{tmp_path}/odd.parquet/runs.parquet' "
            "ORDER BY run_key"
        ).fetchall()
        damaged = reader.execute(
            f"SELECT count(*) FROM '{tmp_path}/odd.parquet/events.parquet' WHERE error IS NOT NULL"
        ).fetchall()
    assert [row[0] for row in rows] == [1752, 3000, 2026, 2026]
    assert rows[0][1:] == (False, True)
    assert rows[1][1:] == (True, False)
    assert damaged == [(2,)]
