"""A time axis on which long stretches where nothing ran are narrow: the day that a timer took does not hide the rest.

The axis is piecewise linear: outside of breaks one microsecond is one unit; inside a break time runs faster.
Invariants: the mapping is strictly increasing, so it can be turned around; it begins at 0; without breaks it is
``time - start``. What counts as running: attempts of activities, and every instant at which something happened.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from durable_nb.analytics.lanes import Lane

LONG = 30_000_000
"""Microseconds that a gap must last to be worth a break."""

MAX_BREAKS = 200
"""Breaks of one axis; an axis of more of them would tell nothing about when things happened."""


class Break(NamedTuple):
    """A stretch of time, ``start`` to ``end`` in microseconds, that is ``width`` units wide."""

    start: int
    end: int
    width: float


class TimeAxis:
    """Instants (microseconds since the epoch) to units and back."""

    def __init__(self, start: int, end: int, breaks: Sequence[Break] = ()) -> None:
        self.start = start
        self.end = max(start, end)
        self.breaks = tuple(breaks)
        # Knots: an instant and its unit, at every bend of the mapping.
        self._times: list[int] = [start]
        self._units: list[float] = [0.0]
        for gap in self.breaks:
            self._knot(gap.start, gap.start - self._times[-1])
            self._knot(gap.end, gap.width)

    def _knot(self, instant: int, width: float) -> None:
        self._times.append(instant)
        self._units.append(self._units[-1] + width)

    @property
    def length(self) -> float:
        """Units from the start to the end."""
        return self.unit(self.end)

    def unit(self, instant: float) -> float:
        """Where an instant is; outside of the extent the axis goes on without breaks."""
        index = max(0, bisect_right(self._times, instant) - 1)
        if index % 2 and index + 1 < len(self._times):  # between the start and the end of a break
            gap = self.breaks[index // 2]
            return self._units[index] + (instant - gap.start) * gap.width / (gap.end - gap.start)
        return self._units[index] + (instant - self._times[index])

    def instant(self, unit: float) -> float:
        """Which instant is there: the inverse of ``unit``."""
        index = max(0, bisect_right(self._units, unit) - 1)
        if index % 2 and index + 1 < len(self._units):
            gap = self.breaks[index // 2]
            return gap.start + (unit - self._units[index]) * (gap.end - gap.start) / gap.width
        return self._times[index] + (unit - self._units[index])


def compressed_axis(lanes: Sequence[Lane], instants: Iterable[int] = (), *, start: int = 0, end: int = 0) -> TimeAxis:
    """The axis of these lanes and instants, with a break for each long gap in which nothing ran.

    The longest gaps are compressed first, until what ran takes at least half of the axis; gaps shorter than ``LONG``
    never are. ``start`` and ``end`` (0: as the lanes say) widen the extent.
    """
    busy = _busy(lanes, instants)
    if start:
        busy.append((start, start))
    if end:
        busy.append((end, end))
    if not busy:
        return TimeAxis(start, end)
    busy.sort()
    first, reached = busy[0][0], busy[0][1]
    gaps: list[tuple[int, int]] = []
    for begin, finish in busy:
        if begin > reached:
            gaps.append((reached, begin))
        reached = max(reached, finish)
    idle = sum(finish - begin for begin, finish in gaps)
    ran = reached - first - idle
    chosen: list[tuple[int, int]] = []
    for gap in sorted(gaps, key=lambda gap: gap[0] - gap[1])[:MAX_BREAKS]:
        if idle <= ran or gap[1] - gap[0] < LONG:
            break
        chosen.append(gap)
        idle -= gap[1] - gap[0]
    return TimeAxis(first, reached, _breaks(sorted(chosen), ran + idle))


def _breaks(gaps: Sequence[tuple[int, int]], shown: int) -> list[Break]:
    """Breaks of one width each: an eleventh of what is shown, less where there are many."""
    if not gaps:
        return []
    share = min(1 / 11, 0.5 / len(gaps))
    shortest = min(finish - begin for begin, finish in gaps)
    width = min(max(shown * share, 1000.0), shortest / 2)
    return [Break(begin, finish, width) for begin, finish in gaps]


def _busy(lanes: Sequence[Lane], instants: Iterable[int]) -> list[tuple[int, int]]:
    found = [(instant, instant) for instant in instants]
    for lane in lanes:
        for segment in lane.segments:
            if segment.kind == "run":
                found.append((segment.start, segment.end))
            else:
                found += [(segment.start, segment.start), (segment.end, segment.end)]
    return found
