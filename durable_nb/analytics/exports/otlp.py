"""OpenTelemetry spans made from histories, in the OTLP/JSON encoding, one line for each run.

Spans carry the names and attributes of the Temporal SDKs' tracing interceptor (``RunWorkflow:…``, ``StartActivity:…``,
``RunActivity:…`` for each attempt), so dashboards made for those work. They come from what is recorded, never from
workflow code, so a replay adds nothing.

Invariant 'no doubles': trace and span ids follow from run ids and event ids, and only what is over becomes a span.
A later export of the same run holds the same spans, byte for byte, and those that ended since. What a run inherited
by reset or fork is a span of the run in which it happened, and a link here.

The trace id is the run ID of the root workflow without its hyphens: all children share the trace of their root.
Source: OTLP specification, "JSON Protobuf Encoding" and "File Exporter" (JSON lines).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from hashlib import sha256
from typing import Any

from durable_nb.analytics.exports import spans as s
from durable_nb.analytics.exports.records import RunRecord
from durable_nb.analytics.exports.span_reading import spans_of
from durable_nb.model.failure import Failure
from durable_nb.model.records import RunRow
from durable_nb.model.text import failure_kind, failure_line, root_failure, safe_text

Object = dict[str, Any]

SCOPE = "durable_nb.history"
"""Name of the instrumentation scope: where the spans come from."""

INTERNAL, SERVER, CLIENT = 1, 2, 3
"""Span kinds of the protocol."""

BATCH = 512
"""Spans that are sent at once, as many as OpenTelemetry's own exporters take by default; a run is never cut."""

_ERROR = 2
_BAD = frozenset({"failed", "timed_out", "terminated", "lost"})
_MESSAGE_LIMIT = 4000


def otlp_lines(runs: Iterable[RunRecord], *, service_name: str = "durable_nb") -> Iterator[str]:
    """JSON lines, each a ``TracesData`` object with the finished spans of one run; runs without one give no line.

    Parameters
    ----------
    service_name
        Resource attribute ``service.name``.
    """
    for record in runs:
        spans = otlp_spans(record)
        if spans:
            yield json.dumps(traces_data(record.run.namespace, spans, service_name), separators=(",", ":")) + "\n"


def traces_data(namespace: str, spans: list[Object], service_name: str = "durable_nb") -> Object:
    """The message ``TracesData`` (and ``ExportTraceServiceRequest``, which has the same form)."""
    resource = {"attributes": _attributes(resource_of(namespace, service_name))}
    return {"resourceSpans": [{"resource": resource, "scopeSpans": [{"scope": {"name": SCOPE}, "spans": spans}]}]}


def resource_of(namespace: str, service_name: str) -> Object:
    """Attributes of what made the spans: the service, and the namespace of its runs."""
    return {"service.name": service_name, "temporalNamespace": namespace}


def otlp_spans(record: RunRecord) -> list[Object]:
    """The finished spans of a run, as objects of the OTLP/JSON encoding."""
    return _RunSpans(spans_of(record)).all()


def span_batches(runs: Iterable[RunRecord]) -> Iterator[tuple[str, list[Object]]]:
    """The finished spans of many runs as they are sent: each batch of one namespace, with whole runs."""
    namespace, spans = "", list[Object]()
    for record in runs:
        if spans and (record.run.namespace != namespace or len(spans) >= BATCH):
            yield namespace, spans
            spans = []
        namespace = record.run.namespace
        spans += otlp_spans(record)
    if spans:
        yield namespace, spans


def trace_id(row: RunRow) -> str:
    """Trace of a run: that of the root of its tree."""
    return _trace_id(row.root_run_id or row.run_id)


def _trace_id(run_id: str) -> str:
    plain = run_id.replace("-", "").lower()
    if len(plain) == 32 and plain.strip("0") and all(digit in "0123456789abcdef" for digit in plain):
        return plain
    return sha256(f"trace {run_id}".encode("utf-8", "replace")).hexdigest()[:32]


def span_id(run_id: str, *parts: object) -> str:
    """Id of the span of a run (no parts), of an event (its id), or of an attempt (event id and number)."""
    text = " ".join(("span", run_id, *map(str, parts)))
    # Eight zero bytes would mean 'no span'; no input is known that hashes to them, and the bit costs nothing.
    return f"{int(sha256(text.encode('utf-8', 'replace')).hexdigest()[:16], 16) | 1:016x}"


