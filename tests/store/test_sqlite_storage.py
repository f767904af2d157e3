"""How rows lie in the file: blobs, text that SQL can read, statements that use their indexes."""

from __future__ import annotations

import hashlib
import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from durable_nb.model.attributes import ActivityTaskFailed, Attributes, MarkerRecorded, WorkflowExecutionStarted
from durable_nb.model.events import decode_attributes, encode_attributes
from durable_nb.model.failure import ApplicationFailureInfo, Failure
from durable_nb.model.payload import Payload
from durable_nb.model.records import RunFilter
from durable_nb.store import blobs
from durable_nb.store.sqlite import SqliteStore, reads, rows, work
from durable_nb.store.sqlite.batches import BatchStatement
from durable_nb.store.sqlite.listing import listing_statement
from durable_nb.store.sqlite.processes import _OWNERS
from tests.store.samples import COMPLETED, activity_row, event_row, insert, run_row, started, unit, update

Opener = Callable[..., SqliteStore]


def query(path: Path, sql: str, *parameters: Any) -> list[Any]:
    connection = sqlite3.connect(path)
    try:
        return connection.execute(sql, parameters).fetchall()
    finally:
        connection.close()


# -- blobs -------------------------------------------------------------------------------------------------------------

BIG = b"\x00big" * 100
SMALL = Payload(metadata={"encoding": b"json/plain"}, data=b'"small"')
LARGE = Payload(metadata={"encoding": b"binary/plain", "messageType": b"x"}, data=BIG)


@pytest.mark.parametrize(
    "attributes",
    [
        WorkflowExecutionStarted(input=[SMALL, LARGE, LARGE], memo={"durableBlob": LARGE, "data": SMALL}),
        MarkerRecorded(marker_name="m", details={"data": [LARGE], "metadata": [SMALL]}),
        ActivityTaskFailed(
            failure=Failure(
                message='has "durableBlob":"x" in its text' * 30,
                cause=Failure(application_failure_info=ApplicationFailureInfo(details=[LARGE])),
            )
        ),
        WorkflowExecutionStarted(header={f"key {number}": SMALL for number in range(40)}),
    ],
)
def test_attributes_come_back_as_they_were(attributes: Attributes) -> None:
    encoded = encode_attributes(attributes)
    stored, found = blobs.take_out(encoded, limit=len(BIG) - 1)
    assert set(found.values()) <= {BIG}
    assert (blobs.MARK in stored) == bool(found)
    restored = blobs.put_back(stored, found.__getitem__) if found else stored
    assert decode_attributes(attributes.event_type, restored) == attributes


def test_a_payload_of_exactly_the_limit_stays_in_its_event() -> None:
    encoded = encode_attributes(started(b"x" * 300))
    assert blobs.take_out(encoded, 300) == (encoded, {})
    assert blobs.take_out(encoded, 299)[1] == {hashlib.sha256(b"x" * 300).hexdigest(): b"x" * 300}


def test_a_chain_of_causes_deeper_than_pythons_stack_is_searched() -> None:
    document = {"cause": {"metadata": {}, "data": "eHh4eHh4"}}
    for _ in range(3000):
        document = {"cause": document}
    assert len(list(blobs._payloads(document))) == 1


def test_equal_payloads_are_kept_once_and_go_with_their_last_run(path: Path, open_sqlite: Opener) -> None:
    store = open_sqlite(blob_limit=100)
    first = insert(run_row(1, status=COMPLETED), events=[event_row(1, started(BIG)), event_row(2, started(BIG))])
    second = insert(
        run_row(2, status=COMPLETED), events=[event_row(1, started(BIG)), event_row(2, started(b"y" * 101))]
    )
    store.commit([unit(first), unit(second)])
    assert query(path, "SELECT count(*), sum(length(data)) FROM blobs") == [(2, len(BIG) + 101)]
    store.delete_run(1)
    assert query(path, "SELECT count(*) FROM blobs") == [(2,)]
    assert store.read_events(2)[0].attributes == started(BIG)
    store.delete_run(2)
    assert query(path, "SELECT (SELECT count(*) FROM blobs), (SELECT count(*) FROM blob_references)") == [(0, 0)]


def test_a_blob_reference_can_be_read_by_sql(path: Path, open_sqlite: Opener) -> None:
    store = open_sqlite(blob_limit=100)
    store.commit([unit(insert(run_row(1), events=[event_row(1, started(BIG))]))])
    found = query(
        path,
        "SELECT b.digest, json_extract(attributes, '$.input[0].size') FROM events "
        "JOIN blobs AS b ON b.digest = json_extract(attributes, '$.input[0].durableBlob')",
    )
    assert found == [(hashlib.sha256(BIG).hexdigest(), len(BIG))]


# -- rows --------------------------------------------------------------------------------------------------------------


def test_documents_are_text_that_json_functions_read(path: Path, open_sqlite: Opener) -> None:
    store = open_sqlite()
    store.commit([unit(insert(run_row(1, memo='{"größe":1}'.encode()), events=[event_row(1)]))])
    assert query(path, "SELECT typeof(attributes), attributes ->> 'timerId' FROM events") == [("text", "1")]
    assert query(path, "SELECT typeof(memo), memo ->> 'größe' FROM runs") == [("text", 1)]


def test_the_watermark_of_events_never_goes_back(path: Path, open_sqlite: Opener) -> None:
    store = open_sqlite()
    store.commit([unit(insert(run_row(1, status=COMPLETED), events=[event_row(1), event_row(2)]))])
    store.delete_run(1)
    store.commit([unit(insert(run_row(2), events=[event_row(1)]))])
    assert query(path, "SELECT seq FROM events") == [(3,)]


