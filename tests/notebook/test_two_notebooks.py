"""Two real kernels on one store edit the same definition, at the same time or one of them wrongly."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from durable_nb.store import open_store
from tests.notebook.kernel import Kernel, Output
from tests.notebook.test_editing import PAY, SLEEP, flow
from tests.notebook.test_versions_kernel import ASK, FINISH, start

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("default")]

RUNS = [f"run-{number}" for number in range(6)]


@pytest.fixture
def kernels(tmp_path: Path) -> Iterator[tuple[Kernel, Kernel]]:
    """Both have the same definition, and runs of it are open."""
    made = Kernel(tmp_path), Kernel(tmp_path)
    try:
        for kernel in made:
            kernel.load()
            kernel.run(flow())
        for number, workflow_id in enumerate(RUNS):
            start(made[number % 2], workflow_id)
        yield made
    finally:
        for kernel in made:
            kernel.stop()


def pinned(folder: Path) -> dict[str, str]:
    """Digest of the code that each run is on."""
    store = open_store(f"sqlite:///{folder}/durable.db")
    try:
        found = {}
        for workflow_id in RUNS:
            row = store.find_run("default", workflow_id)
            assert row is not None
            found[workflow_id] = row.definition
        return found
    finally:
        store.close()


def at_once(kernels: tuple[Kernel, Kernel], cells: tuple[str, str]) -> list[Output]:
    """Run a cell in each kernel, the second before the first has ended."""
    asked = [kernel.begin(cell) for kernel, cell in zip(kernels, cells, strict=True)]
    return [kernel.finish(ident) for kernel, ident in zip(kernels, asked, strict=True)]


def failed_tasks(kernel: Kernel) -> str:
    return kernel.run(
        f"print([e.event_type.title for i in {RUNS} for e in (await client.get_workflow_handle(i).fetch_history())"
        ".events if 'Failed' in e.event_type.title])"
    ).text.strip()


def test_two_edits_at_once_leave_each_run_on_one_of_them_and_lose_none(
    kernels: tuple[Kernel, Kernel], tmp_path: Path
) -> None:
    before = pinned(tmp_path)
    assert len(set(before.values())) == 1
    at_once(kernels, (flow(version="two"), flow(version="three", result="paid + 1 + 0")))
    after = pinned(tmp_path)
    assert not set(after.values()) & set(before.values()), "all of them agree with both edits"
    assert 1 <= len(set(after.values())) <= 2
    for number, workflow_id in enumerate(RUNS):
        said = [kernel.run(ASK.format(workflow_id)).text for kernel in kernels]
        assert re.search("it is (two|three)", said[0])
        assert said[0] == said[1], "whoever asks, the same code answers"
        assert "result 3" in kernels[number % 2].run(FINISH.format(workflow_id)).text
    assert failed_tasks(kernels[0]).endswith("[]")


def test_an_edit_that_fits_and_one_that_does_not_at_once_keep_every_run_going(
    kernels: tuple[Kernel, Kernel], tmp_path: Path
) -> None:
    at_once(kernels, (flow(PAY, version="two"), flow(SLEEP, version="three")))
    assert len(set(pinned(tmp_path).values())) == 1, "the second edit contradicts their histories"
    for number, workflow_id in enumerate(RUNS):
        assert "it is two" in kernels[number % 2].run(ASK.format(workflow_id)).text
        assert "result 3" in kernels[1 - number % 2].run(FINISH.format(workflow_id)).text
    assert failed_tasks(kernels[0]).endswith("[]")


def test_an_edit_with_a_syntax_error_changes_nothing_in_either_notebook(
    kernels: tuple[Kernel, Kernel], tmp_path: Path
) -> None:
    before = pinned(tmp_path)
    table = [kernel.run("%workflow definitions").text for kernel in kernels]
    broken = kernels[1].run(flow(SLEEP, result="paid +", version="two"), check=False)
    assert broken.ename == "SyntaxError"
    assert pinned(tmp_path) == before
    assert [kernel.run("%workflow definitions").text for kernel in kernels] == table
    for number, workflow_id in enumerate(RUNS):
        assert "it is one" in kernels[number % 2].run(ASK.format(workflow_id)).text
        assert "result 3" in kernels[1].run(FINISH.format(workflow_id)).text
