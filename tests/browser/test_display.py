"""The display of a run in a real JupyterLab: it moves during a busy cell, answers clicks, zooms, follows the theme."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.browser.notebook import Notebook, expect

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300), pytest.mark.filterwarnings("default")]

DEFINE = """\
%%workflow
import asyncio
from datetime import timedelta
from pathlib import Path

SOON = {"start_to_close_timeout": timedelta(hours=1)}

@activity.defn
async def wait_for(name: str) -> str:
    while not Path(name).exists():
        await asyncio.sleep(0.02)
    return name

@workflow.defn
class OrderWorkflow:
    def __init__(self) -> None:
        self.approved: bool | None = None

    @workflow.run
    async def run(self, item: str) -> str:
        for name in ("paid", "packed"):
            await workflow.execute_activity(wait_for, name, **SOON)
        await workflow.wait_condition(lambda: self.approved is not None)
        return f"{item} shipped" if self.approved else "sent back"

    @workflow.signal(description="Is the parcel in order?")
    def approve(self, yes: bool) -> None:
        self.approved = yes
"""
LOAD, CELL, SHOW, BUSY, RESULT = range(5)
CELLS = [
    "%load_ext durable_nb",
    DEFINE,
    "handle = await client.start_workflow(OrderWorkflow.run, '<b>book</b>', id='order-1')\nhandle",
    "import pathlib, time\nwhile not pathlib.Path('enough').exists(): time.sleep(0.01)   # the main thread is busy",
    "await handle.result()",
]


@pytest.fixture
def book(open_notebook: Callable[..., Any]) -> Notebook:
    """A notebook that shows a run which waits for the file ``paid``."""
    opened: Notebook = open_notebook(CELLS)
    for index in (LOAD, CELL, SHOW):
        opened.run(index)
    expect(opened.output_area(SHOW)).to_contain_text("running")
    return opened


def test_it_moves_while_a_cell_is_busy(book: Notebook, folder: Path) -> None:
    shown = book.output_area(SHOW)
    expect(shown.get_by_role("group", name="pending")).to_contain_text("wait_for")
    line = shown.get_by_role("group", name="current step").text_content()
    book.begin(BUSY)
    (folder / "paid").touch()
    expect(shown).to_contain_text("2 activities")
    (folder / "packed").touch()
    expect(shown.get_by_role("group", name="current step")).to_contain_text("wait_condition")
    expect(shown.get_by_role("group", name="waits for signal approve")).to_be_visible()
    assert book.is_busy(), "all of this was seen while the main thread was busy"
    assert "execute_activity" in (line or "")
    (folder / "enough").touch()
    book.wait_for_kernel()
    assert book.complaints == []


@pytest.mark.parametrize(("button", "result"), [("Approve", "<b>book</b> shipped"), ("Reject", "sent back")])
def test_a_click_answers_the_signal_that_the_run_waits_for(
    book: Notebook, folder: Path, button: str, result: str
) -> None:
    for name in ("paid", "packed"):
        (folder / name).touch()
    shown = book.output_area(SHOW)
    card = shown.get_by_role("group", name="waits for signal approve")
    expect(card).to_contain_text("Is the parcel in order?")
    card.get_by_role("button", name=button).click()
    expect(shown).to_contain_text("completed")
    expect(card).to_have_count(0)
    assert book.run(RESULT) == repr(result)
    assert book.page.locator("b", has_text="book").count() == 0, "markup in a value is text"


def test_a_click_during_a_busy_cell_counts_at_the_latest_when_it_ends(book: Notebook, folder: Path) -> None:
    for name in ("paid", "packed"):
        (folder / name).touch()
    card = book.output_area(SHOW).get_by_role("group", name="waits for signal approve")
    expect(card).to_be_visible()
    book.begin(BUSY)
    card.get_by_role("button", name="Approve").click()
    (folder / "enough").touch()
    expect(book.output_area(SHOW)).to_contain_text("completed")
    book.wait_for_kernel()
    assert book.run(RESULT) == "'<b>book</b> shipped'"


SETTLED = "import asyncio\nwhile get_ipython().durable_nb.live_board().count: await asyncio.sleep(0.02)"
DRAWN = """async canvas => {
    // What has changed is drawn in the next frame.
    for (let frame = 0; frame < 2; frame++) await new Promise(requestAnimationFrame);
    return canvas.toDataURL();
}"""


def finish(book: Notebook, folder: Path) -> None:
    """Let the run end: from then on its picture stands still."""
    for name in ("paid", "packed"):
        (folder / name).touch()
    book.run(book.add("await handle.signal('approve', True)\nawait handle.result()"))
    expect(book.output_area(SHOW)).to_contain_text("completed")
    # A display looks at a closed run once more, a second later, and is then followed no longer.
    book.run(book.add(SETTLED))


def test_the_timeline_zooms_and_goes_back(book: Notebook, folder: Path) -> None:
    finish(book, folder)
    timeline = book.output_area(SHOW).locator(".dnb-timeline")
    axis = timeline.locator(".dnb-axis")
    fit, closer = (timeline.get_by_title(re.compile(name)) for name in ("^Show all of it", "^Zoom in"))

    def picture() -> Any:
        return axis.evaluate(DRAWN)

    fit.click()
    whole = picture()
    closer.click()
    closer.click()
    assert picture() != whole
    fit.click()
    assert picture() == whole
    assert book.complaints == []


def test_it_follows_the_theme_while_it_is_shown(book: Notebook, folder: Path) -> None:
    finish(book, folder)
    display = book.output_area(SHOW).locator(".dnbl")

    def background() -> str:
        return str(display.evaluate("element => getComputedStyle(element).backgroundColor"))

    def picture() -> Any:
        return display.locator(".dnb-scroll canvas").evaluate(DRAWN)

    light, light_picture = background(), picture()
    book.use_theme("JupyterLab Dark")
    expect(display).to_have_attribute("data-dnb-theme", "dark")
    assert background() != light
    dark_picture = picture()
    assert dark_picture != light_picture, "the canvas is drawn anew"
    book.use_theme("JupyterLab Light")
    expect(display).to_have_attribute("data-dnb-theme", "light")
    assert background() == light
    assert picture() != dark_picture


def test_when_the_kernel_dies_the_last_state_stays_and_says_so(book: Notebook) -> None:
    book.kill_kernel()
    shown = book.output_area(SHOW)
    expect(shown).to_contain_text("order-1")
    expect(shown.get_by_role("status").filter(has_text="The kernel ended at")).to_be_visible()
