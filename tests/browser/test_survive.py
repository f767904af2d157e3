"""In a real JupyterLab: run cells, kill the kernel, go on in the next one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.notebook.kernel import FLUSH, ORDER

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240), pytest.mark.filterwarnings("default")]

START = "handle = await client.start_workflow(OrderWorkflow.run, 5, id='order-1')\nhandle"
PAID = f"""\
from tests.waiting import recorded
await recorded(handle, "ActivityTaskCompleted")
{FLUSH}
"""


def test_the_kernel_is_killed_and_the_next_one_goes_on(open_notebook: Callable[..., Any], folder: Path) -> None:
    book = open_notebook(
        ["%load_ext durable_nb", ORDER, START, PAID, "await handle.signal('approve')\nprint(await handle.result())"]
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
    book = open_notebook(["%load_ext durable_nb", ORDER, START], application="notebook")
    book.run(0)
    book.run(1)
    assert "OrderWorkflow" in book.run(2)
