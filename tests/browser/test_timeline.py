"""The timeline in a real JupyterLab: it moves while a cell is busy, shows payloads, unfolds children, changes theme."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.browser.notebook import expect, lose_kernel

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240), pytest.mark.filterwarnings("default")]

DEFINE = """\
%%workflow
import asyncio
from datetime import timedelta
from pathlib import Path
from durable_nb.common import RetryPolicy

SOON = {"start_to_close_timeout": timedelta(hours=1)}

@activity.defn
async def charge(order: dict) -> str:
    await asyncio.sleep(0.1)
    if activity.info().attempt < 3:
        raise RuntimeError("card <script>window.hacked = 1</script> declined")
    return "<img src=x onerror='window.hacked = 1'>"

@activity.defn
async def wait_for(name: str) -> str:
    while not Path(name).exists():
        await asyncio.sleep(0.02)
    return name

@workflow.defn
class Shipping:
    @workflow.run
    async def run(self, order: dict) -> str:
        return await workflow.execute_activity(wait_for, "ship", **SOON)

@workflow.defn
class OrderWorkflow:
    @workflow.run
    async def run(self, order: dict) -> str:
        receipt = await workflow.execute_activity(
            charge, order, retry_policy=RetryPolicy(initial_interval=timedelta(milliseconds=200)), **SOON
        )
        await workflow.execute_activity(wait_for, "paid", **SOON)
        await workflow.execute_child_workflow(Shipping.run, order, id="shipping-1")
        return receipt

    @workflow.signal
    def set_address(self, address: str) -> None: ...
"""
OPEN, DONE, FAILED = 0, 1, 2
"""Outcomes, as numbers of ``packing.OUTCOMES``."""

START = 'handle = await client.start_workflow(OrderWorkflow.run, {"item": "book", "count": 2}, id="order-1")'


def view(book: Any, cell: int, expression: str) -> Any:
    """A value of the view's own state; the page's views are found through their elements."""
    root = book.output_area(cell).locator(".dnb-timeline")
    return root.evaluate(f"(root) => {{ const v = root.timelineView; return {expression}; }}")


def bars_of(book: Any, cell: int, type_name: str) -> list[list[Any]]:
    """Kind and outcome of each bar of a type, as the browser has them."""
    return list(
        view(
            book,
            cell,
            f"""(() => {{ const {{columns: c, texts}} = v.scene.data;
            const found = Array.from(c.bar_lane, (lane, bar) => [texts[c.lane_label[lane]], bar]);
            return found.filter(([label]) => label === {type_name!r})
                .map(([, bar]) => [c.bar_kind[bar], c.bar_outcome[bar]]); }})()""",
        )
    )


BUSY = """\
import time
Path("paid").touch()
while not Path("end").exists():
    time.sleep(0.01)
