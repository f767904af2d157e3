"""A saved notebook that is opened where there is no kernel and no trust: its pictures are there and readable."""

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
@activity.defn
async def charge(item: str) -> str:
    if activity.info().attempt < 3:
        raise RuntimeError("card <script>window.hacked = 1</script> declined")
    return "receipt-1"

@workflow.defn
class OrderWorkflow:
    @workflow.run
    async def run(self, item: str) -> str:
        return await charge(item)
"""
RUN = """\
from datetime import timedelta
handle = await client.start_workflow(OrderWorkflow.run, "<img src=x onerror='window.hacked = 1'>", id="order-1")
await handle.result()
handle
"""


def test_the_saved_picture_of_a_run_is_readable_without_kernel_and_trust(
    open_notebook: Callable[..., Any], folder: Path
) -> None:
    book = open_notebook(["%load_ext durable_nb", DEFINE, RUN, "%workflow history order-1"])
    for index in range(4):
        book.run(index)
    book.save()
    book.shut_kernel_down()
    book.close()
    lose_kernel(folder / "orders.ipynb")
    again = open_notebook(kernel=False)
    again.choose_no_kernel()
    shown = again.output_area(2)
    expect(shown).to_contain_text("COMPLETED")
    expect(shown).to_contain_text("receipt-1")
    expect(shown).to_contain_text("charge")
    expect(shown).to_contain_text("declined")
    # Lab's sanitizer leaves the colour of what failed as it leaves that of what completed.
    bars = shown.locator("tr", has_text="charge").locator("code")
    expect(bars.locator("span", has_text="✗").first).to_have_attribute("style", re.compile("error-color1"))
    expect(bars.locator("span", has_text="✓").first).to_have_attribute("style", re.compile("success-color1"))
    expect(again.output_area(3)).to_contain_text("WorkflowExecutionCompleted")
    assert again.page.evaluate("() => window.hacked") is None
    assert again.complaints == []
