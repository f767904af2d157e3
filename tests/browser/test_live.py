"""Displays that keep themselves up to date, in a real JupyterLab: also while a cell is busy, and after the kernel."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.browser.notebook import expect

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240), pytest.mark.filterwarnings("default")]

LOAD = "%load_ext durable_nb"
DEFINE = """\
%%workflow
import asyncio, os, time, durable_nb
from datetime import timedelta
from durable_nb.common import RetryPolicy
from durable_nb.exceptions import ApplicationError

@activity.defn
async def price(item: str) -> int:
    print("looking up the price of", item)
    return 120

@activity.defn(retry_policy=RetryPolicy(initial_interval=timedelta(hours=1)))
async def charge(amount: int) -> str:
    activity.logger.info("charging %s", amount)
    if activity.info().attempt == 1:
        raise ApplicationError("declined <img src=x onerror='window.hacked = 1'>")
    return "receipt-1"

@activity.defn
def pack(items: int) -> int:
    for number in durable_nb.progress(range(items), label="boxes"):
        while number == 6 and not os.path.exists("go-on"):
            time.sleep(0.02)
        print("packed", number)
    return items

@workflow.defn
class OrderWorkflow:
    def __init__(self) -> None:
        self.approved = None

    @workflow.run
    async def run(self, item: str) -> str:
        amount = await price(item)
        workflow.set_current_details(f"{amount} € for {item}?")
        await workflow.wait_condition(lambda: self.approved is not None)
        receipt, packed = await asyncio.gather(charge(amount), pack(12))
        return f"{receipt}, {packed} packed"

    @workflow.signal(description="Approve the refund?")
    def approve(self, approved: bool) -> None:
        self.approved = approved

    @workflow.query
    def state(self) -> str:
        return f"approved: {self.approved}"
