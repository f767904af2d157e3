"""A run as groups, lanes and bars: nothing is left out, nothing lies outside, and the bytes say the same."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from durable_nb.errors import NotebookError
from durable_nb.model import attributes as a
from durable_nb.model.requests import PendingActivity
from durable_nb.widgets.layout import Layout, RunPicture, timeline_layout
from durable_nb.widgets.packing import BAR_KINDS, LANE_KINDS, MARK_KINDS, OUTCOMES, pack, unpack
from tests.notebook.values import HOSTILE, SECOND, T0, attempt, failure, history, run
from tests.widgets.pictures import large, order, pictures, shipping

NOW = T0 + 14 * SECOND


def bars(layout: Layout, type_name: str) -> list[tuple[str, float, float, str]]:
    """Kind, start and end in seconds, outcome of the bars of one type."""
    return [
        (bar.kind, round((bar.start - T0) / SECOND, 3), round((bar.end - T0) / SECOND, 3), bar.outcome)
        for bar in layout.bars
        if layout.rows[bar.lane].label == type_name
    ]


def test_queue_run_and_back_off_of_each_attempt_are_bars_of_their_own() -> None:
    assert bars(timeline_layout(order(), now=NOW), "charge") == [
        ("queued", 0.92, 1.0, ""),
        ("run", 1.0, 1.5, "failed"),
        ("backoff", 1.5, 2.45, ""),
        ("queued", 2.45, 2.5, ""),
        ("run", 2.5, 3.6, "timed_out"),
        ("backoff", 3.6, 5.55, ""),
        ("queued", 5.55, 5.6, ""),
        ("run", 5.6, 6.4, "completed"),
    ]


def test_lanes_are_grouped_by_type_with_timers_and_children_apart() -> None:
    layout = timeline_layout(order(), now=NOW)
    assert [(group.label, group.kind) for group in layout.groups] == [
        ("OrderWorkflow", "workflow"),
        ("reserve", "activity"),
        ("charge", "activity"),
        ("print", "activity"),
        ("courier", "activity"),
        ("pack", "activity"),
        ("Shipping", "child"),
        ("timers", "timer"),
    ]
    assert [layout.groups[row.group].label for row in layout.rows].count("pack") == 3


def test_what_is_open_goes_until_now() -> None:
    layout = timeline_layout(order(), now=NOW)
    assert bars(layout, "print") == [("queued", 10.0, 11.0, ""), ("run", 11.0, 14.0, "")]
    assert bars(layout, "courier") == [("backoff", 10.0, 14.0, "")]
    assert bars(layout, "Shipping") == [("child", 10.1, 14.0, "")]
    assert layout.bars[0].kind == "workflow"
    assert layout.bars[0].end == layout.now == NOW


def test_errors_of_failed_attempts_are_on_their_bars() -> None:
    layout = timeline_layout(order(), now=NOW)
    notes = [bar.note for bar in layout.bars if bar.outcome in ("failed", "timed_out")]
    assert notes == ["Refused: try 1 of 2", "Refused: try 2 of 2"]
    assert "HTTPError: courier API 503" in [bar.note for bar in layout.bars if bar.kind == "backoff"]


def test_signals_updates_and_workflow_tasks_are_marks() -> None:
    layout = timeline_layout(order(), now=NOW)
    said = [(mark.kind, mark.label, mark.outcome) for _, mark in layout.marks]
    assert said == [
        ("start", "OrderWorkflow", ""),
        ("task", "workflow task", "completed"),
        ("signal", "set_address", ""),
        ("update", "change_quantity", "completed"),
        ("task", "workflow task", "completed"),
    ]
    assert {layout.rows[lane].kind for lane, mark in layout.marks if mark.kind in ("signal", "update")} == {"messages"}


def test_the_run_of_a_child_hangs_below_its_lane_once_it_was_read() -> None:
    layout = timeline_layout(order(), {"child-run": shipping(10.2)}, now=NOW)
    below = [group for group in layout.groups if group.parent >= 0]
    assert [(group.label, group.depth) for group in below] == [("Shipping", 1), ("weigh", 1)]
    parent = layout.rows[below[0].parent]
    assert (parent.kind, parent.run_id) == ("child", "child-run")
    assert "Refused: try 1 of 1" in [bar.note for bar in layout.bars]
    assert {row.owner for row in layout.rows} == {"0199-run", "child-run"}


def test_a_day_of_waiting_is_a_break_and_the_rest_keeps_its_length() -> None:
    layout = timeline_layout(order(timer=86_400), now=T0 + 86_420 * SECOND)
    assert len(layout.axis.breaks) == 1
    gap = layout.axis.breaks[0]
    assert gap.start == T0 + 7 * SECOND
    assert gap.end == T0 + 86_407 * SECOND
    assert layout.axis.length < 25 * SECOND


def test_an_activity_id_that_is_used_again_is_two_lanes() -> None:
    again = PendingActivity("1", "charge", "started", 1, 0, T0 + 5 * SECOND, last_started_at=T0 + 5 * SECOND)
    layout = timeline_layout(RunPicture(run(pending_activities=[again]), [attempt(1, 0, 2)]), now=T0 + 9 * SECOND)
    assert bars(layout, "charge") == [("run", 0.0, 2.0, "completed"), ("run", 5.0, 9.0, "")]
    assert [row.kind for row in layout.rows] == ["workflow", "activity", "activity"]


def test_a_pending_activity_is_one_lane_that_knows_its_event() -> None:
    events = history(
        a.WorkflowExecutionStarted(workflow_type="Order"),
        a.ActivityTaskScheduled(activity_id="7", activity_type="charge"),
    )
    pending = PendingActivity("7", "charge", "scheduled", 1, 0, T0 + SECOND)
    layout = timeline_layout(RunPicture(run(pending_activities=[pending]), [], events), now=T0 + SECOND)
    assert [(row.kind, row.ident, row.event_id) for row in layout.rows] == [
        ("workflow", "order-1", 1),
        ("activity", "7", 2),
    ]
    assert bars(layout, "charge") == [("queued", 1.0, 1.0, "")]


@given(pictures(), st.integers(0, 2_000_000))
def test_every_attempt_is_a_bar_and_every_bar_lies_within_the_axis(picture: RunPicture, later: int) -> None:
    layout = timeline_layout(picture, now=T0 + later * SECOND)
    drawn = [bar for bar in layout.bars if bar.kind == "run" and bar.outcome]
    assert len(drawn) == len(picture.attempts)
    for bar in layout.bars:
        assert layout.axis.start <= bar.start <= bar.end <= layout.axis.end
    for _, mark in layout.marks:
        assert layout.axis.start <= mark.start <= mark.end <= layout.axis.end


@given(pictures())
def test_the_axis_is_increasing_and_can_be_turned_around(picture: RunPicture) -> None:
    axis = timeline_layout(picture).axis
    instants = sorted({bar.start for bar in timeline_layout(picture).bars} | {axis.start, axis.end})
    instants += [(x + y) // 2 for x, y in pairwise(instants)]
    instants = sorted(set(instants))
    units = [axis.unit(instant) for instant in instants]
    assert units[0] == 0
    assert all(x < y for x, y in pairwise(units))
    for instant, unit in zip(instants, units, strict=True):
        assert axis.instant(unit) == pytest.approx(instant, abs=max(2.0, 1e-9 * (axis.end - axis.start)))
    assert axis.length <= axis.end - axis.start


@given(pictures())
def test_the_bytes_say_what_the_layout_says(picture: RunPicture) -> None:
    layout = timeline_layout(picture)
    read = unpack(pack(layout))
    base = layout.axis.start
    assert read["start"] == base
    assert read["bar_start"] == [bar.start - base for bar in layout.bars]
    assert read["bar_end"] == [bar.end - base for bar in layout.bars]
    assert read["bar_lane"] == [bar.lane for bar in layout.bars]
    assert read["bar_note"] == [bar.note for bar in layout.bars]
    assert read["bar_attempt"] == [bar.attempt for bar in layout.bars]
    assert [BAR_KINDS[kind] for kind in read["bar_kind"]] == [bar.kind for bar in layout.bars]
    assert [OUTCOMES[outcome] for outcome in read["bar_outcome"]] == [bar.outcome for bar in layout.bars]
    assert read["lane_label"] == [row.label for row in layout.rows]
    assert read["lane_ident"] == [row.ident for row in layout.rows]
    assert [LANE_KINDS[kind] for kind in read["lane_kind"]] == [row.kind for row in layout.rows]
    assert read["group_label"] == [group.label for group in layout.groups]
    assert read["group_parent"] == [group.parent for group in layout.groups]
    assert [MARK_KINDS[kind] for kind in read["mark_kind"]] == [mark.kind for _, mark in layout.marks]
    assert read["mark_label"] == [mark.label for _, mark in layout.marks]
    assert read["break_start"] == [gap.start - base for gap in layout.axis.breaks]
    assert read["break_width"] == [gap.width for gap in layout.axis.breaks]


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_is_packed_as_safe_text(text: str) -> None:
    bad = attempt(1, 1, 2, "failed", activity_type=text, activity_id=text, failure=failure(text, text))
    events = history(a.WorkflowExecutionSignaled(signal_name=text), a.WorkflowExecutionTerminated(reason=text))
    described = run(workflow_id=text, workflow_type=text, run_id=text)
    read = unpack(pack(timeline_layout(RunPicture(described, [bad], events))))
    shown = [t for name in ("lane_label", "lane_ident", "bar_note", "mark_label", "mark_note") for t in read[name]]
    assert not any(set(t) & set("\x00\x07\x1b\n\r\u202e\u2066\u200b\ufeff\ud800") for t in shown)
    assert all(len(t) < 400 for t in shown)


def test_bytes_of_another_kind_or_version_are_refused() -> None:
    packed = pack(timeline_layout(order(), now=NOW))
    assert pack(timeline_layout(order(), now=NOW)) == packed
    with pytest.raises(NotebookError, match="not a packed timeline"):
        unpack(b"PK\x03\x04 something else")
    with pytest.raises(NotebookError, match="version 9"):
        unpack(packed.replace(b'"version":1', b'"version":9'))


@pytest.mark.slow
def test_twenty_thousand_activities_are_packed_whole() -> None:
    picture = large(20_000)
    read = unpack(pack(timeline_layout(picture)))
    assert read["bar_kind"].count(BAR_KINDS.index("run")) == len(picture.attempts)
    assert len(read["lane_label"]) == 20_001
