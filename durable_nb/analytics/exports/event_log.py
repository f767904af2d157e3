"""Runs as a process-mining event log: one case for each run, one row for each step of a lifecycle.

``event_log`` makes the rows; ``event_log_csv`` and ``xes.xes_log`` write them. The lifecycle is the standard one of
XES: an activity is scheduled, started, completed; an attempt that failed and is repeated suspends it and the next one
resumes it; for good it ends by ``complete``, ``ate_abort`` (failed, timed out, canceled while it ran) or ``withdraw``
(ended before anybody began). Signals and cancel requests are single ``complete`` rows. What a run inherited by reset or
fork is a row of the run in which it happened.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator

import msgspec

from durable_nb.analytics.exports import spans as s
from durable_nb.analytics.exports.instants import iso_instant
from durable_nb.analytics.exports.records import RunRecord
from durable_nb.analytics.exports.span_reading import spans_of
from durable_nb.model.failure import Failure
from durable_nb.model.text import failure_kind, root_failure, safe_text

SCHEDULE, START, SUSPEND, RESUME = "schedule", "start", "suspend", "resume"
COMPLETE, ABORT, WITHDRAW = "complete", "ate_abort", "withdraw"

_KINDS = frozenset({s.ACTIVITY, s.LOCAL, s.TIMER, s.CHILD, s.UPDATE})
_MARKS = frozenset({s.SIGNAL, s.CANCEL})
_CAREFUL = ("=", "+", "-", "@", "\t", "\r")
"""What a spreadsheet would take for the beginning of a formula."""


class LogEvent(msgspec.Struct, frozen=True):
    """A row of the log; its case is the run."""

    activity: str
    """What happened, as process mining names activities: the type, not the id."""
    lifecycle: str
    at: int
    kind: str
    instance: str
    """Tells simultaneous instances of one activity apart."""
    resource: str = ""
    group: str = ""
    """Task queue."""
    attempt: int = 0
    outcome: str = ""
    error_type: str = ""
    error: str = ""


def event_log(spans: s.RunSpans) -> list[LogEvent]:
    """The rows of a run in the order of time."""
    rows: list[LogEvent] = []
    for span in spans.own:
        if span.kind in _KINDS:
            rows += _activity(span) if span.kind == s.ACTIVITY else _whole(span)
    for mark in spans.marks:
        if mark.kind in _MARKS:
            name = f"signal {mark.name}" if mark.kind == s.SIGNAL else "cancel request"
            rows.append(LogEvent(name, COMPLETE, mark.at, mark.kind, f"event {mark.event_id}", mark.identity))
    rows.sort(key=lambda row: row.at)
    return rows


def _activity(span: s.Span) -> Iterator[LogEvent]:
    def row(lifecycle: str, at: int, attempt: s.Attempt | None = None, outcome: str = "") -> LogEvent:
        failure = attempt.failure if attempt is not None and lifecycle in (SUSPEND, ABORT) else None
        return LogEvent(
            span.name,
            lifecycle,
            at,
            span.kind,
            span.id,
            attempt.worker if attempt is not None else "",
            span.task_queue,
            attempt.number if attempt is not None else 0,
            outcome,
            *_error(failure or (span.failure if lifecycle in (ABORT, WITHDRAW) else None)),
        )

    yield row(SCHEDULE, span.start)
    ran = [attempt for attempt in span.attempts if attempt.started_at]
    for number, attempt in enumerate(ran):
        yield row(RESUME if number else START, attempt.started_at, attempt)
        last = number == len(ran) - 1
        if attempt.ended_at and not (last and span.is_over):
            yield row(SUSPEND, attempt.ended_at, attempt, attempt.outcome)
    if span.is_over:
        done = COMPLETE if span.outcome in s.GOOD else ABORT if ran else WITHDRAW
        yield row(done, span.end, ran[-1] if ran else None, span.outcome)


def _whole(span: s.Span) -> Iterator[LogEvent]:
    names = {s.TIMER: "timer", s.CHILD: f"child {span.name}", s.UPDATE: f"update {span.name}"}
    name = names.get(span.kind, span.name)
    yield LogEvent(name, START, span.start, span.kind, span.id, group=span.task_queue)
    if span.is_over:
        done = COMPLETE if span.outcome in s.GOOD else ABORT
        error_type, error = _error(span.failure)
        yield LogEvent(
            name, done, span.end, span.kind, span.id, group=span.task_queue, outcome=span.outcome,
            error_type=error_type, error=error,
        )  # fmt: skip


def _error(failure: Failure | None) -> tuple[str, str]:
    if failure is None:
        return "", ""
    cause = root_failure(failure)
    return failure_kind(cause), safe_text(cause.message, 1000)


CSV_COLUMNS = (
    "case_id",
    "workflow_id",
    "workflow_type",
    "case_status",
    "activity",
    "lifecycle",
    "timestamp",
    "kind",
    "instance",
    "resource",
    "task_queue",
    "attempt",
    "outcome",
    "error_type",
    "error",
)
"""``timestamp`` is RFC 3339 in UTC with microseconds; ``case_id`` the run ID; ``attempt`` empty where there is none."""


def event_log_csv(runs: Iterable[RunRecord]) -> Iterator[str]:
    """The log as CSV (RFC 4180, UTF-8), in pieces; the first is the header.

    A text that a spreadsheet would take for a formula gets an apostrophe in front: some come from payloads.
    """
    buffer = io.StringIO()
    write = csv.writer(buffer)
    write.writerow(CSV_COLUMNS)
    for record in runs:
        run, spans = record.run, spans_of(record)
        case = (run.run_id, run.workflow_id, run.workflow_type, spans.run.outcome or "running")
        for row in event_log(spans):
            cells = (
                *case,
                row.activity,
                row.lifecycle,
                iso_instant(row.at),
                row.kind,
                row.instance,
                row.resource,
                row.group,
                str(row.attempt or ""),
                row.outcome,
                row.error_type,
                row.error,
            )
            write.writerow([_cell(cell) for cell in cells])
        yield buffer.getvalue()
        buffer.seek(0)
        buffer.truncate()
    yield buffer.getvalue()


def _cell(text: str) -> str:
    clean = safe_text(text, 2000)
    return f"'{clean}" if clean.startswith(_CAREFUL) else clean