def test_a_run_is_loaded_as_one_consistent_picture(open_sqlite: Opener, monkeypatch: pytest.MonkeyPatch) -> None:
    store, other = open_sqlite(), open_sqlite()
    run = run_row(1)
    store.commit([unit(insert(run, events=[event_row(1)]))])
    read_events = store._events

    def be_overtaken(*arguments: Any) -> Any:
        answer = other.commit([unit(update(run, events=[event_row(2)], put_activities=[activity_row(2)]))])
        assert answer == [None]
        return read_events(*arguments)

    monkeypatch.setattr(store, "_events", be_overtaken)
    loaded = store.load_run(1)
    assert (loaded.run.version, len(loaded.events), loaded.activities) == (1, 1, [])
    monkeypatch.undo()
    loaded = store.load_run(1)
    assert (loaded.run.version, len(loaded.events), len(loaded.activities)) == (2, 2, 1)


def test_more_threads_than_readers_take_turns(open_sqlite: Opener) -> None:
    store = open_sqlite(readers=2)
    store.commit([unit(insert(run_row(1), events=[event_row(number) for number in range(1, 50)]))])
    counts: list[int] = []

    def read() -> None:
        counts.extend(len(store.read_events(1)) for _ in range(20))

    threads = [threading.Thread(target=read) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert counts == [49] * 160
    assert len(store._database._idle) <= 2


# -- statements --------------------------------------------------------------------------------------------------------

STATEMENTS = {name: value for name, value in vars(rows).items() if isinstance(value, BatchStatement)}
QUERIES = {
    name: value for name, value in vars(work).items() if name.startswith("_") and str(value).startswith("SELECT")
}


@pytest.mark.parametrize("name", sorted(STATEMENTS))
def test_no_statement_of_the_commit_path_scans_a_table(open_sqlite: Opener, name: str) -> None:
    statement = STATEMENTS[name]
    connection = open_sqlite()._database.writer
    for size in (1, 16, 128):
        plan = connection.execute(f"EXPLAIN QUERY PLAN {statement.text(size)}", [1] * (statement.width * size))
        scans = [row[3] for row in plan.fetchall() if row[3].startswith("SCAN") and "CONSTANT" not in row[3]]
        assert [scan for scan in scans if scan != "SCAN v"] == []


@pytest.mark.parametrize("name", sorted(QUERIES))
def test_work_is_found_through_an_index(open_sqlite: Opener, name: str) -> None:
    connection = open_sqlite()._database.writer
    sql = QUERIES[name]
    plan = [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {sql}", ["[0]"] * sql.count("?")).fetchall()]
    assert any("USING" in step and "INDEX" in step for step in plan), plan
    assert not any(step in ("SCAN activities", "SCAN runs", "SCAN transfers", "SCAN workflow_tasks") for step in plan)


def test_owners_are_found_without_reading_whole_indexes(open_sqlite: Opener) -> None:
    plan = open_sqlite()._database.writer.execute(f"EXPLAIN QUERY PLAN {_OWNERS}").fetchall()
    assert sum("SEARCH" in row[3] for row in plan) >= 6
    assert not any("SCAN activities" in row[3] for row in plan)


@pytest.mark.parametrize(("count", "steps"), [(1, 1), (16, 1), (17, 2), (32, 1), (255, 2), (256, 1), (300, 3)])
def test_a_batch_takes_few_steps(count: int, steps: int) -> None:
    connection = sqlite3.connect(":memory:", isolation_level=None)
    connection.execute("CREATE TABLE t (a, b)")
    seen: list[str] = []
    connection.set_trace_callback(seen.append)
    cursor = connection.cursor()
    statement = BatchStatement("INSERT INTO t VALUES", "(?,?)")
    assert statement.execute(cursor, list(range(2 * count))) == count
    assert len(seen) == steps
    assert connection.execute("SELECT count(*), max(b) FROM t").fetchone() == (count, 2 * count - 1)
    connection.close()


@pytest.mark.parametrize("columns", ["start_time, run_key", "*"])
def test_the_latest_run_of_a_workflow_id_is_looked_up_by_the_id(open_sqlite: Opener, columns: str) -> None:
    sql = f"EXPLAIN QUERY PLAN SELECT {columns} {rows.LATEST_OF_ID}"
    plan = open_sqlite()._database.writer.execute(sql, ("default", "w")).fetchall()
    assert "runs_workflow_id (namespace=? AND workflow_id=?)" in plan[0][3]


def test_versions_are_counted_by_looking_at_open_runs_only(open_sqlite: Opener) -> None:
    sql = f"EXPLAIN QUERY PLAN {reads._VERSIONS}"
    plan = open_sqlite()._database.writer.execute(sql, ("default", "")).fetchall()
    assert "runs_open (namespace=?)" in plan[0][3]


@pytest.mark.parametrize(
    "narrowed", [{}, {"before_run_key": 7}, {"started_from": 5, "started_before": 9}, {"statuses": [2]}]
)
def test_runs_of_a_workflow_id_are_listed_by_the_id(open_sqlite: Opener, narrowed: dict[str, Any]) -> None:
    sql, parameters = listing_statement(RunFilter("default", workflow_id="w", **narrowed), "*", 100)
    plan = open_sqlite()._database.writer.execute(f"EXPLAIN QUERY PLAN {sql}", parameters).fetchall()
    assert "runs_workflow_id (namespace=? AND workflow_id=?)" in plan[0][3]