"""
START = 'handle = await client.start_workflow(OrderWorkflow.run, "a <b>book</b>", id="order-1")\nhandle'
BUSY = "while not os.path.exists('free'):\n    sum(range(20_000))"


def test_an_approval_is_answered_and_the_display_moves_while_a_cell_is_busy(
    open_notebook: Callable[..., Any], folder: Path
) -> None:
    book = open_notebook([LOAD, DEFINE, START, BUSY])
    for index in (0, 1, 2):
        book.run(index)
    shown = book.output_area(2)
    card = shown.locator(".dnbl-card")
    expect(card).to_contain_text("Approve the refund?")
    expect(card).to_contain_text("120 € for a <b>book</b>?")
    expect(shown).to_contain_text("await workflow.wait_condition(lambda: self.approved is not None)")
    expect(shown).to_contain_text("cell [2], line 36, in run")
    book.begin(3)
    shown = book.output_area(2)
    shown.locator(".dnbl-card button", has_text="Approve").click()
    expect(shown.locator(".dnbl-card")).to_have_count(0)
    expect(shown.locator("progress")).to_have_attribute("value", "0.5")
    expect(shown).to_contain_text("6/12")
    expect(shown).to_contain_text("waits to retry")
    expect(shown).to_contain_text(re.compile("next attempt in (1 h 00 min|59 min)"))
    expect(shown).to_contain_text("declined <img src=x")
    shown.locator("button", has_text="Retry now").click()
    shown.locator(".dnbl-ask button", has_text="Retry now").click()
    (folder / "go-on").touch()
    expect(shown.locator(".dnbl-state")).to_have_text("completed")
    expect(shown).to_contain_text("receipt-1, 12 packed")
    expect(book.cell(3).locator(".jp-InputPrompt")).to_have_text("[*]:")  # it was busy all the time
    (folder / "free").touch()
    assert book.page.evaluate("() => window.hacked") is None
    assert book.complaints == []


def test_what_activities_printed_is_shown_again_by_the_next_kernel(
    open_notebook: Callable[..., Any], folder: Path
) -> None:
    (folder / "go-on").touch()
    book = open_notebook([LOAD, DEFINE, START, "get_ipython().durable_nb.engine.engine.outputs.flush()"])
    for index in (0, 1, 2):
        book.run(index)
    shown = book.output_area(2)
    shown.locator(".dnbl-card button", has_text="Approve").click()
    expect(shown).to_contain_text("next attempt in")
    book.run(3)  # else what was printed in the last second would be lost
    book.kill_kernel()
    book.run(0)
    book.run(1)
    again = book.add("%workflow show order-1")
    book.run(again)
    shown = book.output_area(again)
    shown.locator("summary", has_text="Output of activities").click()
    expect(shown.locator("details[open] pre").first).to_have_text("looking up the price of a <b>book</b>\n")
    expect(shown.locator("details[open]")).to_contain_text("packed 11")
    expect(shown.locator("details[open]")).to_contain_text("INFO durable_nb.activity: charging 120")


def test_every_action_asks_first_says_what_to_type_and_what_came_of_it(open_notebook: Callable[..., Any]) -> None:
    book = open_notebook([LOAD, DEFINE, START])
    for index in (0, 1, 2):
        book.run(index)
    shown = book.output_area(2)
    expect(shown.locator(".dnbl-card")).to_be_visible()
    shown.locator("button", has_text="Query…").click()
    shown.locator(".dnbl-send", has_text="State").click()
    expect(shown).to_contain_text('"approved: None"')
    expect(shown.locator("code", has_text="%workflow query order-1 state")).to_be_visible()
    shown.locator("button", has_text="Terminate…").click()
    shown.locator("input[placeholder^=reason]").fill("out of 'stock'")
    expect(shown.locator("code", has_text="%workflow terminate order-1 --reason")).to_be_visible()
    book.page.keyboard.press("Escape")
    expect(shown.locator("input[placeholder^=reason]")).to_have_count(0)
    expect(shown.locator(".dnbl-state")).to_have_text("running")
    shown.locator("button", has_text="Cancel…").focus()
    book.page.keyboard.press("Enter")
    book.page.keyboard.press("Enter")  # the confirmation has the focus
    expect(shown.locator(".dnbl-state")).to_have_text("canceled")


def test_the_keyboard_alone_answers_and_is_not_lost(open_notebook: Callable[..., Any]) -> None:
    book = open_notebook([LOAD, DEFINE, START])
    for index in (0, 1, 2):
        book.run(index)
    shown = book.output_area(2).get_by_role("region", name="Workflow run order-1")
    approve = shown.get_by_role("group", name="waits for signal approve").get_by_role("button", name="Approve")
    expect(approve).to_be_visible()
    expect(shown.locator("[aria-live]").last).to_have_text("order-1 waits for an answer: Approve the refund?")
    signal = shown.get_by_role("button", name="Signal…")
    signal.focus()
    book.page.keyboard.press("Enter")
    expect(shown.get_by_role("combobox", name="signal to send")).to_be_focused()
    asked = shown.get_by_role("group", name="signal", exact=True)
    expect(asked.locator("code")).to_have_text("%workflow signal order-1 approve --input true")
    book.page.keyboard.press("Tab")
    expect(asked.get_by_role("button", name="✓ Approve")).to_be_focused()
    book.page.keyboard.press("Escape")
    expect(signal).to_be_focused()
    approve.focus()
    book.page.keyboard.press("Enter")
    expect(approve).to_have_count(0)
    expect(shown).to_be_focused()
    book.page.keyboard.press("Tab")
    assert shown.evaluate("element => element.contains(document.activeElement)"), "the next Tab goes on within the run"


def test_a_list_of_runs_moves_and_a_run_that_is_deleted_says_so(open_notebook: Callable[..., Any]) -> None:
    start = 'h = await client.start_workflow(OrderWorkflow.run, "x", id="order-2")\nawait h.terminate()'
    delete = "get_ipython().durable_nb.engine.store.delete_run(1)"
    book = open_notebook([LOAD, DEFINE, START, "%workflow list", start, "await handle.terminate()", delete])
    for index in range(4):
        book.run(index)
    rows = book.output_area(3).locator(".dnbl-runs tbody tr")
    expect(rows).to_have_count(1)
    expect(rows.first).to_contain_text("running")
    book.run(4)
    expect(book.output_area(3).locator(".dnbl-runs tbody tr")).to_have_count(2)
    book.run(5)
    expect(book.output_area(3).locator(".dnbl-runs")).not_to_contain_text("running")
    shown = book.output_area(2)
    expect(shown.locator(".dnbl-state")).to_have_text("terminated")
    book.run(6)
    expect(book.output_area(3).locator(".dnbl-runs tbody tr")).to_have_count(1)


def test_where_the_widget_is_gone_the_last_state_is_there_to_read(open_notebook: Callable[..., Any]) -> None:
    book = open_notebook([LOAD, DEFINE, START])
    for index in (0, 1, 2):
        book.run(index)
    expect(book.output_area(2).locator(".dnbl-card")).to_be_visible()
    expect(book.output_area(2).locator("table", has_text="run ID")).to_be_hidden()
    book.run(book.add("await handle.terminate()"))
    expect(book.output_area(2).locator(".dnbl-state")).to_have_text("terminated")
    expect(book.output_area(2).locator("[class^='durable-nb-']")).to_contain_text("TERMINATED")
    book.save()
    book.shut_kernel_down()
    book.close()
    again = open_notebook()
    shown = again.output_area(2)
    expect(shown).to_contain_text("OrderWorkflow")
    expect(shown).to_contain_text("TERMINATED")
    expect(shown.locator("table", has_text="run ID")).to_be_visible()
    lab_says = shown.get_by_text("model not found")
    lab_says.wait_for(state="attached")
    expect(lab_says).to_be_hidden()


FORM = """\
%%workflow
from dataclasses import dataclass
from enum import StrEnum

