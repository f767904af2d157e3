"""Runs as a trace for Perfetto and chrome://tracing (Trace Event Format, JSON object form).

One process for each run, or for each worker. Within a process every thread is a lane on which slices nest and never
overlap, which is what both viewers demand of complete events. A run has a lane for itself, one for its workflow tasks,
and lanes for each type of activity, for timers, children and updates. A slice of an activity holds its attempts, each
with the time in the queue before it and the back-off after it. Children are joined to their parents, and the runs of a
chain to each other, by flow arrows; signals and the like are instant events.

Source: "Trace Event Format" (Google), https://perfetto.dev/docs/faq on nesting.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from hashlib import sha256
from itertools import count
from typing import Any

from durable_nb.analytics.exports import spans as s
from durable_nb.analytics.exports.records import RunRecord
from durable_nb.analytics.exports.span_reading import spans_of
from durable_nb.model.records import RunRow
from durable_nb.model.text import failure_line, failure_text, payload_text, payloads_text, safe_text

Slice = dict[str, Any]

_HEAD = '{"displayTimeUnit":"ms","otherData":{"producer":"durable_nb"},"traceEvents":[\n'
_COLOURS = {
    "completed": "good",
    "fired": "good",
    "continued_as_new": "good",
    "failed": "terrible",
    "timed_out": "terrible",
    "lost": "terrible",
    "terminated": "terrible",
    "canceled": "bad",
    s.ABANDONED: "grey",
}
_TASKS, _MESSAGES, _FIRST_LANE = 2, 3, 10


def chrome_trace(runs: Iterable[RunRecord], *, group_by: str = "run", payloads: bool = True) -> Iterator[str]:
    """The JSON text of a trace, in pieces.

    Parameters
    ----------
    group_by
        ``run``: a process for each run. ``worker``: a process for each worker, with the attempts that it ran; what
        ran on no known worker is left out, and the attempts of all runs are held in memory.
    payloads
        Whether slices carry short texts of inputs and results.

    Raises
    ------
    ValueError
        ``group_by`` is something else.
    """
    if group_by not in ("run", "worker"):
        raise ValueError(f"group_by is 'run' or 'worker', not {group_by!r}")
    events = _by_run(runs, payloads) if group_by == "run" else _by_worker(runs)
    yield _HEAD
    separator = ""
    for event in events:
        yield separator + json.dumps(event, separators=(",", ":"))
        separator = ",\n"
    yield "\n]}\n"


def _by_run(runs: Iterable[RunRecord], payloads: bool) -> Iterator[Slice]:
    for pid, record in enumerate(runs, start=1):
        yield from _RunTrace(pid, spans_of(record), payloads).events()


class _RunTrace:
    """The events of one run."""

    def __init__(self, pid: int, spans: s.RunSpans, payloads: bool) -> None:
        self.pid, self.spans, self.payloads = pid, spans, payloads

    def events(self) -> Iterator[Slice]:
        spans, row = self.spans, self.spans.record.run
        title = f"{safe_text(row.workflow_type, 80)} {safe_text(row.workflow_id, 120)}"
        yield from _named_process(self.pid, title, safe_text(row.run_id))
        yield from _named_thread(self.pid, 1, "workflow", 0)
        yield self._slice(1, spans.run, spans.run.name)
        yield from self._links()
        tasks = [span for span in spans.own if span.kind == s.TASK]
        if tasks:
            yield from _named_thread(self.pid, _TASKS, "workflow tasks", 1)
            yield from (self._slice(_TASKS, task, task.name) for task in tasks)
        if spans.marks:
            yield from _named_thread(self.pid, _MESSAGES, "signals and marks", 2)
            yield from map(self._instant, spans.marks)
        yield from self._lanes()

    def _lanes(self) -> Iterator[Slice]:
        groups: dict[str, list[s.Span]] = {}
        for span in self.spans.own:
            if span.kind != s.TASK:
                groups.setdefault(_group(span), []).append(span)
        tids = count(_FIRST_LANE)
        for group, members in groups.items():
            lanes = _pack(members, self.spans.end_of)
            for number, lane in enumerate(lanes, start=1):
                tid = next(tids)
                yield from _named_thread(self.pid, tid, group if len(lanes) == 1 else f"{group} ({number})", tid)
                for span in lane:
                    yield self._slice(tid, span, safe_text(span.name, 80))
                    yield from self._attempts(tid, span)
                    if span.kind == s.CHILD and span.execution is not None:
                        row = self.spans.record.run
                        yield _flow("s", self.pid, tid, span.start, "child", f"{row.run_id}:{span.event_id}")

    def _attempts(self, tid: int, span: s.Span) -> Iterator[Slice]:
        at, end = span.start, self.spans.end_of(span)
        for attempt in span.attempts if span.kind == s.ACTIVITY else ():
            ready = min(max(attempt.scheduled_at, at), end)
            began = min(max(attempt.started_at or end, ready), end)
            ended = min(max(attempt.ended_at or end, began), end)
            if ready > at:
                yield self._complete(tid, "back-off", "backoff", at, ready, {})
            if began > ready:
                yield self._complete(tid, "queue", "queue", ready, began, {})
            if attempt.started_at:
                args: dict[str, Any] = {"attempt": attempt.number, "outcome": attempt.outcome or "running"}
                args["worker"] = safe_text(attempt.worker)
                if attempt.failure is not None:
                    args["failure"] = failure_text(attempt.failure)
                piece = self._complete(tid, f"attempt {attempt.number}", "attempt", began, ended, args)
                yield piece | _colour(attempt.outcome)
            at = ended

    def _slice(self, tid: int, span: s.Span, name: str) -> Slice:
        args: dict[str, Any] = {"event_id": span.event_id, "outcome": span.outcome or "open"}
        if span.id:
            args["id"] = safe_text(span.id)
        if span.task_queue:
            args["task_queue"] = safe_text(span.task_queue)
        if span.summary is not None:
            args["summary"] = payload_text(span.summary)
        if span.attempts:
            args["attempts"] = span.attempts[-1].number
        if span.failure is not None:
            args["failure"] = failure_line(span.failure)
        if self.payloads and span.input is not None:
            args["input"] = payloads_text(span.input)
        if self.payloads and span.result is not None:
            args["result"] = payloads_text(span.result)
        whole = self._complete(tid, name, span.kind, span.start, self.spans.end_of(span), args)
        return whole | _colour(span.outcome)

    def _complete(self, tid: int, name: str, kind: str, start: int, end: int, args: Slice) -> Slice:
        return {
            "ph": "X", "name": name, "cat": kind, "pid": self.pid, "tid": tid, "ts": start, "dur": end - start,
            "args": args,
        }  # fmt: skip

    def _instant(self, mark: s.Mark) -> Slice:
        name = f"{mark.kind.replace('_', ' ')}: {safe_text(mark.name, 80)}"
        args: Slice = {"event_id": mark.event_id}
        if mark.identity:
            args["identity"] = safe_text(mark.identity)
        if self.payloads and mark.input is not None:
            args["input"] = payloads_text(mark.input)
        return {
            "ph": "i", "s": "t", "name": name, "cat": mark.kind, "pid": self.pid, "tid": _MESSAGES, "ts": mark.at,
            "args": args,
        }  # fmt: skip

    def _links(self) -> Iterator[Slice]:
        """Where this run came from, and the run that follows it."""
        record, start = self.spans.record, self.spans.run.start
        row, before = record.run, record.started.continued_execution_run_id
        if row.parent_run_id and not before:
            yield _flow("f", self.pid, 1, start, "child", f"{row.parent_run_id}:{row.parent_initiated_event_id}")
        if before:
            yield _flow("f", self.pid, 1, start, "continued", f"{before}>{row.run_id}")
        after = getattr(record.closing, "new_execution_run_id", "")
        if after:
            yield _flow("s", self.pid, 1, self.spans.end_of(self.spans.run), "continued", f"{row.run_id}>{after}")


def _group(span: s.Span) -> str:
    if span.kind == s.ACTIVITY:
        return safe_text(span.name, 80)
    if span.kind == s.LOCAL:
        return f"local {safe_text(span.name, 80)}"
    if span.kind == s.CHILD:
        return f"child {safe_text(span.name, 80)}"
    return {s.TIMER: "timers", s.UPDATE: "updates"}[span.kind]


def _pack(spans: list[s.Span], end_of: Any) -> list[list[s.Span]]:
    """As few lanes as the spans need for none to overlap; each span goes to the first lane that is free."""
    taken, lanes = s.Lanes(), list[list[s.Span]]()
    for span in sorted(spans, key=lambda each: (each.start, each.event_id)):
        number = taken.take(span.start, end_of(span))
        if number == len(lanes):
            lanes.append([])
        lanes[number].append(span)
    return lanes


def _colour(outcome: str) -> Slice:
    name = _COLOURS.get(outcome)
    return {"cname": name} if name else {}


def _named_process(pid: int, name: str, label: str = "") -> Iterator[Slice]:
    yield {"ph": "M", "name": "process_name", "pid": pid, "tid": 0, "args": {"name": name}}
    yield {"ph": "M", "name": "process_sort_index", "pid": pid, "tid": 0, "args": {"sort_index": pid}}
    if label:
        yield {"ph": "M", "name": "process_labels", "pid": pid, "tid": 0, "args": {"labels": label}}


def _named_thread(pid: int, tid: int, name: str, order: int) -> Iterator[Slice]:
    yield {"ph": "M", "name": "thread_name", "pid": pid, "tid": tid, "args": {"name": name}}
    yield {"ph": "M", "name": "thread_sort_index", "pid": pid, "tid": tid, "args": {"sort_index": order}}


def _flow(phase: str, pid: int, tid: int, at: int, name: str, key: str) -> Slice:
    """One end of an arrow. Both ends make the same id from the same key, so neither has to know the other."""
    number = int.from_bytes(sha256(key.encode("utf-8", "replace")).digest()[:6], "big")
    flow: Slice = {"ph": phase, "name": name, "cat": "flow", "id": number, "pid": pid, "tid": tid, "ts": at}
    return flow | {"bp": "e"} if phase == "f" else flow


# -- by worker -----------------------------------------------------------------------------------------------------


def _by_worker(runs: Iterable[RunRecord]) -> Iterator[Slice]:
    workers: dict[str, list[tuple[int, int, str, Slice, str]]] = {}
    for record in runs:
        spans = spans_of(record)
        for span in spans.own:
            for attempt in span.attempts if span.kind == s.ACTIVITY else ():
                if attempt.worker and attempt.started_at:
                    end = attempt.ended_at or max(spans.last, attempt.started_at)
                    args = _attempt_args(record.run, span, attempt)
                    piece = (attempt.started_at, end, safe_text(span.name, 80), args, attempt.outcome)
                    workers.setdefault(attempt.worker, []).append(piece)
    for pid, worker in enumerate(sorted(workers), start=1):
        yield from _named_process(pid, safe_text(worker, 120))
        lanes, named = s.Lanes(), 0
        for start, end, name, args, outcome in sorted(workers[worker], key=lambda piece: piece[:2]):
            lane = lanes.take(start, end)
            if lane == named:
                named += 1
                yield from _named_thread(pid, lane + 1, f"slot {lane + 1}", lane)
            piece_of = {"ph": "X", "name": name, "cat": "attempt", "pid": pid, "tid": lane + 1, "ts": start}
            yield piece_of | {"dur": end - start, "args": args} | _colour(outcome)


def _attempt_args(row: RunRow, span: s.Span, attempt: s.Attempt) -> Slice:
    args: Slice = {
        "workflow_type": safe_text(row.workflow_type),
        "workflow_id": safe_text(row.workflow_id),
        "run_id": safe_text(row.run_id),
        "activity_id": safe_text(span.id),
        "attempt": attempt.number,
        "outcome": attempt.outcome or "running",
    }
    if attempt.failure is not None:
        args["failure"] = failure_line(attempt.failure)
    return args
