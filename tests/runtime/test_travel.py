"""What ``breakpoint()`` does while runs are replayed, in several threads and in any order."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import pytest

from durable_nb.runtime.travel import _Breakpoints


class Elsewhere:
    """A thread that does what it is told, one thing after the other."""

    def do(self, work: Callable[[], Any]) -> Any:
        found: list[Any] = []
        thread = threading.Thread(target=lambda: found.append(work()))
        thread.start()
        thread.join()
        return found[0]


@pytest.fixture
def stops(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Where a debugger was asked for."""
    found: list[str] = []
    monkeypatch.setattr("sys.breakpointhook", lambda: found.append(sys._getframe(1).f_code.co_name))
    return found


def here() -> None:
    breakpoint()  # noqa: T100 - what is tested


def test_a_replay_passes_by_and_other_threads_stop_as_ever(stops: list[str]) -> None:
    breakpoints = _Breakpoints()
    with breakpoints.within(stop=False):
        here()
        assert stops == []
        Elsewhere().do(here)
        assert len(stops) == 1
    here()
    assert stops[1:] == ["here"]


def test_replays_that_overlap_leave_the_hook_as_it_was(stops: list[str]) -> None:
    hook = sys.breakpointhook
    breakpoints = _Breakpoints()
    first, second = (breakpoints.within(stop=False) for _ in range(2))
    first.__enter__()
    Elsewhere().do(second.__enter__)
    first.__exit__(None, None, None)
    assert sys.breakpointhook is not hook
    second.__exit__(None, None, None)
    assert sys.breakpointhook is hook


@pytest.mark.parametrize("debugged_first", [True, False])
def test_a_debugged_replay_stops_in_the_frame_that_asked_whatever_else_is_replayed(
    stops: list[str], debugged_first: bool
) -> None:
    hook = sys.breakpointhook
    breakpoints = _Breakpoints()
    debugged, other = breakpoints.within(stop=True), breakpoints.within(stop=False)
    order: list[AbstractContextManager[None]] = [debugged, other] if debugged_first else [other, debugged]
    for each in order:
        (each.__enter__ if each is debugged else lambda: Elsewhere().do(other.__enter__))()
    here()
    assert stops == ["here"]
    for each in order:
        each.__exit__(None, None, None)
    assert sys.breakpointhook is hook
