"""The timeline in Chromium: what it shows is what was packed; pointer, keys, screen readers, theme, speed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from durable_nb.model import attributes as a
from durable_nb.model.enums import WorkflowExecutionStatus
from durable_nb.widgets.layout import Layout, RunPicture, timeline_layout
from durable_nb.widgets.packing import pack, unpack
from tests.browser.notebook import expect
from tests.notebook.values import HOSTILE, SECOND, T0, attempt, failure, history, run
from tests.widgets.browser.conftest import Shown
from tests.widgets.pictures import large, order, shipping

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("default")]

NOW = T0 + 14 * SECOND
ORDER = timeline_layout(order(), now=NOW)


def closed() -> Layout:
    """The same run, closed: what is open grows, and places in the page with it."""
    ended = run(status=WorkflowExecutionStatus.COMPLETED, close_time=NOW)
    return timeline_layout(order()._replace(run=ended))


def test_the_browser_reads_what_python_packed(shown: Shown) -> None:
    shown.mount(ORDER)
    packed = unpack(pack(ORDER))
    columns = shown.view("Object.fromEntries(Object.entries(c).map(([name, values]) => [name, Array.from(values)]))")
    for name in ("bar_start", "bar_end", "bar_kind", "bar_outcome", "mark_start", "group_parent", "break_start"):
        assert columns[name] == packed[name]
    texts = shown.view("s.data.texts")
    assert [texts[index] for index in columns["bar_note"]] == packed["bar_note"]


def test_both_axes_agree_and_can_be_turned_around(shown: Shown) -> None:
    layout = timeline_layout(order(timer=86_400), now=T0 + 86_420 * SECOND)
    shown.mount(layout)
    instants = sorted({bar.start for bar in layout.bars} | {T0 + 3600 * SECOND})
    times = [instant - T0 for instant in instants]
    assert shown.view(f"{times}.map((time) => s.scale.unit(time))") == pytest.approx(
        [layout.axis.unit(instant) for instant in instants], abs=1
    )
    assert shown.view(f"{times}.map((time) => s.scale.time(s.scale.unit(time)))") == pytest.approx(times, abs=1)
    shown.press("i")
    assert shown.view(f"{times}.map((time) => s.scale.unit(time))") == times


def test_arrow_keys_move_enter_opens_and_escape_closes(shown: Shown) -> None:
    shown.mount(ORDER, '() => Promise.resolve({fields: [["input", "{}"]]})')
    spoken = shown.root.locator("[aria-live]")
    shown.press("Home")
    expect(spoken).to_contain_text("OrderWorkflow")
    shown.press("n")
    expect(spoken).to_contain_text("charge. activity ID 2. what attempt 1, ✗ failed")
    expect(spoken).to_contain_text("error Refused: try 1 of 2")
    shown.press("ArrowRight", "ArrowRight", "ArrowRight")
    expect(spoken).to_contain_text("what attempt 2, ◷ timed out")
    shown.press("ArrowUp")
    expect(spoken).to_contain_text("reserve")
    shown.press("n", "Enter")
    details = shown.root.locator(".dnb-details")
    expect(details).to_contain_text("charge")
    expect(details.locator("dd").last).to_have_text("{}")
    assert shown.view("window.asked")[0]["attempt"] == 1
    shown.press("Escape")
    expect(details).to_be_hidden()
    assert shown.page.evaluate("() => document.activeElement === document.querySelector('.dnb-scroll')")


def test_failed_only_and_search_leave_what_matches_and_the_way_to_it(shown: Shown) -> None:
    shown.mount(timeline_layout(order(), {"child-run": shipping(10.2)}, now=NOW))
    labels = "s.rows.map((row) => row.label)"
    shown.press("f")
    assert shown.view(labels) == ["charge", "Shipping", "weigh"]
    shown.press("f", "/")
    shown.page.keyboard.type("COURIER api")
    assert shown.view(labels) == ["courier"]
    expect(shown.root.locator("[aria-live]")).to_contain_text("1 of")
    shown.page.keyboard.press("Escape")
    assert len(shown.view(labels)) > 8
    shown.page.keyboard.press("/")
    shown.page.keyboard.type("nothing like it")
    expect(shown.root.locator(".dnb-empty")).to_have_text("nothing matches")


def test_nothing_is_cut_off_at_the_right_edge(shown: Shown) -> None:
    shown.mount(closed())
    right_edges = """async () => {
        const found = [];
        const fillText = CanvasRenderingContext2D.prototype.fillText;
        CanvasRenderingContext2D.prototype.fillText = function (text, x, y) {
            const left = this.textAlign === 'left' && this.canvas.className === 'dnb-axis';
            if (left) found.push(x + this.measureText(text).width - this.canvas.clientWidth);
            return fillText.call(this, text, x, y);
        };
        for (let width = 640; width < 760; width += 20) {
            document.getElementById('one').style.width = width + 'px';
            await drawn();
            await drawn();
        }
        CanvasRenderingContext2D.prototype.fillText = fillText;
        return found;
    }"""
    assert max(shown.page.evaluate(right_edges)) <= 0, "times on the axis"
    room = float(shown.view("s.width - s.gutter - (s.scale.length - s.from) * s.pixels"))
    assert room >= 14, "the mark of how the run ended"


def test_the_wheel_zooms_where_the_pointer_is_and_a_drag_pans(shown: Shown) -> None:
    shown.mount(closed())
    x, y = shown.x_of(3), shown.y_of("charge")
    shown.page.mouse.move(x, y)
    shown.page.keyboard.down("Control")
    shown.page.mouse.wheel(0, -120)
    shown.page.keyboard.up("Control")
    shown.page.wait_for_function("() => !timeline_one.view.state.fit")
    shown.page.evaluate("() => drawn()")
    assert shown.x_of(3) == pytest.approx(x, abs=1)
    shown.page.mouse.down()
    shown.page.mouse.move(x + 60, y, steps=4)
    shown.page.mouse.up()
    shown.page.evaluate("() => drawn()")
    assert shown.x_of(3) == pytest.approx(x + 60, abs=1)
    expect(shown.root.locator(".dnb-details")).to_be_hidden()


def test_a_drag_on_the_axis_selects_a_range_reports_it_and_sums_it_up(shown: Shown) -> None:
    shown.mount(closed())
    axis = shown.root.locator(".dnb-axis").bounding_box()
    shown.page.mouse.move(shown.x_of(0.95), axis["y"] + 10)
    shown.page.mouse.down()
    shown.page.mouse.move(shown.x_of(4), axis["y"] + 10, steps=5)
    shown.page.mouse.up()
    (selected,) = shown.view("window.ranges")
    assert selected["from"] == pytest.approx(T0 + 0.95 * SECOND, abs=0.03 * SECOND)
    assert selected["to"] == pytest.approx(T0 + 4 * SECOND, abs=0.03 * SECOND)
    status = shown.root.locator(".dnb-status")
    expect(status).to_contain_text("2 attempts, 2 failed · running 1.6")
    status.get_by_role("button", name="Zoom to it").click()
    assert shown.view("s.scale.time(s.from)") == pytest.approx(0.95 * SECOND, abs=0.1 * SECOND)
    status.get_by_role("button", name="Clear").click()
    assert shown.view("window.ranges.at(-1)") is None
    expect(status).to_contain_text("completed · 14.0 s")


def test_hover_tells_and_a_click_asks_for_the_payloads(shown: Shown) -> None:
    shown.mount(closed(), "() => new Promise(() => {})")
    shown.page.mouse.move(shown.x_of(1.25), shown.y_of("charge"))
    tip = shown.root.locator(".dnb-tip")
    expect(tip).to_contain_text("attempt 1, ✗ failed")
    expect(tip).to_contain_text("Refused: try 1 of 2")
    shown.page.evaluate("() => { window.late = []; window.setTimeout = (then) => late.push(then); }")
    shown.page.mouse.click(shown.x_of(1.25), shown.y_of("charge"))
    details = shown.root.locator(".dnb-details")
    expect(details).to_contain_text("asking the kernel")
    shown.page.evaluate("() => late.forEach((then) => then())")
    expect(details).to_contain_text("it is busy with a cell, or not running")
    asked = shown.view("window.asked")[0]
    assert {name: asked[name] for name in ("run", "kind", "attempt")} == {
        "run": "0199-run", "kind": "activity", "attempt": 1,
    }  # fmt: skip


def test_a_kernel_that_cannot_be_asked_is_told_of(shown: Shown) -> None:
    shown.mount(ORDER, "() => Promise.reject(new Error('no kernel'))")
    shown.press("n", "Enter")
    expect(shown.root.locator(".dnb-details")).to_contain_text("cannot be asked for payloads: no kernel")


def test_a_child_that_was_not_read_is_asked_for_and_unfolds(shown: Shown) -> None:
    shown.mount(ORDER)
    shown.page.mouse.click(shown.box()["x"] + 14, shown.y_of("Shipping"))
    assert shown.view("window.asked") == [{"run": "child-run", "workflow": "order-1-shipping", "open": True}]
    shown.update(timeline_layout(order(), {"child-run": shipping(10.2)}, now=NOW))
    assert ["weigh", 1] in shown.view("s.rows.map((row) => [row.label, row.depth])")
    shown.page.mouse.click(shown.box()["x"] + 14, shown.y_of("Shipping"))
    assert ["weigh", 1] not in shown.view("s.rows.map((row) => [row.label, row.depth])")


def test_an_update_keeps_the_view_the_focus_and_the_open_details(shown: Shown) -> None:
    shown.mount(ORDER)
    shown.press("n", "Enter", "+", "+")
    window = shown.view("[s.scale.time(s.from), s.scale.time(s.to)]")
    more = order()
    more = more._replace(attempts=[*more.attempts, attempt(1, 0.1, 0.4, activity_id="77", scheduled_event_id=777)])
    shown.update(timeline_layout(more, now=NOW + SECOND))
    assert shown.view("[s.scale.time(s.from), s.scale.time(s.to)]") == pytest.approx(window, abs=1)
    assert shown.view("s.focused === s.opened && s.focused >= 0")
    expect(shown.root.locator(".dnb-details")).to_contain_text("Refused: try 1 of 2")
    assert shown.view("s.data.texts[c.bar_note[s.focused]]") == "Refused: try 1 of 2"


def test_open_bars_grow_by_the_clock_of_the_browser(shown: Shown) -> None:
    shown.page.evaluate("() => { window.time = performance.now(); performance.now = () => time; }")
    shown.mount(ORDER)
    shown.page.evaluate("() => { time += 60000; timeline_one.view.grow(); return drawn(); }")
    assert shown.view("s.growing.length") == 4
    grown = shown.view("s.barTo[s.growing[0]]")
    assert grown == 74 * SECOND
    expect(shown.root.locator(".dnb-status")).to_contain_text("1 min 14 s")
    shown.page.evaluate("() => { timeline_one.stand(true); time += 60000; timeline_one.view.grow(); }")
    assert shown.view("s.barTo[s.growing[0]]") == grown, "the last known state stands still"


def test_the_table_says_everything_that_the_bars_say(shown: Shown) -> None:
    shown.mount(ORDER)
    shown.press("t")
    rows = shown.root.locator(".dnb-table tbody tr")
    assert rows.count() == len(ORDER.bars) + len(ORDER.marks) - 1
    expect(rows.filter(has_text="Refused: try 1 of 2")).to_contain_text("✗ failed")
    shown.update(timeline_layout(large(2000)))
    assert rows.count() == 1000
    expect(shown.root.locator(".dnb-table")).to_contain_text("more: search")


def test_a_screen_reader_finds_names_roles_and_states(shown: Shown) -> None:
    shown.mount(ORDER)
    expect(shown.page.get_by_role("region", name="Timeline of OrderWorkflow order-1")).to_be_visible()
    expect(shown.page.get_by_role("application")).to_have_attribute("tabindex", "0")
    pressed = shown.page.get_by_role("button", name="Failed only")
    expect(pressed).to_have_attribute("aria-pressed", "false")
    pressed.click()
    expect(pressed).to_have_attribute("aria-pressed", "true")
    for name in ("Zoom in (+)", "Zoom out (-)", "Fit", "Table"):
        expect(shown.page.get_by_role("button", name=name)).to_be_visible()
    expect(shown.page.get_by_role("searchbox", name="Search by type, ID or error")).to_be_visible()


def test_the_theme_is_followed(shown: Shown) -> None:
    shown.mount(ORDER)
    corner = (
        "Array.from(v.canvas.getContext('2d').getImageData(2, v.scene.viewHeight * devicePixelRatio - 2, 1, 1).data)"
    )
    assert shown.view(corner)[:3] == [255, 255, 255]
    shown.page.evaluate("() => { document.body.dataset.jpThemeLight = 'false'; return drawn(); }")
    shown.page.evaluate("() => drawn()")
    assert shown.view(corner)[:3] == [17, 17, 17]
    expect(shown.root).to_have_attribute("data-dnb-theme", "dark")


def test_two_views_live_apart_and_an_end_leaves_nothing_behind(shown: Shown) -> None:
    shown.mount(ORDER)
    shown.mount(ORDER, place="two")
    shown.page.evaluate("() => { timeline_two.destroy(); timeline_two.view.redraw(); return drawn(); }")
    assert shown.page.locator("#two").evaluate("(place) => place.childElementCount") == 0
    assert shown.page.evaluate("() => timeline_two.view.frame") == 0
    shown.press("n")
    assert shown.view("s.focused") >= 0
    assert shown.page.evaluate("() => timeline_two.view.scene.focused") == -1


@pytest.mark.parametrize("text", HOSTILE)
def test_no_string_becomes_html_or_code(shown: Shown, text: str) -> None:
    bad = attempt(1, 1, 2, "failed", activity_type=text, activity_id=text, failure=failure(text, text))
    events = history(a.WorkflowExecutionSignaled(signal_name=text))
    layout = timeline_layout(RunPicture(run(workflow_id=text, workflow_type=text), [bad], events), now=NOW)
    shown.mount(layout, "() => Promise.resolve({fields: [['input', '<img src=x onerror=\"window.hacked = 1\">']]})")
    shown.press("t", "n", "Enter")
    expect(shown.root.locator(".dnb-details")).to_contain_text("<img")
    assert shown.page.evaluate("() => window.hacked") is None
    assert shown.root.locator("img, script, iframe, b b").count() == 0


def test_bytes_that_cannot_be_read_are_told_of(shown: Shown) -> None:
    shown.mount(ORDER)
    shown.page.evaluate("() => timeline_one.update(bytes(btoa('nothing of ours')))")
    expect(shown.root.locator(".dnb-empty")).to_contain_text("not a packed timeline")


PAN = """async () => {
  const view = timeline_one.view;
  view.fit(); view.zoom(1 / 2);
  await drawn();
  view.timings.length = 0;
  for (let i = 0; i < 60; i++) {
    view.pan(4); view.pan(-4); view.pan(i % 30 < 15 ? 4 : -4);
    await new Promise(requestAnimationFrame);
  }
  return view.timings.length;
}"""


@pytest.mark.parametrize("activities", [2000, 20_000])
def test_however_often_the_pointer_moves_a_frame_is_drawn_once(shown: Shown, activities: int) -> None:
    shown.mount(timeline_layout(large(activities)))
    assert 55 <= shown.page.evaluate(PAN) <= 61


def colours_of_a_row(canvas: Any, above_the_ground: float, left: float) -> set[tuple[int, ...]]:
    """Colours in a row of pixels of a canvas, from ``left`` on; heights and places in CSS pixels."""
    read = """([canvas, up, left]) => {
        const ratio = devicePixelRatio;
        const row = canvas.height - Math.round(up * ratio);
        const {data} = canvas.getContext('2d').getImageData(0, row, canvas.width, 1);
        const pixels = Array.from({length: canvas.width}, (_, x) => Array.from(data.slice(4 * x, 4 * x + 4)));
        return pixels.slice(left * ratio);
    }"""
    return {tuple(colour) for colour in canvas.page.evaluate(read, [canvas.element_handle(), above_the_ground, left])}


@pytest.mark.parametrize("ratio", [1, 1.5])
def test_the_parts_of_an_overview_and_of_a_strip_have_no_seams(shown: Shown, ratio: float) -> None:
    shown.page.evaluate("value => Object.defineProperty(window, 'devicePixelRatio', {value})", ratio)
    shown.page.set_viewport_size({"width": 1001, "height": 700})  # which no number of parts divides
    shown.mount(timeline_layout(large(2000)))
    overview = shown.root.locator(".dnb-overview")
    assert len(colours_of_a_row(overview, 4, shown.view("s.gutter") + 1)) <= 2, "what ran, and the ground"
    shown.page.evaluate(
        """() => {
            const place = document.getElementById('two');
            place.className = 'dnb';
            const strip = createStrip(place, {width: 200, height: 18});
            strip.update({states: 'r'.repeat(32), levels: '8'.repeat(32), summary: ''});
        }"""
    )
    assert len(colours_of_a_row(shown.page.locator("#two canvas"), 6, 0)) == 1


def test_times_are_written_as_fine_as_the_ticks(evaluate: Callable[[str], Any]) -> None:
    texts = {
        "durationText(950)": "950 µs",
        "durationText(3.4e6)": "3.40 s",
        "durationText(93600e6)": "1 d 02 h",
        "sinceText(0, 1e6)": "0",
        "sinceText(350000, 1e5)": "+350 ms",
        "sinceText(2.5e6, 5e5)": "+2.5 s",
        "sinceText(102.5e6, 5e5)": "+1:42.5",
        "sinceText(86407e6, 1e6)": "+1 d 0:00:07",
        "sinceText(-2e6, 1e6)": "−2 s",
        "clockText(1795000000e6, 1e6)": "11:06:40",
        "clockText(1795000000.25e6, 1e4)": "11:06:40.250",
        "clockText(1794960000e6, 3.6e9)": "Nov 18",
    }
    assert {text: evaluate(text) for text in texts} == texts


def test_a_strip_is_a_picture_with_a_name(shown: Shown) -> None:
    strip = {"states": "rfbr|w ", "levels": "8301000", "summary": "3 attempts, 1 failed"}
    shown.page.evaluate(
        "(data) => { window.strip = createStrip(document.getElementById('one'), {open: true}); strip.update(data); }",
        strip,
    )
    picture = shown.page.get_by_role("img", name="3 attempts, 1 failed")
    expect(picture).to_be_visible()
    inked = picture.evaluate(
        "(canvas) => canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data.some((v) => v > 0)"
    )
    assert inked
    shown.page.evaluate("() => window.strip.destroy()")
    expect(picture).to_have_count(0)
