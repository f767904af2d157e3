"""``%workflow stats`` in a real JupyterLab: it moves in a busy cell, leads to runs, can be read when saved."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.browser.notebook import expect

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240), pytest.mark.filterwarnings("default")]

DEFINE = """\
%%workflow
import os, asyncio
from durable_nb.exceptions import ApplicationError

@activity.defn
async def wait_for(name: str) -> None:
    while not os.path.exists(name):
        await asyncio.sleep(0.02)

@workflow.defn
class Order:
    @workflow.run
    async def run(self, name: str) -> None:
        await wait_for(name)
        if name.startswith("bad"):
            raise ApplicationError("<b>out</b> of stock", type="StockError")
"""
START = """\
for name in ("good", "bad"):
    await client.start_workflow(Order.run, name, id=f"order-{name}")"""
LOAD, CELL, STARTED, STATS, BUSY = range(5)
CELLS = [
    "%load_ext durable_nb",
    DEFINE,
    START,
    "%workflow stats --refresh 0.2",
    "while not os.path.exists('free'):\n    sum(range(20_000))",
]


def counter(shown: Any, name: str) -> Any:
    """The card of that counter."""
    return shown.get_by_role("group", name="counters").locator("div", has_text=re.compile(rf"^[\d,.]+{name}$"))


@pytest.mark.parametrize("application", ["lab", "notebook"])
def test_counters_move_in_a_busy_cell_and_lead_to_runs(
    open_notebook: Callable[..., Any], folder: Path, application: str
) -> None:
    book = open_notebook(CELLS, application=application, dark=True)
    book.use_theme("JupyterLab Dark")
    for index in (LOAD, CELL, STARTED, STATS):
        book.run(index)
    shown = book.output_area(STATS)
    expect(counter(shown, "running")).to_have_text("2running")
    book.begin(BUSY)
    shown = book.output_area(STATS)
    (folder / "good").touch()
    expect(counter(shown, "completed")).to_have_text("1completed")
    (folder / "bad").touch()
    expect(counter(shown, "failed")).to_have_text("1failed")
    expect(counter(shown, "running")).to_have_text("0running")
    assert book.is_busy(), "all of this was seen while the main thread was busy"
    runs = shown.get_by_role("listbox", name="runs", exact=True)
    expect(runs.locator("option")).to_have_count(2)
    runs.select_option(label=runs.locator("option", has_text="order-bad").inner_text())
    expect(shown.get_by_text("<b>out</b> of stock").last).to_be_visible()
    expect(shown).to_contain_text("FAILED")
    (folder / "free").touch()
    assert is_readable(shown.get_by_text("FAILED", exact=True)), "on the dark page"
    assert book.page.locator("b", has_text="out").count() == 0, "markup in a message is text"


def test_a_type_leads_to_its_runs_and_a_saved_dashboard_can_be_read(
    open_notebook: Callable[..., Any], folder: Path
) -> None:
    book = open_notebook([*CELLS[:4], "await client.start_workflow('Elsewhere', id='other-1')"])
    for index in (LOAD, CELL, STARTED, STATS, 4):
        book.run(index)
    shown = book.output_area(STATS)
    runs = shown.get_by_role("listbox", name="runs", exact=True)
    expect(runs.locator("option")).to_have_count(3)
    types = shown.get_by_role("listbox", name="workflow types")
    types.select_option(label=types.locator("option", has_text="Elsewhere").inner_text())
    expect(runs.locator("option")).to_have_count(1)
    expect(counter(shown, "running")).to_have_text("1running")
    table = shown.locator("[class^='durable-nb-']")
    expect(table).to_be_hidden()
    book.save()
    book.shut_kernel_down()
    book.close()
    again = open_notebook()
    shown = again.output_area(STATS)
    expect(shown.locator("table", has_text="Order")).to_be_visible()
    lab_says = shown.get_by_text("model not found")
    lab_says.wait_for(state="attached")
    expect(lab_says).to_be_hidden()


def is_readable(text: Any) -> bool:
    """Whether the text stands out from what is behind it, by WCAG's ratio for text (4.5)."""
    return bool(
        text.evaluate(
            """element => {
                const canvas = document.createElement('canvas').getContext('2d', {willReadFrequently: true});
                const luminance = color => {
                    canvas.fillStyle = color;
                    canvas.fillRect(0, 0, 1, 1);
                    const [r, g, b] = [...canvas.getImageData(0, 0, 1, 1).data].map(each => {
                        const share = each / 255;
                        return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
                    });
                    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
                };
                let behind = element;
                while (behind && getComputedStyle(behind).backgroundColor === 'rgba(0, 0, 0, 0)') {
                    behind = behind.parentElement;
                }
                const back = luminance(behind ? getComputedStyle(behind).backgroundColor : 'white');
                const front = luminance(getComputedStyle(element).color);
                return (Math.max(back, front) + 0.05) / (Math.min(back, front) + 0.05) >= 4.5;
            }"""
        )
    )
