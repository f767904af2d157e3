"""Output of activities in the stores."""

from __future__ import annotations

from typing import Any

from durable_nb.model.progress import Progress, encode
from durable_nb.store.protocol import AttemptRow, OutputRow, Store
from tests.store.samples import COMPLETED, insert, run_row, unit


def output_row(run_key: int, scheduled_event_id: int = 5, attempt: int = 1, **fields: Any) -> OutputRow:
    defaults: dict[str, Any] = {
        "activity_id": "1",
        "activity_type": "charge",
        "chunks": b'[["stdout","hello \xc3\xa9\\n"]]',
        "written": 8,
        "cut": 0,
        "updated_at": 77,
    }
    return OutputRow(run_key, scheduled_event_id, attempt, **{**defaults, **fields})


def test_outputs_come_back_in_the_order_of_activities_and_attempts(store: Store) -> None:
    store.commit([unit(insert(run_row(1))), unit(insert(run_row(2)))])
    rows = [output_row(1, 9), output_row(1, 5, 2, progress=encode(Progress(1, 2))), output_row(1, 5), output_row(2)]
    store.put_outputs(rows)
    assert store.read_outputs(1) == [rows[2], rows[1], rows[0]]
    assert store.read_outputs(2) == [rows[3]]
    assert store.read_outputs(3) == []


def test_an_output_that_grew_replaces_the_older_one(store: Store) -> None:
    store.commit([unit(insert(run_row(1)))])
    store.put_outputs([output_row(1)])
    store.put_outputs([output_row(1, chunks=b"[]", written=20, cut=12)])
    assert store.read_outputs(1) == [output_row(1, chunks=b"[]", written=20, cut=12)]


def test_output_of_a_run_that_is_gone_is_not_kept(store: Store) -> None:
    store.commit([unit(insert(run_row(1, status=COMPLETED)))])
    store.put_outputs([output_row(1), output_row(4)])
    store.delete_run(1)
    store.put_outputs([output_row(1)])
    assert store.read_outputs(1) == store.read_outputs(4) == []


def test_the_pace_of_an_activity_is_that_of_its_last_completed_attempts(store: Store) -> None:
    attempts = [
        AttemptRow(5, 1, "1", "charge", 100, 100, 150, "completed"),
        AttemptRow(6, 1, "2", "charge", 200, 200, 280, "completed"),
        AttemptRow(7, 1, "3", "charge", 300, 300, 301, "failed"),
        AttemptRow(8, 1, "4", "other", 400, 400, 430, "completed"),
    ]
    store.commit([unit(insert(run_row(1), attempts=attempts))])
    store.put_outputs([output_row(1, 6, progress=encode(Progress(40, 40)))])
    assert [(pace.duration, pace.total) for pace in store.recent_paces("charge", 10)] == [(80, 40.0), (50, 0.0)]
    assert [pace.duration for pace in store.recent_paces("charge", 1)] == [80]
    assert store.recent_paces("unknown", 10) == []
