"""Reports: whole pages without scripts or network, every string escaped, every attempt and run there."""

from __future__ import annotations

import re
from contextlib import closing
from html.parser import HTMLParser
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from durable_nb.analytics import open_explorer
from durable_nb.analytics.exports import RunRecord, html_report, record_of_history
from durable_nb.analytics.exports.reading import read_runs
from durable_nb.analytics.exports.report.overview import quantile, run_line, success
from durable_nb.analytics.exports.span_reading import spans_of
from durable_nb.analytics.statistics import success_rate
from durable_nb.model.attributes import WorkflowExecutionCompleted, WorkflowExecutionSignaled, WorkflowExecutionStarted
from durable_nb.model.events import Event
from durable_nb.model.payload import Payload
from durable_nb.model.records import DefinitionRow, RunFilter
from durable_nb.store import open_store
from tests.simulated import simulated

VOID = {"meta", "br"}
ALLOWED = {
    "html", "head", "meta", "title", "style", "body", "main", "h1", "h2", "h3", "p", "section", "div", "span", "i", "b",
    "a", "code", "pre", "dl", "dt", "dd", "table", "thead", "tbody", "tr", "th", "td", "details", "summary", "footer",
}  # fmt: skip
EVIL = '"><script>alert(1)</script><img src=x onerror=alert(1)>\x1b[31m\u202e\x00'


