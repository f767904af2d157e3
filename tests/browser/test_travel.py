"""The history slider in a real JupyterLab: keyboard, mouse, theme, and a saved notebook without a kernel."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.browser.notebook import expect, lose_kernel

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240), pytest.mark.filterwarnings("default")]

DEFINE = """\
%%workflow
from datetime import timedelta

@activity.defn
async def price(item: str) -> int:
    return len(item)

@workflow.defn
class Basket:
    def __init__(self) -> None:
        self.total = 0
        self.paid = False
        self.note = "<script>window.hacked = 1</script>"

    @workflow.run
    async def run(self, items: list[str]) -> str:
        for item in items:
            cost = await workflow.execute_activity(price, item, start_to_close_timeout=timedelta(seconds=10))
            self.total += cost
        await workflow.wait_condition(lambda: self.paid)
        return f"paid {self.total}"

    @workflow.signal
    def pay(self) -> None:
        self.paid = True
"""

RUN = """\
handle = await client.start_workflow(Basket.run, ["book", "pen"], id="basket-1")
await handle.signal(Basket.pay)
await handle.result()
"""


def test_a_slider_walks_through_a_history_by_keyboard_and_mouse(
    open_notebook: Callable[..., Any], folder: Path
) -> None:
    notebook = open_notebook(["%load_ext durable_nb", DEFINE, RUN, "slider = %workflow at basket-1\nslider"])
    for index in range(4):
        notebook.run(index)
    area = notebook.output_area(3)
    expect(area).to_contain_text(re.compile(r"event \d+ WorkflowExecutionCompleted"))
    # The table for those without widgets is there and hidden.
    expect(area.get_by_text("WorkflowExecutionStarted", exact=True)).to_be_hidden()
    handle = area.get_by_role("slider", name="event")
    handle.focus()
    for _ in range(40):
        notebook.page.keyboard.press("ArrowLeft")
    expect(area).to_contain_text("event 1 WorkflowExecutionStarted")
    expect(handle).to_have_attribute("aria-valuetext", re.compile(r"event 1 of \d+"))
    # The first activity is asked for in the task that takes event 1 in.
    expect(area.get_by_role("status")).to_have_text("event 1 WorkflowExecutionStarted, cell [2], line 18")
    notebook.page.keyboard.press("ArrowRight")
    notebook.page.keyboard.press("ArrowRight")
    expect(area).to_contain_text("event 3 WorkflowTaskStarted")
    expect(area).to_contain_text("cost = await workflow.execute_activity(price, item")
    area.get_by_role("button", name="task ▶").click()
    expect(area).to_contain_text("event 4 WorkflowTaskCompleted")
    area.get_by_role("button", name="task ▶").click()
    expect(area).to_contain_text("local variables of Basket.run")
    assert notebook.page.evaluate("() => window.hacked") is None
    assert notebook.complaints == []


def test_a_slider_moves_beside_a_busy_cell(open_notebook: Callable[..., Any], folder: Path) -> None:
    busy = "import os\nwhile not os.path.exists('free'):\n    sum(range(20_000))"
    notebook = open_notebook(["%load_ext durable_nb", DEFINE, RUN, "slider = %workflow at basket-1\nslider", busy])
    for index in range(4):
        notebook.run(index)
    notebook.begin(4)
    area = notebook.output_area(3)
    area.get_by_role("slider", name="event").focus()
    notebook.page.keyboard.press("Home")
    expect(area).to_contain_text("event 1 WorkflowExecutionStarted")
    area.get_by_role("button", name="task ▶").click()
    expect(area).to_contain_text("event 4 WorkflowTaskCompleted")
    expect(notebook.cell(4).locator(".jp-InputPrompt")).to_have_text("[*]:")
    (folder / "free").touch()


def test_a_saved_slider_is_a_readable_history_where_there_is_no_kernel(
    open_notebook: Callable[..., Any], folder: Path
) -> None:
    notebook = open_notebook(["%load_ext durable_nb", DEFINE, RUN, "%workflow at basket-1"])
    for index in range(4):
        notebook.run(index)
    notebook.save()
    notebook.shut_kernel_down()
    notebook.close()
    lose_kernel(folder / "orders.ipynb")
    again = open_notebook(kernel=False)
    again.choose_no_kernel()
    shown = again.output_area(3)
    expect(shown.get_by_text("WorkflowExecutionStarted", exact=True)).to_be_visible()
    expect(shown).to_contain_text("WorkflowExecutionCompleted")
    assert again.page.evaluate("() => window.hacked") is None
