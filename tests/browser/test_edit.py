"""Editing a cell in a real JupyterLab: open runs continue or stay, the cell says which; a mistake changes nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.browser.notebook import Notebook, expect
from tests.notebook.kernel import FLUSH

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300), pytest.mark.filterwarnings("default")]

DEFINE = """\
%%workflow
from datetime import timedelta

@activity.defn
async def charge(order: str) -> str:
    return f"receipt of {order}"

@workflow.defn
class OrderWorkflow:
    def __init__(self) -> None:
        self.approved = False

    @workflow.run
    async def run(self, order: str) -> str:
        receipt = await workflow.execute_activity(charge, order, start_to_close_timeout=timedelta(seconds=30))
        await workflow.wait_condition(lambda: self.approved)
        return receipt

    @workflow.signal
    def approve(self) -> None:
        self.approved = True
"""
THANKS = DEFINE.replace("return receipt\n", "return receipt + ', thank you'\n")
WAITS_FIRST = DEFINE.replace("        receipt = await", "        await workflow.sleep(3600)\n        receipt = await")
MISTAKE = DEFINE.replace("return receipt\n", "return receipt +\n")
RAISES = DEFINE.replace("@workflow.defn\n", "1 / 0\n@workflow.defn\n")

# Ten events: the charge is recorded, and the workflow has seen it.
START_THREE = """\
hs = [await client.start_workflow(OrderWorkflow.run, f'{n}', id=f'order-{n}') for n in range(3)]
for h in hs:
    while (await h.describe()).history_length < 10:
        pass
"""
END_THREE = "for h in hs: await h.signal('approve')\n[await h.result() for h in hs]"

LOAD, CELL, START, END = range(4)
CELLS = ["%load_ext durable_nb", DEFINE, START_THREE, END_THREE]


@pytest.fixture
def book(open_notebook: Callable[..., Any]) -> Notebook:
    """A notebook with three runs that wait for approval."""
    opened: Notebook = open_notebook(CELLS)
    for index in (LOAD, CELL, START):
        opened.run(index)
    return opened


def edit(book: Notebook, source: str, *, check: bool = True) -> str:
    book.write(CELL, source)
    return book.run(CELL, check=check)


def raised(book: Notebook) -> bool:
    return "error" in [output["output_type"] for output in book.outputs(CELL)]


def test_runs_that_agree_continue_on_the_edited_cell(book: Notebook) -> None:
    assert "3 open runs continue on the new code" in edit(book, THANKS)
    assert "receipt of 2, thank you" in book.run(END)
    assert book.complaints == []


def test_runs_that_would_diverge_stay_and_the_cell_shows_where_and_what(book: Notebook) -> None:
    said = edit(book, WAITS_FIRST)
    assert "3 stay on the code that they started with" in said
    assert "recorded ActivityTaskScheduled charge" in said
    assert "new code StartTimer" in said
    assert "line 15" in said
    shown = book.output_area(CELL)
    expect(shown).to_contain_text("await workflow.sleep(3600)")
    expect(shown.locator("table")).to_contain_text("order-1")
    assert book.run(END) == "['receipt of 0', 'receipt of 1', 'receipt of 2']", "they end on the code they began on"


def test_runs_that_stay_get_their_code_back_in_the_next_kernel(book: Notebook) -> None:
    edit(book, WAITS_FIRST)
    book.run(book.add(FLUSH))
    book.kill_kernel()
    book.run(LOAD)
    book.run(CELL)
    book.write(START, "hs = [client.get_workflow_handle(f'order-{n}') for n in range(3)]")
    book.run(START)
    assert book.run(END) == "['receipt of 0', 'receipt of 1', 'receipt of 2']"


def test_pin_and_fail_do_what_they_say(book: Notebook) -> None:
    refused = edit(book, WAITS_FIRST.replace("%%workflow", "%%workflow --on-edit fail"), check=False)
    assert "event 5" in refused
    assert raised(book)
    said = edit(book, THANKS.replace("%%workflow", "%%workflow --on-edit pin"))
    assert "3" in said
    assert book.run(END) == "['receipt of 0', 'receipt of 1', 'receipt of 2']"


@pytest.mark.parametrize("source", [MISTAKE, RAISES], ids=["syntax error", "raises"])
def test_a_cell_that_does_not_run_changes_nothing(book: Notebook, source: str) -> None:
    edit(book, source, check=False)
    assert raised(book)
    assert book.run(END) == "['receipt of 0', 'receipt of 1', 'receipt of 2']"