class Speed(StrEnum):
    SLOW = "slow"
    FAST = "fast"

@dataclass
class Address:
    street: str
    number: int
    country: str = "DE"

@workflow.defn
class Ship:
    def __init__(self) -> None:
        self.said = None

    @workflow.run
    async def run(self) -> str:
        await workflow.wait_condition(lambda: self.said is not None)
        return self.said

    @workflow.signal
    def ship_to(self, address: Address, speed: Speed = Speed.SLOW, note: str | None = None) -> None:
        self.said = f"{address.street} {address.number + 1} {address.country} {speed.name} {note}"
"""


def test_a_form_gives_the_handler_values_of_its_types(open_notebook: Callable[..., Any]) -> None:
    book = open_notebook([LOAD, FORM, "await client.start_workflow(Ship.run, id='ship-1')"])
    for index in (0, 1, 2):
        book.run(index)
    card = book.output_area(2).locator(".dnbl-card")
    card.get_by_label("street").fill("Main <b>street</b>")
    card.get_by_label("number").fill("16")
    card.get_by_label("speed").select_option(label="FAST")
    card.locator("button", has_text="Send ship to").click()
    shown = book.output_area(2)
    expect(shown.locator(".dnbl-state")).to_have_text("completed")
    expect(shown).to_contain_text("Main <b>street</b> 17 DE FAST None")


def test_in_a_dark_notebook_7_a_run_and_a_list_are_dark_from_the_start(open_notebook: Callable[..., Any]) -> None:
    # There a widget is built before it is on the page, where no element has a colour yet.
    book = open_notebook([LOAD, DEFINE, START, "%workflow list"], application="notebook", dark=True)
    book.use_theme("JupyterLab Dark")
    for index in range(4):
        book.run(index)
    for index in (2, 3):
        expect(book.output_area(index).locator(".dnbl")).to_have_attribute("data-dnb-theme", "dark")
