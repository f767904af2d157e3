"""Kill -9 before, during and after every commit of reset, retry and fork: done as a whole or not at all, and once."""

from __future__ import annotations

import shutil
from collections import Counter
from pathlib import Path

import pytest

from durable_nb.model.attributes import WorkflowTaskFailed
from durable_nb.model.enums import WorkflowExecutionStatus, WorkflowTaskFailedCause
from durable_nb.model.records import RunFilter, RunRow
from durable_nb.store import open_store
from tests.chaos.killing import PHASES, run

MOST_COMMITS = 100
OPEN, ENDED = WorkflowExecutionStatus.RUNNING, WorkflowExecutionStatus.TERMINATED

Heirs = dict[str, list[RunRow]]
"""By name of the run that they were made from."""


def read(directory: Path) -> tuple[dict[str, RunRow], Heirs]:
    """The runs of the beginning, the newest of each name, and what was made of each; histories are whole."""
    store = open_store(f"sqlite:///{directory}/runs.db")
    try:
        rows = store.list_runs(RunFilter("default", limit=1000))
        by_id = {row.run_id: row for row in rows}
        origins: dict[str, str] = {}
        for row in rows:
            events = store.read_events(row.run_key)
            assert [event.event_id for event in events] == list(range(1, len(events) + 1)), "a hole in the history"
            assert row.next_event_id == len(events) + 1
            for event in events:
                left = event.attributes
                if isinstance(left, WorkflowTaskFailed) and left.cause is WorkflowTaskFailedCause.RESET_WORKFLOW:
                    assert left.new_run_id == row.run_id
                    origins[row.run_id] = left.base_run_id
        heirs: Heirs = {}
        for run_id, origin in origins.items():
            heirs.setdefault(by_id[origin].workflow_id, []).append(by_id[run_id])
        oldest_first = sorted(rows, key=lambda row: row.start_time)
        return {row.workflow_id: row for row in oldest_first if row.run_id not in origins}, heirs
    finally:
        store.close()


def check_whole(directory: Path) -> None:
    """After a kill: each verb was done as a whole or not at all, and what was answered was done."""
    runs, heirs = read(directory)
    assert {name: len(made) for name, made in heirs.items() if len(made) > 1} == {}
    for name in ("open", "replaced"):
        if name in heirs:
            assert int(runs[name].status) == ENDED, "two runs of one workflow ID are open"
        else:
            assert int(runs[name].status) == OPEN, "ended without its heir"
    made = [line.split()[1] for line in (directory / "log").read_text().splitlines() if line.startswith("made ")]
    assert {name for name in made if name != "waiting"} <= set(heirs)


def check_end(directory: Path) -> None:
    runs, heirs = read(directory)
    assert {name: [int(each.status) for each in made] for name, made in heirs.items()} == {
        name: [WorkflowExecutionStatus.COMPLETED] for name in ("open", "failed", "done", "replaced")
    }
    assert {name: WorkflowExecutionStatus(row.status).name for name, row in runs.items()} == {
        "open": "TERMINATED",
        "failed": "FAILED",
        "waiting": "COMPLETED",
        "done": "COMPLETED",
        "replaced": "TERMINATED",
    }
    ran = Counter(tuple(line.split()[2:]) for line in (directory / "log").read_text().splitlines() if "ran " in line)
    assert {workflow_id: ran[workflow_id, "first"] for workflow_id in (*runs, "copy")} == {
        "open": 1, "failed": 1, "waiting": 1, "done": 1, "replaced": 2, "copy": 0
    }, "what was kept ran again"  # fmt: skip


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("phase", PHASES)
def test_a_kill_at_any_commit_leaves_a_verb_done_or_undone_and_never_done_twice(phase: str, tmp_path: Path) -> None:
    prepared = tmp_path / "prepared"
    prepared.mkdir()
    assert run("branches", prepared, "prepare", 0) == 0
    for number in range(1, MOST_COMMITS):
        directory = tmp_path / str(number)
        shutil.copytree(prepared, directory)
        if run("branches", directory, phase, number) == 0:
            assert number > 5, "the workload made hardly any commits"
            check_end(directory)
            return
        check_whole(directory)
        assert run("branches", directory, phase, 0) == 0
        check_end(directory)
    pytest.fail("the workload never came to its end")
