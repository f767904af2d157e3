"""Displays take a bounded part of the processor, however many and large they are."""

from __future__ import annotations

import time

import pytest

from durable_nb.notebook.live.pace import LONGEST_PAUSE, SHARE, Pace


class Clock:
    """``time`` with a clock and a thread's processor time that a test sets."""

    def __init__(self) -> None:
        self.now = self.spent = 100.0

    def work(self, seconds: float, *, wall: float = 0.0) -> None:
        self.spent += seconds
        self.now += max(seconds, wall)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(time, "monotonic", lambda: made.now)
    monkeypatch.setattr(time, "thread_time", lambda: made.spent)
    return made


def look(pace: Pace, clock: Clock, seconds: float, *, wall: float = 0.0, displays: int = 1) -> float:
    """Seconds until the next look."""
    pace.begin()
    clock.work(seconds, wall=wall)
    now = pace.end(displays)
    return pace.next_look - now


def test_a_cheap_look_is_followed_by_another_as_often_as_allowed(clock: Clock) -> None:
    assert look(Pace(0.1), clock, 0.0001) == pytest.approx(0.1, abs=0.001)


def test_a_costly_look_is_followed_by_a_pause_that_keeps_the_share(clock: Clock) -> None:
    assert look(Pace(0.1), clock, 0.02) == pytest.approx(2 * 0.02 / SHARE)
    assert look(Pace(0.1), clock, 0.02, displays=4) == pytest.approx(8 * 0.02 / SHARE)


def test_a_cheap_look_that_took_long_on_a_busy_machine_is_still_cheap(clock: Clock) -> None:
    assert look(Pace(0.1), clock, 0.002, wall=3.0) < 0.2


def test_no_display_rests_for_ever(clock: Clock) -> None:
    assert look(Pace(0.1), clock, 60.0) == LONGEST_PAUSE
