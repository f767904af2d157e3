"""Pictures for the README, taken of a real JupyterLab: ``python -m tests.browser.screenshots [FOLDER]``.

The same notebook is run once for the light and once for the dark theme: a run that is retried and shows its progress,
one that waits for a person, the list of runs, and an edited cell. Look at them before you keep them.
"""

from __future__ import annotations

import re
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, sync_playwright

from tests.browser.conftest import FLAGS, chromium_path
from tests.browser.lab import ROOT, Lab
from tests.browser.notebook import Notebook, expect, write_notebook

FOLDER = ROOT / "notebooks" / "pictures"
LARGEST = 250_000
"""Bytes of a picture."""

DEFINE = """\
%%workflow
import asyncio
from datetime import timedelta
from durable_nb.common import RetryPolicy

RETRY = RetryPolicy(initial_interval=timedelta(seconds=1))

@activity.defn
async def reserve(item: str) -> str:
    await asyncio.sleep(0.4 + 0.2 * len(item) / 5)
    if activity.info().attempt < 3 and item != "lamp":
        raise ConnectionError(f"the warehouse does not answer for {item}")
    return item

@activity.defn
async def render_invoice(pages: int) -> int:
    for page in range(pages):
        print(f"page {page + 1} of {pages}")
        await asyncio.sleep(0.12)
        activity.heartbeat(page + 1, pages)
    return pages

@activity.defn
async def ship(item: str) -> str:
    await asyncio.sleep(0.5)
    return f"{item} is on its way"

@workflow.defn
class OrderWorkflow:
    def __init__(self) -> None:
        self.approved: bool | None = None

    @workflow.run
    async def run(self, items: list[str]) -> list[str]:
        quick = {"start_to_close_timeout": timedelta(minutes=1)}
        reserved = await asyncio.gather(
            *[workflow.execute_activity(reserve, item, retry_policy=RETRY, **quick) for item in items]
        )
        await workflow.execute_activity(render_invoice, 30, **quick)
        await workflow.wait_condition(lambda: self.approved is not None)
        return await asyncio.gather(*[workflow.execute_activity(ship, item, **quick) for item in reserved])

    @workflow.signal(description="The invoice is ready: ship the order?")
    def approve(self, yes: bool) -> None:
        self.approved = yes
"""
EDITED = DEFINE.replace(
    "        await workflow.execute_activity(render_invoice",
    "        await workflow.sleep(timedelta(minutes=10))   # give the customer time\n"
    "        await workflow.execute_activity(render_invoice",
)
START = """\
handle = await client.start_workflow(OrderWorkflow.run, ["book", "lamp", "armchair"], id="order-1042")
handle"""
MORE = """\
others = [await client.start_workflow(OrderWorkflow.run, ["lamp"] * n, id=f"order-{1042 + n}") for n in range(1, 5)]
for other in others[:3]:
    await other.signal("approve", True)
    await other.result()"""
LOAD, CELL, SHOW, BUSY, OTHERS, LIST = range(6)
CELLS = [
    "%load_ext durable_nb",
    DEFINE,
    START,
    "import time\ntime.sleep(4)        # this cell is busy",
    MORE,
    "%workflow list",
]


def main(folder: Path = FOLDER) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    with jupyter() as (lab, browser):
        for theme in ("light", "dark"):
            take(lab, browser, folder, theme)
    for picture in sorted(folder.glob("*.png")):
        size = picture.stat().st_size
        print(f"{picture.name:28} {size / 1000:6.0f} kB" + ("   too large" if size > LARGEST else ""))


@contextmanager
def jupyter() -> Iterator[tuple[Lab, Browser]]:
    """A server on a folder of its own, and a browser."""
    with tempfile.TemporaryDirectory() as home, tempfile.TemporaryDirectory() as root:
        lab = Lab(Path(root), Path(home))
        try:
            with sync_playwright() as playwright:
                browser = playwright.chromium.launch(executable_path=chromium_path(), headless=True, args=FLAGS)
                yield lab, browser
                browser.close()
        finally:
            lab.stop()


def take(lab: Lab, browser: Browser, folder: Path, theme: str) -> None:
    """All pictures in one theme."""
    (lab.root / theme).mkdir()
    write_notebook(lab.root / theme / "orders.ipynb", CELLS)
    book = Notebook(lab, browser, f"{theme}/orders.ipynb", scale=1.5, dark=theme == "dark", width=1120, height=1240)
    book.wait_for_kernel()
    book.use_theme(f"JupyterLab {theme.capitalize()}")
    book.hide_surroundings()
    for index in (LOAD, CELL, SHOW):
        book.run(index)
    shown = book.output_area(SHOW)
    book.begin(BUSY)
    expect(shown.get_by_role("progressbar")).to_be_visible()
    expect(shown).to_contain_text(re.compile("[12][0-9]/30"))
    picture(shown, folder / f"progress-{theme}.png")
    expect(shown.get_by_role("group", name="waits for signal approve")).to_be_visible()
    picture(shown, folder / f"approval-{theme}.png")
    book.wait_for_kernel()
    book.run(OTHERS)
    book.run(LIST)
    picture(book.output_area(LIST), folder / f"list-{theme}.png")
    book.write(CELL, EDITED)
    book.run(CELL)
    picture(book.output_area(CELL), folder / f"edit-{theme}.png")
    book.close()
    lab.end_kernels()


def picture(place: Any, path: Path) -> None:
    place.page.mouse.move(0, 0)
    place.screenshot(path=path, animations="disabled")


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:2]))
