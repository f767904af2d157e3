"""How long a running activity will still take."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from durable_nb.model.progress import Progress
from durable_nb.model.records import Pace
from durable_nb.notebook.live.estimates import remaining, usual_duration

SECOND = 1_000_000


def test_without_progress_and_history_nobody_can_tell() -> None:
    assert remaining(None, 0, SECOND, []) == -1
    assert remaining(Progress(0, 10, started_at=1), 1, SECOND, []) == -1


def test_history_alone_tells_at_the_beginning() -> None:
    paces = [Pace(10 * SECOND, 0), Pace(12 * SECOND, 0), Pace(100 * SECOND, 0)]
    assert remaining(None, 0, 2 * SECOND, paces) == 10 * SECOND
    assert remaining(None, 0, 13 * SECOND, paces) == -1


def test_earlier_attempts_are_scaled_to_the_number_of_steps() -> None:
    paces = [Pace(10 * SECOND, 100), Pace(20 * SECOND, 200), Pace(5 * SECOND, 0)]
    assert usual_duration(Progress(0, 50), paces) == 5 * SECOND
    assert remaining(Progress(0, 50, started_at=1), 1, 1, paces) == 5 * SECOND


def test_the_own_pace_counts_more_the_further_it_has_come() -> None:
    paces = [Pace(100 * SECOND, 10)]  # ten seconds a step, of late
    early = remaining(Progress(1, 10, started_at=1), 1, SECOND, paces)
    late = remaining(Progress(9, 10, started_at=1), 1, 9 * SECOND, paces)
    assert 80 * SECOND < early < 90 * SECOND
    assert 1 * SECOND < late < 2 * SECOND


def test_the_pace_is_measured_from_the_first_report_which_may_resume_in_the_middle() -> None:
    resumed = Progress(60, 100, started_at=10 * SECOND, started_done=50)
    assert remaining(resumed, 0, 20 * SECOND, []) == 40 * SECOND


@given(
    st.floats(0, 1e6), st.floats(0, 1e6), st.integers(0, 10**13), st.integers(0, 10**13),
    st.lists(st.tuples(st.integers(0, 10**12), st.floats(0, 1e6)), max_size=5),
)  # fmt: skip
def test_an_estimate_is_never_negative_but_for_not_known(
    done: float, total: float, started_at: int, now: int, paces: list[tuple[int, float]]
) -> None:
    known = [Pace(duration, steps) for duration, steps in paces]
    assert remaining(Progress(done, total, started_at=started_at), started_at, now, known) >= -1
