"""Runs as a process-mining log in XES 1.0 (IEEE 1849), with the extensions concept, lifecycle, time and org.

Written as a stream with the standard library; texts are made safe first, since XML cannot hold control characters at
all. A trace is a run: ``concept:name`` is the run ID, which is unique, and the workflow ID stands beside it. In an
event ``concept:instance`` tells simultaneous instances of an activity apart.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from xml.sax.saxutils import quoteattr

from durable_nb.analytics.exports.event_log import LogEvent, event_log
from durable_nb.analytics.exports.instants import iso_instant
from durable_nb.analytics.exports.records import RunRecord
from durable_nb.analytics.exports.span_reading import spans_of
from durable_nb.model.text import safe_text

_EXTENSIONS = (("Concept", "concept"), ("Lifecycle", "lifecycle"), ("Time", "time"), ("Organizational", "org"))
_TEXT_LIMIT = 2000


def xes_log(runs: Iterable[RunRecord]) -> Iterator[str]:
    """The XML text of a log, in pieces; one trace at a time is in memory."""
    yield '<?xml version="1.0" encoding="UTF-8"?>\n'
    yield '<log xes.version="1.0" xes.features="" xmlns="http://www.xes-standard.org/">\n'
    for name, prefix in _EXTENSIONS:
        yield f'\t<extension name="{name}" prefix="{prefix}" uri="http://www.xes-standard.org/{prefix}.xesext"/>\n'
    yield from _globals("trace", _text("concept:name", "unknown"))
    yield from _globals(
        "event",
        _text("concept:name", "unknown"),
        _text("lifecycle:transition", "complete"),
        _date("time:timestamp", 0),
    )
    yield '\t<classifier name="Activity" keys="concept:name"/>\n'
    yield '\t<classifier name="Activity and lifecycle" keys="concept:name lifecycle:transition"/>\n'
    yield f"\t{_text('concept:name', 'durable_nb')}\n"
    yield f"\t{_text('lifecycle:model', 'standard')}\n"
    for record in runs:
        yield _trace(record)
    yield "</log>\n"


def _globals(scope: str, *attributes: str) -> Iterator[str]:
    yield f'\t<global scope="{scope}">\n'
    yield from (f"\t\t{attribute}\n" for attribute in attributes)
    yield "\t</global>\n"


def _trace(record: RunRecord) -> str:
    run, spans = record.run, spans_of(record)
    lines = ["\t<trace>"]
    facts = [
        ("concept:name", run.run_id),
        ("workflow_id", run.workflow_id),
        ("workflow_type", run.workflow_type),
        ("status", spans.run.outcome or "running"),
        ("task_queue", run.task_queue),
        ("parent_run_id", run.parent_run_id),
        ("definition", run.definition),
    ]
    lines += [f"\t\t{_text(key, value)}" for key, value in facts if value]
    lines.append(f"\t\t{_date('start_time', run.start_time)}")
    if run.close_time:
        lines.append(f"\t\t{_date('close_time', run.close_time)}")
    for event in event_log(spans):
        lines.append("\t\t<event>")
        lines += [f"\t\t\t{attribute}" for attribute in _event(event)]
        lines.append("\t\t</event>")
    lines.append("\t</trace>\n")
    return "\n".join(lines)


def _event(event: LogEvent) -> Iterator[str]:
    yield _text("concept:name", event.activity or "unknown")
    yield _text("lifecycle:transition", event.lifecycle)
    yield _date("time:timestamp", event.at)
    optional = (
        ("concept:instance", event.instance),
        ("org:resource", event.resource),
        ("org:group", event.group),
        ("kind", event.kind),
        ("outcome", event.outcome),
        ("error_type", event.error_type),
        ("error", event.error),
    )
    for key, value in optional:
        if value:
            yield _text(key, value)
    if event.attempt:
        yield f'<int key="attempt" value="{event.attempt}"/>'


def _text(key: str, value: str) -> str:
    return f'<string key="{key}" value={quoteattr(_xml(value))}/>'


def _date(key: str, microseconds: int) -> str:
    return f'<date key="{key}" value="{iso_instant(microseconds)}"/>'


def _xml(text: str) -> str:
    """Text without what XML 1.0 cannot hold: ``safe_text`` leaves only two noncharacters."""
    return safe_text(text, _TEXT_LIMIT).replace("\ufffe", "\\ufffe").replace("\uffff", "\\uffff")