"""
RUN, BACKOFF = 2, 3
SCENE = "document.querySelector('.dnb-timeline').timelineView.scene"


def test_the_timeline_moves_while_a_cell_is_busy_and_shows_payloads_when_asked(
    open_notebook: Callable[..., Any], folder: Path
) -> None:
    book = open_notebook(["%load_ext durable_nb", DEFINE, START, "handle.timeline()", BUSY])
    for index in range(4):
        book.run(index)
    shown = book.output_area(3)
    expect(shown.locator(".dnb-status")).to_contain_text("running")
    book.begin(4)
    expect(shown.locator(".dnb-status")).to_contain_text("4 attempts")
    assert book.is_busy()
    assert [bar for bar in bars_of(book, 3, "charge") if bar[0] == RUN] == [[RUN, FAILED], [RUN, FAILED], [RUN, DONE]]
    assert [kind for kind, _ in bars_of(book, 3, "charge")].count(BACKOFF) == 2
    shown.locator(".dnb-scroll").focus()
    book.page.keyboard.press("n")
    book.page.keyboard.press("Enter")
    details = shown.locator(".dnb-details")
    expect(details).to_contain_text("attempt 1, ✗ failed")
    expect(details).to_contain_text("card <script>window.hacked = 1</script> declined")
    expect(details).to_contain_text('{"count": 2, "item": "book"}')
    expect(details).to_contain_text("RuntimeError")
    expect(details.locator(".dnb-wait")).to_have_count(0)
    # The answer came on a thread of its own: the cell is not done.
    expect(book.cell(4).locator(".jp-InputPrompt")).to_have_text("[*]:")
    (folder / "end").touch()
    book.page.keyboard.press("Escape")
    expect(details).to_be_hidden()
    assert book.page.evaluate("() => window.hacked") is None
    assert book.complaints == []


def test_children_unfold_on_a_click_and_the_view_survives_updates(
    open_notebook: Callable[..., Any], folder: Path
) -> None:
    book = open_notebook(["%load_ext durable_nb", DEFINE, START, "handle.timeline()", "await handle.result()"])
    (folder / "paid").touch()
    for index in range(4):
        book.run(index)
    shown = book.output_area(3)
    book.page.wait_for_function(f"() => {SCENE}.rows.some((row) => row.fold === 'unread')")
    middle = view(
        book, 3, "v.scene.rows.filter((row) => row.fold === 'unread').map((row) => row.y + row.height / 2)[0]"
    )
    shown.locator(".dnb-scroll").click(position={"x": 14, "y": middle})
    book.page.wait_for_function(f"() => {SCENE}.data.columns.group_parent.some((lane) => lane >= 0)")
    assert bars_of(book, 3, "wait_for")[-1] == [RUN, OPEN]
    shown.get_by_role("button", name="Zoom in").click()
    zoomed = view(book, 3, "v.scene.to - v.scene.from")
    (folder / "ship").touch()
    book.run(4)
    expect(shown.locator(".dnb-status")).to_contain_text("completed")
    assert bars_of(book, 3, "wait_for")[-1] == [RUN, DONE]
    assert view(book, 3, "v.scene.to - v.scene.from") == pytest.approx(zoomed, rel=0.3)
    shown.get_by_role("button", name="Fit").click()
    assert view(book, 3, "v.state.fit")


def test_the_timeline_follows_the_theme_and_leaves_nothing_behind(
    open_notebook: Callable[..., Any], folder: Path
) -> None:
    book = open_notebook(["%load_ext durable_nb", DEFINE, START, "%workflow timeline order-1"])
    for name in ("paid", "ship"):
        (folder / name).touch()
    for index in range(4):
        book.run(index)
    shown = book.output_area(3)
    expect(shown.locator(".dnb-timeline")).to_have_attribute("data-dnb-theme", "light")
    light = view(book, 3, "v.scene.colors.bg")
    book.use_theme("JupyterLab Dark")
    expect(shown.locator(".dnb-timeline")).to_have_attribute("data-dnb-theme", "dark")
    assert view(book, 3, "v.scene.colors.bg") != light
    book.page.evaluate("() => { window.kept = document.querySelector('.dnb-timeline').timelineView; }")
    book.write(3, "1")
    book.run(3)
    expect(shown.locator(".dnb-timeline")).to_have_count(0)
    assert book.page.evaluate("() => window.kept.stopped.signal.aborted && !window.kept.root.isConnected")
    assert book.complaints == []


def test_a_saved_timeline_is_readable_without_a_kernel(open_notebook: Callable[..., Any], folder: Path) -> None:
    book = open_notebook(["%load_ext durable_nb", DEFINE, START, "handle.timeline()", "await handle.result()"])
    for index in range(4):
        book.run(index)
    for name in ("paid", "ship"):
        (folder / name).touch()
    stand_in = book.output_area(3).locator("table")
    expect(stand_in).to_be_hidden()
    book.run(4)
    expect(book.output_area(3).locator(".dnb-status")).to_contain_text("completed")
    expect(stand_in).to_contain_text("child Shipping")
    book.save()
    book.shut_kernel_down()
    book.close()
    lose_kernel(folder / "orders.ipynb")
    again = open_notebook(kernel=False)
    again.choose_no_kernel()
    shown = again.output_area(3)
    expect(shown.locator("table")).to_be_visible()
    expect(shown).to_contain_text("COMPLETED")
    expect(shown.locator("tr", has_text="charge")).to_contain_text("3 attempts")
    expect(shown.locator("tr", has_text="charge")).to_contain_text("✗")
    assert again.page.evaluate("() => window.hacked") is None


def test_each_fact_stands_beside_its_name_also_an_empty_one(open_notebook: Callable[..., Any]) -> None:
    # Lab has a style of its own for lists of definitions: floats, which an empty value lets slide.
    define = "%%workflow\n@activity.defn\nasync def ping() -> int:\n    return 1\n"
    define += "@workflow.defn\nclass Pings:\n    @workflow.run\n"
    define += "    async def run(self) -> int:\n        return await ping()\n"
    start = "handle = await client.start_workflow(Pings.run, id='p')\nawait handle.result()\nhandle"
    book = open_notebook(["%load_ext durable_nb", define, start, "handle.timeline()"])
    for index in range(4):
        book.run(index)
    scroll = book.output_area(3).locator(".dnb-scroll")
    scroll.focus()
    for key in ("ArrowDown", "ArrowDown", "Enter"):
        book.page.keyboard.press(key)
    expect(book.output_area(3).locator(".dnb-details")).to_contain_text("result")
    book.output_area(2).locator("summary", has_text="Details").click()
    for cell, facts in ((3, ".dnb-facts"), (2, ".dnbl-facts")):
        tops = (
            book.output_area(cell)
            .locator(facts)
            .evaluate("list => [...list.children].map(each => [each.tagName, each.getBoundingClientRect().top])")
        )
        names, values = ([top for tag, top in tops if tag == wanted] for wanted in ("DT", "DD"))
        assert len(names) > 3
        assert names == pytest.approx(values, abs=4)
        assert names == sorted(set(names)), "one below the other"


def test_in_notebook_7_the_canvas_has_the_colours_of_the_page(open_notebook: Callable[..., Any]) -> None:
    # There a widget is built before it is on the page, where no element has a colour yet.
    run = "await client.start_workflow(Waits.run, id='w')"
    define = "%%workflow\n@workflow.defn\nclass Waits:\n    @workflow.run\n    async def run(self) -> None:\n"
    define += "        await workflow.sleep(60)\n"
    cells = ["%load_ext durable_nb", define, f"handle = {run}\nhandle.timeline()"]
    book = open_notebook(cells, application="notebook")
    for index in range(3):
        book.run(index)
    axis = book.output_area(2).locator(".dnb-axis")
    expect(axis).to_be_visible()
    shown = """async canvas => {
        for (let i = 0; i < 3; i++) await new Promise(requestAnimationFrame);
        const [r, g, b] = canvas.getContext('2d').getImageData(2, 2, 1, 1).data;
        return [`rgb(${r}, ${g}, ${b})`, getComputedStyle(canvas.closest('.dnb')).backgroundColor];
    }"""
    drawn, page = axis.evaluate(shown)
    assert drawn == page
