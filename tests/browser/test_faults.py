"""Harmful payloads and runs that vanish, in every view of a real JupyterLab: nothing runs, nothing breaks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.browser.notebook import Notebook, expect

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300), pytest.mark.filterwarnings("default")]

DEFINE = r"""
%%workflow
import math
from datetime import timedelta
from durable_nb.common import RetryPolicy
from durable_nb.exceptions import ApplicationError

EVIL = (
    "<script>window.hacked = 1</script><img src=x onerror='window.hacked = 2'>"
    "</pre></style><style>body { display: none }</style>"
    "\x1b[31mred\x1b[2J\x07\x00\x08 \u202eoverride \ud800 alone {\"a\": 1} ]]> &lt;b&gt;"
)
BIG = "<i>" + "x" * 10_000_000

@activity.defn(name="evil<script>window.hacked = 3</script>")
async def evil(value: dict) -> dict:
    print(value["text"])
    activity.logger.warning("%s", value["text"])
    activity.heartbeat(value["text"], math.nan)
    if activity.info().attempt == 1:
        raise ApplicationError(value["text"], value, type=value["text"])
    return {**value, "nan": math.nan, "endless": -math.inf}

@activity.defn
async def large(size: int) -> str:
    return BIG[:size]

@workflow.defn
class Hostile:
    def __init__(self) -> None:
        self.note = EVIL
        self.ended = False

    @workflow.run
    async def run(self, text: str) -> dict:
        workflow.set_current_details(text)
        soon = {"start_to_close_timeout": timedelta(minutes=1)}
        retry = RetryPolicy(initial_interval=timedelta(milliseconds=1))
        found = await workflow.execute_activity(evil, {"text": text}, retry_policy=retry, **soon)
        self.big = await workflow.execute_activity(large, 10_000_000, **soon)
        await workflow.wait_condition(lambda: self.ended)
        return {**found, "big": self.big}

    @workflow.signal(description="<b>bold</b> " + EVIL[:50])
    def end(self, yes: bool) -> None:
        self.ended = True
""".lstrip()
START = """\
handle = await client.start_workflow(
    Hostile.run, EVIL, id="order-" + EVIL[:60], memo={"note": EVIL}, static_summary=EVIL[:150])
handle"""
LOAD, CELL, RUN, TIMELINE, LIST, END, SLIDER, SQL, CLOSED = range(9)
CELLS = [
    "%load_ext durable_nb",
    DEFINE,
    START,
    "handle.timeline()",
    "%workflow list",
    "await handle.signal('end', True)\n_ = await handle.result()",
    "import shlex\nget_ipython().run_line_magic('workflow', 'at ' + shlex.quote(handle.id))",
    "%%workflow_sql\nSELECT workflow_id, activity_type, input, result, failure_message FROM activities",
    "handle",
]


def assert_harmless(book: Notebook) -> None:
    """No script of a payload has run, no widget is broken, and the page still answers."""
    assert book.page.evaluate("() => window.hacked") is None
    assert book.page.evaluate("() => getComputedStyle(document.body).display") != "none"
    assert book.page.locator(".jp-Notebook :is(script, img[src=x])").count() == 0
    assert book.page.get_by_text("Error displaying widget").count() == 0
    assert book.page.get_by_text("Failed to load model class").count() == 0
    assert book.complaints == []


def test_hostile_payloads_are_text_in_every_view(open_notebook: Callable[..., Any]) -> None:
    book = open_notebook(CELLS)
    for index in (LOAD, CELL, RUN, TIMELINE, LIST):
        book.run(index)
    shown = book.output_area(RUN)
    expect(shown.locator(".dnbl-card")).to_contain_text("<b>bold</b>")
    shown.locator("summary", has_text="Output of activities").click()
    expect(shown.locator("details[open]")).to_contain_text("<script>window.hacked = 1</script>")
    shown.locator("summary", has_text="Attempts that failed").click()
    expect(shown.locator("details[open] td", has_text="\\x1b[31mred").first).to_be_visible()
    assert_harmless(book)

    timeline = book.output_area(TIMELINE).locator(".dnb-timeline")
    expect(timeline.locator(".dnb-status")).to_contain_text("3 attempts")
    timeline.locator(".dnb-scroll").focus()
    for key in ("Home", "n", "Enter"):
        book.page.keyboard.press(key)
    expect(timeline.locator(".dnb-details")).to_contain_text("<script>window.hacked = 1</script>")
    timeline.get_by_role("button", name="Table").click()
    expect(timeline.locator(".dnb-table tbody tr", has_text="large")).to_have_count(1)
    assert_harmless(book)

    expect(book.output_area(LIST).locator(".dnbl tbody tr")).to_contain_text("<script>window.hacked = 1</script>")
    book.run(END)
    expect(book.output_area(RUN).locator(".dnbl-state")).to_have_text("completed")
    for index in (SLIDER, SQL, CLOSED):
        book.run(index)
    slider = book.output_area(SLIDER)
    expect(slider).to_contain_text("WorkflowExecutionCompleted")
    slider.get_by_role("slider", name="event").focus()
    book.page.keyboard.press("ArrowLeft")
    expect(slider).to_contain_text("local variables")
    expect(slider).to_contain_text("<script>window.hacked = 1</script>")
    expect(book.output_area(SQL).locator("table")).to_contain_text("window.hacked = 1")
    expect(book.output_area(CLOSED).locator(".dnbl-state")).to_have_text("completed")
    assert_harmless(book)
    size = max(len(str(output)) for index in range(len(CELLS)) for output in book.outputs(index))
    assert size < 200_000, "what is sent to the page is cut short"


def test_a_run_that_is_deleted_while_it_is_shown_says_so(open_notebook: Callable[..., Any]) -> None:
    end, delete = "await handle.terminate()", "get_ipython().durable_nb.engine.store.delete_run(1)"
    book = open_notebook([*CELLS[:5], end, delete])
    for index in (LOAD, CELL, RUN, TIMELINE, LIST):
        book.run(index)
    expect(book.output_area(RUN).locator(".dnbl-card")).to_be_visible()
    book.run(5)
    expect(book.output_area(RUN).locator(".dnbl-state")).to_have_text("terminated")
    book.run(6)
    expect(book.output_area(LIST).locator(".dnbl")).to_contain_text("no workflow runs match")
    shown = book.output_area(RUN)
    shown.get_by_role("button", name="Retry…").click()
    shown.get_by_role("button", name="Retry", exact=True).click()
    expect(shown.locator(".dnbl-reply")).to_contain_text("not found")
    timeline = book.output_area(TIMELINE).locator(".dnb-timeline")
    timeline.locator(".dnb-scroll").focus()
    for key in ("Home", "n", "Enter"):
        book.page.keyboard.press(key)
    expect(timeline.locator(".dnb-details")).to_contain_text("attempt 1")  # what was read stays
    assert_harmless(book)
