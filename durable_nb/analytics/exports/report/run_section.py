"""One run in a report: facts, what came out, timeline, activities with every attempt, source, history."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from durable_nb.analytics.exports import spans as s
from durable_nb.analytics.exports.records import next_run_id
from durable_nb.analytics.exports.report.markup import LONG, Markup, element, facts, join, pre, state, table, text
from durable_nb.analytics.exports.report.timeline import timeline
from durable_nb.model.attributes import WorkflowExecutionTerminated
from durable_nb.model.events import Event, encode_attributes
from durable_nb.model.failure import Failure
from durable_nb.model.payload import Payload
from durable_nb.model.records import DefinitionRow
from durable_nb.model.text import (
    failure_line,
    failure_text,
    format_duration,
    format_instant,
    format_size,
    payload_map_text,
    payload_text,
    payloads_text,
    root_failure,
)

MAX_ACTIVITIES = 500
MAX_EVENTS = 5000
_EVENT_TEXT = 600
_fields: msgspec.json.Decoder[dict[str, Payload]] = msgspec.json.Decoder(dict[str, Payload])


def run_section(spans: s.RunSpans, definition: DefinitionRow | None = None, *, events: bool = True) -> Iterator[Markup]:
    """Cards about a run; ``events`` adds the table of its history."""
    yield _card(_facts(spans))
    yield from map(_card, _outcome(spans))
    chart = timeline(spans)
    if chart:
        yield _card(element("h2", "Timeline") + chart)
    activities = [span for span in spans.spans if span.kind in (s.ACTIVITY, s.LOCAL)]
    if activities:
        yield _card(_activities(activities, spans))
    others = [span for span in spans.spans if span.kind in (s.CHILD, s.UPDATE)]
    if others or spans.marks:
        yield _card(_messages(others, spans))
    failed_tasks = [span for span in spans.spans if span.kind == s.TASK and span.failure is not None]
    if failed_tasks:
        yield _card(_failed_tasks(failed_tasks))
    if definition is not None:
        yield _card(_definition(definition))
    if events:
        yield _card(_events(spans))


def _card(content: str) -> Markup:
    return Markup(f'<section class="card">{content}</section>')


def _facts(spans: s.RunSpans) -> Markup:
    record, run = spans.record, spans.record.run
    started = record.started
    took = format_duration(run.close_time - run.start_time) if run.close_time else ""
    memo = _fields.decode(run.memo) if run.memo else {}
    search = _fields.decode(run.search_attributes) if run.search_attributes else {}
    attempts = sum(len(span.attempts) for span in spans.own if span.kind == s.ACTIVITY)
    activities = sum(span.kind == s.ACTIVITY for span in spans.own)
    return facts(
        [
            ("started", format_instant(run.start_time, milliseconds=True), False),
            ("closed", format_instant(run.close_time, milliseconds=True) if run.close_time else "", False),
            ("took", took, False),
            ("history", f"{len(record.events):,} events, {format_size(run.history_size)}", False),
            ("task queue", run.task_queue, False),
            ("activities", f"{activities:,} in {attempts:,} attempts" if activities else "", False),
            ("namespace", run.namespace if run.namespace != "default" else "", False),
            ("attempt", started.attempt if started.attempt > 1 else "", False),
            ("cron", started.cron_schedule, False),
            ("run ID", _code(run.run_id), True),
            ("parent", f"{run.parent_workflow_id}, run {run.parent_run_id}" if run.parent_workflow_id else "", True),
            ("continues", _code(started.continued_execution_run_id), True),
            ("followed by", _code(next_run_id(record)), True),
            ("reset or forked from", _code(spans.base_run_id), True),
            ("definition", _code(run.definition), True),
            ("memo", payload_map_text(memo), True),
            ("search attributes", payload_map_text(search), True),
            ("input", _payloads(started.input), True),
        ]
    )


def _code(value: str) -> Markup | str:
    return element("code", value) if value else ""


def _payloads(payloads: list[Payload] | None) -> Markup | str:
    return element("code", payloads_text(payloads, 1000)) if payloads else ""


def _outcome(spans: s.RunSpans) -> Iterator[str]:
    run, closing = spans.run, spans.record.closing
    if run.result:
        yield element("h2", "Result") + pre(payloads_text(run.result, LONG))
    if run.failure is not None:
        yield element("h2", "Failure", class_="bad") + _failure(run.failure)
    if isinstance(closing, WorkflowExecutionTerminated) and closing.reason:
        yield element("h2", "Terminated", class_="bad") + element("p", closing.reason)


def _failure(failure: Failure) -> str:
    cause = root_failure(failure)
    shown = str(pre(failure_text(failure, LONG)))
    if cause.stack_trace:
        shown += f"<details><summary>stack trace</summary>{pre(cause.stack_trace.strip(), 8000)}</details>"
    return shown


# -- activities ----------------------------------------------------------------------------------------------------


def _activities(activities: list[s.Span], spans: s.RunSpans) -> str:
    rows = []
    for span in activities[:MAX_ACTIVITIES]:
        queue, ran, waited = _split(span)
        rows.append(
            (
                element("b", span.name) + element("div", _about(span), class_="soft"),
                state(span.outcome),
                max(span.attempts[-1].number, 1) if span.attempts else 0,
                format_duration(queue),
                format_duration(ran),
                format_duration(waited) if waited else "",
                _values(span),
            )
        )
    header = ("activity", "outcome", "attempts", "queued", "ran", "back-off", "input and result")
    cells = [(Markup(name), *rest) for name, *rest in rows]
    more = len(activities) - MAX_ACTIVITIES
    note = element("p", f"… and {more:,} more", class_="soft") if more > 0 else ""
    return element("h2", "Activities") + table(header, cells, frozenset({2, 3, 4, 5}), named=True) + note


def _about(span: s.Span) -> str:
    parts = [f"id {span.id}"]
    if span.kind == s.LOCAL:
        parts.append("local")
    if span.task_queue:
        parts.append(f"queue {span.task_queue}")
    if span.worker:
        parts.append(f"on {span.worker}")
    if span.inherited:
        parts.append("from the run before the reset")
    if span.summary is not None:
        parts.append(payload_text(span.summary))
    return ", ".join(parts)


def _split(span: s.Span) -> tuple[int, int, int]:
    """Microseconds in the queue, at work and in back-off, over all attempts."""
    queue = ran = waited = 0
    at = span.start
    for attempt in span.attempts:
        waited += max(attempt.scheduled_at - at, 0)
        if attempt.started_at:
            queue += max(attempt.started_at - attempt.scheduled_at, 0)
            if attempt.ended_at:
                ran += attempt.ended_at - attempt.started_at
        at = attempt.ended_at or at
    return queue, ran, waited


def _values(span: s.Span) -> Markup:
    parts = []
    if span.input:
        parts.append(element("code", payloads_text(span.input, 300)))
    if span.result:
        parts.append(Markup(f"→ {element('code', payloads_text(span.result, 300))}"))
    failed = [attempt for attempt in span.attempts if attempt.failure is not None]
    if not failed and span.failure is not None:
        parts.append(element("span", failure_line(span.failure), class_="bad"))
    for attempt in failed:
        failure = attempt.failure
        assert failure is not None  # noqa: S101 - chosen above
        head = element("span", f"attempt {attempt.number}: {failure_line(failure, 300)}", class_="bad")
        stack = root_failure(failure).stack_trace.strip()
        if stack:
            parts.append(Markup(f"<details><summary>{head}</summary>{pre(stack, 8000)}</details>"))
        else:
            parts.append(Markup(f"<div>{head}</div>"))
    return join(parts, " ")


# -- the rest ------------------------------------------------------------------------------------------------------


def _messages(others: list[s.Span], spans: s.RunSpans) -> str:
    rows: list[tuple[int, object, object, object, object]] = []
    for span in others:
        what = "child" if span.kind == s.CHILD else "update"
        took = format_duration(spans.end_of(span) - span.start)
        values = join([Markup(_payloads(span.input)), Markup(f" → {_payloads(span.result)}" if span.result else "")])
        if span.failure is not None:
            values = Markup(f"{values} {element('span', failure_line(span.failure), class_='bad')}")
        rows.append((span.start, what, f"{span.name} {span.id}", state(span.outcome) + f" {took}", values))
    for mark in spans.marks:
        kind = mark.kind.replace("_", " ")
        rows.append((mark.at, kind, mark.name, mark.identity, Markup(_payloads(mark.input))))
    rows.sort(key=lambda row: row[0])
    origin = spans.run.start
    cells = [
        (f"+{format_duration(at - origin)}", kind, name, Markup(end) if kind in ("child", "update") else end, values)
        for at, kind, name, end, values in rows
    ]
    return element("h2", "Messages and children") + table(
        ("when", "what", "name", "outcome or sender", "values"), cells
    )


def _failed_tasks(tasks: list[s.Span]) -> str:
    parts = [element("h2", "Failed workflow tasks", class_="bad")]
    for task in tasks[-20:]:
        failure = task.failure
        assert failure is not None  # noqa: S101 - chosen by the caller
        parts.append(element("p", f"event {task.end_event_id}, {task.id}"))
        parts.append(Markup(_failure(failure)))
    return join(parts)


def _definition(row: DefinitionRow) -> str:
    head = f"<summary>{element('h2', 'Definition')} {element('span', row.origin, class_='soft')}</summary>"
    return f"<details>{head}{pre(row.source, 100_000)}</details>"


def _events(spans: s.RunSpans) -> str:
    record = spans.record
    origin = record.events[0].event_time
    rows = (
        (
            event.event_id,
            f"+{format_duration(event.event_time - origin)}",
            element("span", event.event_type.title, class_="whole"),
            _attributes(event),
        )
        for event in record.events[:MAX_EVENTS]
    )
    more = len(record.events) - MAX_EVENTS
    note = element("p", f"… and {more:,} more events", class_="soft") if more > 0 else ""
    body = table(("event", "when", "type", "attributes"), rows, frozenset({0, 1}))
    count = element("span", f"{len(record.events):,} events", class_="soft")
    return f"<details><summary>{element('h2', 'History')} {count}</summary>{body}{note}</details>"


def _attributes(event: Event) -> Markup:
    shown = encode_attributes(event.attributes)[: 4 * _EVENT_TEXT].decode("utf-8", "replace")
    return element("code", text(shown, _EVENT_TEXT)) if shown != "{}" else Markup("")
