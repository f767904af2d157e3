"""Kill -9 before, during and after every commit; the next process must finish the work with nothing done twice."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from durable_nb.model.attributes import ActivityTaskCompleted, TimerFired, TimerStarted, WorkflowExecutionSignaled
from durable_nb.model.records import RunFilter
from durable_nb.store import open_store
from tests.chaos.killing import PHASES, run
from tests.chaos.workload import ORDERS

MOST_COMMITS = 100


def completed_activities(directory: Path) -> set[tuple[str, str]]:
    """(workflow ID, activity ID) of every activity whose completion is in a history."""
    store = open_store(f"sqlite:///{directory}/runs.db")
    try:
        found = set()
        for row in store.list_runs(RunFilter("default", limit=1000)):
            events = store.read_events(row.run_key)
            assert [event.event_id for event in events] == list(range(1, len(events) + 1)), "a hole in the history"
            assert row.next_event_id == len(events) + 1
            scheduled = {e.event_id: e.attributes.activity_id for e in events if e.event_type == 10}
            closed = [e.attributes for e in events if isinstance(e.attributes, ActivityTaskCompleted)]
            found |= {(row.workflow_id, scheduled[attributes.scheduled_event_id]) for attributes in closed}
        return found
    finally:
        store.close()


def check_end(directory: Path) -> None:
    """All orders are complete, no acknowledged signal and no timer is lost."""
    store = open_store(f"sqlite:///{directory}/runs.db")
    try:
        rows = {row.workflow_id: row for row in store.list_runs(RunFilter("default", limit=1000))}
        assert len(rows) == 2 * ORDERS
        assert {row.status for row in rows.values()} == {2}
        for number in range(ORDERS):
            kinds = Counter(type(e.attributes) for e in store.read_events(rows[f"order-{number}"].run_key))
            assert kinds[TimerFired] == kinds[TimerStarted] == 1
            assert kinds[WorkflowExecutionSignaled] >= 1
    finally:
        store.close()


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("phase", PHASES)
def test_a_kill_at_any_commit_loses_nothing_and_repeats_nothing_that_completed(phase, tmp_path):
    for number in range(1, MOST_COMMITS):
        directory = tmp_path / str(number)
        directory.mkdir()
        (directory / "log").touch()
        if run("workload", directory, phase, number) == 0:
            assert number > 5, "the workload made hardly any commits"
            return
        done_before = completed_activities(directory) if (directory / "runs.db").exists() else set()
        before = (directory / "log").read_text().splitlines()
        assert run("workload", directory, phase, 0) == 0
        after = (directory / "log").read_text().splitlines()[len(before) :]
        again = {tuple(line.split()[2:4]) for line in after if line.startswith("run ")}
        assert not again & done_before, f"ran again although complete: {again & done_before} (commit {number})"
        check_end(directory)
    pytest.fail("the workload never came to its end")
