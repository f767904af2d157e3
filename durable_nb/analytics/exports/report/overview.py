"""Many runs in a report: counts, types, and a table of the runs. Holds a few numbers of each run, not the runs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from math import ceil

import msgspec

from durable_nb.analytics.exports import spans as s
from durable_nb.analytics.exports.records import next_run_id
from durable_nb.analytics.exports.report.markup import Markup, element, join, state, table
from durable_nb.model.text import failure_line, format_duration, format_instant, root_failure

MAX_ROWS = 5000
"""Rows of the table; what is beyond is counted."""


class RunLine(msgspec.Struct, frozen=True):
    """What the overview keeps of a run."""

    workflow_type: str
    workflow_id: str
    run_id: str
    outcome: str
    goes_on: bool
    """Whether another run follows it: it was retried, continued as new, or runs by cron."""
    start: int
    took: int
    """From when it could begin, as ``runs.duration_us``."""
    attempts: int
    failed_attempts: int
    error: str
    anchor: str


def run_line(spans: s.RunSpans, anchor: str) -> RunLine:
    """The line of a run; ``anchor`` is the id of its details on the page, "" for none."""
    run = spans.record.run
    attempts = [attempt for span in spans.own if span.kind == s.ACTIVITY for attempt in span.attempts]
    failed = sum(attempt.outcome in ("failed", "timed_out", "lost") for attempt in attempts)
    failure = spans.run.failure
    error = failure_line(root_failure(failure), 160) if failure is not None else ""
    return RunLine(
        run.workflow_type,
        run.workflow_id,
        run.run_id,
        spans.run.outcome,
        bool(next_run_id(spans.record)),
        run.start_time,
        max(spans.end_of(spans.run) - spans.run.started_at, 0),
        len(attempts),
        failed,
        error,
        anchor,
    )


def tiles(lines: Sequence[RunLine]) -> Markup:
    """The numbers that people look for first."""
    outcomes = Counter(line.outcome for line in lines)
    closed = [line.took for line in lines if line.outcome not in ("", "continued_as_new")]
    shown: list[tuple[str, str, str]] = [(f"{len(lines):,}", "runs", "")]
    names = {"completed": "completed", "failed": "failed", "timed_out": "timed out", "terminated": "terminated",
             "canceled": "canceled", "continued_as_new": "continued as new", "": "running"}  # fmt: skip
    tones = {"completed": "good", "failed": "bad", "timed_out": "bad", "terminated": "bad", "": "busy"}
    shown += [(f"{outcomes[word]:,}", name, tones.get(word, "")) for word, name in names.items() if outcomes[word]]
    if rate := success(lines):
        shown.append((rate, "success", ""))
    if closed:
        shown.append((format_duration(quantile(closed, 0.5)), "median", ""))
        shown.append((format_duration(quantile(closed, 0.95)), "95 % within", ""))
    return Markup(f'<div class="tiles">{join(_tile(*each) for each in shown)}</div>')


def _tile(number: str, name: str, tone: str) -> Markup:
    return Markup(f'<div class="tile">{element("b", number, class_=tone or None)}{element("span", name)}</div>')


def success(lines: Sequence[RunLine]) -> str:
    """The success rate, as ``durable_nb.stats.success_rate`` has it; "" where nothing is decided."""
    good = sum(line.outcome == "completed" for line in lines)
    bad = sum(
        line.outcome == "terminated" or (line.outcome in ("failed", "timed_out") and not line.goes_on) for line in lines
    )
    return f"{100 * good / (good + bad):.1f} %" if good + bad else ""


def quantile(values: Sequence[int], share: float) -> int:
    """The value that ``share`` of all do not exceed (nearest rank)."""
    ordered = sorted(values)
    return ordered[max(ceil(len(ordered) * share) - 1, 0)] if ordered else 0


def types_table(lines: Sequence[RunLine]) -> Markup:
    """One row for each workflow type, the most frequent first."""
    by_type: dict[str, list[RunLine]] = {}
    for line in lines:
        by_type.setdefault(line.workflow_type, []).append(line)
    rows = []
    for name, members in sorted(by_type.items(), key=lambda item: (-len(item[1]), item[0])):
        closed = [line.took for line in members if line.outcome not in ("", "continued_as_new")]
        attempts, failed = sum(line.attempts for line in members), sum(line.failed_attempts for line in members)
        rows.append(
            (
                element("b", name),
                f"{len(members):,}",
                success(members),
                format_duration(quantile(closed, 0.5)) if closed else "",
                format_duration(quantile(closed, 0.95)) if closed else "",
                f"{attempts:,}",
                f"{failed:,}" if failed else "",
            )
        )
    header = ("workflow type", "runs", "success", "median", "95 % within", "activity attempts", "failed attempts")
    return Markup(
        f'<section class="card">{element("h2", "By type")}{table(header, rows, frozenset(range(1, 7)))}</section>'
    )


def runs_table(lines: Sequence[RunLine]) -> Markup:
    """One row for each run, as they came."""
    longest = max((line.took for line in lines), default=0) or 1
    rows = [_row(line, longest) for line in lines[:MAX_ROWS]]
    more = len(lines) - MAX_ROWS
    note = element("p", f"… and {more:,} more runs", class_="soft") if more > 0 else Markup("")
    header = ("run", "status", "started", "took", "", "attempts", "error")
    return Markup(
        f'<section class="card">{element("h2", "Runs")}{table(header, rows, frozenset({3, 5}))}{note}</section>'
    )


def _row(line: RunLine, longest: int) -> tuple[object, ...]:
    name = element("a", line.workflow_id, href=f"#{line.anchor}") if line.anchor else element("span", line.workflow_id)
    kind = "f" if line.outcome in ("failed", "timed_out", "terminated") else "c" if line.outcome == "completed" else ""
    bar = element("i", class_=kind or None, style=f"width:{100 * line.took / longest:.2f}%")
    attempts = f"{line.attempts:,}" + (f" ({line.failed_attempts:,} failed)" if line.failed_attempts else "")
    return (
        Markup(f"{name}{element('div', line.workflow_type, class_='soft')}"),
        state(line.outcome),
        format_instant(line.start).removesuffix(" UTC"),
        format_duration(line.took),
        Markup(f'<div class="share">{bar}</div>'),
        attempts,
        element("span", line.error, class_="bad") if line.error else "",
    )
