"""A timeline of one order as text: every attempt a bar, from the ledger of the services."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from notebooks.demo.facts import Call

WIDTH = 64
MARKS = {"ok": "ok", "duplicate refused": "ok, duplicate refused", None: "kernel killed"}


def most_eventful(calls: Sequence[Call]) -> str:
    """The order with the most attempts among those that lived through the kill; else the most attempts of all."""
    kernels: dict[str, set[int]] = {}
    attempts: dict[str, int] = {}
    for call in calls:
        kernels.setdefault(call.order_id, set()).add(call.kernel)
        attempts[call.order_id] = attempts.get(call.order_id, 0) + 1
    return max(sorted(attempts), key=lambda order_id: (len(kernels[order_id]), attempts[order_id]))


def with_uncalled(own: Sequence[Call], ends: dict[int, float]) -> Iterator[Call]:
    """One order's calls, and the attempts whose kernel died before they called: the ledger does not know these."""
    attempts: dict[str, int] = {}
    kernel = own[0].kernel
    for call in own:
        if call.kernel != kernel:
            for attempt in range(attempts.get(call.key, 0) + 1, call.attempt):
                yield replace(call, attempt=attempt, kernel=kernel, begun=ends[kernel], ended=None, outcome=None)
        attempts[call.key], kernel = call.attempt, call.kernel
        yield call


def timeline(calls: Sequence[Call], order_id: str) -> str:
    """Bars of all attempts on one axis; the gap between two kernels is cut out and drawn as a line."""
    ends: dict[int, float] = {}  # the last sign of life of each kernel
    for call in calls:
        ends[call.kernel] = max(ends.get(call.kernel, 0.0), call.ended or call.begun)
    own = list(with_uncalled([call for call in calls if call.order_id == order_id], ends))
    lines = [f"{'':12}{'attempt':>8}"]
    offset, kernel = own[0].begun, own[0].kernel
    last_end = 0.0
    spans: list[tuple[Call | None, float, float]] = []
    for call in own:
        if call.kernel != kernel:
            kernel = call.kernel
            spans.append((None, last_end, call.begun - offset - last_end))
            offset = call.begun - last_end
        # An attempt that the kill cut off is drawn to the last sign of life of its kernel.
        ended = call.ended or ends[call.kernel]
        begin, last_end = call.begun - offset, max(last_end, ended - offset)
        spans.append((call, begin, ended - offset))
    scale = WIDTH / max(last_end, 1e-6)
    for call, begin, end in spans:
        if call is None:
            lines.append(f"{'':21}{'kill -9, new kernel':-^{WIDTH}}")
            continue
        first = int(begin * scale)
        bar = max(1, round((end - begin) * scale))
        good = call.outcome in ("ok", "duplicate refused")
        drawn = " " * first + ("█" if good else "░") * bar
        lines.append(f"{call.service:<12}{call.attempt:>8} {drawn:<{WIDTH}} {MARKS.get(call.outcome, call.outcome)}")
    lines.append(f"{'':21}{'0 s':<{WIDTH - 8}}{last_end:>6.1f} s")
    return "\n".join(lines)
