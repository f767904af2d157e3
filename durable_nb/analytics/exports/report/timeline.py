"""The timeline of a run as rows of boxes placed by percentages: no script, no picture, readable when printed.

A row is an activity, timer, child or update; when there are many, those of one type share rows on which nothing
overlaps. Long stretches in which nothing ran are narrow (``time_axis``). A bar says by its pattern and a sign, not by
its colour alone, what became of it.
"""

from __future__ import annotations

from collections.abc import Sequence

from durable_nb.analytics.exports import spans as s
from durable_nb.analytics.exports.report.markup import SIGNS, Markup, element, join, text
from durable_nb.analytics.lanes import Lane, Segment
from durable_nb.analytics.time_axis import TimeAxis, compressed_axis
from durable_nb.model.text import failure_line, format_duration, format_instant

SEPARATE = 60
"""Spans that get a row each; more are packed."""
MAX_ROWS = 300

_KINDS = frozenset({s.ACTIVITY, s.LOCAL, s.TIMER, s.CHILD, s.UPDATE})
_BARS = {"failed": "f", "timed_out": "f", "lost": "f", "terminated": "f", "canceled": "x", s.ABANDONED: "x", "": "o"}
_PLAIN = {s.TIMER: "t", s.CHILD: "k", s.UPDATE: "u"}
_SYMBOLS = {s.SIGNAL: "▼", s.CANCEL: "⊘", s.UPSERT: "◆", s.PATCH: "◆", s.MARKER: "◆", s.EXTERNAL: "▲"}
_LEGEND = (
    ("q", "waits for a worker"),
    ("c", "✓ ran"),
    ("f", "✗ failed, ◷ timed out"),
    ("w", "waits to retry"),
    ("x", "⊘ canceled or abandoned"),
    ("t", "timer"),
    ("k", "child workflow"),
    ("o", "… open"),
)


def timeline(spans: s.RunSpans) -> Markup:
    """The chart of a run; "" when nothing took time."""
    shown = [span for span in spans.spans if span.kind in _KINDS and not span.inherited]
    if not shown and not spans.marks:
        return Markup("")
    rows = [[span] for span in shown] if len(shown) <= SEPARATE else _packed(shown, spans)
    axis = _axis(spans, shown)
    parts = [_axis_row(axis, spans.run.start), _grid(axis, spans.run.start)]
    if spans.marks:
        parts.append(_marks_row(spans.marks, axis))
    parts += [_row(row, spans, axis) for row in rows[:MAX_ROWS]]
    more = len(rows) - MAX_ROWS
    note = element("p", f"… and {more:,} more rows", class_="soft") if more > 0 else Markup("")
    return Markup(f'<div class="chart">{join(parts)}</div>{note}{_legend(axis)}')


def _axis(spans: s.RunSpans, shown: Sequence[s.Span]) -> TimeAxis:
    lanes = []
    for span in shown:
        end = spans.end_of(span)
        segments = [
            Segment(attempt.started_at, max(attempt.ended_at or end, attempt.started_at), "run")
            for attempt in span.attempts
            if attempt.started_at
        ]
        lanes.append(Lane(span.name, [Segment(span.start, end, "wait"), *segments]))
    instants = [mark.at for mark in spans.marks]
    return compressed_axis(lanes, instants, start=spans.run.start, end=max(spans.end_of(spans.run), spans.last))


def _percent(axis: TimeAxis, instant: float) -> float:
    return min(max(axis.unit(instant) / (axis.length or 1) * 100, 0), 100)


def _box(axis: TimeAxis, kind: str, start: int, end: int, tip: str) -> Markup:
    left, right = _percent(axis, start), _percent(axis, end)
    return element("i", class_=kind, style=f"left:{left:.3f}%;width:{right - left:.3f}%", title=tip)


# -- rows ----------------------------------------------------------------------------------------------------------


def _row(row: Sequence[s.Span], spans: s.RunSpans, axis: TimeAxis) -> Markup:
    boxes = join(box for span in row for box in _boxes(span, spans, axis))
    first = row[0]
    name = _label(first)
    title = f"{name} {first.id}" if len(row) == 1 else name
    note = _note(first, spans) if len(row) == 1 else f"{len(row)} of these"
    return Markup(
        f'<div class="row">{element("div", name, class_="name", title=title)}'
        f'<div class="track">{boxes}</div>{element("div", note, class_="note", title=note)}</div>'
    )


