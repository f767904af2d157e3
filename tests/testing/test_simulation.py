"""``simulate_store``: its histories are true, the same for the same seed, and of every kind."""

from __future__ import annotations

import asyncio
import sqlite3
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from durable_nb.client import WorkflowHistory
from durable_nb.core.loading import load
from durable_nb.core.rows import run_row
from durable_nb.model.enums import EventType, WorkflowExecutionStatus
from durable_nb.model.records import RunFilter
from durable_nb.store import open_store
from durable_nb.store.protocol import Store
from durable_nb.testing import simulate_store
from durable_nb.testing._simulation import shop, shop_before
from durable_nb.worker import Replayer
from tests.core.invariants import check_history
from tests.simulated import BIG, cached, simulated

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> str:
    return simulated(tmp_path_factory.mktemp("simulated"))


@pytest.fixture(scope="module")
def store(url: str) -> Iterator[Store]:
    opened = open_store(url)
    yield opened
    opened.close()


def runs_of(store: Store) -> list[Any]:
    return store.list_runs(RunFilter("default", limit=100_000))


def rows(path: Path) -> dict[str, list[Any]]:
    """Everything in a store but what names the machine and the hour in which it was made."""
    with closing(sqlite3.connect(path)) as connection:
        tables = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
        left_out = {"schema_version", "processes", "sqlite_sequence"}
        return {
            name: connection.execute(f"SELECT * FROM {name}").fetchall() for (name,) in tables if name not in left_out
        }


def test_equal_seeds_give_equal_rows_and_other_seeds_others(tmp_path: Path) -> None:
    for name, seed in (("a", 7), ("b", 7), ("c", 8)):
        simulate_store(tmp_path / name, runs=60, seed=seed)
    first, second, other = (rows(tmp_path / name) for name in "abc")
    assert first == second
    assert first["events"] != other["events"]


def test_no_history_names_a_folder_of_the_machine_that_made_it(url: str) -> None:
    path = Path(url.removeprefix("sqlite:///"))
    package = str(Path(shop.__file__).parents[3])
    with closing(sqlite3.connect(path)) as connection:
        for table, column in (("events", "attributes"), ("activity_attempts", "failure"), ("definitions", "origin")):
            found = connection.execute(f"SELECT count(*) FROM {table} WHERE instr({column}, ?) > 0", (package,))
            assert found.fetchone() == (0,)


def test_every_history_obeys_the_rules_of_histories(store: Store) -> None:
    for run in runs_of(store):
        check_history(store.read_events(run.run_key))


def test_every_row_of_a_run_is_what_its_history_makes_of_it(store: Store) -> None:
    for run in runs_of(store):
        loaded = store.load_run(run.run_key)
        assert loaded is not None
        assert run_row(load(loaded)) == loaded.run


def test_histories_replay_on_the_code_that_made_them(store: Store) -> None:
    now = Replayer(workflows=shop.WORKFLOWS)
    before = Replayer(workflows=shop_before.WORKFLOWS)
    digests = {row.definition for row in runs_of(store) if row.workflow_type == "OrderWorkflow"}
    latest = store.latest_definition("workflow", "OrderWorkflow")
    assert latest is not None
    assert latest.digest in digests
    assert len(digests - {""}) == 2
    for run in runs_of(store):
        if run.definition:
            old = run.workflow_type == "OrderWorkflow" and run.definition != latest.digest
            history = WorkflowHistory(run.workflow_id, store.read_events(run.run_key))
            replayed = asyncio.run((before if old else now).replay_workflow(history, raise_on_replay_failure=False))
            assert replayed.replay_failure is None, run


def test_the_two_weeks_end_where_they_are_told_to(tmp_path: Path) -> None:
    end = datetime(2030, 1, 15, tzinfo=UTC)
    url = simulate_store(tmp_path / "a.db", runs=30, end=end)
    store = open_store(url)
    last = max(event.event_time for run in runs_of(store) for event in store.read_events(run.run_key))
    store.close()
    assert 0 < end.timestamp() - last / 1e6 < 86_400


def test_a_file_that_exists_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "a.db").write_text("mine")
    with pytest.raises(FileExistsError, match="exists"):
        simulate_store(tmp_path / "a.db")
    assert (tmp_path / "a.db").read_text() == "mine"


def test_open_runs_go_on_in_an_engine_that_opens_the_store(url: str, tmp_path: Path) -> None:
    from durable_nb.engine import open_engine
    from durable_nb.engine.clock import ManualClock

    copy = simulated(tmp_path)

    async def go_on() -> tuple[int, int]:
        store = open_store(copy)
        latest = max(run.start_time for run in runs_of(store)) + 30 * 86_400_000_000
        due = len(store.due_runs(latest, 1000))
        store.close()
        handle = open_engine(copy, own_thread=False, clock=ManualClock(latest))
        # Nobody serves the shop here; but parcels that were never delivered time out, and their timers fire.
        while left := len(handle.store.due_runs(latest, 1000)):  # noqa: ASYNC110 - the engine works meanwhile
            await asyncio.sleep(0)
        handle.close()
        return due, left

    due, left = asyncio.run(go_on())
    assert due > 0
    assert left == 0


def test_ten_thousand_runs_hold_every_kind_of_history() -> None:
    connection = sqlite3.connect(f"file:{cached(BIG)}?mode=ro", uri=True)
    count = Counter(dict(connection.execute("SELECT event_type, count(*) FROM events GROUP BY 1")))
    outcomes = Counter(dict(connection.execute("SELECT outcome, count(*) FROM activity_attempts GROUP BY 1")))
    statuses = {row[0] for row in connection.execute("SELECT DISTINCT status FROM runs")}
    (runs,) = connection.execute("SELECT count(*) FROM runs").fetchone()
    (retried,) = connection.execute(
        "SELECT count(*) FROM events WHERE event_type = 1 AND json_extract(attributes, '$.initiator') IS NOT NULL "
        "AND json_extract(attributes, '$.continuedFailure') IS NOT NULL"
    ).fetchone()
    queues = {row[0] for row in connection.execute("SELECT DISTINCT task_queue FROM runs")}
    workers = {row[0] for row in connection.execute("SELECT DISTINCT worker_identity FROM activity_attempts")}
    connection.close()
    assert runs >= BIG
    assert statuses == {int(status) for status in WorkflowExecutionStatus}
    assert set(outcomes) == {"completed", "failed", "timed_out", "canceled", "lost"}
    assert retried > 5
    assert len(queues) >= 4
    assert len(workers) >= 8
    for kind, least in {
        EventType.WORKFLOW_EXECUTION_SIGNALED: 1000,
        EventType.WORKFLOW_EXECUTION_UPDATE_COMPLETED: 10,
        EventType.START_CHILD_WORKFLOW_EXECUTION_INITIATED: 1000,
        EventType.CHILD_WORKFLOW_EXECUTION_COMPLETED: 100,
        EventType.TIMER_FIRED: 100,
        EventType.TIMER_CANCELED: 100,
        EventType.WORKFLOW_EXECUTION_CANCEL_REQUESTED: 10,
        EventType.WORKFLOW_TASK_FAILED: 5,
        EventType.ACTIVITY_TASK_TIMED_OUT: 5,
        EventType.ACTIVITY_TASK_CANCELED: 2,
    }.items():
        assert count[kind] >= least, kind