class _RunSpans:
    """The spans of one run."""

    def __init__(self, spans: s.RunSpans) -> None:
        self.spans = spans
        self.row = spans.record.run
        self.trace = trace_id(self.row)
        self.root = span_id(self.row.run_id)

    def all(self) -> list[Object]:
        made = [self._run()] if self.spans.run.is_over else []
        for span in self.spans.own:
            made += self._of(span)
        return made

    def _run(self) -> Object:
        row, run = self.row, self.spans.run
        parent = span_id(row.parent_run_id, row.parent_initiated_event_id) if row.parent_run_id else ""
        made = self._span(self.root, parent, f"RunWorkflow:{run.name}", SERVER, run.start, run.end)
        made["attributes"] = _attributes(self._ids() | {"workflow.type": run.name, "outcome": run.outcome})
        made["events"] = [
            {
                "timeUnixNano": _nanoseconds(mark.at),
                "name": f"{mark.kind}:{safe_text(mark.name)}",
                "attributes": _attributes({"event.id": mark.event_id}),
            }
            for mark in self.spans.marks
        ]
        links = [run_id for run_id in (self.spans.record.started.continued_execution_run_id,) if run_id]
        links += [self.spans.base_run_id] if self.spans.base_run_id else []
        if links:
            # The runs of a chain share the root; a run that was reset or forked is a root of its own, like its base.
            made["links"] = [{"traceId": self._linked_trace(i), "spanId": span_id(i)} for i in links]
        return made | _status(run.outcome, run.failure)

    def _linked_trace(self, run_id: str) -> str:
        return self.trace if self.row.root_run_id not in ("", self.row.run_id) else _trace_id(run_id)

    def _of(self, span: s.Span) -> list[Object]:
        if span.kind == s.ACTIVITY:
            return self._activity(span)
        if not span.is_over:
            return []
        names = {
            s.LOCAL: ("RunActivity", SERVER),
            s.TIMER: ("Timer", INTERNAL),
            s.CHILD: ("StartChildWorkflow", CLIENT),
            s.UPDATE: ("HandleUpdate", SERVER),
            s.TASK: ("WorkflowTask", INTERNAL),
        }
        prefix, kind = names[span.kind]
        own = span_id(self.row.run_id, span.event_id)
        name = prefix if span.kind == s.TASK else f"{prefix}:{span.name}"
        made = self._span(own, self.root, name, kind, span.start, span.end)
        facts: Object = {"event.id": span.event_id, "outcome": span.outcome}
        if span.kind == s.CHILD:
            facts |= {"child.workflow.id": span.id, "child.run.id": span.execution.run_id if span.execution else ""}
        elif span.kind == s.LOCAL:
            facts |= {"temporalActivityID": span.id, "local": True, "attempt": span.attempts[0].number}
        elif span.kind == s.UPDATE:
            facts["temporalUpdateID"] = span.id
        made["attributes"] = _attributes(self._ids() | facts)
        return [made | _status(span.outcome, span.failure)]

    def _activity(self, span: s.Span) -> list[Object]:
        own = span_id(self.row.run_id, span.event_id)
        made = []
        ids = self._ids() | {"temporalActivityID": span.id, "task_queue": span.task_queue}
        if span.is_over:
            whole = self._span(own, self.root, f"StartActivity:{span.name}", CLIENT, span.start, span.end)
            facts = {"event.id": span.event_id, "outcome": span.outcome, "attempts": len(span.attempts)}
            whole["attributes"] = _attributes(ids | facts)
            made.append(whole | _status(span.outcome, span.failure))
        for attempt in span.attempts:
            if not (attempt.started_at and attempt.ended_at):
                continue
            number = attempt.number
            piece = self._span(
                span_id(self.row.run_id, span.event_id, number),
                own,
                f"RunActivity:{span.name}",
                SERVER,
                attempt.started_at,
                attempt.ended_at,
            )
            queued = attempt.started_at - attempt.scheduled_at
            facts = {"attempt": number, "outcome": attempt.outcome, "queue_time_us": queued, "worker": attempt.worker}
            piece["attributes"] = _attributes(ids | facts)
            if attempt.failure is not None:
                piece["events"] = [_exception(attempt.failure, attempt.ended_at)]
            made.append(piece | _status(attempt.outcome, attempt.failure))
        return made

    def _span(self, own: str, parent: str, name: str, kind: int, start: int, end: int) -> Object:
        made: Object = {"traceId": self.trace, "spanId": own}
        if parent:
            made["parentSpanId"] = parent
        made |= {"name": safe_text(name), "kind": kind}
        return made | {"startTimeUnixNano": _nanoseconds(start), "endTimeUnixNano": _nanoseconds(end)}

    def _ids(self) -> Object:
        return {"temporalWorkflowID": self.row.workflow_id, "temporalRunID": self.row.run_id}


def _nanoseconds(microseconds: int) -> str:
    return f"{max(microseconds, 0) * 1000}"  # unsigned in the protocol; 64-bit integers are text in its JSON


def _attributes(facts: Object) -> list[Object]:
    return [{"key": key, "value": _value(value)} for key, value in facts.items() if value != ""]


def _value(value: object) -> Object:
    if isinstance(value, bool):
        return {"boolValue": value}
    if isinstance(value, int):
        return {"intValue": str(value)}
    return {"stringValue": safe_text(value, _MESSAGE_LIMIT, keep_lines=True)}


def _status(outcome: str, failure: Failure | None) -> Object:
    if outcome not in _BAD:
        return {}  # Unset: the convention for what did not fail.
    return {"status": {"code": _ERROR, "message": failure_line(failure) if failure is not None else outcome}}


def _exception(failure: Failure, at: int) -> Object:
    cause = root_failure(failure)
    facts = {
        "exception.type": failure_kind(cause),
        "exception.message": cause.message,
        "exception.stacktrace": cause.stack_trace,
    }
    return {"timeUnixNano": _nanoseconds(at), "name": "exception", "attributes": _attributes(facts)}
