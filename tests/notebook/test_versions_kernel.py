"""Versions of a definition in real kernels: killed and started again, and two at once on one store."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.notebook.kernel import Kernel
from tests.notebook.test_editing import SLEEP, flow

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("default")]

START = """\
from tests.waiting import recorded
await recorded(await client.start_workflow(Order.run, 1, id={!r}), "WorkflowTaskCompleted", {})
"""
ASK = "print('it is', await client.get_workflow_handle({!r}).query('version'))"
FINISH = "h = client.get_workflow_handle({!r})\nawait h.signal('approve')\nprint('result', await h.result())"


def start(kernel: Kernel, workflow_id: str, *, sleeps: bool = False) -> None:
    """Start a run and wait until it waits: for its approval, or for its timer where it has one."""
    kernel.run(START.format(workflow_id, 1 if sleeps else 2))
    kernel.flush()


def test_a_killed_kernel_leaves_pinned_and_current_runs_and_the_next_one_goes_on_with_both(tmp_path: Path) -> None:
    first = Kernel(tmp_path)
    try:
        first.load()
        first.run(flow())
        start(first, "old")
        said = first.run(flow(SLEEP, version="two")).text
        assert re.search(
            r"Order: 1 stays on the code that it started with: event 5 recorded ActivityTaskScheduled pay \(id 1\), "
            r"new code StartTimer 30 s \(id 1\), cell \[\d+\], line 15, in Order.run",
            said,
        )
        start(first, "new", sleeps=True)
    finally:
        first.kill()
    second = Kernel(tmp_path)
    try:
        welcome = second.load().text
        assert "2 runs are unfinished: 2 go on" in welcome
        assert "restored from the store" in welcome
        assert "it is one" in second.run(ASK.format("old")).text
        assert "it is two" in second.run(ASK.format("new")).text
        second.run(flow(SLEEP, version="two"))
        table = second.run("%workflow definitions").text
        assert re.search(r"workflow +Order +\w{8} +current +1 +signed by you", table)
        assert re.search(r"workflow +Order +\w{8} +pinned +1 +signed by you", table)
        assert "result 3" in second.run(FINISH.format("old")).text
    finally:
        second.stop()


def test_two_kernels_edit_one_definition_and_each_run_goes_to_the_one_that_has_its_code(tmp_path: Path) -> None:
    one, two = Kernel(tmp_path), Kernel(tmp_path)
    try:
        for kernel in (one, two):
            kernel.load()
        one.run(flow(version="one"))
        two.run(flow(SLEEP, version="two", options="--on-edit pin"))
        start(one, "a")
        start(two, "b", sleeps=True)
        # Each is asked and signalled from the other's kernel.
        for kernel in (one, two):
            assert "it is one" in kernel.run(ASK.format("a")).text
            assert "it is two" in kernel.run(ASK.format("b")).text
        assert "result 3" in two.run(FINISH.format("a")).text
        failed = one.run(
            "print([e.event_type.title for i in 'ab' for e in (await client.get_workflow_handle(i).fetch_history())"
            ".events if 'Failed' in e.event_type.title])"
        ).text
        assert failed.strip().endswith("[]")
    finally:
        one.stop()
        two.stop()


def test_a_run_whose_kernel_is_gone_names_the_cell_that_has_its_version(tmp_path: Path) -> None:
    one, two = Kernel(tmp_path), Kernel(tmp_path, JUPYTER_DATA_DIR=str(tmp_path / "somebody else"))
    try:
        for kernel in (one, two):
            kernel.load()
        one.run(flow(version="one"))
        start(one, "a")
        two.run(flow(SLEEP, version="two", options="--on-edit pin"))
        one.kill()
        two.run("await client.get_workflow_handle('a').signal('approve')")
        shown = two.run("%workflow show a").text
        assert re.search(r"pinned to version \w{8} of orders.ipynb cell \[2\]; a kernel that has run that cell", shown)
        assert "%workflow restore Order shows its source" in shown
        assert "class Order" in two.run("%workflow restore a").text
        assert "1 open run goes on" in two.run("%workflow restore a --yes").text
        assert "result 3" in two.run("print('result', await client.get_workflow_handle('a').result())").text
    finally:
        two.stop()