def _label(span: s.Span) -> str:
    if span.kind == s.TIMER:
        return f"timer {span.name}"
    prefix = {s.CHILD: "child ", s.UPDATE: "update ", s.LOCAL: "local "}.get(span.kind, "")
    return f"{prefix}{span.name}"


def _note(span: s.Span, spans: s.RunSpans) -> str:
    took = format_duration(spans.end_of(span) - span.start)
    attempts = span.attempts[-1].number if span.attempts else 0
    tries = f", {attempts} attempts" if attempts > 1 else ""
    return f"{SIGNS.get(span.outcome, '…')} {took}{tries}"


def _boxes(span: s.Span, spans: s.RunSpans, axis: TimeAxis) -> list[Markup]:
    end = spans.end_of(span)
    if span.kind != s.ACTIVITY:
        kind = _BARS.get(span.outcome) or _PLAIN.get(span.kind, "c")
        return [_box(axis, kind, span.start, end, _tip(span, end))]
    boxes, at = [], span.start
    for attempt in span.attempts:
        ready = min(max(attempt.scheduled_at, at), end)
        began = min(max(attempt.started_at or end, ready), end)
        ended = min(max(attempt.ended_at or end, began), end)
        if ready > at:
            boxes.append(_box(axis, "w", at, ready, f"waits {format_duration(ready - at)} to retry"))
        if began > ready:
            boxes.append(_box(axis, "q", ready, began, f"waits {format_duration(began - ready)} for a worker"))
        if attempt.started_at:
            kind = "c" if attempt.outcome in s.GOOD else _BARS.get(attempt.outcome, "o")
            boxes.append(_box(axis, kind, began, ended, _attempt_tip(span, attempt, ended - began)))
        at = ended
    if at < end and not span.is_over and span.attempts and span.attempts[-1].ended_at:
        boxes.append(_box(axis, "w", at, end, "waits to retry"))
    if at < end and not span.attempts:
        boxes.append(_box(axis, "q" if not span.is_over else "x", at, end, _tip(span, end)))
    return boxes


def _tip(span: s.Span, end: int) -> str:
    outcome = (span.outcome or "open").replace("_", " ")
    return f"{_label(span)} {span.id}: {outcome}, {format_duration(end - span.start)}"


def _attempt_tip(span: s.Span, attempt: s.Attempt, took: int) -> str:
    outcome = (attempt.outcome or "running").replace("_", " ")
    failure = f"\n{failure_line(attempt.failure, 200)}" if attempt.failure is not None else ""
    return f"{span.name} {span.id}, attempt {attempt.number}: {outcome}, {format_duration(took)}{failure}"


def _marks_row(marks: Sequence[s.Mark], axis: TimeAxis) -> Markup:
    signs = join(
        element(
            "b",
            _SYMBOLS.get(mark.kind, "◆"),
            style=f"left:{_percent(axis, mark.at):.3f}%",
            title=f"{mark.kind.replace('_', ' ')} {mark.name}",
        )
        for mark in marks
    )
    note = f"{len(marks):,} in all"
    return Markup(
        f'<div class="row">{element("div", "signals and marks", class_="name soft")}<div class="track">{signs}</div>'
        f"{element('div', note, class_='note')}</div>"
    )


def _packed(shown: Sequence[s.Span], spans: s.RunSpans) -> list[list[s.Span]]:
    """Rows by type, in the order of their first spans; on a row nothing overlaps."""
    groups: dict[str, tuple[s.Lanes, list[list[s.Span]]]] = {}
    for span in shown:
        taken, lanes = groups.setdefault("timer" if span.kind == s.TIMER else _label(span), (s.Lanes(), []))
        number = taken.take(span.start, spans.end_of(span))
        if number == len(lanes):
            lanes.append([])
        lanes[number].append(span)
    return [lane for _, lanes in groups.values() for lane in lanes]


