"""Figures are readable on white and on near black, need no network, and take no markup from payloads."""

from __future__ import annotations

import re

import pandas as pd
import pytest

from durable_nb.analytics.figures import counts, paths, theme, timelines
from durable_nb.analytics.statistics.statistic import Statistic
from durable_nb.analytics.statistics.tables import cell_text, html_table, seconds_text, text_table

WHITE, NEAR_BLACK = "#ffffff", "#111111"
EVIL = "<script>alert(1)</script><b>x</b>"


def luminance(color: str) -> float:
    channels = [int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    red, green, blue = (c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in channels)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("background", [WHITE, NEAR_BLACK])
def test_colours_stand_out_from_light_and_dark_pages(background: str) -> None:
    colors = {*theme.STATUS.values(), *theme.PARTS.values(), *theme.KINDS.values(), *theme.SERIES, theme.OTHER}
    assert {color for color in colors if contrast(color, background) < 3.0} == set()
    assert contrast(theme.TEXT, background) >= 4.1


def failing_frame() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "activity_type": [EVIL],
            "activities": [3],
            "gave_up": [1],
            "attempts": [9],
            "failed_attempts": [6],
            "failure_rate": [2 / 3],
            "timed_out": [1],
            "lost": [0],
            "runs": [2],
            "last_failure_at": [pd.Timestamp("2026-11-05", tz="UTC")],
            "failure_type": [EVIL],
            "failure_message": [EVIL],
        }
    )


@pytest.mark.slow
def test_a_figure_is_transparent_and_takes_no_markup() -> None:
    drawn = counts.failing(failing_frame(), f"Failing {EVIL}")
    assert drawn.layout.paper_bgcolor == drawn.layout.plot_bgcolor == "rgba(0,0,0,0)"
    assert "<script" not in drawn.to_json()
    assert "<b>" not in drawn.to_json()


@pytest.mark.slow
def test_a_page_needs_no_network_and_escapes_everything() -> None:
    found = Statistic("failing_activities", EVIL, failing_frame(), f"SELECT '{EVIL}'", {"x": EVIL}, counts.failing)
    page = found.to_html()
    assert len(page) > 1_000_000, "plotly.js is in the page"
    assert not re.search(r"""<(?:script|link|img)[^>]*(?:src|href)=["']https?:""", page)
    assert EVIL not in page


def test_tables_escape_cut_and_say_what_is_left_out() -> None:
    frame = pd.DataFrame({"name": [EVIL] * 30, "run_s": [90.5] * 30, "failure_rate": [0.25] * 30, "n": [1234] * 30})
    found = html_table(EVIL, frame, 20, note=EVIL, sql=EVIL)
    assert "<script" not in found
    assert "<b>" not in found
    assert "10 more rows" in found
    text = text_table(frame, 20)
    assert text.splitlines()[0].split() == ["name", "run", "failure", "rate", "n"]
    assert "1 min 30 s" in text
    assert "25.0%" in text
    assert "1,234" in text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"),
        (35e-6, "35 µs"),
        (0.25, "250 ms"),
        (3.44, "3.4 s"),
        (320, "5 min 20 s"),
        (11_100, "3 h 05 min"),
        (187_200, "2 d 04 h"),
        (-3, "-3.0 s"),
    ],
)
def test_durations_read_well(seconds: float, text: str) -> None:
    assert seconds_text(seconds) == text


def test_missing_values_are_empty_cells() -> None:
    assert [cell_text("x_s", value) for value in (None, float("nan"), pd.NA, pd.NaT)] == [""] * 4


@pytest.mark.slow
def test_open_runs_reach_the_right_edge() -> None:
    times = pd.to_datetime(["2026-11-05 10:00", "2026-11-05 09:00"], utc=True)
    frame = pd.DataFrame(
        {
            "workflow_id": ["a", "b"],
            "run_id": ["1", "2"],
            "workflow_type": ["T", "T"],
            "status": ["Running", "Completed"],
            "began_at": times,
            "ended_at": [pd.NaT, pd.Timestamp("2026-11-05 11:00", tz="UTC")],
            "duration_s": [float("nan"), 7200.0],
            "attempts": [1, 1],
            "failed_attempts": [0, 0],
            "failure_message": [None, None],
        }
    )
    drawn = timelines.runs(frame, "Runs")
    bars = {bar.name: pd.Timestamp(bar.base[0]) + pd.Timedelta(milliseconds=bar.x[0]) for bar in drawn.data}
    assert bars["Completed"] == pd.Timestamp("2026-11-05 11:00")
    assert bars["Running"] > bars["Completed"]


@pytest.mark.slow
def test_a_long_path_is_cut_to_its_longest_steps() -> None:
    begin = pd.Timestamp("2026-11-05", tz="UTC")
    begins = [begin + pd.Timedelta(seconds=i) for i in range(500)]
    frame = pd.DataFrame(
        {
            "step": range(1, 501),
            "level": 0,
            "workflow_id": "w",
            "workflow_type": "T",
            "kind": "Activity",
            "name": "a",
            "began_at": begins,
            "ended_at": [at + pd.Timedelta(seconds=1) for at in begins],
            "duration_s": 1.0,
            "share": 1 / 500,
            "queue_s": 0.0,
            "run_s": 1.0,
            "backoff_s": None,
        }
    )
    drawn = paths.of_run(frame, "Critical path")
    assert len(drawn.data[0].y) == paths.MOST_STEPS
    assert "the 60 longest steps of 500" in drawn.layout.title.text
