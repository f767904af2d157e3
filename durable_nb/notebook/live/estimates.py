"""How long a running activity will still take, from its own pace and from earlier runs of its type. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from durable_nb.model.progress import Progress
from durable_nb.model.records import Pace

LEARN_FROM = 20
"""Earlier attempts that are asked for their pace."""


LONGEST = 10 * 365 * 86_400 * 1_000_000
"""Ten years: reports of progress may be anything, what is shown is an instant."""


def usual_duration(progress: Progress | None, paces: Sequence[Pace]) -> int:
    """Microseconds that an attempt usually takes, scaled to its number of steps; 0 where nothing is known.

    Where the attempt says how many steps it has, and earlier ones did, it is the median time of one step times the
    steps; otherwise the median duration.
    """
    if not paces:
        return 0
    from statistics import median  # noqa: PLC0415 - slow to import, and the extension is to load quickly

    if progress is not None and progress.total > 0:
        each = [pace.duration / pace.total for pace in paces if pace.total > 0]
        if each:
            return _whole(median(each) * progress.total)
    return int(median(pace.duration for pace in paces))


def remaining(progress: Progress | None, started_at: int, now: int, paces: Sequence[Pace]) -> int:
    """Microseconds until an attempt is likely to end; -1 where nobody can tell.

    What earlier attempts took counts most at the beginning, the attempt's own pace the more the further it has come.
    Without progress the usual duration is all there is; once it is over, nobody can tell.
    """
    elapsed = max(0, now - started_at)
    usual = usual_duration(progress, paces)
    learned = usual - elapsed if usual else 0
    if progress is None or progress.total <= 0:
        return learned if learned > 0 else -1
    fraction = progress.fraction
    if fraction >= 1:
        return 0
    own = _by_own_pace(progress, now)
    if own < 0:
        return max(0, learned) if usual and learned > 0 else -1
    if not usual:
        return own
    by_history = max(0, int(usual * (1 - fraction)))
    return int(fraction * own + (1 - fraction) * by_history)


def _by_own_pace(progress: Progress, now: int) -> int:
    """From the steps made since the first report; -1 while there are none."""
    made = progress.done - progress.started_done
    spent = now - progress.started_at
    if made <= 0 or spent <= 0 or not progress.started_at:
        return -1
    return _whole(spent / made * (progress.total - progress.done))


def _whole(microseconds: float) -> int:
    return int(microseconds) if microseconds < LONGEST else LONGEST  # also for what is no number
