"""A history slider of an open run, in a real kernel: what the browser is sent while the run goes on."""

from __future__ import annotations

from typing import Any

import pytest

from tests.notebook.live.test_kernel_live import Browser, browser

__all__ = ["browser"]

pytestmark = pytest.mark.slow

START = "handle = await client.start_workflow(Waits.run, id='w')\nawait handle.query('__stack_trace')"
APPROVE = "await handle.signal(Waits.approve, True)\nawait handle.result()"


def model(browser: Browser, name: str) -> dict[str, Any]:
    return next(each for each in browser.models.values() if each.get("_model_name") == name)


def slider(browser: Browser) -> dict[str, Any]:
    return next(each for each in browser.models.values() if "said" in each)


def note(browser: Browser) -> str:
    return str(model(browser, "LabelModel")["value"])


def test_who_stands_at_the_last_event_goes_along_until_the_run_is_closed(browser: Browser) -> None:
    browser.run(START)
    browser.run("slider = handle.history_slider()\nslider")
    readable = next(each for each in browser.outputs if "text/html" in each["data"])
    assert note(browser) == "follows the run"
    before = slider(browser)["max"]
    assert slider(browser)["value"] == before
    browser.run(APPROVE)
    browser.until(lambda: note(browser) == "")
    assert slider(browser)["max"] > before
    assert slider(browser)["value"] == slider(browser)["max"]
    browser.run("print(slider.moment.event.event_type.title, slider.moment.is_closed, len(slider.journey))")
    browser.until(lambda: any("WorkflowExecutionCompleted" in str(each) for each in browser.updates))
    assert browser.updates[-1]["transient"] == readable["transient"], "the readable table is whole, too"


def test_who_looks_at_an_earlier_event_stays_there(browser: Browser) -> None:
    browser.run(START)
    browser.run("slider = %workflow at w\nslider")
    browser.run("slider.event_id = 2")
    before = slider(browser)["max"]
    browser.run(APPROVE)
    browser.until(lambda: slider(browser)["max"] > before and note(browser) == "")
    assert slider(browser)["value"] == 2


def test_a_closed_run_is_not_followed(browser: Browser) -> None:
    browser.run(START)
    browser.run(APPROVE)
    browser.run("slider = handle.history_slider()\nslider")
    assert note(browser) == ""


MOVE = """\
database = get_ipython().durable_nb.engine.store._database
database.writer.execute("UPDATE runs SET run_id = 'moved'")
database.writer.commit()
"""


def test_a_run_that_is_no_longer_in_the_store_is_told(browser: Browser) -> None:
    browser.run(START)
    browser.run("slider = handle.history_slider()\nslider")
    browser.run(MOVE)
    browser.until(lambda: note(browser) == "follows the run no more: this run is no longer in the store")


def test_unloading_says_that_it_follows_no_more(browser: Browser) -> None:
    browser.run(START)
    browser.run("slider = handle.history_slider()\nslider")
    browser.run("%unload_ext durable_nb")
    browser.until(lambda: "the extension was unloaded" in note(browser))
