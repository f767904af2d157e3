"""A report as one HTML file that needs nothing else: no network, no script, no picture.

The page forbids both by a content security policy, so that not even a mistake in escaping could load or run anything.
Light and dark follow the reader's system; printing gives a light page.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

from durable_nb.analytics.exports.capsule import DefinitionLookup
from durable_nb.analytics.exports.records import RunRecord
from durable_nb.analytics.exports.report.markup import Markup, element, state, text
from durable_nb.analytics.exports.report.overview import RunLine, run_line, runs_table, tiles, types_table
from durable_nb.analytics.exports.report.run_section import run_section
from durable_nb.analytics.exports.span_reading import spans_of
from durable_nb.analytics.exports.spans import RunSpans
from durable_nb.model.records import DefinitionRow
from durable_nb.model.text import format_instant

DETAILS = 100
"""Runs of a report on many that get details of their own unless asked for more."""

_POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"


def html_report(
    runs: Iterable[RunRecord],
    *,
    title: str | None = None,
    lookup: DefinitionLookup | None = None,
    made_at: int = 0,
    details: int = DETAILS,
    events: bool = True,
) -> Iterator[str]:
    """The HTML text of a report, in pieces: on one run, or, when there are more or none, an overview with details.

    Parameters
    ----------
    title
        Heading of a report on many runs, and the title of the page.
    lookup
        Where the sources of definitions are found; None leaves them out.
    made_at
        Microseconds since the epoch, for the foot of the page.
    details
        Runs that get details; of the others there is a row in the table. Their details are held in memory.
    events
        Whether the histories are there event by event.
    """
    found = iter(runs)
    first, second = next(found, None), next(found, None)
    if first is not None and second is None:
        yield from _one(first, title, lookup, made_at, events)
        return
    beginning = [record for record in (first, second) if record is not None]
    yield from _many(beginning, found, title, lookup, made_at, details, events)


def _one(
    record: RunRecord, title: str | None, lookup: DefinitionLookup | None, made_at: int, events: bool
) -> Iterator[str]:
    run, spans = record.run, spans_of(record)
    yield _head(title or f"{run.workflow_type} {run.workflow_id}")
    yield f"<h1>{text(run.workflow_id, 300)}{state(spans.run.outcome)}</h1>"
    yield element("p", run.workflow_type, class_="soft")
    yield from run_section(spans, _definition(record, lookup), events=events)
    yield _foot(made_at)


def _many(
    beginning: list[RunRecord],
    rest: Iterator[RunRecord],
    title: str | None,
    lookup: DefinitionLookup | None,
    made_at: int,
    details: int,
    events: bool,
) -> Iterator[str]:
    lines: list[RunLine] = []
    sections: list[str] = []
    for record in _chained(beginning, rest):
        spans = spans_of(record)
        anchor = f"run-{len(lines) + 1}" if len(sections) < details else ""
        lines.append(run_line(spans, anchor))
        if anchor:
            sections.append(_details(spans, anchor, _definition(record, lookup), events))
    heading = title or "Workflow runs"
    yield _head(heading)
    yield element("h1", heading)
    if lines:
        first, last = min(line.start for line in lines), max(line.start for line in lines)
        yield element("p", f"started from {format_instant(first)} to {format_instant(last)}", class_="soft")
    yield tiles(lines)
    if lines:
        yield types_table(lines)
        yield runs_table(lines)
    yield from sections
    left = len(lines) - len(sections)
    if left > 0:
        yield element("p", f"Details are given for {len(sections):,} runs; {left:,} more are in the table.")
    yield _foot(made_at)


def _chained(beginning: list[RunRecord], rest: Iterator[RunRecord]) -> Iterator[RunRecord]:
    yield from beginning
    yield from rest


def _details(spans: RunSpans, anchor: str, definition: DefinitionRow | None, events: bool) -> str:
    run = spans.record.run
    body = "".join(run_section(spans, definition, events=events))
    head = f"{element('h3', run.workflow_id)} {element('span', run.workflow_type, class_='soft')}"
    return (
        f'<section class="card" id="{anchor}"><details class="run"><summary>{head}{state(spans.run.outcome)}</summary>'
        f"{body}</details></section>"
    )


def _definition(record: RunRecord, lookup: DefinitionLookup | None) -> DefinitionRow | None:
    if lookup is None:
        return None
    digest = record.run.definition
    if digest:
        return lookup.get_definition(digest)
    return lookup.latest_definition("workflow", record.run.workflow_type)


@cache
def _style() -> str:
    return Path(__file__).with_name("style.css").read_text(encoding="utf-8")


def _head(title: str) -> str:
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta name="color-scheme" content="light dark">'
        f"<title>{text(title, 200)}</title><style>{_style()}</style></head><body><main>\n"
    )


def _foot(made_at: int) -> Markup:
    made = f" on {format_instant(made_at)}" if made_at else ""
    return Markup(f"<footer>{text(f'Made by durable_nb{made}. Times are UTC.')}</footer></main></body></html>\n")
