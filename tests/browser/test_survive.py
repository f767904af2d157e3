"""In a real JupyterLab: run cells, kill the kernel, go on in the next one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.notebook.kernel import FLUSH

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240), pytest.mark.filterwarnings("default")]

DEFINE = """\
%%workflow
from datetime import timedelta

@activity.defn
async def pay(n: int) -> int:
    with open("payments.txt", "a") as log:
        log.write(f"{n}\\n")
    return n * 2

@workflow.defn
class OrderWorkflow:
    def __init__(self) -> None:
        self.go = False

    @workflow.run
    async def run(self, n: int) -> int:
        paid = await workflow.execute_activity(pay, n, start_to_close_timeout=timedelta(seconds=10))
        await workflow.wait_condition(lambda: self.go)
        return paid + 1

    @workflow.signal
    def approve(self) -> None:
        self.go = True
"""

START = "handle = await client.start_workflow(OrderWorkflow.run, 5, id='order-1')\nhandle"
PAID = f"""\
from tests.waiting import recorded
await recorded(handle, "ActivityTaskCompleted")
{FLUSH}
"""


def test_the_kernel_is_killed_and_the_next_one_goes_on(open_notebook: Callable[..., Any], folder: Path) -> None:
    book = open_notebook(
        ["%load_ext durable_nb", DEFINE, START, PAID, "await handle.signal('approve')\nprint(await handle.result())"]
    )
    assert "no run is unfinished" in book.run(0)
    assert "registered workflow OrderWorkflow; activity pay" in book.run(1)
    assert "OrderWorkflow" in book.run(2)
    book.run(3)
    book.kill_kernel()
    said = book.run(0)
    assert "1 run is unfinished: 1 goes on" in said
    assert "OrderWorkflow, pay were restored from the store, where they bear your signature" in said
    assert "registered workflow OrderWorkflow; activity pay" in book.run(1)
    book.write(2, "handle = client.get_workflow_handle('order-1')")
    book.run(2)
    assert "11" in book.run(4)
    assert (folder / "payments.txt").read_text() == "5\n", "the payment was not made again"
    assert book.complaints == []


def test_notebook_7_runs_the_same_cells(open_notebook: Callable[..., Any]) -> None:
    book = open_notebook(["%load_ext durable_nb", DEFINE, START], application="notebook")
    book.run(0)
    book.run(1)
    assert "OrderWorkflow" in book.run(2)
