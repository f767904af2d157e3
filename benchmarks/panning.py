"""How smooth the timeline is while it is panned: frames a second in Chromium, in turn with a page that draws nothing.

``python -m benchmarks.panning [--rounds N]``. A wheel event for each frame goes through the view's own handler, for
600 frames of a run with 2,000 activities and one with 20,000. Told are the frames a second, the part of frames that
came late (more than a frame and a half after the one before), and the time that a frame's drawing took. The same loop
without a timeline tells what the machine gives: a headless browser has 60 frames a second at most, and a machine that
is not quiet fewer.
"""

from __future__ import annotations

import argparse
import statistics
from typing import Any

from playwright.sync_api import sync_playwright

from benchmarks.measure import quantile
from durable_nb.widgets import assets
from durable_nb.widgets.layout import timeline_layout
from tests.browser.conftest import FLAGS, chromium_path
from tests.widgets.browser.conftest import PAGE, Shown
from tests.widgets.pictures import large

SIZES = (2000, 20_000)
FRAMES = 600
FRAME = 1000 / 60

READY = """async () => {
  timeline_one.view.fit();
  timeline_one.view.zoom(1 / 4);
  await drawn();
}"""
PAN = """async ([frames, isPanned]) => {
  const view = isPanned ? timeline_one.view : null;
  if (view) view.timings.length = 0;
  const gaps = [];
  let last = await new Promise(requestAnimationFrame);
  for (let i = 0; i < frames; i++) {
    if (view) {
      const deltaX = i % 240 < 120 ? 7 : -7;
      view.scroll.dispatchEvent(new WheelEvent("wheel", {deltaX, bubbles: true, cancelable: true}));
    }
    const now = await new Promise(requestAnimationFrame);
    gaps.push(now - last);
    last = now;
  }
  return {gaps, drawn: view ? Array.from(view.timings) : []};
}"""


def told(name: str, rounds: list[dict[str, Any]]) -> str:
    """One line of all rounds of a size; times in milliseconds."""
    gaps = [gap for each in rounds for gap in each["gaps"]]
    drawn = [time for each in rounds for time in each["drawn"]]
    late = sum(gap > 1.5 * FRAME for gap in gaps) / len(gaps)
    line = f"{name:18} {1000 / statistics.mean(gaps):5.1f} frames/s  {late:6.2%} late"
    if drawn:
        line += f"  drawing p50 {quantile(drawn, 0.5):.1f} ms, p95 {quantile(drawn, 0.95):.1f} ms"
    return line


def measure(rounds: int) -> dict[str, list[dict[str, Any]]]:
    """What each round saw, of the empty page and of each size."""
    found: dict[str, list[dict[str, Any]]] = {"nothing drawn": []}
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium_path(), headless=True, args=FLAGS)
        pages = {}
        for size in SIZES:
            page = browser.new_page(viewport={"width": 1100, "height": 700})
            page.set_content(PAGE.replace("MODULE", assets.module("timeline.js", "timeline-strip.js")))
            page.wait_for_function("() => window.ready")
            Shown(page, []).mount(timeline_layout(large(size)))
            pages[f"{size:,} activities"] = page
        for _ in range(rounds):
            for name, page in pages.items():
                page.bring_to_front()
                page.evaluate(READY)
                found["nothing drawn"].append(page.evaluate(PAN, [FRAMES, False]))
                found.setdefault(name, []).append(page.evaluate(PAN, [FRAMES, True]))
        browser.close()
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    for name, rounds in measure(parser.parse_args().rounds).items():
        print(told(name, rounds))


if __name__ == "__main__":
    main()