# -- axis ----------------------------------------------------------------------------------------------------------

_STEPS = [
    unit * factor
    for unit, factors in (
        (1, (1, 2, 5, 10, 20, 50, 100, 200, 500)),
        (1_000, (1, 2, 5, 10, 20, 50, 100, 200, 500)),
        (1_000_000, (1, 2, 5, 10, 15, 30)),
        (60_000_000, (1, 2, 5, 10, 15, 30)),
        (3_600_000_000, (1, 2, 3, 6, 12)),
        (86_400_000_000, (1, 2, 7, 14, 30, 90, 365)),
    )
    for factor in factors
]
_APART = 9.0
"""Percent of the width that two labels keep between them."""


def _ticks(axis: TimeAxis, origin: int) -> list[tuple[float, str]]:
    """(percent, label) of the ticks, by the time since the start; none inside a break or too near another."""
    found: list[tuple[float, str]] = [(0.0, "0")]
    step = next((step for step in _STEPS if axis.length / step <= 9), _STEPS[-1])
    last = _label_of(axis.end - origin, step)
    room = 100 - max(_APART, len(last) + 5.0)
    pieces = [axis.start, *(edge for gap in axis.breaks for edge in (gap.start, gap.end)), axis.end]
    for begin, finish in zip(pieces[::2], pieces[1::2], strict=True):
        at = origin + -(-(begin - origin) // step) * step
        while at <= finish and len(found) < 60:
            place = _percent(axis, at)
            if place - found[-1][0] >= _APART and place < room:
                found.append((place, _label_of(at - origin, step)))
            at += step
    found.append((100.0, last))
    return found


def _label_of(microseconds: int, step: int) -> str:
    """A time since the start, as fine as the distance between ticks: ``+2.5 ms``, ``+12 s``, ``+1 d 0:02:05``."""
    for unit, name in ((1, "µs"), (1000, "ms"), (1_000_000, "s")):
        if microseconds < min(1000 * unit, 60_000_000):
            return f"+{round(microseconds / unit, 2):g} {name}"
    if step >= 60_000_000:
        text_of = format_duration(microseconds)
        return f"+{text_of.removesuffix(' 00 s').removesuffix(' 00 min').removesuffix(' 00 h')}"
    days, rest = divmod(microseconds, 86_400_000_000)
    seconds = rest / 1_000_000
    minutes, hours = int(seconds // 60) % 60, int(seconds // 3600)
    shown = f"{seconds % 60:04.1f}" if step < 1_000_000 else f"{int(seconds % 60):02d}"
    clock = f"{hours}:{minutes:02d}:{shown}" if hours or days else f"{minutes}:{shown}"
    return f"+{days} d {clock}" if days else f"+{clock}"


def _axis_row(axis: TimeAxis, origin: int) -> Markup:
    ticks = _ticks(axis, origin)
    labels = join(
        element("span", label, style=f"left:{place:.3f}%", class_="end" if place == 100.0 else None)
        for place, label in ticks
    )
    begins = format_instant(origin)
    return Markup(f'<div class="axis"><div>{text(begins)}</div><div>{labels}</div><div></div></div>')


def _grid(axis: TimeAxis, origin: int) -> Markup:
    lines = [element("i", style=f"left:{place:.3f}%") for place, _ in _ticks(axis, origin)]
    for gap in axis.breaks:
        left, right = _percent(axis, gap.start), _percent(axis, gap.end)
        style = f"left:{left:.3f}%;width:{right - left:.3f}%"
        lines.append(element("i", class_="break", style=style, title=f"{format_duration(gap.end - gap.start)} pass"))
    return Markup(f'<div class="grid">{join(lines)}</div>')


def _legend(axis: TimeAxis) -> Markup:
    entries = [
        Markup(f'<span><span class="track"><i class="{kind}"></i></span>{text(word)}</span>') for kind, word in _LEGEND
    ]
    if axis.breaks:
        skipped = sum(gap.end - gap.start for gap in axis.breaks)
        entries.append(element("span", f"hatched: {format_duration(skipped)} in which nothing ran, shown narrow"))
    return Markup(f'<div class="legend">{join(entries)}</div>')