class Page(HTMLParser):
    """A page, checked while it is read."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.text = ""
        self.style = ""
        self.ids: set[str] = set()
        self.links: set[str] = set()
        self.classes: list[str] = []
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in ALLOWED, tag
        names = [name for name, _ in attrs]
        assert len(set(names)) == len(names)
        for name, value in attrs:
            assert not name.startswith("on")
            assert name not in {"src", "srcset", "data", "action", "background"}
            if name == "href":
                assert re.fullmatch(r"#run-\d+", value or "")
                self.links.add((value or "")[1:])
            if name == "id":
                assert value not in self.ids
                self.ids.add(value or "")
            if name == "style":
                assert re.fullmatch(r"(left|width):[\d.]+%(;width:[\d.]+%)?", value or ""), value
            if name == "class":
                self.classes += (value or "").split()
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] == "style":
            self.style += data
        else:
            self.text += data


def page(records: list[RunRecord], **options: object) -> Page:
    return Page("".join(html_report(records, **options)))  # type: ignore[arg-type]


def test_every_kind_of_run_gives_a_whole_page(gallery: list[RunRecord]) -> None:
    for record in gallery:
        found = page([record])
        assert record.run.workflow_id in found.text
        assert record.run.run_id in found.text
        for event in record.events:
            assert event.event_type.title in found.text


def test_a_page_needs_no_network_and_forbids_it(gallery: list[RunRecord]) -> None:
    html = "".join(html_report(gallery[:3]))
    assert "default-src 'none'" in html
    assert "url(" not in Page(html).style
    assert "@import" not in Page(html).style
    assert "prefers-color-scheme: dark" in Page(html).style
    assert "@media print" in Page(html).style


def evil(record: RunRecord) -> RunRecord:
    payload = [Payload({"encoding": b"json/plain"}, msgspec.json.encode(EVIL))]
    events = []
    for event in record.events:
        body = event.attributes
        if isinstance(body, WorkflowExecutionStarted):
            body = msgspec.structs.replace(body, workflow_type=EVIL, input=payload, memo={EVIL: payload[0]})
        elif isinstance(body, WorkflowExecutionSignaled):
            body = msgspec.structs.replace(body, signal_name=EVIL, identity=EVIL, input=payload)
        elif isinstance(body, WorkflowExecutionCompleted):
            body = msgspec.structs.replace(body, result=payload)
        events.append(Event(event.event_id, event.event_time, body, event.user_metadata))
    return record_of_history(EVIL, events, namespace=EVIL)


@pytest.mark.parametrize("count", [1, 2])
def test_no_text_of_a_run_becomes_markup(by_workflow: dict[str, list[RunRecord]], count: int) -> None:
    record = evil(by_workflow["mailbox"][0])
    row = DefinitionRow("d", EVIL, "workflow", f"{EVIL}\ud800", EVIL, 1)

    class Sources:
        def get_definition(self, digest: str) -> DefinitionRow | None:
            return row

        def latest_definition(self, kind: str, name: str) -> DefinitionRow | None:
            return row

    html = "".join(html_report([record] * count, title=f"{EVIL}\ud800", lookup=Sources()))
    found = Page(html)
    assert "<script>alert(1)</script>" in found.text
    for bad in ("\x1b", "\u202e", "\x00", "\ud800"):
        assert bad not in html


@settings(max_examples=30)
@given(st.text(max_size=60))
def test_any_id_and_title_give_a_whole_page(gallery: list[RunRecord], text: str) -> None:
    record = msgspec.structs.replace(
        gallery[1], run=msgspec.structs.replace(gallery[1].run, workflow_id=text, workflow_type=text)
    )
    page([record], title=text)
    page([record, record], title=text)


def test_failures_are_told_with_all_attempts(by_workflow: dict[str, list[RunRecord]]) -> None:
    found = page(by_workflow["outcomes"])
    assert "attempt 1: Early: not yet" in found.text
    assert "attempt 2: Early: not yet" in found.text
    assert "raise ApplicationError" in found.text
    assert found.classes.count("w") > 2  # back-off is drawn


def test_many_runs_get_an_overview_and_details_up_to_a_limit(gallery: list[RunRecord]) -> None:
    found = page(gallery, details=10)
    assert found.links == {f"run-{n}" for n in range(1, 11)} == found.ids
    assert f"{len(gallery)}runs" in found.text
    for record in gallery:
        assert record.run.workflow_id in found.text
    assert f"Details are given for 10 runs; {len(gallery) - 10} more are in the table." in found.text


def test_no_run_is_a_page_too() -> None:
    assert "0runs" in page([]).text


def test_events_can_be_left_out(gallery: list[RunRecord]) -> None:
    assert len("".join(html_report(gallery[:1], events=False))) < len("".join(html_report(gallery[:1])))
    assert "WorkflowTaskScheduled" not in page(gallery[:1], events=False).text


def test_the_definition_is_shown_where_its_source_is_known(gallery: list[RunRecord]) -> None:
    class Sources:
        def get_definition(self, digest: str) -> DefinitionRow | None:
            return DefinitionRow(digest, "W", "workflow", f"source of {digest}", "cell [7]", 1)

        def latest_definition(self, kind: str, name: str) -> DefinitionRow | None:
            return DefinitionRow("d", name, kind, f"latest {kind} {name}", "cell [7]", 1)

    record = gallery[0]
    assert f"latest workflow {record.run.workflow_type}" in page([record], lookup=Sources()).text
    pinned = msgspec.structs.replace(record, run=msgspec.structs.replace(record.run, definition="abc"))
    assert "source of abc" in page([pinned], lookup=Sources()).text


def test_open_runs_are_drawn_to_the_last_known_instant(gallery: list[RunRecord]) -> None:
    for record in gallery:
        for count in range(1, len(record.events), 9):
            assert "running" in page([record_of_history("w", record.events[:count])], events=False).text


def test_thousands_of_activities_share_rows(by_workflow: dict[str, list[RunRecord]]) -> None:
    record = by_workflow["fan-out"][0]
    first = next(e for e in record.events if e.event_type.title == "ActivityTaskScheduled")
    at = len(record.events)
    more = [
        Event(
            at + n,
            first.event_time + n,
            msgspec.structs.replace(first.attributes, activity_id=str(n)),
        )
        for n in range(1000)
    ]
    found = page([record_of_history("w", [*record.events[:-1], *more])], events=False)
    assert 100 < found.classes.count("row") <= 301


@given(st.lists(st.integers(0, 10**9), min_size=1), st.floats(0.01, 1))
def test_a_quantile_is_one_of_the_values(values: list[int], share: float) -> None:
    found = quantile(values, share)
    assert found in values
    assert sum(value <= found for value in values) >= share * len(values) - 1e-6


@pytest.mark.slow
def test_its_numbers_are_those_that_sql_and_the_statistics_tell(tmp_path: Path) -> None:
    url = simulated(tmp_path)
    with closing(open_store(url)) as store:
        lines = [run_line(spans_of(record), "") for record in read_runs(store, RunFilter("default", limit=0))]
    with closing(open_explorer(url)) as explorer:
        rates = success_rate(explorer).frame.set_index("workflow_type").success_rate
        took = explorer.frame("SELECT run_id, duration_us FROM runs WHERE duration_us IS NOT NULL").set_index("run_id")
    closed = {line.run_id: line.took for line in lines if line.outcome}
    assert closed == took.duration_us.to_dict()
    for kind, rate in rates.items():
        assert success([line for line in lines if line.workflow_type == kind]) == f"{100 * rate:.1f} %"
    assert any(line.goes_on and line.outcome == "failed" for line in lines)
    canceled = msgspec.structs.replace(lines[0], outcome="canceled")
    assert success([*lines, canceled]) == success(lines)
    assert success([canceled]) == ""
