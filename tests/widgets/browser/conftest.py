"""Modules of ``durable_nb.widgets`` in a page of their own, without kernel and Lab."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from durable_nb.widgets import assets
from durable_nb.widgets.layout import Layout
from durable_nb.widgets.packing import pack
from tests.browser.conftest import browser as browser  # noqa: PLC0414 - a fixture

PAGE = """\
<!doctype html><meta charset="utf-8">
<body data-jp-theme-light="true">
<style>
body { margin: 8px; }
body[data-jp-theme-light="true"] { --jp-layout-color1: #ffffff; --jp-ui-font-color1: #202020; }
body[data-jp-theme-light="false"] { --jp-layout-color1: #111111; --jp-ui-font-color1: #eeeeee; }
</style>
<div id="one"></div><div id="two"></div>
<script type="module">
MODULE
Object.assign(window, {createTimeline, createStrip, decodeTimeline, durationText, sinceText, clockText});
window.bytes = (text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
window.asked = [];
window.ranges = [];
window.mount = (id, text, answer) => {
  const timeline = createTimeline(document.getElementById(id), {
    details: (request) => { asked.push(request); return answer(request); },
    expand: (child) => asked.push(child),
    onRange: (range) => ranges.push(range),
  });
  timeline.update(bytes(text));
  return timeline;
};
window.drawn = () => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
window.ready = true;
</script>
"""


class Shown:
    """One page with a timeline in ``#one``."""

    def __init__(self, page: Any, complaints: list[str]) -> None:
        self.page = page
        self.complaints = complaints
        self.root = page.locator("#one .dnb-timeline")
        self.rows = self.root.locator(".dnb-scroll")

    def mount(self, layout: Layout, answer: str = "() => Promise.resolve({fields: []})", place: str = "one") -> None:
        """Show a layout; ``answer`` is JavaScript that answers questions for details."""
        self.page.evaluate(
            f"([id, text]) => {{ window['timeline_' + id] = mount(id, text, {answer}); return drawn(); }}",
            [place, encoded(layout)],
        )

    def update(self, layout: Layout) -> None:
        self.page.evaluate("(text) => { timeline_one.update(bytes(text)); return drawn(); }", encoded(layout))

    def view(self, expression: str) -> Any:
        """A value of the view ``v``, its scene ``s`` and its data's columns ``c``."""
        return self.page.evaluate(
            "() => { const v = timeline_one.view; const s = v.scene; const c = s.data?.columns; "
            f"return {expression}; }}"
        )

    def press(self, *keys: str) -> None:
        self.rows.focus()
        for key in keys:
            self.page.keyboard.press(key)

    def x_of(self, seconds: float) -> float:
        """Where an instant is in the page."""
        return float(self.view(f"s.gutter + (s.scale.unit({seconds} * 1e6) - s.from) * s.pixels")) + self.box()["x"]

    def box(self) -> Any:
        return self.rows.bounding_box()

    def y_of(self, label: str) -> float:
        """The middle of the row with that label."""
        row = self.view(f"s.rows.find((row) => row.label === {label!r})")
        return float(row["y"] + row["height"] / 2 + self.box()["y"])


def encoded(layout: Layout) -> str:
    return base64.b64encode(pack(layout)).decode()


@pytest.fixture
def shown(browser: Any) -> Iterator[Shown]:
    """An empty page with the modules loaded; nothing may have been thrown in it at the end."""
    from tests.browser.notebook import PATIENCE

    context = browser.new_context(viewport={"width": 1100, "height": 700}, timezone_id="UTC")
    context.set_default_timeout(PATIENCE)
    page = context.new_page()
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.set_content(PAGE.replace("MODULE", assets.module("timeline.js", "timeline-strip.js")))
    page.wait_for_function("() => window.ready")
    yield Shown(page, complaints)
    context.close()
    assert complaints == []


@pytest.fixture
def evaluate(shown: Shown) -> Callable[[str], Any]:
    return lambda expression: shown.page.evaluate(f"() => {expression}")
