"""A run in one line: what happened most tellingly in each part, and how busy it was."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from durable_nb.analytics.lanes import run_lanes
from durable_nb.analytics.strip import STATES, Strip, run_strip
from durable_nb.notebook.html import render_html
from durable_nb.notebook.plain import render_text
from durable_nb.notebook.views import list_blocks
from tests.notebook.values import attempt, run
from tests.widgets.pictures import order, pictures


def strip(picture: Any, parts: int = 20, now: int = 0) -> Strip:
    return run_strip(run_lanes(picture.run, picture.attempts, picture.events, now=now), parts)


def test_failures_back_off_and_running_are_told_apart() -> None:
    attempts = [attempt(1, 0, 2, "failed"), attempt(2, 4, 6, "timed_out"), attempt(3, 8, 10)]
    made = run_strip(run_lanes(run(), attempts), 10)
    assert made == "█✗╌╌█◷╌╌██"
    assert made.states == "rfbbrtbbrr"
    assert made.levels == "8800880088"
    assert made.summary == "3 attempts, 2 failed"
    assert made.data() == {"states": made.states, "levels": made.levels, "summary": made.summary}


def test_more_attempts_at_once_stand_higher() -> None:
    attempts = [attempt(1, 0, 8, activity_id=str(n), scheduled_event_id=n) for n in range(1, 4)]
    attempts.append(attempt(1, 8, 16, activity_id="9", scheduled_event_id=9, scheduled_at=0))
    assert run_strip(run_lanes(run(), attempts), 4) == "██▃▃"


def test_idle_time_is_left_out() -> None:
    made = strip(order(timer=86_400))
    assert "|" in made.states
    assert made.states.count("w") <= 3


def test_a_run_without_attempts_is_a_blank_line() -> None:
    assert run_strip([], 5) == "     "
    assert run_strip([], 5).summary == "no attempts"


@given(pictures(), st.integers(1, 60))
def test_any_run_fits_into_its_line(picture: Any, parts: int) -> None:
    made = strip(picture, parts)
    assert len(made) == len(made.states) == len(made.levels) == parts
    assert set(made.states) <= set(STATES)
    assert set(made.levels) <= set("012345678")
    assert ("failed" in made.summary) == any(a.outcome in ("failed", "timed_out") for a in picture.attempts)


def test_lists_show_a_line_for_each_run_that_has_one() -> None:
    runs = [run(run_id="a"), run(run_id="b")]
    made = run_strip(run_lanes(run(), [attempt(1, 0, 2, "failed"), attempt(2, 4, 6)]), 8)
    blocks = list_blocks(runs, strips={"a": made})
    assert made in render_text(blocks)
    html = render_html(blocks)
    assert 'title="2 attempts, 1 failed"' in html
    assert html.count("<code>") == 1
    for glyph in "✗█":
        assert glyph in html


@pytest.mark.parametrize("state", STATES)
def test_every_state_can_be_shown(state: str) -> None:
    assert len(Strip(state, "1", "")) == 1
    assert "<code>" in render_html(list_blocks([run()], strips={"0199-run": Strip(state, "0", "")}))
