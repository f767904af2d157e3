"""Process-mining logs: XES against its rules, CSV against Python's reader, both against each other."""

from __future__ import annotations

import csv
import io
import xml.etree.ElementTree as ET
from datetime import datetime, timedelta

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from durable_nb.analytics.exports import event_log_csv, xes_log
from durable_nb.analytics.exports.event_log import CSV_COLUMNS, event_log
from durable_nb.analytics.exports.instants import iso_instant
from durable_nb.analytics.exports.records import RunRecord
from durable_nb.analytics.exports.span_reading import spans_of

NS = "{http://www.xes-standard.org/}"
ORDER = ["extension", "global", "classifier", "string", "trace"]
STANDARD = {
    "schedule", "assign", "withdraw", "reassign", "start", "suspend", "resume", "pi_abort", "ate_abort", "complete",
    "autoskip", "manualskip", "unknown",
}  # fmt: skip
AFTER = {
    "schedule": {"start", "withdraw"},
    "start": {"suspend", "complete", "ate_abort"},
    "suspend": {"resume", "ate_abort"},
    "resume": {"suspend", "complete", "ate_abort"},
}


def tag(element: ET.Element) -> str:
    assert element.tag.startswith(NS)
    return element.tag.removeprefix(NS)


def attributes(element: ET.Element) -> dict[str, str]:
    found = {child.get("key"): child.get("value") for child in element if child.get("key")}
    assert len(found) == sum(1 for child in element if child.get("key"))
    return found


def test_the_log_has_the_form_that_the_standard_demands(gallery: list[RunRecord]) -> None:
    root = ET.fromstring("".join(xes_log(gallery)))
    assert tag(root) == "log"
    assert root.get("xes.version") == "1.0"
    assert root.get("xes.features") == ""
    places = [ORDER.index(tag(child)) for child in root]
    assert places == sorted(places)
    prefixes = {extension.get("prefix") for extension in root.iter(f"{NS}extension")}
    for element in root.iter():
        key = element.get("key")
        if key and ":" in key:
            assert key.partition(":")[0] in prefixes
        if tag(element) == "date":
            assert datetime.fromisoformat(element.get("value") or "").utcoffset() == timedelta(0)
        elif tag(element) == "int":
            assert int(element.get("value") or "") > 0
    declared = {scope.get("scope"): attributes(scope).keys() for scope in root.iter(f"{NS}global")}
    for name, needed in declared.items():
        assert all(needed <= attributes(element).keys() for element in root.iter(f"{NS}{name}"))


def test_traces_are_the_runs_and_lifecycles_are_the_standard_ones(gallery: list[RunRecord]) -> None:
    root = ET.fromstring("".join(xes_log(gallery)))
    traces = list(root.iter(f"{NS}trace"))
    assert [attributes(trace)["concept:name"] for trace in traces] == [record.run.run_id for record in gallery]
    for trace in traces:
        events = [attributes(event) for event in trace.iter(f"{NS}event")]
        assert {event["lifecycle:transition"] for event in events} <= STANDARD
        times = [event["time:timestamp"] for event in events]
        assert times == sorted(times)
        assert {event.get("kind") for event in events} <= {
            "activity", "local_activity", "timer", "child_workflow", "update", "signal", "cancel_request",
        }  # fmt: skip


def test_activities_go_through_the_lifecycle_in_its_order(gallery: list[RunRecord]) -> None:
    seen = set()
    for record in gallery:
        states: dict[str, str] = {}
        for row in event_log(spans_of(record)):
            if row.kind != "activity":
                continue
            before = states.get(row.instance)
            if before is not None:
                assert row.lifecycle in AFTER[before], (record.run.workflow_id, row)
            else:
                assert row.lifecycle == "schedule"
            states[row.instance] = row.lifecycle
            seen.add(row.lifecycle)
    assert seen == {"schedule", "start", "suspend", "resume", "complete", "ate_abort", "withdraw"}


def test_csv_and_xes_say_the_same(gallery: list[RunRecord]) -> None:
    rows = list(csv.DictReader(io.StringIO("".join(event_log_csv(gallery)), newline="")))
    assert tuple(rows[0]) == CSV_COLUMNS
    root = ET.fromstring("".join(xes_log(gallery)))
    told = [
        (
            attributes(trace)["concept:name"],
            found["concept:name"],
            found["lifecycle:transition"],
            found["time:timestamp"],
        )
        for trace in root.iter(f"{NS}trace")
        for found in map(attributes, trace.iter(f"{NS}event"))
    ]
    assert [(row["case_id"], row["activity"], row["lifecycle"], row["timestamp"]) for row in rows] == told


def wild(record: RunRecord, text: str) -> RunRecord:
    return msgspec.structs.replace(record, run=msgspec.structs.replace(record.run, workflow_id=text))


@pytest.mark.parametrize("text", ['=HYPERLINK("x")', "+1", "-1", "@SUM(A1)"])
def test_csv_disarms_what_a_spreadsheet_would_run(gallery: list[RunRecord], text: str) -> None:
    row = next(csv.DictReader(io.StringIO("".join(event_log_csv([wild(gallery[0], text)])), newline="")))
    assert row["workflow_id"] == f"'{text}"


@given(st.text())
def test_any_text_gives_well_formed_xml_and_csv(gallery: list[RunRecord], text: str) -> None:
    record = wild(gallery[0], text)
    trace = next(ET.fromstring("".join(xes_log([record]))).iter(f"{NS}trace"))
    rows = list(csv.DictReader(io.StringIO("".join(event_log_csv([record])), newline="")))
    if text and text.isascii() and text.isprintable():
        assert attributes(trace)["workflow_id"] == text
        assert rows[0]["workflow_id"].lstrip("'") == text.lstrip("'")
    assert len({row["workflow_id"] for row in rows}) == 1


@given(st.integers(-(2**63), 2**63 - 1))
def test_any_instant_has_a_text_and_the_order_stays(microseconds: int) -> None:
    text = iso_instant(microseconds)
    assert datetime.fromisoformat(text).utcoffset() == timedelta(0)
    assert text <= iso_instant(microseconds + 1)
